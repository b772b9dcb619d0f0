"""Spectra with a result, read from the row-matched files piece by piece.

SDSS's data model, as collected: the galSpec files are line by line matched with specObj of the same release; the
identifier is blank, or -1, where MPA-JHU have no result; results with RELIABLE = 0 are not to be used; oh_p50 is -9999
where it was not computed, for want of star-forming lines, which is not a failed fit.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog.galspec.binary_table import BinaryTable, open_binary_table
from metalight.catalog.galspec.columns import FILE_COLUMNS, PLATE_COLUMNS, ROW_KEYS, name_column
from metalight.catalog.galspec.files import GalspecFiles
from metalight.errors import CatalogError, shorten
from metalight.progress import Progress
from metalight.tables import build_text

ROWS_AT_ONCE = 16_384
"""Rows of a piece: 5 kB of all files together each, so 80 MB."""

_ID = "SPECOBJID"
_BEST_OBJECT = "bestObjID"


@dataclass(frozen=True, eq=False)
class Spectra:
    """The spectra that have a result, and how many had it."""

    frame: pd.DataFrame
    """One row a spectrum, in the order of the files: specObjID (int64); the columns of `FILE_COLUMNS` under
    SkyServer's names; plate, mjd, fiberID; fibre_ra, fibre_dec (degrees, float32 as in the file); sciencePrimary (bool)
    and bestObjID (int64, 0 where there is none) where specObj is there. Sentinels are as in the files."""

    num_left: dict[str, int]
    """How many rows were left: `all`, `id`, `reliable`, and `label`, those that have a target."""

    notes: tuple[str, ...]


@dataclass(eq=False)
class _Reading:
    """The pieces together."""

    tables: dict[str, BinaryTable]
    targets: Sequence[str]
    missing_values: Sequence[float]
    keys: dict[str, list[tuple[str, str]]]
    """By role of a file, the columns that must agree with galSpecInfo's, each beside that of galSpecInfo."""
    num_left: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[npt.NDArray[Any]]] = field(default_factory=dict)


def read_spectra(
    files: GalspecFiles, *, targets: Sequence[str], missing_values: Sequence[float], progress: Progress
) -> Spectra:
    """The spectra with an identifier, a result that is to be used, and a value of a target.

    Args:
        files: The four files, and specObj if it is there.
        targets: Columns of the files, under SkyServer's names, of which one at least must have a value; none: all pass.
        missing_values: Numbers that stand for "not measured".
        progress: Shows how many rows have been read.

    Raises:
        CatalogError: A file is damaged or lacks a column, the files are not row-matched, or an identifier is not
            a number.
    """
    with contextlib.ExitStack() as stack:
        tables = {role: stack.enter_context(open_binary_table(path)) for role, path in files.list_by_role().items()}
        _check_lengths(tables)
        reading = _Reading(tables, targets, missing_values, _list_keys(tables))
        names = _list_columns(tables)
        reading.num_left = dict.fromkeys(("all", "id", "reliable", "label"), 0)
        reading.columns = {ours: [] for ours in ("specObjID", *names)}
        with progress("Reading galSpec", tables["info"].num_rows) as advance:
            for first, pieces in _read_together(tables):
                _read_piece(reading, names, first, pieces)
                advance(len(pieces["info"]))
    unchecked = [tables[role].path.name for role, keys in reading.keys.items() if not keys]
    notes = tuple(f"{name} has nothing by which to see that its rows are those of galSpecInfo" for name in unchecked)
    frame = pd.DataFrame({name: _join(values) for name, values in reading.columns.items()})
    return Spectra(frame, reading.num_left, notes)


def _check_lengths(tables: dict[str, BinaryTable]) -> None:
    info = tables["info"]
    if info.num_rows == 0:
        raise CatalogError(f"{info.path} has no rows; download it again.")
    for table in tables.values():
        if table.num_rows != info.num_rows:
            raise CatalogError(
                f"{table.path} has {table.num_rows:,} rows and {info.path} {info.num_rows:,}, so they are not matched "
                "row by row; download the files of one release again."
            )


def _list_keys(tables: dict[str, BinaryTable]) -> dict[str, list[tuple[str, str]]]:
    info = tables["info"]
    keys: dict[str, list[tuple[str, str]]] = {}
    for role, table in tables.items():
        if role != "info":
            found = [(table.find_column(*names), info.find_column(*names)) for names in (*ROW_KEYS, (_ID,))]
            keys[role] = [(theirs, ours) for theirs, ours in found if theirs is not None and ours is not None]
    return keys


def _list_columns(tables: dict[str, BinaryTable]) -> dict[str, tuple[str, str]]:
    """By name in the result, the role of the file that has a column and its name there."""
    info = tables["info"]
    columns = {
        name_column(name): (role, tables[role].require_column(name))
        for role, names in FILE_COLUMNS.items()
        if role in tables
        for name in names
    }
    info.require_column(_ID)
    for ours, names in zip(PLATE_COLUMNS, ROW_KEYS, strict=True):
        columns[ours] = ("info", info.require_column(*names))
    columns["fibre_ra"] = ("info", info.require_column("RA"))
    columns["fibre_dec"] = ("info", info.require_column("DEC"))
    if "spec_obj" in tables:
        spec_obj = tables["spec_obj"]
        columns["sciencePrimary"] = ("spec_obj", spec_obj.require_column("SCIENCEPRIMARY", "SPECPRIMARY"))
        best = spec_obj.find_column(_BEST_OBJECT)
        if best is not None and best in spec_obj.formats:
            columns[_BEST_OBJECT] = ("spec_obj", best)
    return columns


