"""Training, validation and test sets: every galaxy in exactly one."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError

SPLITS = ("train", "validation", "test")
"""The sets, in the order of their fractions."""

_ACCEPTED_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


def assign_splits(
    object_ids: npt.NDArray[np.int64],
    *,
    method: Literal["random", "column"],
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    column: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The set of each galaxy: columns object_id and split (train, validation, test), in the order of `object_ids`.

    Args:
        object_ids: The galaxies, each once.
        method: `random` depends on the seed and on which galaxies there are, not on their order; `column` takes the
            user's own sets.
        seed: Seed of the method `random`.
        fractions: Parts for training, validation and test, of the method `random`; the paper, section 3.2: 60, 20
            and 20 %. The set sizes are exact: what rounding down leaves goes to the largest remainders.
        column: The user's set for each galaxy, of the method `column`: train or training, validation, valid or val,
            and test, in any case.

    Raises:
        SplitError: The fractions or the user's words cannot be used, or a set would be too small.
        ValueError: An identifier is there twice, or an argument does not fit another.
    """
    if len(np.unique(object_ids)) != len(object_ids):
        raise ValueError("object_ids must not repeat")
    if method == "random":
        splits = _assign_random(object_ids, seed, fractions)
    elif method == "column":
        if column is None or len(column) != len(object_ids):
            raise ValueError("the method 'column' needs one value of `column` for each of object_ids")
        splits = _read_column(column)
    else:
        raise ValueError(f"method must be 'random' or 'column', not {method!r}")
    # The user's own sets may do without validation; a random split was asked for the fraction that it lacks.
    _check_sizes(splits, needs_validation=method == "random" and fractions[1] > 0)
    return pd.DataFrame({"object_id": object_ids, "split": pd.Series(splits, dtype="str")})


def _assign_random(
    object_ids: npt.NDArray[np.int64], seed: int, fractions: tuple[float, float, float]
) -> npt.NDArray[np.str_]:
    sizes = _compute_sizes(len(object_ids), fractions)
    shuffled = np.random.default_rng(seed).permutation(len(object_ids))
    # The draw numbers the galaxies by increasing identifier, so that the order of rows plays no part.
    rows = np.argsort(object_ids)[shuffled]
    splits = np.empty(len(object_ids), dtype=f"<U{max(map(len, SPLITS))}")
    splits[rows] = np.repeat(SPLITS, sizes)
    return splits


def _compute_sizes(num_galaxies: int, fractions: tuple[float, float, float]) -> list[int]:
    """Sizes of the sets by the method of largest remainders; they add up to `num_galaxies`."""
    train, validation, test = fractions
    if not (train > 0 and validation >= 0 and test > 0 and abs(sum(fractions) - 1) <= 1e-6):
        raise SplitError(
            f"The fractions {list(fractions)} cannot be used: training and test must be more than 0, validation at "
            "least 0, and together they must be 1; check [splits] fractions."
        )
    # Rounded, so that a share such as 0.29 × 100 = 28.999999999999996 is the whole number it is meant to be.
    shares = [round(num_galaxies * fraction / sum(fractions), 6) for fraction in fractions]
    sizes = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda split: sizes[split] - shares[split])
    for split in by_remainder[: num_galaxies - sum(sizes)]:
        sizes[split] += 1
    return sizes


def _read_column(column: Sequence[str]) -> npt.NDArray[np.str_]:
    words = pd.Series(column, dtype="object").reset_index(drop=True)
    folded = words.map(lambda word: "" if pd.isna(word) else str(word).strip().casefold())
    num_missing = int((folded == "").sum())
    if num_missing:
        raise SplitError(
            f"{num_missing} of {len(words)} galaxies have no value in the column of sets; fill it in, or take these "
            "galaxies out of the catalogue."
        )
    unknown = sorted({str(word) for word in words[~folded.isin(list(_ACCEPTED_WORDS))]})
    if unknown:
        listed = ", ".join(f"'{word}'" for word in unknown[:5]) + (", …" if len(unknown) > 5 else "")
        raise SplitError(
            f"The column of sets has {listed}; accepted are {', '.join(_ACCEPTED_WORDS)}. Check [splits] column."
        )
    return np.array([_ACCEPTED_WORDS[word] for word in folded], dtype=np.str_)


def _check_sizes(splits: npt.NDArray[np.str_], *, needs_validation: bool) -> None:
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
