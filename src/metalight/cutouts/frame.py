"""How much of the sky the image of a galaxy shows."""

import numpy as np
import numpy.typing as npt

from metalight.recipe import CutoutsSettings

SDSS_PIXEL_ARCSEC = 0.396
"""Pixel of an SDSS image."""

PETROSIAN_FIELD_IN_R90 = 2 / SDSS_PIXEL_ARCSEC
"""Side of a frame of framing `petrosian` in units of petroR90_r: the authors' 2 · petroR90_r / 0.396 / 128 arcsec/px,
times 128 px (`download_images.py` of the paper's code)."""


def compute_frame_arcsec(
    settings: CutoutsSettings, num_galaxies: int, petro_r90_arcsec: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """Side of each galaxy's square image on the sky, arcsec; None where it cannot be told.

    Args:
        settings: The side is `field_arcsec` where that is set. Else it is told by the framing: `petrosian` is 5.05
            petroR90_r; `fixed` is 128 pixels of 15 / 0.396 / 128 arcsec, which is 37.9 arcsec (both from the authors'
            code); `fifteen` is 15 arcsec (the draft's words, section 2); `other` is `frame_arcsec` if that is set.
        num_galaxies: How many galaxies.
        petro_r90_arcsec: petroR90_r of each, for `petrosian`.
    """
    if settings.field_arcsec:
        return np.full(num_galaxies, settings.field_arcsec)
    if settings.framing == "petrosian":
        return None if petro_r90_arcsec is None else PETROSIAN_FIELD_IN_R90 * petro_r90_arcsec
    if settings.framing == "other":
        return np.full(num_galaxies, settings.frame_arcsec) if settings.frame_arcsec else None
    return np.full(num_galaxies, 15 / SDSS_PIXEL_ARCSEC if settings.framing == "fixed" else 15.0)
