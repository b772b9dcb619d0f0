"""What a cut of the catalogue is: its name, its reason, and why each galaxy that fails it does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Cut:
    """One cut, as it meets the galaxies of a table."""

    name: str
    """What galaxies must have."""

    why: str
    """Why they must."""

    setting: str
    """The setting of [catalog] that asks for it."""

    flaws: npt.NDArray[np.object_]
    """Why each galaxy is refused, in the order of rows; empty text where it is not."""

    source: str
    """Who asks for it."""


def build_cut(
    name: str, why: str, setting: str, flaws: dict[str, npt.NDArray[np.bool_]], *, source: str = "the recipe"
) -> Cut:
    """A cut from masks of the galaxies that have each flaw, the first flaw first."""
    reasons: npt.NDArray[Any] = np.full(len(next(iter(flaws.values()))), "", dtype=object)
    for reason, is_flawed in flaws.items():
        reasons[is_flawed & (reasons == "")] = reason
    return Cut(name, why, setting, reasons, source)
