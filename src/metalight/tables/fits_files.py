"""FITS tables, binary and ASCII; of several in a file the first that has the wanted columns.

The unit of a column is in TUNITn and its description in TCOMMn. Both are ASCII, and other programs drop units that the
FITS standard does not name, such as `dex`; so they are kept a second time in MLINFOn, as JSON with the column's name.
"""

import io
import itertools
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from metalight.errors import TableError, is_of_the_place, quote_flaw
from metalight.fits_file import FitsError, open_fits
from metalight.tables.arrow import blank_out_missing, build_column
from metalight.tables.columns import choose_table, describe_choice
from metalight.tables.described import dump_info, parse_info
from metalight.tables.missing import build_integers, build_text
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import UsableColumns

_INFO_KEYWORD = "MLINFO"
_ERRORS_OF_DAMAGE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, fits.VerifyError),
    NameError,  # of astropy, where the offset of 64-bit integers is not 2**63
)
"""Errors that astropy raises for damaged headers."""
_FLAWS = {
    **dict.fromkeys("PQ", "holds several values a row"),
    **dict.fromkeys("CM", "holds complex numbers"),
    "X": "holds bits",
}
"""Of columns by the letter of their type."""


def load_fits(file: BinaryIO, path: Path, wanted: Sequence[str] = ()) -> Table:
    """The first table of a FITS file that has the wanted columns, or else the one that has the most of them.

    Args:
        file: The open file.
        path: Where it lies, for the messages.
        wanted: Names of columns, in any case; if no table has one of them, the longest table is read.

    Raises:
        TableError: The file is damaged or has no table.
    """
    with warnings.catch_warnings():
        # Many headers break the standard harmlessly; `open_fits` checks what matters.
        warnings.simplefilter("ignore")
        try:
            stored, notes = _choose_unit(open_fits(file), wanted)
            if stored is None:
                raise TableError(f"{path} holds no table, only images or nothing; name a FITS file with a table.")
            return _read_table(stored, path, notes)
        except FitsError as error:
            raise TableError(f"{path} {error}; copy or download it again.") from error
        except _ERRORS_OF_DAMAGE as error:
            if isinstance(error, OSError) and is_of_the_place(error):
                raise
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
        # In memory first: where a disk is full, astropy hides what the system says, or ends in an error of its own.
        content = io.BytesIO()
        _build_unit(table).writeto(content)
    file.write(content.getbuffer())


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


def _choose_unit(units: Sequence[Any], wanted: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """The table to read, None if there is none, and a note on the choice."""
    tables = [(place, unit) for place, unit in enumerate(units) if isinstance(unit, (fits.BinTableHDU, fits.TableHDU))]
    if not tables:
        return None, ()
    chosen = 0
    if len(tables) > 1:
        lengths = [int(unit.header.get("NAXIS2", 0)) for _, unit in tables]
        chosen = choose_table([_list_names(unit) for _, unit in tables], wanted, lengths)
    return tables[chosen][1], describe_choice([unit.name or f"extension {place}" for place, unit in tables], chosen)


def _list_names(unit: Any) -> list[str]:
    try:
        return [str(name) for name in unit.columns.names]
    except _ERRORS_OF_DAMAGE:
        return []  # it matters only if no other table has the columns


def _read_table(stored: Any, path: Path, notes: Sequence[str]) -> Table:
    names = [str(name) for name in stored.columns.names]
    usable = UsableColumns(names, path)
    for place, name in enumerate(names):
        if name in usable.left_out:
            stored.columns[place].name = f"{name}, column {place + 1}"  # numpy has no records with one name twice
    raw = stored.data.view(np.ndarray)
    is_text = isinstance(stored, fits.TableHDU)
    for place, name in enumerate(names):
        flaw = "" if is_text else _find_flaw(stored, raw, place)
        if flaw:
            usable.leave_out(name, flaw)
        read = _read_field_of_text if is_text else _read_column
        usable.add(name, lambda read=read, place=place: read(stored, raw, place), _ERRORS_OF_DAMAGE)  # type: ignore[misc]
    table = usable.build_table(_read_info(stored.header, names), notes)
    return replace(table, frame=table.frame.reindex(pd.RangeIndex(len(raw))))


def _find_flaw(stored: fits.BinTableHDU, raw: npt.NDArray[Any], place: int) -> str:
    """Why a column of a binary table cannot be used, by its type; empty if it can."""
    letter, shape = stored.columns[place].format.format, raw.dtype[place].shape
    if letter in _FLAWS:
        return _FLAWS[letter]
    return "" if shape in ((), (1,)) else f"holds {' × '.join(map(str, shape))} values a row"


def _read_field_of_text(stored: fits.TableHDU, raw: npt.NDArray[Any], place: int) -> "pd.Series[Any]":
    """A column of an ASCII table; numbers are taken from their text, so that integers of any width are exact."""
    column = stored.columns[place]
    width = column.format.width
    texts = _read_text([value[:width] for value in _take_field(raw, place).tolist()])
    if column.format.format == "A":
        return texts
    null = "" if column.null is None else str(column.null).strip()
    fields = [str(text).strip() if isinstance(text, str) else "" for text in texts.tolist()]
    is_integer = column.format.format == "I"
    # Fortran writes 1.5D+10.
    digits = [None if field == null else field.lstrip("+").upper().replace("D", "E") for field in fields]
    numbers = blank_out_missing(pa.array(digits, pa.string())).cast(pa.int64() if is_integer else pa.float64())
    scale, zero = (1 if column.bscale in ("", None) else column.bscale), (column.bzero or 0)
    found = build_column(pa.chunked_array([numbers]))
    return found if (scale, zero) == (1, 0) else found * scale + zero


def _read_column(stored: fits.BinTableHDU, raw: npt.NDArray[Any], place: int) -> "pd.Series[Any]":
    column = stored.columns[place]
    values = _take_field(raw, place).reshape(len(raw))
    if column.format.format == "A":
        return _read_text(values.tolist())
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


def _take_field(raw: npt.NDArray[Any], place: int) -> npt.NDArray[Any]:
    names = raw.dtype.names or ()
    values: npt.NDArray[Any] = raw[names[place]]
    return values


def _read_text(values: list[bytes]) -> "pd.Series[Any]":
    # FITS text is ASCII; UTF-8 of careless writers is understood, and bytes that are neither are shown as \xNN.
    texts = [value.split(b"\0")[0].rstrip(b" ").decode(errors="backslashreplace") or None for value in values]
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
