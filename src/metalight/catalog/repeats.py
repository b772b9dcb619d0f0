"""Galaxies that are in a selection twice: of two spectra, or of one spiral taken for two galaxies."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from metalight.catalog.cuts import Cut, build_cut
from metalight.sphere import compute_chord, compute_directions
from metalight.tables import Table, find_column, require_numbers

NEAREST_ARCSEC = 3.0
"""Nearer than this, two are one galaxy: it is the diameter of a fibre."""


def find_repeats(table: Table, object_ids: npt.NDArray[np.int64], *, path: Path | str) -> Cut:
    """The cut that lets a galaxy be there once: the first of those that have its identifier or its place stays.

    Args:
        table: With the columns ra and dec in degrees; what has no place is nobody's neighbour.
        object_ids: Of the rows.
        path: Where the table comes from, for the messages.

    Raises:
        TableError: The table lacks a column, or one does not hold numbers.
    """
    names = [find_column(table, name, path=path, role="a selection of galaxies on the sky") for name in ("ra", "dec")]
    ra_deg, dec_deg = (require_numbers(table, name, path=path) for name in names)
    is_again = np.ones(len(object_ids), dtype=bool)
    is_again[np.unique(object_ids, return_index=True)[1]] = False
    is_near = np.zeros(len(object_ids), dtype=bool)
    placed = np.flatnonzero(~is_again & np.isfinite(ra_deg) & np.isfinite(dec_deg))
    is_near[placed] = _find_near(ra_deg[placed], dec_deg[placed])
    flaws = {
        "has the objID of an earlier row": is_again,
        f"lies within {NEAREST_ARCSEC:g} arcsec of an earlier row": is_near,
    }
    why = "the same galaxy must not be learnt and tested"
    return build_cut("once on the sky", why, "source", flaws, source=f"objID, and {NEAREST_ARCSEC:g} arcsec")


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
