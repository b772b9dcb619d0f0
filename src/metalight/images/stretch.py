"""Fluxes of three bands to the levels of a colour picture."""

import numpy as np
import numpy.typing as npt

from metalight.recipe import LuptonSettings

_FRACTION = 0.1
"""The slope of the curve is that of the straight line at this part of the stretch; astropy's choice."""


def stretch_lupton(fluxes: npt.NDArray[np.floating], settings: LuptonSettings) -> npt.NDArray[np.uint8]:
    """Red, green and blue levels (row, column, 3) of the fluxes of three bands (row, column, 3).

    Lupton et al. 2004, PASP 116, 133, to the very level as astropy computes it (`make_lupton_rgb`): the mean of the
    bands goes through arcsinh, each band keeps its share of it, and where one would be brighter than white all three
    are dimmed together. astropy's own function is not called, because importing it imports matplotlib.
    """
    # The order of the steps is astropy's too: another one would differ in the last bit, and so by a level now and then.
    scaled = fluxes.astype(np.float64) * np.array(settings.scale) - np.array(settings.minimum)
    intensity = (scaled[..., 0] + scaled[..., 1] + scaled[..., 2]) / 3.0
    slope = _FRACTION / np.arcsinh(_FRACTION * settings.q)
    is_lit = intensity > 0
    safe = np.where(is_lit, intensity, 1.0)
    factor = np.where(is_lit, np.arcsinh(safe * (settings.q / settings.stretch)) * slope / safe, 0.0)
    parts = (scaled * factor[..., np.newaxis]).clip(min=0)
    brightest = parts.max(axis=-1, keepdims=True)
    picture: npt.NDArray[np.uint8] = (np.where(brightest > 1, parts / brightest.clip(min=1), parts) * 255).astype(
        np.uint8
    )
    return picture
