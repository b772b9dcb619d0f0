"""Whether a decoded image shows anything."""

import numpy as np
import numpy.typing as npt

MIN_LEVELS = 3
"""Least difference between the brightest and the faintest pixel of some channel, of 255 levels. JPEG turns a flat
image into one that may differ by a level or two; even the noise of an empty sky spans more."""


def find_flaw(pixels: npt.NDArray[np.uint8]) -> str:
    """Why an image (height, width, channel) cannot be used, to be read after its name; empty if it can.

    Each channel is judged by itself: an image of one colour is blank whatever the colour.
    """
    flat = pixels.reshape(-1, pixels.shape[-1])
    # A few pixels settle it for almost every image, at a tenth of the time.
    if _num_levels(flat[:: max(1, len(flat) // 512)]) >= MIN_LEVELS:
        return ""
    num_levels = _num_levels(flat)
    if num_levels >= MIN_LEVELS:
        return ""
    if num_levels == 0:
        return "is blank: every pixel has the same value"
    return f"is blank: its pixels differ by less than {MIN_LEVELS} of 255 levels"


def find_flux_flaw(plane: npt.NDArray[np.float32]) -> str:
    """Why the fluxes (row, column) of one band cannot be used, to be read after their name; empty if they can.

    One value all over is not sky: the survey has no data there, or a step on the way has lost them.
    """
    return "is blank: every pixel has the same value" if plane.min() == plane.max() else ""


def is_grey(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether all channels of an image (height, width, channel) are equal: it holds no colour to learn from."""
    return all(np.array_equal(pixels[..., 0], pixels[..., channel]) for channel in range(1, pixels.shape[-1]))


def _num_levels(flat: npt.NDArray[np.uint8]) -> int:
    ranges = flat.max(axis=0).astype(int) - flat.min(axis=0)
    return int(ranges.max())
