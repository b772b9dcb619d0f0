"""Labels exchanged among galaxies of one mass: a sample in which metallicity follows mass and nothing else."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

GROUP_WIDTH_DEX = 0.1
"""No two galaxies that exchange labels differ by more than this in mass."""


def group_by_mass(log_mass: FloatArray, width: float = GROUP_WIDTH_DEX) -> npt.NDArray[np.int64]:
    """The group of each galaxy: masses of a group lie within `width` of each other. −1 for galaxies without a mass."""
    groups = np.full(len(log_mass), -1, dtype=np.int64)
    known = np.isfinite(log_mass)
    if known.any():
        # Counted from the smallest mass, so that no group is cut by where a grid happens to begin.
        groups[known] = np.floor((log_mass[known] - log_mass[known].min()) / width).astype(np.int64)
    return groups


def shuffle_within_mass(
    values: FloatArray, log_mass: FloatArray, seed: int, *, width: float = GROUP_WIDTH_DEX
) -> FloatArray:
    """Values exchanged at random among galaxies whose masses lie within `width` of each other.

    Args:
        values: Labels, shape (galaxies,); a galaxy that has none takes no part.
        log_mass: Measured; a galaxy without one keeps its value.
        seed: Of the exchange.
        width: Of the groups, dex.
    """
    generator = np.random.default_rng(seed)
    shuffled = np.array(values, dtype=np.float64)
    groups = np.where(np.isfinite(shuffled), group_by_mass(log_mass, width), -1)
    # Sorted by group, and at random within it: one sort does what a loop over the groups would.
    members = np.flatnonzero(groups >= 0)
    in_order = members[np.argsort(groups[members], kind="stable")]
    at_random = members[np.lexsort((generator.random(len(members)), groups[members]))]
    shuffled[in_order] = shuffled[at_random]
    return shuffled
