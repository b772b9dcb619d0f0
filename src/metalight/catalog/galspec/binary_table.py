"""A FITS binary table, read in pieces of rows: memory does not grow with the file.

astropy reads the header. The rows are read from the file one piece after another into the same memory: a memory map,
as `astropy.io.fits` offers it, keeps what was touched resident, and rows of a kilobyte, of which a few columns are
needed, touch all of a file.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from metalight.errors import CatalogError, explain_system, quote_flaw
from metalight.fits_file import FitsError, open_fits

_ERRORS_OF_DAMAGE = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True, eq=False)
class BinaryTable:
    """The first binary table of an open file."""

    path: Path
    num_rows: int
    row_dtype: np.dtype[Any]
    """A row as it is stored: big-endian."""

    formats: dict[str, str]
    """The letter of TFORMn by column: I, J, K, E, D, A, L …; of columns that can be read."""

    _file: BinaryIO
    _start: int

    def find_column(self, *names: str) -> str | None:
        """The first of these names that the table has, as it spells it; case does not matter."""
        by_folded = {name.casefold(): name for name in self.row_dtype.names or ()}
        return next((by_folded[name.casefold()] for name in names if name.casefold() in by_folded), None)

    def require_column(self, *names: str) -> str:
        """The first of these names that the table has.

        Raises:
            CatalogError: It has none of them, or the column does not hold one plain value a row.
        """
        found = self.find_column(*names)
        if found is None:
            raise CatalogError(f"{self.path} has no column {names[0]}, unlike the files of SDSS; download it again.")
        if found not in self.formats:
            raise CatalogError(
                f"Column {found} of {self.path} does not hold one plain value a row as in the files of SDSS; download "
                "the file again."
            )
        return found

    def read_pieces(self, num_rows: int) -> Iterator[npt.NDArray[Any]]:
        """The rows one piece after another; each is gone when the next one is asked for.

        Args:
            num_rows: Rows of a piece; the last one may have fewer.

        Raises:
            CatalogError: The file cannot be read.
        """
        piece = np.empty(min(num_rows, self.num_rows), dtype=self.row_dtype)
        content = memoryview(piece.view(np.uint8).reshape(-1).data) if len(piece) else memoryview(b"")
        for first in range(0, self.num_rows, num_rows):
            length = min(num_rows, self.num_rows - first)
            wanted = content[: length * self.row_dtype.itemsize]
            try:
                self._file.seek(self._start + first * self.row_dtype.itemsize)
                done = 0
                # Unbuffered, a file gives less than it was asked for where that is above 2 GiB or a signal arrives.
                while done < len(wanted) and (got := self._file.readinto(wanted[done:])):  # type: ignore[attr-defined]
                    done += got
            except OSError as error:
                raise CatalogError(f"{self.path} cannot be read: {explain_system(error)}. Fix that.") from error
            if done < len(wanted):
                raise CatalogError(f"{self.path} is cut short; copy or download it again.")
            yield piece[:length]

    def take(self, piece: npt.NDArray[Any], name: str, rows: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of a column in some rows of a piece, in the byte order of this machine.

        Args:
            piece: Of `read_pieces`.
            name: The column, as the table spells it.
            rows: Indices within the piece, or a mask of it.
        """
        values: npt.NDArray[Any] = piece[name][rows]
        values = values.reshape(len(values))
        if self.formats[name] == "L":
            values = values == ord("T")
        return values if values.dtype.kind == "S" else values.astype(values.dtype.newbyteorder("="))


@contextlib.contextmanager
def open_binary_table(path: Path) -> Iterator[BinaryTable]:
    """Open the first binary table of a FITS file; only its header is read.

    Raises:
        CatalogError: The file is damaged, cut short or cannot be read, or has no binary table.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {explain_system(error)}. Fix that.") from error
    with file:
        yield _read_header(path, file)


def _read_header(path: Path, file: Any) -> BinaryTable:
    from astropy.io import fits

    with warnings.catch_warnings():
        # Many headers break the standard harmlessly; `open_fits` checks what matters.
        warnings.simplefilter("ignore")
        try:
            unit = next((unit for unit in open_fits(file) if isinstance(unit, fits.BinTableHDU)), None)
            if unit is None:
                raise CatalogError(f"{path} holds no binary table; download it again.")
            start = int(unit.fileinfo()["datLoc"])
            num_rows = int(unit.header["NAXIS2"])
            row_dtype = unit.columns.dtype.newbyteorder(">")
            formats = {
                str(column.name): str(column.format.format) for column in unit.columns if _is_plain(column, row_dtype)
            }
        except FitsError as error:
            raise CatalogError(f"{path} {error}; download it again.") from error
        except (*_ERRORS_OF_DAMAGE, fits.VerifyError) as error:
            raise CatalogError(f"{path} cannot be read as FITS: {quote_flaw(error)}. Download it again.") from error
    return BinaryTable(path, num_rows, row_dtype, formats, file, start)


def _is_plain(column: Any, row_dtype: np.dtype[Any]) -> bool:
    """Whether a column holds one number, truth value or text a row, as it is: neither scaled nor an array."""
    is_scaled = column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0)
    is_single = row_dtype[column.name].shape in ((), (1,))
    return is_single and not is_scaled and column.format.format in ("B", "I", "J", "K", "E", "D", "A", "L")
