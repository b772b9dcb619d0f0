"""How much of the sky the image of a galaxy shows."""

import numpy as np
import numpy.typing as npt

from metalight.recipe import Framing

SDSS_PIXEL_ARCSEC = 0.396
"""Pixel of an SDSS image."""


def compute_frame_arcsec(
    framing: Framing, num_galaxies: int, petro_r90_arcsec: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """Side of each galaxy's square image on the sky, arcsec; None where it cannot be told.

    Args:
        framing: `petrosian` is 128 pixels of 2 petroR90_r / 0.396 / 128 arcsec, which is 5.05 petroR90_r; `fixed` is
            128 of 15 / 0.396 / 128 arcsec, which is 37.9 arcsec (both from the authors' code); `fifteen` is 15 arcsec
            (the draft's words, section 2); of `other` nothing is known.
        num_galaxies: How many galaxies.
        petro_r90_arcsec: petroR90_r of each, for `petrosian`.
    """
    if framing == "petrosian":
        return None if petro_r90_arcsec is None else 2 * petro_r90_arcsec / SDSS_PIXEL_ARCSEC
    if framing == "other":
        return None
    return np.full(num_galaxies, 15 / SDSS_PIXEL_ARCSEC if framing == "fixed" else 15.0)
