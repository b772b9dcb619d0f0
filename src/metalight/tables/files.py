"""Tables on disk: the suffix of a file says how it is read and written."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metalight.atomic import replace_file
from metalight.errors import TableError
from metalight.tables.csv_metadata import save_csv_metadata
from metalight.tables.missing import replace_sentinels
from metalight.tables.table import SENTINELS, Table


@dataclass(frozen=True)
class _Format:
    """One way of keeping a table in a file."""

    name: str
    suffixes: tuple[str, ...]
    signature: bytes
    """How such a file starts; empty if it may start with anything."""
    load: Callable[[Path], Table]
    save: Callable[[Table, Path], None]
    save_beside: Callable[[Table, Path], None] = lambda table, path: None
    """Writes what the file itself cannot hold."""


def load_table(path: Path, *, missing_values: Sequence[float] = SENTINELS) -> Table:
    """Table of a CSV, Parquet or FITS file, chosen by the suffix in any case.

    Integers become int64 and never pass through floats; missing ones make the column nullable, see `Table`. A table
    without rows is a table.

    Args:
        path: The file.
        missing_values: Numbers that stand for "not measured"; they become missing in columns of integers and floats.

    Raises:
        TableError: There is no such file, its suffix is unknown, it is damaged or of another format, a column has the
            name of another or holds several values a row.
    """
    form = _find_format(path)
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table; name a file in it.")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise TableError(f"There is no file {path}; check its path.") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}. Check its permissions.") from error
    if not start:
        raise TableError(f"{path} is empty; make the file again.")
    other = next((other for other in _FORMATS if other.signature and start.startswith(other.signature)), form)
    if other is not form:
        raise TableError(f"{path} holds {other.name}, not {form.name}; rename it to end with {other.suffixes[0]}.")
    try:
        table = form.load(path)
    except OSError as error:
        raise TableError(f"{path} cannot be read as {form.name}: {error}. Make the file again.") from error
    return Table(replace_sentinels(table.frame, missing_values), table.info)


def save_table(table: Table, path: Path) -> None:
    """Write a CSV, Parquet or FITS file, chosen by the suffix; it is either whole or not there.

    Units and descriptions are written with their columns; the index of the frame is not.

    Raises:
        TableError: The suffix is unknown, the place cannot be written, or the format cannot hold a column.
    """
    form = _find_format(path)
    names = list(table.frame.columns)
    if not names or not all(isinstance(name, str) and name and name == name.strip() for name in names):
        raise TableError(
            f"{path} cannot be written: a table needs columns, and each a name without blanks around it, not {names}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{path} cannot be written: the column name '{twice[0]}' is there twice; rename one.")
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table; name a file in it.")
    try:
        with replace_file(path) as temporary:
            form.save(table, temporary)
            form.save_beside(table, path)
    except TableError as error:
        raise TableError(f"{path} cannot be written: {error}") from error
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from error


def require_writable(path: Path) -> None:
    """Refuse a place where no table can be written, before the work that would fill it.

    Raises:
        TableError: The suffix is unknown, or the place cannot be written.
    """
    _find_format(path)
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table; name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from error


def _find_format(path: Path) -> _Format:
    suffix = path.suffix.lower()
    form = next((form for form in _FORMATS if suffix in form.suffixes), None)
    if form is None:
        known = [suffix for form in _FORMATS for suffix in form.suffixes]
        shown = f"the suffix '{path.suffix}', which metalight does not know" if suffix else "no suffix"
        raise TableError(f"{path} has {shown}; tables end with {', '.join(known)}.")
    return form


# The libraries behind the formats take long to import, and most runs need one of them only.
def _load_csv(path: Path) -> Table:
    from metalight.tables.csv_files import load_csv

    return load_csv(path)


def _save_csv(table: Table, path: Path) -> None:
    from metalight.tables.csv_files import save_csv

    save_csv(table, path)


def _load_parquet(path: Path) -> Table:
    from metalight.tables.parquet_files import load_parquet

    return load_parquet(path)


def _save_parquet(table: Table, path: Path) -> None:
    from metalight.tables.parquet_files import save_parquet

    save_parquet(table, path)


def _load_fits(path: Path) -> Table:
    from metalight.tables.fits_files import load_fits

    return load_fits(path)


def _save_fits(table: Table, path: Path) -> None:
    from metalight.tables.fits_files import save_fits

    save_fits(table, path)


_FORMATS = (
    _Format("CSV", (".csv",), b"", _load_csv, _save_csv, save_csv_metadata),
    _Format("Parquet", (".parquet", ".pq"), b"PAR1", _load_parquet, _save_parquet),
    _Format("FITS", (".fits", ".fit"), b"SIMPLE  =", _load_fits, _save_fits),
)
"""Every known format; a new one is a line here, and a module that reads and writes it."""
