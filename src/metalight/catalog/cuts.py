"""A cut of the catalogue: its name, its reason, and why each galaxy that fails it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Cut:
    """One cut, as it meets the galaxies of a table."""

    name: str
    """The condition that galaxies must meet."""

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


def name_target_cut(targets: Sequence[str]) -> tuple[str, str]:
    """Name and reason of the cut by which galaxies must have a target, or one of several."""
    if len(targets) == 1:
        return f"has {targets[0]}", f"without {targets[0]} there is nothing to learn"
    return f"has {', '.join(targets[:-1])} or {targets[-1]}", "without any of them there is nothing to learn"
