"""Which spectra are of one galaxy, and which of them stands for it.

SDSS's schema, as collected: of DR8 bestObjID is the match by flux (origObjID is that by position), from DR9 on the
match by position (fluxObjID is the other), so that one galaxy may have two objIDs; and a bright region of a large
galaxy may be an object by itself. Both are caught by places: a fibre sees 3 arcsec.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.catalog.repeats import NEAREST_ARCSEC
from metalight.sphere import compute_chord, compute_directions

Floats = npt.NDArray[Any]
Labels = npt.NDArray[np.int32]


def label_galaxies(ra_deg: Floats, dec_deg: Floats, object_ids: npt.NDArray[np.int64]) -> Labels:
    """A number for each spectrum, the same where they are of one galaxy: one objID, or within 3 arcsec, or linked so.

    Args:
        ra_deg: Right ascensions; NaN where unknown.
        dec_deg: Declinations.
        object_ids: Of the photometric object; 0 where unknown.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.concatenate([_pair_places(ra_deg, dec_deg), _pair_identifiers(object_ids)])
    size = len(object_ids)
    if size == 0:
        return np.empty(0, dtype=np.int32)
    graph = coo_array((np.ones(len(pairs), dtype=np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    labels: Labels = connected_components(graph, directed=False)[1]
    return labels


def _pair_places(ra_deg: Floats, dec_deg: Floats) -> npt.NDArray[np.intp]:
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    if len(known) == 0:
        return np.empty((0, 2), dtype=np.intp)
    tree = cKDTree(compute_directions(ra_deg[known], dec_deg[known]))
    near: npt.NDArray[np.intp] = tree.query_pairs(compute_chord(NEAREST_ARCSEC), output_type="ndarray")
    return known[near].reshape(-1, 2)


def _pair_identifiers(object_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    order = np.argsort(object_ids, kind="stable")
    ordered = object_ids[order]
    again = np.flatnonzero((ordered[1:] == ordered[:-1]) & (ordered[1:] > 0))
    return np.column_stack([order[again], order[again + 1]])


def choose_spectra(
    labels: Labels, sn_median: Floats, spectrum_ids: npt.NDArray[np.int64], can_be: npt.NDArray[np.bool_]
) -> npt.NDArray[np.intp]:
    """The spectrum that stands for each galaxy that has one: of those that can, that with the highest signal to noise.

    Args:
        labels: Of `label_galaxies`.
        sn_median: Median signal to noise of each spectrum; NaN comes last.
        spectrum_ids: specObjID, of which the smallest decides where the signal to noise is the same.
        can_be: Which spectra can stand for their galaxy.

    Returns:
        Rows, in ascending order.
    """
    rows = np.flatnonzero(can_be)
    height = np.where(np.isfinite(sn_median[rows]), sn_median[rows], -np.inf)
    order = rows[np.lexsort((spectrum_ids[rows], -height, labels[rows]))]
    is_first = np.append(True, labels[order][1:] != labels[order][:-1])[: len(order)]
    return np.sort(order[is_first])
