"""Regressions that learn one target from a table of numbers: forests, boosted trees, a Gaussian process.

Each gives the same predictions, bit for bit, for the same seed, with any number of processors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.baselines.gaussian_process import MOST_EXACT, fit_gaussian_process

FloatArray = npt.NDArray[np.float64]

_BOOSTING_LEAVES = (8, 31)
"""Largest trees tried; those with the smaller error of the validation galaxies are taken."""

_FEW_TO_STOP_BY = 200
"""With fewer training galaxies, a tenth of them is too few to stop boosting by."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A fitted regression."""

    predict: Callable[[FloatArray], FloatArray]
    """Predictions (galaxy,) from features (galaxy, feature), all finite."""

    note: str = ""
    """Choices and simplifications made during the fit."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Galaxies to learn from, or to choose by: features (galaxy, feature) and target (galaxy,), all finite."""

    features: FloatArray
    target: FloatArray


def fit_forest(examples: Examples, *, num_trees: int, min_samples_leaf: int, seed: int) -> Learnt:
    """A random forest; each tree learns from as many galaxies drawn with replacement, and every split sees all numbers.

    Args:
        examples: The training galaxies.
        num_trees: How many.
        min_samples_leaf: Galaxies in every leaf, at least.
        seed: Of the trees.
    """
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        num_trees, min_samples_leaf=min_samples_leaf, max_features=1.0, bootstrap=True, random_state=seed, n_jobs=-1
    )
    forest.fit(examples.features, examples.target)
    # Several processors would add up the trees in the order in which they end.
    forest.n_jobs = 1
    return Learnt(lambda features: np.asarray(forest.predict(features), dtype=np.float64))


def fit_boosting(examples: Examples, validation: Examples, *, seed: int) -> Learnt:
    """Boosted trees, each a step of 0.05 towards the residuals, until a tenth of the training galaxies gains no more.

    Args:
        examples: The training galaxies.
        validation: Galaxies by which the size of trees is chosen; with none the smallest is taken.
        seed: Of the tenth.
    """
    tried = [_boost(examples, leaves, seed) for leaves in (_BOOSTING_LEAVES if len(validation.target) else (8,))]
    errors = [_compute_error(boosted, validation) for boosted in tried]
    best = int(np.argmin(errors))
    chosen = "chosen by validation" if len(tried) > 1 else "not chosen: no validation galaxies"
    boosted = tried[best]
    note = f"{boosted.n_iter_} trees of up to {_BOOSTING_LEAVES[best]} leaves ({chosen})"
    return Learnt(lambda features: np.asarray(boosted.predict(features), dtype=np.float64), note)


def _boost(examples: Examples, leaves: int, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    can_stop = len(examples.target) >= _FEW_TO_STOP_BY
    boosted = HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=1000 if can_stop else 100,
        max_leaf_nodes=leaves,
        min_samples_leaf=max(2, min(20, len(examples.target) // 10)),  # 20 of a few dozen would be one leaf
        early_stopping=can_stop,
        validation_fraction=0.1,
        n_iter_no_change=20,
        random_state=seed,
    )
    with threadpool_limits(1):  # sums by several threads differ in the last digit
        return boosted.fit(examples.features, examples.target)


def _compute_error(boosted: Any, validation: Examples) -> float:
    if not len(validation.target):
        return 0.0
    return float(np.mean((boosted.predict(validation.features) - validation.target) ** 2))


def fit_process(examples: Examples, *, seed: int) -> Learnt:
    """A Gaussian process with a length scale for every number: `metalight.baselines.gaussian_process`.

    Args:
        examples: The training galaxies.
        seed: Of the galaxies that carry it, where there are many.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # as in boosting
        process = fit_gaussian_process(examples.features, examples.target, seed=seed)

    def predict(features: FloatArray) -> FloatArray:
        with threadpool_limits(1):
            return process.predict(features)

    note = f"exact; noise {process.noise:.4f}"
    if process.num_training > MOST_EXACT:
        note = f"projected on {MOST_EXACT:,} galaxies drawn by the seed; noise {process.noise:.4f}"
    return Learnt(predict, note)
