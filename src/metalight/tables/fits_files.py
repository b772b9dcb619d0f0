"""FITS binary tables; the first one of a file.

The unit of a column is in TUNITn and its description in TCOMMn. Both are ASCII, and other programs drop units that the
FITS standard does not name, such as `dex`; so they are kept a second time in MLINFOn, as JSON with the column's name.
"""

import itertools
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from metalight.errors import TableError, quote_flaw
from metalight.fits_file import FitsError, open_fits
from metalight.tables.columns import check_names, refuse_columns
from metalight.tables.described import dump_info, parse_info
from metalight.tables.missing import build_integers, build_text
from metalight.tables.table import ColumnInfo, Table

_INFO_KEYWORD = "MLINFO"
_ERRORS_OF_DAMAGE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, fits.VerifyError),
    NameError,  # of astropy, where the offset of 64-bit integers is not 2**63
)
"""What astropy raises for damaged headers."""


def load_fits(file: BinaryIO, path: Path) -> Table:
    """The first binary table of a FITS file.

    Args:
        file: The open file.
        path: Where it lies, for the messages.

    Raises:
        TableError: The file is damaged or has no binary table, or a column holds several values a row, or has the
            name of another.
    """
    with warnings.catch_warnings():
        # Many headers break the standard harmlessly; `open_fits` checks what matters.
        warnings.simplefilter("ignore")
        try:
            stored = next((unit for unit in open_fits(file) if isinstance(unit, fits.BinTableHDU)), None)
            if stored is None:
                raise TableError(f"{path} holds no binary table; metalight reads the first one of a FITS file.")
            return _read_table(stored, path)
        except FitsError as error:
            raise TableError(f"{path} {error}; copy or download it again.") from error
        except _ERRORS_OF_DAMAGE as error:
            raise TableError(f"{path} cannot be read as FITS: {quote_flaw(error)}. Make the file again.") from error


def save_fits(table: Table, file: BinaryIO) -> None:
    """Write a FITS file with one binary table.

    Raises:
        TableError: FITS cannot hold a column: its name or text is not ASCII, or its type is not numbers, booleans or
            text.
    """
    with warnings.catch_warnings():
        # Names of other signs than letters and digits are only advised against, and read back as they are.
        warnings.simplefilter("ignore", VerifyWarning)
        _build_unit(table).writeto(file)


def _build_unit(table: Table) -> fits.BinTableHDU:
    columns = [_build_column(name, table.frame[name], table.info.get(name)) for name in table.frame.columns]
    unit = fits.BinTableHDU.from_columns(columns, nrows=len(table.frame))
    stored = unit.data.view(np.ndarray)
    for place, name in enumerate(table.frame.columns, start=1):
        column = table.frame[name]
        if column.dtype == "boolean" and column.isna().any():
            # astropy writes booleans as T or F only; a byte of zero is what the standard calls undefined.
            stored[name][column.isna().to_numpy()] = 0
        info = table.info.get(name, ColumnInfo())
        if info != ColumnInfo():
            unit.header[f"{_INFO_KEYWORD}{place}"] = dump_info(name, info)
        if _is_header_text(info.description):
            unit.header[f"TCOMM{place}"] = info.description
    return unit


def _read_table(stored: fits.BinTableHDU, path: Path) -> Table:
    names = [str(name) for name in stored.columns.names]
    check_names(names, path)
    raw = stored.data.view(np.ndarray)
    refuse_columns([name for place, name in enumerate(names) if not _is_one_value_a_row(stored, raw, place)], path)
    columns = {name: _read_column(stored, raw, place) for place, name in enumerate(names)}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(raw)))
    return Table(frame, _read_info(stored.header, names))


def _is_one_value_a_row(stored: fits.BinTableHDU, raw: npt.NDArray[Any], place: int) -> bool:
    dtype = raw.dtype[place]
    letter = stored.columns[place].format.format
    return dtype.shape in ((), (1,)) and letter not in ("P", "Q", "C", "M", "X")


