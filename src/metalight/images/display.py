"""Pixels to pictures for people, where they are not pictures already."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_SHOWN_PERCENTILES = (5.0, 99.8)
_SOFTENING = 10.0

_FROM_BLUE = ("FUV", "NUV", "u", "g", "r", "i", "z", "y", "Y", "J", "H", "K", "Ks", "W1", "W2", "W3", "W4")


def make_display(pixels: npt.NDArray[Any], bands: Sequence[str]) -> tuple[npt.NDArray[np.uint8], str]:
    """Pictures (galaxy, side, side, 3) of some galaxies, and what was done to show them; nothing if they are pictures.

    Levels are shown as they are, also of one channel, (galaxy, side, side, 1); of two, the first.

    Of fluxes, three bands become red, green and blue: of more than three the first, the middle and the last, reddest
    first where their names tell; of one or two the first, in grey. Each band goes from the 5th to the 99.8th percentile
    of these galaxies, through arcsinh: so colours can be compared from galaxy to galaxy.

    Args:
        pixels: (galaxy, side, side, channel), uint8 levels or float32 fluxes.
        bands: Names of the channels.
    """
    if pixels.dtype == np.uint8 and pixels.shape[3] == 2:
        return pixels[..., :1], f"{bands[0]} of {bands[0]} and {bands[1]} in grey"
    if pixels.dtype == np.uint8:
        return pixels, ""
    num = pixels.shape[3]
    chosen = [0, num // 2, num - 1] if num >= 3 else [0, 0, 0]
    if _is_from_blue(bands[0], bands[-1]):
        chosen.reverse()
    fluxes = pixels[..., chosen].astype(np.float64)
    low, high = np.percentile(fluxes, _SHOWN_PERCENTILES, axis=(0, 1, 2), keepdims=True)
    parts = ((fluxes - low) / np.where(high > low, high - low, 1.0)).clip(0, 1)
    levels = (255 * np.arcsinh(_SOFTENING * parts) / np.arcsinh(_SOFTENING)).round().astype(np.uint8)
    named = [bands[place] for place in chosen]
    what = f"{named[0]}, {named[1]} and {named[2]} as red, green and blue" if num >= 3 else f"{named[0]} in grey"
    return levels, f"fluxes of {what}: arcsinh from the 5th to the 99.8th percentile"


def _is_from_blue(first: str, last: str) -> bool:
    """Whether the first of two bands is known to be the bluer one."""
    return all(band in _FROM_BLUE for band in (first, last)) and _FROM_BLUE.index(first) < _FROM_BLUE.index(last)
