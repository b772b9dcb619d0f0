"""How long baselines will take, by a trial of a small forest on this machine."""

import time
from collections.abc import Sequence

import numpy as np

from metalight.baselines.fit import BASELINES
from metalight.baselines.gaussian_process import MOST_EXACT, MOST_TUNED
from metalight.baselines.regressors import Examples, fit_forest

_TRIED_GALAXIES, _TRIED_NUMBERS, _TRIED_TREES = 2000, 5, 8
_NUM_APERTURES, _NUM_LEVELS = 28, 3

# As seen with 77,000 galaxies, in units of the trees of the trial: trees grown to single galaxies take longer, and each
# number of a galaxy a quarter of what a tree takes by itself.
_SINGLE, _PER_NUMBER = 1.7, 0.25
_BOOSTING = 2.5
_TUNING, _PROJECTION_A_GALAXY = 600.0, 0.03


def estimate_fit_seconds(names: Sequence[str], num_training: int) -> float:
    """Seconds that fits of some baselines to so many galaxies take, for one target, to a factor of about two."""
    methods = {BASELINES[name].method for name in names}
    if methods <= {"mean", "relation"}:
        return 0.0
    of_tree = _time_tree()
    growth = num_training * np.log2(max(num_training, 2)) / (_TRIED_GALAXIES * np.log2(_TRIED_GALAXIES))
    units = growth * sum(_count_trees(name) for name in names)
    if "gaussian_process" in methods:
        units += _TUNING * min(1.0, num_training / MOST_TUNED) ** 3
        units += _PROJECTION_A_GALAXY * num_training if num_training > MOST_EXACT else 0.0
    return float(of_tree * units)


def _time_tree() -> float:
    """Seconds of a tree of the trial."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(_TRIED_GALAXIES, _TRIED_NUMBERS))
    examples = Examples(features, features.sum(axis=1) + generator.normal(size=_TRIED_GALAXIES))
    fit_forest(examples, num_trees=1, min_samples_leaf=8, seed=0)  # so that the import is not timed
    started = time.perf_counter()
    fit_forest(examples, num_trees=_TRIED_TREES, min_samples_leaf=8, seed=0)
    return (time.perf_counter() - started) / _TRIED_TREES


def _count_trees(name: str) -> float:
    """Cost of a baseline's trees, in trees on as many numbers as those of the trial have."""
    baseline = BASELINES[name]
    of_image = {"": 0, "levels": _NUM_LEVELS, "apertures": _NUM_APERTURES}[baseline.sees.image]
    num_numbers = len(baseline.sees.properties) + of_image
    width = (1 + _PER_NUMBER * num_numbers) / (1 + _PER_NUMBER * _TRIED_NUMBERS)
    num_trees = {"forest_10": 10 * _SINGLE, "forest": 40.0, "boosting": _BOOSTING}
    return num_trees.get(baseline.method, 0.0) * width