def _read_together(tables: dict[str, BinaryTable]) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]]]]:
    """The first row of each piece, and that piece of every file by role."""
    readers = [table.read_pieces(ROWS_AT_ONCE) for table in tables.values()]
    for number, pieces in enumerate(zip(*readers, strict=True)):
        yield number * ROWS_AT_ONCE, dict(zip(tables, pieces, strict=True))


def _read_piece(
    reading: _Reading, names: dict[str, tuple[str, str]], first: int, pieces: dict[str, npt.NDArray[Any]]
) -> None:
    tables, info = reading.tables, pieces["info"]
    identifiers = parse_identifiers(tables["info"], info, tables["info"].require_column(_ID), first)
    is_left = identifiers > 0
    _check_rows(reading, identifiers, first, pieces)
    left = {"all": len(info), "id": int(is_left.sum())}
    is_left &= info[names["reliable"][1]] != 0
    left["reliable"] = int(is_left.sum())
    rows = np.flatnonzero(is_left)
    has_label = np.full(len(rows), not reading.targets)
    for target in reading.targets:
        role, name = names[target]
        has_label |= ~is_missing(tables[role].take(pieces[role], name, rows), reading.missing_values)
    is_left[rows] = has_label
    left["label"] = int(is_left.sum())
    for stage, number in left.items():
        reading.num_left[stage] += number
    rows = np.flatnonzero(is_left)
    reading.columns["specObjID"].append(identifiers[rows])
    for ours, (role, name) in names.items():
        if ours == _BEST_OBJECT:
            values = parse_identifiers(tables[role], pieces[role], name, first)[rows]
        else:
            values = tables[role].take(pieces[role], name, rows)
        reading.columns[ours].append(values != 0 if ours == "sciencePrimary" else values)


def _check_rows(
    reading: _Reading, identifiers: npt.NDArray[np.int64], first: int, pieces: dict[str, npt.NDArray[Any]]
) -> None:
    tables, info = reading.tables, pieces["info"]
    for role, keys in reading.keys.items():
        for theirs, ours in keys:
            if theirs.casefold() == _ID.casefold() and (pieces[role][theirs] != info[ours]).any():
                # The same number may be padded otherwise.
                is_other = parse_identifiers(tables[role], pieces[role], theirs, first) != identifiers
            else:
                is_other = pieces[role][theirs] != info[ours]
            has_result = identifiers > 0
            # Where there is no result, what names the spectrum may be missing in one file and not in another.
            if (is_other & has_result).any():
                row = int(np.argmax(is_other & has_result))
                raise CatalogError(
                    f"{tables[role].path} is not matched row by row with {tables['info'].path}: in row "
                    f"{first + row + 1} {theirs} is {_show(pieces[role][theirs][row])} there and "
                    f"{_show(info[ours][row])} here; download the files of one release again."
                )


def parse_identifiers(table: BinaryTable, piece: npt.NDArray[Any], name: str, first: int) -> npt.NDArray[np.int64]:
    """Identifiers of a column of text padded with blanks, or of integers; 0 where it is blank, and never by a float.

    Args:
        table: The file.
        piece: A piece of its rows.
        name: The column.
        first: Number of rows before the piece, for the message.

    Raises:
        CatalogError: A text is not an integer of 64 bits, or the column holds decimal numbers.
    """
    values = piece[name]
    if values.dtype.kind == "i":
        return values.astype(np.int64).reshape(len(values))
    if values.dtype.kind != "S":
        raise CatalogError(
            f"Column {name} of {table.path} holds decimal numbers, which cannot tell neighbouring identifiers apart; "
            "use the files as SDSS offers them."
        )
    texts = np.ascontiguousarray(values)
    characters = texts.view(np.uint8).reshape(len(texts), -1)
    rows = np.flatnonzero((characters > ord(" ")).any(axis=1))
    identifiers = np.zeros(len(texts), dtype=np.int64)
    try:
        # Digit by digit in whole numbers: as exact as the text.
        identifiers[rows] = texts[rows].astype(np.int64)
    except (ValueError, OverflowError):
        for row in rows:
            _parse_identifier(texts[row], f"{name} in row {first + int(row) + 1} of {table.path}")
        raise
    return identifiers


def _parse_identifier(text: bytes, where: str) -> None:
    try:
        np.int64(int(text))
    except (ValueError, OverflowError):
        shown = shorten(text.decode(errors="replace").strip())
        raise CatalogError(f"{where} is '{shown}', which is not an identifier; download the file again.") from None


def is_missing(values: npt.NDArray[Any], missing_values: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Which numbers are not measurements: not finite, or one of `missing_values`."""
    # −99.9 is another number in 32 bits.
    width = values.dtype if values.dtype.kind == "f" else np.float64
    found: npt.NDArray[np.bool_] = ~np.isfinite(values) | np.isin(values, np.array(missing_values, dtype=width))
    return found


def _join(pieces: list[npt.NDArray[Any]]) -> Any:
    values: npt.NDArray[Any] = np.concatenate(pieces)
    if values.dtype.kind != "S":
        return values
    return build_text([text.strip(b" \0").decode(errors="backslashreplace") or None for text in values.tolist()])


def _show(value: Any) -> str:
    return repr(shorten(value.decode(errors="replace").strip())) if isinstance(value, bytes) else str(value)
