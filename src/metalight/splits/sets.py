"""Common to every way of splitting: the names of the sets, their sizes, and the least that each must have."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError

SPLITS = ("train", "validation", "test")
"""The sets, in the order of their fractions."""

SCORED_SETS = ("validation", "test")
"""The sets that are predicted and scored: one to choose settings by, one to judge with."""


def compute_sizes(num_galaxies: int, fractions: tuple[float, float, float]) -> list[int]:
    """Sizes of the sets by the method of largest remainders; they add up to `num_galaxies`.

    Raises:
        SplitError: The fractions are not parts of a whole, or leave nothing for training or test.
    """
    train, validation, test = fractions
    if not (train > 0 and validation >= 0 and test > 0 and abs(sum(fractions) - 1) <= 1e-6):
        raise SplitError(
            f"The fractions {list(fractions)} cannot be used: training and test must be more than 0, validation at "
            "least 0, and together they must be 1; check [splits] fractions."
        )
    shares = [compute_share(num_galaxies, fraction / sum(fractions)) for fraction in fractions]
    sizes = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda split: sizes[split] - shares[split])
    for split in by_remainder[: num_galaxies - sum(sizes)]:
        sizes[split] += 1
    return sizes


def compute_share(num_galaxies: int, fraction: float) -> float:
    """A part of so many galaxies, rounded: 0.29 × 100 = 28.999999999999996 is the whole number that is meant."""
    return round(num_galaxies * fraction, 6)


def draw_sets(object_ids: npt.NDArray[np.int64], sizes: Sequence[int], seed: int) -> npt.NDArray[np.str_]:
    """A random set for each galaxy, by the seed and by which galaxies there are.

    Args:
        object_ids: The galaxies, in any order, which plays no part.
        sizes: Of training, validation and test; they add up to the number of galaxies.
        seed: Of the draw.
    """
    shuffled = np.random.default_rng(seed).permutation(len(object_ids))
    # The draw numbers the galaxies by increasing identifier, so that the order of rows plays no part.
    rows = np.argsort(object_ids)[shuffled]
    in_order = np.repeat(SPLITS, sizes)
    splits = np.empty_like(in_order)
    splits[rows] = in_order
    return splits


def require_unique(object_ids: npt.NDArray[np.int64]) -> None:
    """Refuse galaxies that are there twice.

    Raises:
        ValueError: One is.
    """
    if len(np.unique(object_ids)) != len(object_ids):
        raise ValueError("object_ids must not repeat")


def build_splits(
    object_ids: npt.NDArray[np.int64], splits: npt.NDArray[np.str_], *, needs_validation: bool
) -> pd.DataFrame:
    """Columns object_id and split, once each set is seen to have what training and scoring need.

    Raises:
        SplitError: A set is too small.
    """
    num_train, num_validation, num_test = (int((splits == split).sum()) for split in SPLITS)
    ways_out = "add galaxies, or change [splits]"
    if num_train < 2:
        left = "only 1 galaxy is" if num_train == 1 else "no galaxy is"
        raise SplitError(f"Of {len(splits)} galaxies, {left} left for training; at least 2 are needed: {ways_out}.")
    if num_test == 0:
        raise SplitError(f"Of {len(splits)} galaxies, none is left for the test set: {ways_out}.")
    if needs_validation and num_validation == 0:
        raise SplitError(
            f"Of {len(splits)} galaxies, none is left for validation: {ways_out}, or set its fraction to 0."
        )
    return pd.DataFrame({"object_id": object_ids, "split": pd.Series(splits, dtype="str")})
