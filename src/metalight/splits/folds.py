"""Folds for cross-validation: parts of which each is tested once, and the others are learnt from."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError
from metalight.splits.sets import SPLITS, build_splits, compute_share, draw_sets, require_unique


def assign_fold(
    object_ids: npt.NDArray[np.int64],
    *,
    fold: int,
    num_folds: int = 5,
    seed: int = 0,
    validation_fraction: float = 0.2,
) -> pd.DataFrame:
    """One fold for the test, the others drawn: columns object_id and split, in the order of `object_ids`.

    Over all folds of the same seed each galaxy is tested once. Folds differ by one galaxy in size at most, and depend
    on the seed and on which galaxies there are, not on their order.

    Args:
        object_ids: The galaxies, each once.
        fold: Which fold is tested, from 0 on.
        num_folds: How many there are.
        seed: Of the draws.
        validation_fraction: Part of the n galaxies of the other folds for validation, which gets int(fraction · n).

    Raises:
        SplitError: There are fewer galaxies than folds, or a set would be too small.
        ValueError: An identifier is there twice, or there is no such fold.
    """
    require_unique(object_ids)
    if not 0 <= fold < num_folds:
        raise ValueError(f"fold must be from 0 to {num_folds - 1}, not {fold}")
    if len(object_ids) < num_folds:
        raise SplitError(f"{len(object_ids)} galaxies are too few for {num_folds} folds; lower [splits] folds.")
    # By rank of the identifier, so that the order of rows plays no part.
    rank = np.argsort(np.argsort(object_ids))
    folds = np.random.default_rng([seed, num_folds]).permutation(np.arange(len(object_ids)) % num_folds)
    is_test = folds[rank] == fold
    num_rest = int((~is_test).sum())
    num_validation = int(compute_share(num_rest, validation_fraction))
    splits = np.repeat(SPLITS, (0, 0, len(object_ids)))
    splits[~is_test] = draw_sets(object_ids[~is_test], (num_rest - num_validation, num_validation, 0), seed)
    return build_splits(object_ids, splits, needs_validation=validation_fraction > 0)
