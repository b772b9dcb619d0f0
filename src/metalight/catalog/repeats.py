"""Galaxies that are in a selection twice: of two spectra, or of one spiral taken for two galaxies."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog.cuts import Cut, build_cut
from metalight.sphere import compute_chord, compute_directions
from metalight.tables import Table, find_column, match_columns, require_numbers

NEAREST_ARCSEC = 3.0
"""Nearer than this, two are one galaxy: it is the diameter of a fibre."""

SAME_REDSHIFT = 0.002
"""Spectra of one place that differ by more are of galaxies one behind the other: no repeats."""

ANOTHER_SPECTRUM = "is another spectrum of a galaxy"
"""Why a row is left out whose galaxy is not."""


def find_repeats(table: Table, object_ids: npt.NDArray[np.int64], *, path: Path | str) -> Cut:
    """The cut that lets a galaxy be there once: of rows with one identifier, or within 3 arcsec, the best one stays.

    Args:
        table: With the columns ra and dec in degrees; what has no place is nobody's neighbour. The best row is that of
            the highest sn_median, where the table has it, and the first of those that are alike.
        object_ids: Of the rows.
        path: Where the table comes from, for the messages.

    Raises:
        TableError: The table lacks a column, or one does not hold numbers.
    """
    names = [find_column(table, name, path=path, role="a selection of galaxies on the sky") for name in ("ra", "dec")]
    ra_deg, dec_deg = (require_numbers(table, name, path=path) for name in names)
    best_first = _order_by_worth(table, path)
    is_again = np.ones(len(object_ids), dtype=bool)
    is_again[best_first[np.unique(object_ids[best_first], return_index=True)[1]]] = False
    is_near = np.zeros(len(object_ids), dtype=bool)
    placed = best_first[(~is_again & np.isfinite(ra_deg) & np.isfinite(dec_deg))[best_first]]
    is_near[placed] = _find_near(ra_deg[placed], dec_deg[placed])
    flaws = {ANOTHER_SPECTRUM: is_again, f"lies within {NEAREST_ARCSEC:g} arcsec of a galaxy": is_near}
    why = "the same galaxy must not be learnt and tested"
    return build_cut("once on the sky", why, "source", flaws, source=f"objID, and {NEAREST_ARCSEC:g} arcsec")


def gather_repeats(spectra: pd.DataFrame, selected: npt.NDArray[np.int64]) -> pd.DataFrame:
    """All spectra of galaxies that have several with a metallicity, by increasing identifier, the selected one first.

    Spectra of another redshift than the selected one are of a galaxy behind or before it, and are left out.

    Args:
        spectra: Columns objID, specObjID, z, sn_median, oh_p16, oh_p50, oh_p84; others are passed over.
        selected: The specObjID that stands for each galaxy; galaxies without one are left out.

    Returns:
        Columns object_id, specObjID (int64), plate_mjd_fibre (text), is_selected, redshift, sn_median, oh_p16, oh_p50,
        oh_p84.
    """
    known = spectra.drop_duplicates("specObjID")
    known = known[np.isfinite(known["oh_p50"].to_numpy(dtype=np.float64))]
    known = known.assign(is_selected=known["specObjID"].isin(selected))
    redshift = known["objID"].map(known[known["is_selected"]].set_index("objID")["z"])
    known = known[(known["z"] - redshift).abs() <= SAME_REDSHIFT]
    known = known[known.groupby("objID")["objID"].transform("size") > 1]
    known = known.sort_values(["objID", "is_selected", "specObjID"], ascending=[True, False, True])
    repeats = {
        "object_id": known["objID"].to_numpy(np.int64),
        "specObjID": known["specObjID"].to_numpy(np.int64),
        "plate_mjd_fibre": pd.Series([_name_spectrum(key) for key in known["specObjID"].tolist()], dtype="str"),
        "is_selected": known["is_selected"].to_numpy(np.bool_),
        "redshift": known["z"].to_numpy(np.float64),
        **{name: known[name].to_numpy(np.float64) for name in ("sn_median", "oh_p16", "oh_p50", "oh_p84")},
    }
    return pd.DataFrame(repeats)


def _name_spectrum(spectrum_id: int) -> str:
    """Plate, day and fibre, of which a specObjID is made: 14, 12 (fibre) and 14 bits; SDSS documentation."""
    plate, fibre, day = spectrum_id >> 50, spectrum_id >> 38 & 0xFFF, (spectrum_id >> 24 & 0x3FFF) + 50_000
    return f"{plate:04d}-{day}-{fibre:04d}"


def _order_by_worth(table: Table, path: Path | str) -> npt.NDArray[np.intp]:
    named = match_columns(table, "sn_median")
    if not named:
        return np.arange(len(table.frame))
    height = require_numbers(table, named[0], path=path)
    return np.argsort(np.where(np.isfinite(height), -height, np.inf), kind="stable")


def _find_near(ra_deg: npt.NDArray[np.float64], dec_deg: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which places are near an earlier one that is not itself near an earlier one."""
    from scipy.spatial import cKDTree

    is_near = np.zeros(len(ra_deg), dtype=bool)
    if not len(ra_deg):
        return is_near
    points, chord = compute_directions(ra_deg, dec_deg), compute_chord(NEAREST_ARCSEC)
    tree = cKDTree(points)
    for row in np.flatnonzero(tree.query_ball_point(points, chord, return_length=True) > 1).tolist():
        # Only those that stay are asked for their neighbours, so that a crowd costs no more than its members.
        if not is_near[row]:
            neighbours = np.array(tree.query_ball_point(points[row], chord))
            is_near[neighbours[neighbours > row]] = True
    return is_near
