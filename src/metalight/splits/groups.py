"""Groups of galaxies that must stay together: near each other on the sky, in each other's frame, or of one image.

Two galaxies are linked if they are at most a linking length apart, or if their frames may touch. A frame is a square;
whichever way two squares are turned, they do not touch unless their centres are as near as the sum of their half
diagonals, and near a pole the squares of two galaxies are turned against each other. So that sum, not the sum of half
sides, is what links: no pair of touching frames is missed, and some that only pass by are linked too.

Groups are the connected components: a chain of linked galaxies is one group, however long. Dense fields cost no more
memory than sparse ones. Where galaxies stand so close that all in a cell of the sky are linked anyway, one of them
speaks for its cell, and single galaxies are compared only where cells of different groups come near each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from metalight.sphere import compute_directions

_PAIRS_AT_ONCE = 4_000_000
_CELLS = (1 / 2, 1 / 8, 1 / 32)
"""Diagonals of cells in parts of the smallest linking length, tried in turn on what is still in doubt."""

_ROUNDING = 1e-9
"""Searches reach further by this part, and what they find is measured: rounding loses no link."""


def find_groups(
    object_ids: npt.NDArray[np.int64],
    *,
    ra_deg: npt.NDArray[np.float64],
    dec_deg: npt.NDArray[np.float64],
    link_arcsec: float,
    frame_arcsec: npt.NDArray[np.float64] | None = None,
    image_labels: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """The group of each galaxy, named by the smallest object_id in it; the order of galaxies plays no part.

    Args:
        object_ids: The galaxies, each once.
        ra_deg: Right ascension of each, degrees.
        dec_deg: Declination of each, degrees.
        link_arcsec: Galaxies that are at most as far apart are linked, arcsec on the great circle; more than 0.
        frame_arcsec: Side of each galaxy's square frame, arcsec; without it, frames link nothing.
        image_labels: Galaxies that have the same label have the same image, and are linked wherever they are.

    Raises:
        ValueError: A position is missing or off the sphere, a frame is missing or negative, or a length does not fit.
    """
    frames = np.zeros(len(object_ids)) if frame_arcsec is None else frame_arcsec
    _check(object_ids, ra_deg, dec_deg, frames, link_arcsec)
    # In the order of identifiers, so that no rounding depends on the order of rows.
    order = np.argsort(object_ids)
    half_diagonals = np.deg2rad(frames[order] / 3600) / np.sqrt(2)
    sky = _Sky(compute_directions(ra_deg[order], dec_deg[order]), half_diagonals, float(np.deg2rad(link_arcsec / 3600)))
    labels = _label_components(sky) if len(order) else order
    if image_labels is not None:
        _, first, same = np.unique(image_labels[order], return_index=True, return_inverse=True)
        labels = _merge(labels, np.arange(len(order)), first[same])
    _, first, members = np.unique(labels, return_index=True, return_inverse=True)
    groups = np.empty(len(order), dtype=np.int64)
    groups[order] = object_ids[order][first[members]]
    return groups


@dataclass(frozen=True, eq=False)
class _Sky:
    """Places on the unit sphere, and how far they reach."""

    points: npt.NDArray[np.float64]
    """(galaxy, 3)."""

    half_diagonals: npt.NDArray[np.float64]
    """Of the frames, radians."""

    link: float
    """Radians."""

    def take(self, rows: npt.NDArray[np.intp]) -> "_Sky":
        return _Sky(self.points[rows], self.half_diagonals[rows], self.link)


def _check(
    object_ids: npt.NDArray[np.int64],
    ra_deg: npt.NDArray[np.float64],
    dec_deg: npt.NDArray[np.float64],
    frames: npt.NDArray[np.float64],
    link_arcsec: float,
) -> None:
    if not len(object_ids) == len(ra_deg) == len(dec_deg) == len(frames):
        raise ValueError("there must be one position and one frame for each of object_ids")
    if not (np.isfinite(ra_deg).all() and (np.abs(dec_deg) <= 90).all()):
        raise ValueError("right ascensions must be finite, declinations from -90 to 90")
    if not (np.isfinite(frames).all() and (frames >= 0).all() and 0 < link_arcsec <= 180 * 3600):
        raise ValueError("frames must be 0 or more, the linking length more than 0 and at most 180 degrees")


def _label_components(sky: _Sky) -> npt.NDArray[np.intp]:
    """A label for each galaxy, the same for those that a chain of links joins."""
    # Whatever their frames, two galaxies so near are linked.
    smallest_link = min(max(sky.link, 2 * float(sky.half_diagonals.min())), np.pi)
    labels = np.arange(len(sky.points))
    doubtful = labels
    for part in _CELLS:
        labels, doubtful = _compare_cells(sky, labels, doubtful, part * smallest_link)
        if len(doubtful) == 0:
            return labels
    for first, second, is_linked in _iterate_near(sky.take(doubtful), slack=0.0):
        labels = _merge(labels, doubtful[first[is_linked]], doubtful[second[is_linked]])
    return labels


def _compare_cells(
    sky: _Sky, labels: npt.NDArray[np.intp], rows: npt.NDArray[np.intp], diagonal: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The labels after galaxies are joined as far as one for each cell tells, and the rows that are still in doubt.

    Args:
        sky: All galaxies.
        labels: Of all galaxies.
        rows: The galaxies in doubt: links are missing in `labels` among them only.
        diagonal: Of a cell, radians; at most half of every linking length, so that galaxies of one cell are linked.
    """
    cells, num_members = _label_cells(sky.points[rows], 2 * np.sin(diagonal / 2))
    # The galaxy with the largest frame, which links most, speaks for its cell.
    by_cell = np.lexsort((-sky.half_diagonals[rows], cells))
    speakers = rows[by_cell[np.cumsum(num_members) - num_members]]
    labels = _merge(labels, rows, speakers[cells])
    # A galaxy is at most a diagonal away from the one that speaks for it.
    slack = 2 * diagonal if len(speakers) < len(rows) else 0.0
    undecided = []
    for first, second, is_linked in _iterate_near(sky.take(speakers), slack):
        labels = _merge(labels, speakers[first[is_linked]], speakers[second[is_linked]])
        # Two galaxies alone in their cells have been compared.
        is_undecided = ~is_linked & (num_members[first] + num_members[second] > 2)
        is_undecided &= labels[speakers[first]] != labels[speakers[second]]
        undecided.append((first[is_undecided], second[is_undecided]))
    is_open = np.zeros(len(speakers), dtype=np.bool_)
    for first, second in undecided:
        is_apart = labels[speakers[first]] != labels[speakers[second]]
        is_open[first[is_apart]] = is_open[second[is_apart]] = True
    return labels, rows[is_open[cells]]


