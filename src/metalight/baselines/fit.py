"""Baselines by name: each learns one target from the training galaxies and predicts all galaxies it is shown."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from metalight.baselines.features import FEATURE_SETS, FeatureSet, FloatArray, Galaxies, build_features, find_lack
from metalight.baselines.regressors import Examples, Learnt, fit_boosting, fit_forest, fit_process
from metalight.recipe import KNOWN_BASELINES
from metalight.scaling_relations import TREMONTI_2004

Method = Literal["mean", "forest_10", "forest", "boosting", "gaussian_process", "relation"]

FEWEST_TO_LEARN_FROM = 10
"""Training galaxies with a label and all numbers that a baseline needs."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Baseline:
    """A way to predict a target without the network."""

    method: Method
    sees: FeatureSet


_ALONE: dict[str, tuple[Method, str]] = {
    "mean": ("mean", "nothing"),
    "gaussian_process": ("gaussian_process", "apertures"),
    "mass_metallicity": ("relation", "mass"),
}
_OF_SEVERAL: tuple[Method, ...] = ("forest_10", "forest", "boosting")  # of two that fit, the longer one comes first


def _build_baseline(name: str) -> Baseline:
    if name in _ALONE:
        method, of_set = _ALONE[name]
    else:
        method = next(method for method in _OF_SEVERAL if name.startswith(f"{method}_"))
        of_set = name.removeprefix(f"{method}_")
    return Baseline(method, FEATURE_SETS[of_set])


BASELINES = {name: _build_baseline(name) for name in KNOWN_BASELINES}
"""By name, in the order of tables.

`forest_10` are forests of the settings that were scikit-learn's own in 2018, 10 trees grown to single galaxies, which
the paper draws in its figure 4; `forest` those of 40 trees with 8 galaxies a leaf that it quotes (after Acquaviva
2016).
"""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Result of fitting a baseline to one target."""

    predicted: FloatArray
    """(galaxy,) in the unit of the target; NaN where a galaxy lacks a number that the baseline needs, or everywhere."""

    left_out: str = ""
    """Why it could not be fitted, to be read after its name; empty if it was."""

    num_training: int = 0
    """Galaxies that it learnt from; 0 of a published relation."""

    num_numbers: int = 0
    """Numbers of a galaxy that it sees."""

    note: str = ""
    """Choices and simplifications made during the fit."""


def fit_baseline(
    name: str,
    galaxies: Galaxies,
    target: FloatArray,
    *,
    is_training: BoolArray,
    is_validation: BoolArray,
    is_metallicity: bool = False,
    seed: int = 0,
) -> Fitted:
    """A baseline that learns from the training galaxies and predicts all.

    The order of galaxies plays no part. A galaxy that lacks a label or a number is not learnt from; one that lacks a
    number is predicted as NaN.

    Args:
        name: Of `BASELINES`.
        galaxies: All galaxies, of any set.
        target: True values (galaxy,), NaN where missing; only those of the training and validation galaxies are read.
        is_training: Which galaxies are learnt from.
        is_validation: By which galaxies settings are chosen.
        is_metallicity: Whether the target is 12 + log10(O/H) on the scale of Tremonti et al. (2004): only that follows
            from a mass.
        seed: Of what is drawn.
    """
    baseline, num_galaxies = BASELINES[name], len(galaxies.object_ids)
    nothing = np.full(num_galaxies, np.nan)
    lack = find_lack(baseline.sees, galaxies)
    if not lack and baseline.method == "relation" and not is_metallicity:
        lack = "it predicts 12 + log10(O/H) only"
    if lack:
        return Fitted(nothing, lack)
    features = build_features(baseline.sees, galaxies)
    if _holds(features[is_training], target[is_training]):
        return Fitted(nothing, "what it sees is the target itself")
    if baseline.method == "relation":
        by_relation = TREMONTI_2004.predict(features[:, 0], imf=TREMONTI_2004.imf, scale=TREMONTI_2004.scale)
        return Fitted(by_relation, num_numbers=1, note=f"{TREMONTI_2004.source}; none outside masses of 8.5 to 11.5")
    is_whole = np.isfinite(features).all(axis=1)
    order = np.argsort(galaxies.object_ids)
    training, validation = (
        order[(is_whole & np.isfinite(target) & is_of_set)[order]] for is_of_set in (is_training, is_validation)
    )
    fewest = 1 if baseline.method == "mean" else FEWEST_TO_LEARN_FROM
    if len(training) < fewest:
        return Fitted(nothing, f"{len(training)} training galaxies have what it needs, and {fewest} are the least")
    if baseline.method == "mean":
        return Fitted(np.full(num_galaxies, target[training].mean()), num_training=len(training))
    examples = Examples(features[training], target[training])
    if examples.target.min() == examples.target.max():
        return Fitted(nothing, "the training galaxies that have what it needs all have the same label")
    learnt = _learn(baseline.method, examples, Examples(features[validation], target[validation]), seed)
    predicted = nothing.copy()
    if is_whole.any():
        predicted[is_whole] = learnt.predict(features[is_whole])
    return Fitted(predicted, num_training=len(training), num_numbers=features.shape[1], note=learnt.note)


def _learn(method: Method, examples: Examples, validation: Examples, seed: int) -> Learnt:
    if method == "forest_10":
        return fit_forest(examples, num_trees=10, min_samples_leaf=1, seed=seed)
    if method == "forest":
        return fit_forest(examples, num_trees=40, min_samples_leaf=8, seed=seed)
    if method == "boosting":
        return fit_boosting(examples, validation, seed=seed)
    return fit_process(examples, seed=seed)


def _holds(features: FloatArray, target: FloatArray) -> bool:
    """Whether one of the features is the target: a catalogue of masses must not be predicted from masses."""
    # A property lacks what cannot be, such as a mass of 0, which the target still has.
    is_known = np.isfinite(features) & np.isfinite(target)[:, None]
    is_other = is_known & (features != target[:, None])
    return bool(np.any(is_known.any(axis=0) & ~is_other.any(axis=0)))
