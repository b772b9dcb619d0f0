"""Places on the sky as points of the unit sphere, where neither the poles nor right ascension 0 are special."""

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


def compute_directions(ra_deg: npt.ArrayLike, dec_deg: npt.ArrayLike) -> _Floats:
    """Unit vectors (…, 3) of places (…)."""
    ra, dec = (np.deg2rad(np.asarray(degrees, dtype=np.float64)) for degrees in (ra_deg, dec_deg))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def compute_chord(arcsec: float) -> float:
    """Distance of two unit vectors that are an angle apart."""
    return float(2 * np.sin(np.deg2rad(arcsec / 3600) / 2))
