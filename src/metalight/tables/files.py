"""Tables on disk: the suffix of a file says how it is read and written."""

import contextlib
import errno
import io
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from metalight.atomic import replace_file
from metalight.errors import TableError, explain_system, is_of_the_place, quote_flaw
from metalight.tables import compressed
from metalight.tables.csv_metadata import name_metadata, save_csv_metadata
from metalight.tables.missing import apply_masks, replace_sentinels
from metalight.tables.parts import add_partition_columns, join_parts, list_parts, read_partition_columns
from metalight.tables.table import SENTINELS, Table, take_rows

_OF_A_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class _Format:
    """One way of keeping a table in a file."""

    name: str
    suffixes: tuple[str, ...]
    signatures: tuple[bytes, ...]
    """How such a file starts; none if it may start with anything."""
    load: Callable[[BinaryIO, Path, Sequence[str]], Table]
    """Reads an open file, with the names of wanted columns, by which a table of several is chosen."""
    save: Callable[[Table, BinaryIO], None]
    save_beside: Callable[[Table, Path], None] = lambda table, path: None
    """Writes what the file itself cannot hold."""
    is_compressible: bool = True
    """Whether `.gz` may follow the suffix."""
    only_read: tuple[str, ...] = ()
    """Suffixes of files that are read too, but not written."""


def load_table(path: Path, *, wanted: Sequence[str] = (), missing_values: Sequence[float] = SENTINELS) -> Table:
    """Table of a CSV, ECSV, VOTable, FITS or Parquet file, chosen by the suffix in any case, or of Parquet parts.

    `.gz` may follow every suffix but that of Parquet. A name with `*` or `?`, or a folder, stands for all Parquet files
    that match or lie in it and below it, sorted by name, whose rows follow one another. Folders named `key=value` add a
    column `key`, unless the files have it.

    Integers become int64 and never pass through floats; missing ones make the column nullable, see `Table`. A value is
    missing where astropy's companion column `NAME.mask` says so. Columns that cannot be used, such as those of several
    values a row, are left out, with the reason. A table without rows is a table.

    Args:
        path: The file, the pattern or the folder.
        wanted: Names of columns, in any case: of several tables in a file the first one that has them is read. A table
            without them is not an error here; `find_column` says what is lacking.
        missing_values: Numbers that stand for "not measured"; they become missing in columns of integers and floats.

    Raises:
        TableError: There is no such file, its suffix is unknown, or it is damaged or of another format.
    """
    parts = list_parts(path)
    table = join_parts(list(_load_parts(path, parts)), parts) if parts else _load_file(path, wanted)
    return replace(table, frame=replace_sentinels(table.frame, missing_values))


def load_rows(
    path: Path,
    select: Callable[[Table], Any],
    *,
    wanted: Sequence[str] = (),
    missing_values: Sequence[float] = SENTINELS,
) -> Table:
    """Some rows of a table as by `load_table`; of Parquet, in which a large one is best kept, without holding the rest.

    Args:
        path: The file, the pattern or the folder.
        select: Which rows of a piece of the table to keep: a mask of them, of booleans.
        wanted: As of `load_table`.
        missing_values: Numbers that stand for "not measured".

    Raises:
        TableError: As `load_table`, or what `select` raises.
    """
    parts = list_parts(path) or [path]
    kept: list[Table] = []
    sources: list[Path] = []
    for part, columns in zip(parts, read_partition_columns(path, parts), strict=True):
        for piece in _load_pieces(part, wanted):
            whole = add_partition_columns(piece, columns)
            kept.append(take_rows(whole, np.flatnonzero(select(whole))))
            sources.append(part)
    table = join_parts(kept, sources)
    return replace(table, frame=replace_sentinels(table.frame, missing_values))


def peek_table(path: Path) -> Table | None:
    """The first rows of a table, if it is Parquet; of other formats nothing is read, but it must be there.

    Raises:
        TableError: There is no such file, its suffix is unknown, or it is damaged Parquet.
    """
    parts = list_parts(path) or [path]
    for part in parts:
        form = _find_format(part)
        with _open(part):
            pass
    if form.name != "Parquet":
        return None
    with contextlib.closing(_load_pieces(parts[0])) as pieces:
        return add_partition_columns(next(pieces), read_partition_columns(path, parts)[0])


def list_table_files(path: Path) -> list[Path]:
    """The files that `load_table` reads: the one, what lies beside it, or all parts; `path` itself if there are none.

    Raises:
        TableError: The path is a pattern or a folder without Parquet files.
    """
    beside = name_metadata(path)
    return list_parts(path) or [path, *([beside] if beside.is_file() else [])]


