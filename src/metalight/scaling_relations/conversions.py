"""Named conversions between scales of metallicity, and of masses between initial mass functions.

Scales of metallicity differ by up to 0.7 dex, and conversions between them agree to 0.03 dex (Kewley & Ellison 2008,
ApJ 681, 1183): none is ever made unless it is asked for by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conversion:
    """From one scale of metallicity, or one initial mass function, to another."""

    name: str
    quantity: Literal["metallicity", "log_mass"]
    """The quantity that is converted."""
    origin: str
    """The scale or IMF that values come on."""
    target: str
    """The scale or IMF that they are brought to."""
    formula: Callable[[FloatArray], FloatArray]
    """The conversion itself, of any value."""
    range: tuple[float, float]
    """Values for which it holds; infinite where it has no bounds."""
    source: str
    """Paper and table."""
    unverified: str = ""
    """What of it could not be looked up in the source; empty: nothing."""

    def convert(self, values: npt.ArrayLike, *, accept_unverified: bool = False) -> FloatArray:
        """Values on the other scale, NaN outside the range.

        Args:
            values: On the scale `origin`, any shape.
            accept_unverified: Whether what could not be verified is taken on trust.

        Raises:
            ValueError: Something of the conversion is unverified and that is not accepted.
        """
        require_accepted(self.name, self.unverified, accept_unverified)
        given = np.asarray(values, dtype=np.float64)
        low, high = self.range
        is_inside = (given >= low) & (given <= high)
        return np.where(is_inside, self.formula(np.where(is_inside, given, np.nan)), np.nan)


def require_accepted(name: str, unverified: str, is_accepted: bool) -> None:
    """Refuse what is known from memory only, unless the caller accepts it.

    Raises:
        ValueError: It is, and the caller does not.
    """
    if unverified and not is_accepted:
        raise ValueError(f"{name} is not verified: {unverified}; pass accept_unverified=True to use it all the same")


def _lower_by_lamareille(log_mass: FloatArray) -> FloatArray:
    return log_mass - 0.056


def _convert_pp04_n2(metallicity: FloatArray) -> FloatArray:
    return -1661.9380 + 585.17650 * metallicity - 68.471750 * metallicity**2 + 2.6766690 * metallicity**3


def _convert_d02(metallicity: FloatArray) -> FloatArray:
    return 193.9000 - 64.87895 * metallicity + 7.411102 * metallicity**2 - 0.2756653 * metallicity**3


KROUPA_TO_CHABRIER = Conversion(
    name="Kroupa to Chabrier",
    quantity="log_mass",
    origin="Kroupa 2001",
    target="Chabrier 2003",
    formula=_lower_by_lamareille,
    range=(-np.inf, np.inf),
    source="Lamareille et al. 2009 (A&A 495), table 8: −0.056 dex",
)

PP04_N2_TO_TREMONTI = Conversion(
    name="PP04 N2 to Tremonti",
    quantity="metallicity",
    origin="Pettini & Pagel 2004, N2",
    target="Tremonti 2004",
    formula=_convert_pp04_n2,
    range=(8.05, 8.9),
    source="Kewley & Ellison 2008 (ApJ 681, 1183), table 3, coefficients and range by others' code",
)

D02_TO_TREMONTI = Conversion(
    name="D02 to Tremonti",
    quantity="metallicity",
    origin="Denicoló et al. 2002",
    target="Tremonti 2004",
    formula=_convert_d02,
    range=(8.05, 8.9),
    source="Kewley & Ellison 2008 (ApJ 681, 1183), table 3, coefficients by others' code",
    unverified="its range, 8.05 to 8.9, is from memory",
)

CONVERSIONS = {conversion.name: conversion for conversion in (KROUPA_TO_CHABRIER, PP04_N2_TO_TREMONTI, D02_TO_TREMONTI)}
"""The conversions by name."""
