"""Fluxes resampled by area."""

import numpy as np
import numpy.typing as npt


def resample_window(
    plane: npt.NDArray[np.float32], side: int, *, top: float, left: float, size: float
) -> npt.NDArray[np.float32]:
    """A square window of a plane, resampled to (side, side): each value is the mean over its area.

    Means, not sums: surface brightness is kept, in the unit of a pixel of `plane`. Edges of the window may lie within
    pixels. A window that needs no resampling is given as it is.

    Args:
        plane: (row, column), finite.
        side: New height and width in pixels.
        top: Upper edge of the window in pixels, from the upper edge of the first row.
        left: Its left edge.
        size: Its side in pixels.
    """
    if size == side and top == int(top) and left == int(left):
        rows, columns = slice(int(top), int(top) + side), slice(int(left), int(left) + side)
        return plane[rows, columns]
    down = _compute_overlap(plane.shape[0], side, top, size)
    along = _compute_overlap(plane.shape[1], side, left, size)
    return (down @ plane @ along.T).astype(np.float32, copy=False)


def _compute_overlap(num_old: int, num_new: int, start: float, size: float) -> npt.NDArray[np.float32]:
    """The part of each new pixel that each old one covers along one axis, (num_new, num_old); rows add up to 1."""
    edges = start + size * np.arange(num_new + 1) / num_new
    old = np.arange(num_old)
    ends = np.minimum(edges[1:, np.newaxis], old + 1)
    starts = np.maximum(edges[:-1, np.newaxis], old)
    weights = (ends - starts).clip(min=0)
    # The last edge may lie beyond the last pixel by a rounding error.
    normalised: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
