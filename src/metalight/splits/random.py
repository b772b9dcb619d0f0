"""Sets drawn at random, galaxy by galaxy."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.splits.sets import build_splits, compute_sizes, draw_sets, require_unique


def assign_random(
    object_ids: npt.NDArray[np.int64], *, seed: int = 0, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
) -> pd.DataFrame:
    """A random set for each galaxy: columns object_id and split, in the order of `object_ids`.

    It depends on the seed and on which galaxies there are, not on their order.

    Args:
        object_ids: The galaxies, each once.
        seed: Of the draw.
        fractions: Parts for training, validation and test; the paper, section 3.2: 60, 20 and 20 %. The set sizes are
            exact: what rounding down leaves goes to the largest remainders.

    Raises:
        SplitError: The fractions cannot be used, or a set would be too small.
        ValueError: An identifier is there twice.
    """
    require_unique(object_ids)
    splits = draw_sets(object_ids, compute_sizes(len(object_ids), fractions), seed)
    return build_splits(object_ids, splits, needs_validation=fractions[1] > 0)
