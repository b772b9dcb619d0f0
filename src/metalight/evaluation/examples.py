"""Which galaxies to look at: the extremes of the predictions, the worst of them, and a few at random."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.scores import find_scorable

ROW_TITLES = (
    "lowest predicted",
    "lowest true",
    "highest predicted",
    "highest true",
    "most under-predicted",
    "most over-predicted",
    "random",
)
"""The rows of the paper's figure 1, from the top."""


def select_examples(
    object_ids: npt.ArrayLike, truth: npt.ArrayLike, predicted: npt.ArrayLike, *, num: int = 5, seed: int = 1234
) -> pd.DataFrame:
    """The galaxies of the paper's figure 1, row by row: columns row (from 0), title, object_id, truth, predicted.

    Each row lists its most extreme galaxy first. The order of the input plays no part: equal values are ordered by
    identifier. Galaxies without a true value or a prediction are left out.

    Args:
        object_ids: The galaxies, int64, shape (galaxies,).
        truth: True values, shape (galaxies,).
        predicted: Predictions, shape (galaxies,).
        num: Galaxies a row; all there are if there are fewer.
        seed: Seed of the random row; the paper's code uses 1234.

    Raises:
        EvaluationError: No galaxy has both a true value and a prediction.
        ValueError: The lengths differ, or `num` is less than 1.
    """
    if num < 1:
        raise ValueError(f"num must be at least 1, not {num}")
    galaxies = _sort_galaxies(object_ids, truth, predicted)
    residuals = galaxies["predicted"] - galaxies["truth"]
    shuffled = pd.Series(np.random.default_rng(seed).permutation(len(galaxies)))
    # Every row of the figure shows the galaxies with the smallest of its key.
    keys = [galaxies["predicted"], galaxies["truth"], -galaxies["predicted"], -galaxies["truth"]]
    keys += [residuals, -residuals, shuffled]
    rows = []
    for row, (title, key) in enumerate(zip(ROW_TITLES, keys, strict=True)):
        chosen = galaxies.iloc[np.argsort(key.to_numpy(), kind="stable")[:num]].copy()
        chosen.insert(0, "row", row)
        chosen.insert(1, "title", title)
        rows.append(chosen)
    return pd.concat(rows, ignore_index=True)


def _sort_galaxies(object_ids: npt.ArrayLike, truth: npt.ArrayLike, predicted: npt.ArrayLike) -> pd.DataFrame:
    """The galaxies with both values, by increasing identifier: object_id, truth, predicted."""
    object_ids = np.asarray(object_ids)
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if not np.issubdtype(object_ids.dtype, np.integer):
        raise ValueError(f"object_ids must be integers, not {object_ids.dtype}: a float loses digits of an identifier")
    is_scorable = find_scorable(truth, predicted, at_least=1)
    if len(object_ids) != len(truth):
        raise ValueError(f"there are {len(object_ids)} object_ids and {len(truth)} true values")
    galaxies = pd.DataFrame({"object_id": object_ids.astype(np.int64), "truth": truth, "predicted": predicted})
    return galaxies[is_scorable].sort_values("object_id", kind="stable", ignore_index=True)
