"""Values that labels can have: outside the limits of a known quantity, or far from all others, is not a measurement.

Catalogues write numbers such as −99.9, 99.99 or 1e20 where nothing was measured. A network would learn them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metalight.catalog.properties import PROPERTIES, name_property

NUM_WIDTHS = 10
"""Values farther from the median than so many robust widths are reported."""

_FAMILIES = (
    (r"oh_(p\d+(p\d)?|avg)", "metallicity"),
    (r"lgm_(tot|fib)_(p\d+(p\d)?|avg)", "log_mass"),
    (r"sfr_(tot|fib)_(p\d+(p\d)?|avg)", "log_sfr"),
    (r"specsfr_(tot|fib)_(p\d+(p\d)?|avg)", "log_ssfr"),
    (r"(model|cmodel|petro|psf|fiber|fiber2|dev|exp)mag_[ugriz]|dered_[ugriz]", "magnitude_r"),
    (r"(petror50|petror90|petrorad|devrad|exprad)_[ugriz]", "petro_r50_arcsec"),
)
"""Names of columns of SDSS, in small letters, and a property that has the same limits."""


@dataclass(frozen=True)
class Limits:
    """The values that a known quantity can have, both ends included."""

    quantity: str
    low: float
    high: float

    def find_impossible(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which values are finite and outside."""
        return np.isfinite(values) & ((values < self.low) | (values > self.high))

    def describe(self, column: str) -> str:
        """Why a galaxy with a value outside is refused."""
        return f"{column} is not from {self.low:g} to {self.high:g}, the limits of {self.quantity}"


def find_limits(column: str, properties: Mapping[str, str]) -> Limits | None:
    """The limits of what a column holds, by its name; None if none is known of that name.

    Args:
        column: In any case.
        properties: The user's column of a property, by the property's name, as in `[catalog.properties]`.
    """
    folded = column.strip().casefold()
    like = next((name for pattern, name in _FAMILIES if re.fullmatch(pattern, folded)), "")
    name = name_property(column, properties) or like
    if not name:
        return None
    low, high = PROPERTIES[name].limits
    return Limits(name.replace("_", " "), low, high) if np.isfinite([low, high]).any() else None


def describe_outliers(targets: Mapping[str, npt.NDArray[np.float64]]) -> Sequence[str]:
    """Of each target that has values far from all others, a note on how many there are, and one of them.

    The robust width is 1.4826 times the median distance from the median: of a normal distribution the standard
    deviation.

    Args:
        targets: Values by the name of the target; those that are not finite do not count.
    """
    notes = []
    for name, values in targets.items():
        known = values[np.isfinite(values)]
        if len(known) == 0:
            continue
        distances = np.abs(known - np.median(known))
        width = 1.4826 * float(np.median(distances))
        num_far = int((distances > NUM_WIDTHS * width).sum()) if width > 0 else 0
        if num_far:
            notes.append(
                f"{num_far:,} of {len(known):,} values of {name} are more than {NUM_WIDTHS} robust widths from the "
                f"median {np.median(known):.4g}, such as {known[np.argmax(distances)]:.6g}: check them, or add what "
                "stands for missing to [catalog] missing_values"
            )
    return notes