def _read_column(stored: fits.BinTableHDU, raw: npt.NDArray[Any], place: int) -> "pd.Series[Any]":
    column = stored.columns[place]
    values = raw[str(column.name)].reshape(len(raw))
    if column.format.format == "A":
        return _read_text(values)
    if column.format.format == "L":
        is_missing = values == 0
        is_true = values == ord("T")
        return pd.Series(pd.arrays.BooleanArray(is_true, is_missing) if is_missing.any() else is_true)
    numbers = np.asarray(stored.data.field(place)).reshape(len(raw))
    # TNULLn is compared with the numbers as stored, before TSCALn and TZEROn.
    is_missing = np.zeros(len(raw), dtype=bool) if column.null is None else values == column.null
    if numbers.dtype.kind in "iu":
        return build_integers(numbers.astype(numbers.dtype.newbyteorder("=")), is_missing)
    floats = numbers.astype(numbers.dtype.newbyteorder("="))
    return pd.Series(np.where(is_missing, np.nan, floats) if is_missing.any() else floats)


def _read_text(values: npt.NDArray[Any]) -> "pd.Series[Any]":
    # FITS text is ASCII; UTF-8 of careless writers is understood, and bytes that are neither are shown as \xNN.
    texts = [value.split(b"\0")[0].rstrip(b" ").decode(errors="backslashreplace") or None for value in values.tolist()]
    return build_text(texts)


def _build_column(name: str, column: "pd.Series[Any]", info: ColumnInfo | None) -> fits.Column:
    if not _is_header_text(name):
        raise TableError(f"FITS cannot hold the column name '{name}'; give it a name of ASCII letters.")
    unit = info.unit if info is not None and _is_header_text(info.unit) else None
    is_missing = column.isna().to_numpy()
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return fits.Column(name, "L", unit=unit, array=column.fillna(False).to_numpy(dtype=bool))
    if pd.api.types.is_integer_dtype(dtype):
        return _build_integers(name, column, is_missing, unit)
    if pd.api.types.is_float_dtype(dtype):
        width, letter = (np.float32, "E") if dtype == np.float32 else (np.float64, "D")
        return fits.Column(name, letter, unit=unit, array=column.to_numpy(dtype=width, na_value=np.nan))
    texts = ["" if missing else text for text, missing in zip(column.tolist(), is_missing, strict=True)]
    if not all(isinstance(text, str) for text in texts):
        raise TableError(f"FITS cannot hold the column '{name}', of type {dtype}; save the table as .parquet.")
    foreign = next((text for text in texts if not text.isascii() or "\0" in text), None)
    if foreign is not None:
        raise TableError(f"FITS cannot hold {foreign!r} of column '{name}', which is not ASCII; save it as .parquet.")
    encoded = np.array([text.encode() for text in texts], dtype=bytes)
    return fits.Column(name, f"{max(1, encoded.dtype.itemsize)}A", unit=unit, array=encoded)


def _build_integers(
    name: str, column: "pd.Series[Any]", is_missing: npt.NDArray[np.bool_], unit: str | None
) -> fits.Column:
    """Column of 64-bit integers; those above int64 are stored with an offset, as FITS asks for."""
    present = [int(value) for value in column[~is_missing].tolist()]
    offset = 2**63 if max(present, default=0) >= 2**63 else 0
    null = None
    if is_missing.any():
        # What stands for missing must be no value of the column.
        taken = {value - offset for value in present}
        null = next(value for value in itertools.count(-(2**63)) if value not in taken)
    values = np.full(len(column), 0 if null is None else null + offset, dtype=np.uint64 if offset else np.int64)
    values[~is_missing] = present
    return fits.Column(name, "K", unit=unit, null=null, bzero=offset or None, array=values)


def _read_info(header: fits.Header, names: list[str]) -> dict[str, ColumnInfo]:
    kept = dict(parse_info(text) for keyword, text in header.items() if keyword.startswith(_INFO_KEYWORD))
    info = {}
    for place, name in enumerate(names, start=1):
        own = kept.get(name, ColumnInfo())
        unit = str(header.get(f"TUNIT{place}", "")).strip() or own.unit
        description = str(header.get(f"TCOMM{place}", "")).strip() or own.description
        if unit or description:
            info[name] = ColumnInfo(unit, description)
    return info


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and bool(text.strip())
