"""The user's table of photometry, joined with the spectra.

It gives what galSpec has not: objID, the magnitudes and sizes, and the place on the sky. galSpecInfo's own ra and dec
are of the fibre, which is not the galaxy's centre, and in 32 bits: they are 0.11 arcsec apart above RA 256°.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import CatalogError
from metalight.tables import (
    Table,
    find_column,
    load_rows,
    match_columns,
    peek_table,
    require_numbers,
    require_object_ids,
)

_PLACES = ("ra", "dec")
_ROLE = "the join of galSpec with photometry"

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Photometry:
    """The rows of the user's table that belong to a spectrum."""

    table: Table
    """objID (int64), ra and dec (float64, degrees) under these names; then the user's other columns."""

    rows: npt.NDArray[np.intp]
    """The row of each spectrum in the table; −1 where it has none."""

    key: str
    """The column by which they were joined: `specObjID` or `objID`."""

    num_without_spectrum: int
    """Rows of the user's table whose key is missing or 0."""


def check_photometry(path: Path, *, has_best_objects: bool) -> None:
    """Refuse a table that is not there, or that is Parquet and lacks a column, before the spectra are read.

    Args:
        path: Of `join_photometry`.
        has_best_objects: Whether it is known which object each spectrum is of.

    Raises:
        TableError: The table cannot be used.
    """
    first = peek_table(path)
    if first is not None:
        _find_key(first, path, has_best_objects=has_best_objects)


def join_photometry(path: Path, spectra: pd.DataFrame, *, missing_values: Sequence[float]) -> Photometry:
    """The photometry of each spectrum, by specObjID, or else by objID where specObj names the spectrum's object.

    Args:
        path: A table as `load_table` reads it, with objID, ra and dec; names may differ in case.
        spectra: Of `read_spectra`.
        missing_values: Numbers that stand for "not measured".

    Raises:
        TableError: The table cannot be read or lacks a column, a column is not what it should be, or an identifier is
            there twice.
    """
    counted = {"without": 0}
    key = ""

    def select(piece: Table) -> npt.NDArray[np.bool_]:
        nonlocal key
        key = _find_key(piece, path, has_best_objects="bestObjID" in spectra)
        identifiers = _read_identifiers(piece, find_column(piece, key, path=path, role=_ROLE), path)
        counted["without"] += int((identifiers == 0).sum())
        return np.isin(identifiers, wanted(key))

    def wanted(key: str) -> Integers:
        values: Integers = spectra["specObjID" if key == "specObjID" else "bestObjID"].to_numpy()
        return values[values > 0]

    loaded = load_rows(path, select, wanted=("objID", *_PLACES), missing_values=missing_values)
    key_column = find_column(loaded, key, path=path, role=_ROLE)
    keys = _read_identifiers(loaded, key_column, path)
    ours = spectra["specObjID" if key == "specObjID" else "bestObjID"].to_numpy()
    return Photometry(_map_columns(loaded, path), _match(keys, ours, key_column, path), key, counted["without"])


def _find_key(piece: Table, path: Path, *, has_best_objects: bool) -> str:
    find_column(piece, "objID", path=path, role=_ROLE)
    for name in _PLACES:
        find_column(piece, name, path=path, role=_ROLE)
    if match_columns(piece, "specObjID"):
        return "specObjID"
    if has_best_objects:
        return "objID"
    raise CatalogError(
        f"{path} has no column specObjID, and galSpec has no objID: add that column to the table, or put "
        "specObj-dr8.fits beside the galSpec files, whose BESTOBJID names the object of each spectrum."
    )


def _read_identifiers(table: Table, column: str, path: Path) -> Integers:
    """Identifiers, exact; 0 where one is missing."""
    values = table.frame[column]
    if pd.api.types.is_signed_integer_dtype(values.dtype):
        known: Integers = values.to_numpy(dtype=np.int64, na_value=0)
        return np.where(known < 0, 0, known)
    is_present = values.notna().to_numpy()
    identifiers = np.zeros(len(values), dtype=np.int64)
    present = Table(table.frame[[column]][is_present].reset_index(drop=True), {})
    identifiers[is_present] = require_object_ids(present, column, path=path, may_repeat=True)
    return identifiers


def _match(keys: Integers, ours: Integers, column: str, path: Path) -> npt.NDArray[np.intp]:
    """The place in `keys` of each of `ours`, −1 where it is not there."""
    if len(keys) == 0:
        return np.full(len(ours), -1, dtype=np.intp)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(again):
        raise CatalogError(
            f"Column '{column}' of {path} has {ordered[again[0]]} in two rows, and so the photometry of a spectrum "
            "twice. Keep one of them."
        )
    places = np.minimum(np.searchsorted(ordered, ours), len(ordered) - 1)
    return np.where((ordered[places] == ours) & (ours > 0), order[places], -1)


def _map_columns(table: Table, path: Path) -> Table:
    frame = table.frame
    columns: dict[str, Any] = {}
    info = {}
    taken = {name: find_column(table, name, path=path, role=_ROLE) for name in ("objID", *_PLACES)}
    columns["objID"] = _read_identifiers(table, taken["objID"], path)
    for name in _PLACES:
        if frame[taken[name]].dtype == np.float32:
            raise CatalogError(
                f"Column '{taken[name]}' of {path} holds numbers of 32 bits, which are up to 0.06 arcsec away from "
                "where the galaxy is, and may be those of the fibre; give photometric positions in 64 bits."
            )
        columns[name] = require_numbers(table, taken[name], path=path)
    columns.update({name: frame[name] for name in frame.columns if name not in taken.values()})
    for ours, theirs in {**{name: name for name in columns}, **taken}.items():
        if theirs in table.info:
            info[ours] = table.info[theirs]
    return Table(pd.DataFrame(columns, index=frame.index), info)