def save_table(table: Table, path: Path) -> None:
    """Write a CSV, ECSV, VOTable, FITS or Parquet file, chosen by the suffix; it is either whole or not there.

    `.gz` may follow every suffix but that of Parquet. The same table makes the same file. Units and descriptions are
    written with their columns; the index of the frame is not.

    Raises:
        TableError: The suffix is unknown, the place cannot be written, or the format cannot hold a column.
    """
    form = _find_format(path, is_written=True)
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
            with temporary.open("wb") as file:
                _write(form, table, file, path, is_compressed=_is_compressed(path))
            form.save_beside(table, path)
    except TableError as error:
        raise TableError(f"{path} cannot be written: {error}") from error
    except OSError as error:
        raise TableError(
            f"{path} cannot be written: {explain_system(error)}. Fix that, or choose another place."
        ) from error


def require_writable(path: Path) -> None:
    """Refuse a place where no table can be written, before the work that would fill it.

    Raises:
        TableError: The suffix is unknown, or the place cannot be written.
    """
    _find_format(path, is_written=True)
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table; name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TableError(
            f"{path} cannot be written: {explain_system(error)}. Fix that, or choose another place."
        ) from error


def require_storable(table: Table, path: Path) -> None:
    """Refuse a table that the format of a file cannot hold, before the work whose result it is to carry.

    Raises:
        TableError: The suffix is unknown, or the format cannot hold a column.
    """
    try:
        _find_format(path, is_written=True).save(table, io.BytesIO())
    except TableError as error:
        raise TableError(f"{path} cannot be written: {error}") from error


def _find_format(path: Path, *, is_written: bool = False) -> _Format:
    is_compressed = _is_compressed(path)
    inner = path.with_suffix("") if is_compressed else path
    suffix = inner.suffix.lower()
    suffixes = {form: form.suffixes + (() if is_written else form.only_read) for form in _FORMATS}
    form = next((form for form in _FORMATS if suffix in suffixes[form]), None)
    if form is None:
        known = [suffix for form in _FORMATS for suffix in suffixes[form]]
        shown = f"the suffix '{inner.suffix}', which metalight does not know" if suffix else "no suffix"
        raise TableError(
            f"{path} has {shown}{' before .gz' * is_compressed}; tables end with {', '.join(known)}; .gz may follow."
        )
    if is_compressed and not form.is_compressible:
        raise TableError(f"{path} cannot be a table: {form.name} is compressed in itself; leave .gz away.")
    return form


def _is_compressed(path: Path) -> bool:
    return path.suffix.lower() == compressed.SUFFIX


def _load_pieces(path: Path, wanted: Sequence[str] = ()) -> Generator[Table, None, None]:
    """The rows of a file one piece after another, if it is Parquet; of the other formats all at once."""
    form = _find_format(path)
    if form.name != "Parquet":
        yield _load_file(path, wanted)
        return
    from metalight.tables.parquet_files import load_parquet_pieces

    with _open(path) as file:
        is_parquet = file.peek(4).startswith(b"PAR1")  # type: ignore[attr-defined]
        try:
            for piece in load_parquet_pieces(file, path) if is_parquet else ():
                yield replace(piece, frame=apply_masks(piece.frame))
        except (OSError, MemoryError) as error:
            raise _explain(error, form, path) from error
    if not is_parquet:
        yield _load_file(path)  # which says what it is


def _load_parts(path: Path, parts: list[Path]) -> Iterator[Table]:
    for part, columns in zip(parts, read_partition_columns(path, parts), strict=True):
        yield add_partition_columns(_load_file(part), columns)


def _load_file(path: Path, wanted: Sequence[str] = ()) -> Table:
    form = _find_format(path)
    try:
        table = _load_content_of(form, path, wanted)
    except (OSError, MemoryError) as error:
        raise _explain(error, form, path) from error
    return replace(table, frame=apply_masks(table.frame))


def _load_content_of(form: _Format, path: Path, wanted: Sequence[str]) -> Table:
    with _open(path) as file:
        is_packed = file.peek(2).startswith(compressed.SIGNATURE)  # type: ignore[attr-defined]
        if not _is_compressed(path):
            if is_packed:
                raise TableError(f"{path} is compressed with gzip; rename it to end with {path.suffix}.gz.")
            return _load_content(form, file, path, wanted)
        if not is_packed:
            raise TableError(f"{path} is not compressed with gzip; rename it to end without .gz.")
        with compressed.open_compressed(file, path) as content:
            return _load_content(form, content, path, wanted)


