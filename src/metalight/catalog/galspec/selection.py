"""The selection: galSpec's spectra and the user's photometry become one row a galaxy, and a table of repeats."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog.cuts import name_target_cut
from metalight.catalog.galspec.columns import FILE_COLUMNS, PLATE_COLUMNS, describe_columns, name_column
from metalight.catalog.galspec.files import find_galspec_files
from metalight.catalog.galspec.galaxies import Labels, choose_spectra, label_galaxies
from metalight.catalog.galspec.photometry import Photometry, check_photometry, join_photometry
from metalight.catalog.galspec.spectra import Spectra, read_spectra
from metalight.catalog.repeats import SAME_REDSHIFT
from metalight.errors import CatalogError
from metalight.progress import Progress, no_progress
from metalight.tables import SENTINELS, ColumnInfo, Table, match_columns, replace_sentinels, require_numbers

_BY_FILE = "sciencePrimary of specObj"
_BY_PHOTOMETRY = "sciencePrimary of the photometry table"
_BY_SIGNAL = "highest sn_median within 3 arcsec or of one objID"
_PRIMARY = ("sciencePrimary", "of several spectra of one place SDSS names the best")
_NOT_TARGETS = ("class", "subclass")

_Step = tuple[str, str, str, int]
"""Name, reason, source, and how many are left."""


@dataclass(frozen=True, eq=False)
class GalspecSelection:
    """The galaxies, their other spectra, and how many rows each step left."""

    table: Table
    """One row a galaxy: objID, specObjID (int64), ra, dec of the photometry (float64, degrees); plate, mjd, fiberID;
    galSpec's columns under SkyServer's names; then the other columns of the photometry. Sentinels are missing."""

    repeats: pd.DataFrame
    """All spectra of galaxies of the table that have several with a metallicity: object_id, specObjID (int64),
    plate_mjd_fibre (text), is_selected (the one in the table), redshift, sn_median, oh_p16, oh_p50, oh_p84."""

    counts: pd.DataFrame
    """Columns cut, reason, source, num_left: first all rows of the files, then one row a step."""

    notes: tuple[str, ...]
    """Notes for the user, such as the rule by which a spectrum was chosen."""


@dataclass(frozen=True, eq=False)
class _Joined:
    """Spectra with what is known of their galaxies."""

    frame: pd.DataFrame
    photometry: Photometry
    object_ids: npt.NDArray[np.int64]
    """0 where there is no photometry."""
    labels: Labels


def select_galspec(
    folder: Path,
    photometry: Path,
    *,
    targets: Sequence[str] = ("oh_p50",),
    missing_values: Sequence[float] = SENTINELS,
    progress: Progress = no_progress,
) -> GalspecSelection:
    """The galaxies of the MPA-JHU catalogue that have a result, a value of a target, and photometry.

    The spectrum that stands for a galaxy is the sciencePrimary one by specObj, if that file is beside the others, or by
    a column of the photometry; of several, or where neither says it, that with the highest sn_median. Two spectra are
    of one galaxy if they have one objID or lie within 3 arcsec: bestObjID is the match by flux in DR8 and by position
    from DR9 on, so that one galaxy may have two objIDs, and the places tell that it is one. The place of a spectrum is
    that of its photometry, and only where it has none that of its fibre.

    Args:
        folder: The four galSpec files, and specObj of the same release if there is one.
        photometry: Any table of `load_table` with objID, ra, dec (degrees, 64 bits) and what else is wanted, joined by
            specObjID; or by objID if it has no such column and specObj is there. Parquet is read in pieces; any other
            format is held in memory.
        targets: Columns of which one at least must have a value. If any of several is not galSpec's, but perhaps the
            photometry's, no spectrum is left out for the want of the others.
        missing_values: Numbers that stand for "not measured".
        progress: Shows how many rows have been read.

    Raises:
        TableError: A file is not there, damaged, or not what it should be; or no galaxy is left.
    """
    files = find_galspec_files(folder)
    check_photometry(photometry, has_best_objects=files.spec_obj is not None)
    wanted = _find_targets(targets)
    spectra = read_spectra(files, targets=wanted, missing_values=missing_values, progress=progress)
    frame = replace_sentinels(spectra.frame, missing_values)
    joined = _join(frame, join_photometry(photometry, frame, missing_values=missing_values))
    chosen, steps, rule = _choose(joined, photometry)
    counts = _count(spectra, wanted, steps)
    if len(chosen) == 0:
        listed = ", ".join(f"{row.num_left:,} after '{row.cut}'" for row in counts.itertuples())
        raise CatalogError(f"No galaxy of {folder} is left with the photometry of {photometry}: {listed}.")
    table, dropped = _build_table(joined, chosen)
    repeats, num_behind = _list_repeats(joined, chosen)
    notes = [*spectra.notes, f"one spectrum a galaxy: {rule}", f"joined with photometry by {joined.photometry.key}"]
    if dropped:
        notes.append(f"columns of the photometry that galSpec has too, and that were left out: {', '.join(dropped)}")
    if joined.photometry.num_without_spectrum:
        notes.append(f"{joined.photometry.num_without_spectrum:,} rows of the photometry name no spectrum")
    if num_behind:
        notes.append(f"{num_behind:,} spectra within 3 arcsec of a galaxy have another redshift: no repeats")
    return GalspecSelection(table, repeats, counts, tuple(notes))


def _find_targets(targets: Sequence[str]) -> list[str]:
    """The targets as SkyServer spells them, if galSpec has all of them; else none."""
    known = {name.casefold(): name for name in describe_columns()}
    found = [known[target.casefold()] for target in targets if target.casefold() in known]
    in_files = {name_column(name) for role, names in FILE_COLUMNS.items() if role != "spec_obj" for name in names}
    found = [name for name in dict.fromkeys(found) if name in in_files and name not in _NOT_TARGETS]
    return found if len(found) == len(targets) else []


def _join(frame: pd.DataFrame, photometry: Photometry) -> _Joined:
    has_photometry = photometry.rows >= 0
    rows = photometry.rows[has_photometry]
    object_ids = np.zeros(len(frame), dtype=np.int64)
    object_ids[has_photometry] = photometry.table.frame["objID"].to_numpy()[rows]
    places = []
    for name, fibre in (("ra", "fibre_ra"), ("dec", "fibre_dec")):
        # A galaxy is linked by where its photometry is; the fibre's place only serves spectra that have none.
        place = frame[fibre].to_numpy().astype(np.float64)
        place[has_photometry] = photometry.table.frame[name].to_numpy()[rows]
        places.append(place)
    return _Joined(frame, photometry, object_ids, label_galaxies(places[0], places[1], object_ids))


def _choose(joined: _Joined, path: Path) -> tuple[npt.NDArray[np.intp], list[_Step], str]:
    """The spectra that stand for galaxies; what each step left; and by which rule."""
    frame, photometry = joined.frame, joined.photometry
    has_photometry = photometry.rows >= 0
    rows = photometry.rows[has_photometry]
    is_left = np.ones(len(frame), dtype=bool)
    steps: list[_Step] = []

    def keep(name: str, why: str, source: str, mask: npt.NDArray[np.bool_]) -> None:
        nonlocal is_left
        is_left = is_left & mask
        steps.append((name, why, source, int(is_left.sum())))

    def of_photometry(values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(frame), dtype=bool)
        mask[has_photometry] = values[rows]
        return mask

    rule = _BY_SIGNAL
    if "sciencePrimary" in frame:
        rule = _BY_FILE
        keep(*_PRIMARY, "specObj.SCIENCEPRIMARY", frame["sciencePrimary"].to_numpy())
    object_ids = photometry.table.frame["objID"].to_numpy()
    key = f"photometry.{photometry.key}"
    keep("has photometry", "galSpec has neither magnitudes nor objID", key, of_photometry(object_ids > 0))
    ra, dec = (photometry.table.frame[name].to_numpy() for name in ("ra", "dec"))
    has_place = of_photometry((ra >= 0) & (ra <= 360) & (dec >= -90) & (dec <= 90))
    why = "cutouts are centred on it, not on the fibre"
    keep("has a photometric position", why, "photometry.ra, dec", has_place)
    named = match_columns(photometry.table, "sciencePrimary")
    if rule == _BY_SIGNAL and named:
        rule = _BY_PHOTOMETRY
        is_primary = require_numbers(_as_numbers(photometry.table, named[0]), named[0], path=path) > 0
        keep(*_PRIMARY, f"photometry.{named[0]}", of_photometry(is_primary))
    sn_median, spectrum_ids = frame["sn_median"].to_numpy(), frame["specObjID"].to_numpy()
    chosen = choose_spectra(joined.labels, sn_median, spectrum_ids, is_left)
    why = "of those within 3 arcsec or of one objID, that with the highest sn_median"
    steps.append(("one spectrum a galaxy", why, "galSpecInfo.SN_MEDIAN", len(chosen)))
    return chosen, steps, rule


def _as_numbers(table: Table, name: str) -> Table:
    """Truth values as 1 and 0."""
    values = table.frame[name]
    is_truth = pd.api.types.is_bool_dtype(values.dtype)
    return Table(pd.DataFrame({name: values.astype("Int64") if is_truth else values}), {})


def _count(spectra: Spectra, targets: Sequence[str], steps: Sequence[_Step]) -> pd.DataFrame:
    left = spectra.num_left
    rows: list[_Step] = [
        ("all rows", "rows of the galSpec files", "galSpecInfo", left["all"]),
        ("has a spectrum id", "where it is blank or -1, MPA-JHU have no result", "galSpecInfo.SPECOBJID", left["id"]),
        ("is reliable", "MPA-JHU do not believe other results", "galSpecInfo.RELIABLE", left["reliable"]),
    ]
    if targets:
        rows.append((*name_target_cut(targets), "[catalog] targets", left["label"]))
    counts = pd.DataFrame([*rows, *steps], columns=["cut", "reason", "source", "num_left"])
    return counts.astype({"cut": "str", "reason": "str", "source": "str"})


def _build_table(joined: _Joined, chosen: npt.NDArray[np.intp]) -> tuple[Table, list[str]]:
    """The rows of the selection, and the columns of the photometry that had to give way."""
    photometry = joined.photometry
    theirs = photometry.table.frame.iloc[photometry.rows[chosen]].reset_index(drop=True)
    ours = joined.frame.iloc[chosen].reset_index(drop=True)
    described = describe_columns()
    names = [name for name in ours.columns if name in described or name in PLATE_COLUMNS]
    order: list[tuple[str, Any]] = [("objID", theirs["objID"]), ("specObjID", ours["specObjID"])]
    order += [(name, theirs[name]) for name in ("ra", "dec")]
    order += [(name, ours[name]) for name in names if name != "specObjID"]
    columns = dict(order)
    taken = {name.casefold() for name in columns}
    dropped = [name for name in theirs.columns if name not in columns and name.casefold() in taken]
    dropped += [name for name in theirs.columns if name in names]
    columns.update({name: theirs[name] for name in theirs.columns if name.casefold() not in taken})
    info = {**photometry.table.info, **described}
    known = {name: info[name] for name in columns if info.get(name, ColumnInfo()) != ColumnInfo()}
    # The identifier of the spectrum is the key of the join: that it gives way needs no note.
    return Table(pd.DataFrame(columns), known), [name for name in dropped if name.casefold() != "specobjid"]


def _list_repeats(joined: _Joined, chosen: npt.NDArray[np.intp]) -> tuple[pd.DataFrame, int]:
    """All spectra of the chosen galaxies that have several, and how many lie behind or before one of them."""
    frame, labels = joined.frame, joined.labels
    row_of = np.full(labels.max() + 1, -1, dtype=np.intp)
    row_of[labels[chosen]] = chosen
    selected = row_of[labels]
    is_repeat = (selected >= 0) & np.isfinite(frame["oh_p50"].to_numpy())
    redshift = frame["z"].to_numpy()
    is_behind = is_repeat & ~(np.abs(redshift - redshift[selected]) <= SAME_REDSHIFT)
    rows = np.flatnonzero(is_repeat & ~is_behind)
    num_spectra = np.bincount(labels[rows], minlength=len(row_of))
    rows = rows[num_spectra[labels[rows]] > 1]
    rows = rows[np.lexsort((rows, selected[rows]))]
    found = frame.iloc[rows]
    plates = zip(*(found[name].tolist() for name in PLATE_COLUMNS), strict=True)
    repeats = {
        "object_id": joined.object_ids[selected[rows]],
        "specObjID": found["specObjID"].to_numpy(),
        "plate_mjd_fibre": pd.Series([f"{plate:04d}-{mjd}-{fibre:04d}" for plate, mjd, fibre in plates], dtype="str"),
        "is_selected": selected[rows] == rows,
        "redshift": found["z"].to_numpy(),
        **{name: found[name].to_numpy() for name in ("sn_median", "oh_p16", "oh_p50", "oh_p84")},
    }
    return pd.DataFrame(repeats), int(is_behind.sum())
