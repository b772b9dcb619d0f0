"""Images resampled by area: each new pixel is the mean over the area that it covers, of levels and of fluxes alike."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Type = TypeVar("_Type", bound=np.generic)


def crop_square(pixels: npt.NDArray[_Type]) -> npt.NDArray[_Type]:
    """The largest central square of an image (height, width, ...), as a view.

    A cutout is centred on its galaxy. Where the margins differ by an odd number, the square lies half a pixel nearer
    to the first row or column.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def resize_area(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The central square of an image, resampled by area to (side, side, channel).

    Each new pixel is the mean of the area it covers, weighted by overlap and rounded once to whole levels: the light
    of a galaxy is kept. Enlarging by a whole factor repeats pixels. An image of the right size is returned unchanged.

    Args:
        pixels: (height, width, channel).
        side: New height and width in pixels.
    """
    if side < 1:
        raise ValueError(f"side must be at least 1, not {side}")
    square = crop_square(pixels)
    size = square.shape[0]
    if size == side:
        return square
    if size % side == 0:
        # The common case, and the fast one: the means of whole blocks. Pillow's are off by a level now and then.
        factor = size // side
        sums = square.reshape(side, factor, side, factor, -1).sum(axis=(1, 3), dtype=np.uint32)
        block_means: npt.NDArray[np.uint8] = ((2 * sums + factor**2) // (2 * factor**2)).astype(np.uint8)
        return block_means
    # Pillow's box filter takes whole pixels by their centres: for other factors it is not a mean over areas.
    resized = np.empty((side, side, square.shape[2]), dtype=np.uint8)
    for channel in range(square.shape[2]):
        means = resample_window(square[:, :, channel].astype(np.float32), side, top=0, left=0, size=size)
        resized[:, :, channel] = np.floor(means + 0.5).clip(0, 255)
    return resized


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
