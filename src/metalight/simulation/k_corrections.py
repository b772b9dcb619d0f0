"""How redshift changes the magnitudes of galaxies: k-corrections of the SDSS bands.

Chilingarian, Melchior & Zolotukhin 2010 (MNRAS 405, 1409) and Chilingarian & Zolotukhin 2012 (MNRAS 419, 1727): a
polynomial in redshift and in an observed colour, for redshifts up to 0.5.
"""

import numpy as np
import numpy.typing as npt

BANDS = ("u", "g", "r", "i", "z")

_Floats = npt.NDArray[np.float64]

_COLOURS = {"u": ("u", "r"), "g": ("g", "r"), "r": ("g", "r"), "i": ("g", "i"), "z": ("g", "z")}
"""The colour that the correction of each band is a function of."""

_REDDEST = {"u": 3.4, "g": 1.6, "r": 1.6, "i": 2.2, "z": 2.5}
"""Where the colours of galaxies end; beyond, the polynomials run away."""

_COEFFICIENTS = {
    "u": (
        (0, 0, 0, 0),
        (10.3686, -6.12658, 2.58748, -0.299322),
        (-138.069, 45.0511, -10.8074, 0.95854),
        (540.494, -43.7644, 3.84259, 0),
        (-1005.28, 10.9763, 0, 0),
        (710.482, 0, 0, 0),
    ),
    "g": (
        (0, 0, 0, 0),
        (-2.45204, 4.10188, 10.5258, -13.5889),
        (56.7969, -140.913, 144.572, 57.2155),
        (-466.949, 222.789, -917.46, -78.0591),
        (2906.77, 1500.8, 1689.97, 30.889),
        (-10453.7, -4419.56, -1011.01, 0),
        (17568, 3236.68, 0, 0),
        (-10820.7, 0, 0, 0),
    ),
    "r": (
        (0, 0, 0, 0),
        (1.83285, -2.71446, 4.97336, -3.66864),
        (-19.7595, 10.5033, 18.8196, 6.07785),
        (33.6059, -120.713, -49.299, 0),
        (144.371, 216.453, 0, 0),
        (-295.39, 0, 0, 0),
    ),
    "i": (
        (0, 0, 0, 0),
        (-2.21853, 3.94007, 0.678402, -1.24751),
        (-15.7929, -19.3587, 15.0137, 2.27779),
        (118.791, -40.0709, -30.6727, 0),
        (-134.571, 125.799, 0, 0),
        (-55.4483, 0, 0, 0),
    ),
    "z": (
        (0, 0, 0, 0),
        (0.30146, -0.623614, 1.40008, -0.534053),
        (-10.9584, -4.515, 2.17456, 0.913877),
        (66.0541, 4.18323, -8.42098, 0),
        (-169.494, 14.5628, 0, 0),
        (144.021, 0, 0, 0),
    ),
}
"""Of redshift to the power of the row, times the colour to the power of the column."""

_NUM_ROUNDS = 12


def compute_k_correction(band: str, redshift: _Floats, observed: dict[str, _Floats]) -> _Floats:
    """Observed minus rest-frame magnitude in a band, beside the distance modulus.

    Args:
        band: One of `BANDS`.
        redshift: (galaxy,), up to 0.5.
        observed: (galaxy,) observed magnitudes of each band of `BANDS`.
    """
    blue, red = _COLOURS[band]
    colour = np.clip(observed[blue] - observed[red], 0, _REDDEST[band])
    correction: _Floats = np.polynomial.polynomial.polyval2d(redshift, colour, np.array(_COEFFICIENTS[band]))
    return correction


def redshift_magnitudes(rest: dict[str, _Floats], redshift: _Floats) -> dict[str, _Floats]:
    """What rest-frame magnitudes look like from afar, but for the distance modulus.

    The corrections are functions of observed colours, so these are sought by repetition.
    """
    observed = rest
    for _ in range(_NUM_ROUNDS):
        corrected = {band: rest[band] + compute_k_correction(band, redshift, observed) for band in BANDS}
        # Half steps: whole ones swing to and fro where a correction is steep in the colour.
        observed = {band: 0.5 * (observed[band] + corrected[band]) for band in BANDS}
    return observed
