"""Fluxes of three bands to the levels of a colour picture."""

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
