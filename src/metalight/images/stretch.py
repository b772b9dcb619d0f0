"""Fluxes of three bands to the levels of a colour picture, and back."""

import numpy as np
import numpy.typing as npt

from metalight.recipe import LuptonSettings


def stretch_lupton(fluxes: npt.NDArray[np.floating], settings: LuptonSettings) -> npt.NDArray[np.uint8]:
    """Red, green and blue levels (row, column, 3) of the fluxes of three bands (row, column, 3).

    Lupton et al. 2004, PASP 116, 133, by astropy: the mean of the bands goes through arcsinh, each band keeps its share
    of it, and where one would be brighter than white all three are dimmed together.
    """
    # Imported when it is needed: its package imports matplotlib.
    from astropy.visualization import make_lupton_rgb

    red, green, blue = np.moveaxis(fluxes.astype(np.float64) * np.array(settings.scale), -1, 0)
    minimum = np.broadcast_to(settings.minimum, 3)
    with np.errstate(invalid="ignore"):  # it divides by an intensity of zero before it leaves that out
        picture: npt.NDArray[np.uint8] = make_lupton_rgb(
            red, green, blue, minimum=minimum, stretch=settings.stretch, Q=settings.q
        )
    return picture


def unstretch_lupton(levels: npt.NDArray[np.uint8], settings: LuptonSettings) -> npt.NDArray[np.float32]:
    """Scaled fluxes of three bands, above what is black, of the levels of a colour picture (row, column, 3).

    The inverse of `stretch_lupton` but for what a picture does not keep: what is below black comes back as 0, and what
    is white as less than it was. The bands stay multiplied by `settings.scale`.
    """
    intensity = levels.mean(axis=-1, dtype=np.float64, keepdims=True)
    fluxes = settings.stretch / settings.q * np.sinh(intensity * np.arcsinh(settings.q / 10) / 25.5)
    # Where nothing is seen, the curve is straight.
    at_black = settings.stretch / settings.q * np.arcsinh(settings.q / 10) / 25.5
    factors = np.divide(fluxes, intensity, out=np.full_like(fluxes, at_black), where=intensity > 0)
    scaled: npt.NDArray[np.float32] = (levels * factors).astype(np.float32)
    return scaled