def _explain(error: Exception, form: _Format, path: Path) -> TableError:
    """What an error of the system means that came up while a file was read."""
    # While a table is read nothing is written but a copy that is unpacked, in the folder for temporary files.
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return TableError(f"{path} cannot be unpacked: {quote_flaw(error)}. Free some space there, or set TMPDIR.")
    if isinstance(error, OSError) and error.errno in _OF_A_FULL_DISK:
        return TableError(
            f"{path} cannot be unpacked in {tempfile.gettempdir()}: {explain_system(error)}. Free some space there, or "
            "set TMPDIR to another folder."
        )
    if isinstance(error, OSError) and is_of_the_place(error):
        return TableError(f"{path} cannot be read: {explain_system(error)}. Fix that, or name another file.")
    flaw = "it asks for more memory than there is" if isinstance(error, MemoryError) else quote_flaw(error)
    return TableError(f"{path} cannot be read as {form.name}: {flaw}. Make the file again.")


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if path.exists() and not path.is_file():
        raise TableError(f"{path} is not a file that can be read from its start; copy its content into one.")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise TableError(f"There is no file {path}; check its path.") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {explain_system(error)}. Fix that, or name another file.") from error
    with file:
        if not file.peek(1):
            raise TableError(f"{path} is empty; make the file again.")
        yield file


def _load_content(form: _Format, file: BinaryIO, path: Path, wanted: Sequence[str]) -> Table:
    start = file.read(16)
    if not start:
        raise TableError(f"{path} is empty; make the file again.")
    file.seek(0)
    other = next((other for other in _FORMATS if start.startswith(other.signatures)), form)
    if other is not form:
        suffix = other.suffixes[0] + compressed.SUFFIX * _is_compressed(path)
        raise TableError(f"{path} holds {other.name}, not {form.name}; rename it to end with {suffix}.")
    return form.load(file, path, wanted)


def _write(form: _Format, table: Table, file: BinaryIO, path: Path, *, is_compressed: bool) -> None:
    if not is_compressed:
        form.save(table, file)
        return
    # In the same folder, so that an error of the system is one of that place.
    with tempfile.TemporaryFile(dir=path.parent) as content:
        form.save(table, content)
        compressed.write_compressed(content, file)


# The libraries behind the formats take long to import, and most runs need one of them only.
def _load_csv(file: BinaryIO, path: Path, _wanted: Sequence[str]) -> Table:
    from metalight.tables.csv_files import load_csv

    return load_csv(file, path)


def _save_csv(table: Table, file: BinaryIO) -> None:
    from metalight.tables.csv_files import save_csv

    save_csv(table, file)


def _load_ecsv(file: BinaryIO, path: Path, _wanted: Sequence[str]) -> Table:
    from metalight.tables.ecsv_files import load_ecsv

    return load_ecsv(file, path)


def _save_ecsv(table: Table, file: BinaryIO) -> None:
    from metalight.tables.ecsv_files import save_ecsv

    save_ecsv(table, file)


def _load_votable(file: BinaryIO, path: Path, wanted: Sequence[str]) -> Table:
    from metalight.tables.votable_files import load_votable

    return load_votable(file, path, wanted)


def _save_votable(table: Table, file: BinaryIO) -> None:
    from metalight.tables.votable_files import save_votable

    save_votable(table, file)


def _load_parquet(file: BinaryIO, path: Path, _wanted: Sequence[str]) -> Table:
    from metalight.tables.parquet_files import load_parquet

    return load_parquet(file, path)


def _save_parquet(table: Table, file: BinaryIO) -> None:
    from metalight.tables.parquet_files import save_parquet

    save_parquet(table, file)


def _load_fits(file: BinaryIO, path: Path, wanted: Sequence[str]) -> Table:
    from metalight.tables.fits_files import load_fits

    return load_fits(file, path, wanted)


def _save_fits(table: Table, file: BinaryIO) -> None:
    from metalight.tables.fits_files import save_fits

    save_fits(table, file)


_FORMATS = (
    _Format(
        *("CSV", (".csv",), (), _load_csv, _save_csv, save_csv_metadata),
        only_read=(".tsv", ".tab", ".txt", ".dat"),
    ),
    _Format("ECSV", (".ecsv",), (b"# %ECSV ",), _load_ecsv, _save_ecsv),
    _Format("Parquet", (".parquet", ".pq"), (b"PAR1",), _load_parquet, _save_parquet, is_compressible=False),
    _Format("FITS", (".fits", ".fit"), (b"SIMPLE  =",), _load_fits, _save_fits),
    _Format("VOTable", (".vot", ".votable", ".xml"), (b"<?xml", b"<VOTABLE"), _load_votable, _save_votable),
)
"""Every known format; a new one is a line here, and a module that reads and writes it."""