def _label_cells(points: npt.NDArray[np.float64], diagonal: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The cube of space, of that diagonal, that each point is in, counted from 0; and how many points each has."""
    corners = np.floor(points * (np.sqrt(3) / diagonal)).astype(np.int64)
    order = np.lexsort(corners.T)
    is_next = np.any(corners[order[1:]] != corners[order[:-1]], axis=1)
    cells = np.empty(len(points), dtype=np.intp)
    cells[order] = np.concatenate([[0], np.cumsum(is_next)])
    return cells, np.bincount(cells)


def _iterate_near(
    sky: _Sky, slack: float
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]]:
    """Every pair that would be linked if it were nearer by `slack` radians, once, and whether it is; in portions."""
    from scipy.spatial import KDTree

    tree = KDTree(sky.points)
    # A pair is found from its larger frame, so that one huge frame does not widen everybody's search.
    reach = np.minimum(np.maximum(sky.link, 2 * sky.half_diagonals) + slack, np.pi)
    radii = 2 * np.sin(reach / 2) * (1 + _ROUNDING)
    counts = tree.query_ball_point(sky.points, radii, return_length=True)
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        pairs_before = ends[start] - counts[start]
        stop = max(start + 1, int(np.searchsorted(ends, pairs_before + _PAIRS_AT_ONCE, side="right")))
        rows = slice(start, stop)
        neighbours = tree.query_ball_point(sky.points[rows], radii[rows], return_sorted=False)
        second = np.fromiter(chain.from_iterable(neighbours), dtype=np.intp, count=int(counts[rows].sum()))
        yield _measure(sky, np.repeat(np.arange(start, stop), counts[rows]), second, slack)
        start = stop


def _measure(
    sky: _Sky, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp], slack: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Those pairs that are near enough, each from its larger frame only, and which of them are linked."""
    halves = sky.half_diagonals
    is_larger = (halves[first] > halves[second]) | ((halves[first] == halves[second]) & (first < second))
    first, second = first[is_larger], second[is_larger]
    chords = np.linalg.norm(sky.points[first] - sky.points[second], axis=1)
    beyond_link = 2 * np.arcsin(np.minimum(chords / 2, 1)) - np.maximum(sky.link, halves[first] + halves[second])
    is_near = beyond_link <= slack
    return first[is_near], second[is_near], beyond_link[is_near] <= 0


def _merge(
    labels: npt.NDArray[np.intp], first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Labels after `first` and `second`, rows of `labels`, are joined pair by pair."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if len(first) == 0:
        return labels
    size = int(labels.max()) + 1
    graph = coo_array((np.ones(len(first), dtype=np.bool_), (labels[first], labels[second])), shape=(size, size))
    joined: npt.NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return joined[labels].astype(np.intp)
