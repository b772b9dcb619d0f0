"""Whether a training worked for a target, by what the model predicts at its end; and why not, as far as it shows."""

from dataclasses import dataclass

import numpy as np

from metalight.evaluation import find_trusted
from metalight.intervals import FloatArray
from metalight.model_files import Outcome, TargetVerdict
from metalight.recipe import ModelSettings, TrainingSettings, list_concerns, list_lower_rates, suggest_settings

FEWEST_GALAXIES = 10
"""Validation galaxies that a verdict takes: of fewer, one galaxy would decide. The training galaxies judge then."""

DIVERGED_BEYOND = 2.0
"""Times the RMSE of predicting the mean. A network that has learnt nothing, or too much of its training galaxies, gives
1 to 1.4; one that has diverged gives from 2 to thousands."""

FAR_FRACTION = 0.05
"""Part of the predictions that may lie farther outside the training labels than these spread."""

CONSTANT_BELOW = 0.01
"""Standard deviation of the predictions over that of the training labels, below which all predictions are the same."""

FITS_BELOW = 0.8
"""RMSE of the training galaxies over that of predicting their mean, below which the network has learnt these."""

STILL_FALLING = 0.1
"""Part by which the loss of the last eighth of the steps is below that of the eighth before, if more epochs would
help."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """True values and predictions of one target, for galaxies with a label."""

    truth: FloatArray
    """Of the validation galaxies, finite; (galaxy,)."""

    predicted: FloatArray
    training_truth: FloatArray
    """Of training galaxies, all of them or some; finite."""

    training_predicted: FloatArray
    labels: FloatArray
    """Of all training galaxies, finite."""

    losses: FloatArray
    """Of each step, in order."""


def judge_target(
    evidence: Evidence, model: ModelSettings, training: TrainingSettings, num_training: int
) -> TargetVerdict:
    """The verdict on one target.

    Args:
        evidence: What is predicted.
        model: The network.
        training: How it was trained.
        num_training: On how many galaxies, with and without a label of this target.
    """
    has_enough = len(evidence.truth) >= FEWEST_GALAXIES
    truth, predicted = (
        (evidence.truth, evidence.predicted) if has_enough else (evidence.training_truth, evidence.training_predicted)
    )
    mean = float(evidence.labels.mean())
    rmse, rmse_of_mean = _compute_rmse(predicted, truth), _compute_rmse(mean, truth)
    outcome = _find_outcome(evidence.labels, predicted, rmse, rmse_of_mean)
    cause, advice = "", ""
    remedy: tuple[str, ...] = ()
    if outcome != "ok":
        # What was to be feared beforehand is the likely cause.
        cause = "; ".join(list_concerns(model, training, num_training))
        remedy = suggest_settings(model, training, num_training)
        if not cause:
            cause, advice, remedy = _explain(outcome, evidence, training)
    return TargetVerdict(
        outcome=outcome,
        judged_by="validation" if has_enough else "training",
        num_galaxies=len(truth),
        rmse=rmse,
        rmse_of_mean=rmse_of_mean,
        predicted_range=_find_range(predicted),
        label_range=_find_range(evidence.labels),
        cause=cause,
        advice=advice,
        remedy=remedy,
    )


def find_trusted_predictions(evidence: Evidence) -> tuple[float, float] | None:
    """The range of predictions that the validation galaxies show to be unbiased; None if they show none."""
    if len(evidence.truth) == 0:
        return None
    found = find_trusted(evidence.truth, evidence.predicted)
    return (found.low, found.high) if np.isfinite(found.low) else None


def _find_outcome(labels: FloatArray, predicted: FloatArray, rmse: float, rmse_of_mean: float) -> Outcome:
    low, high = _find_range(labels)
    spread = high - low
    is_far = (predicted < low - spread) | (predicted > high + spread)
    if rmse > DIVERGED_BEYOND * rmse_of_mean or is_far.mean() > FAR_FRACTION:
        return "diverged"
    is_constant = float(predicted.std()) < CONSTANT_BELOW * float(labels.std())
    return "learned nothing" if rmse >= rmse_of_mean or is_constant else "ok"


def _explain(outcome: Outcome, evidence: Evidence, settings: TrainingSettings) -> tuple[str, str, tuple[str, ...]]:
    """Likely cause, advice and settings of a failure that was not to be feared beforehand."""
    if outcome == "diverged":
        return "the learning rates are too high for these images and labels", "", list_lower_rates(settings)
    fitted = _compute_rmse(evidence.training_predicted, evidence.training_truth)
    if fitted < FITS_BELOW * float(evidence.labels.std()):
        return (
            f"the network knows its {len(evidence.labels):,} training galaxies by heart (RMSE {fitted:.3g}) and cannot "
            "tell others: there are too few of them, or the labels have no relation to the images",
            "Check that labels and images belong to the same galaxies (`metalight inspect RUN`), or add galaxies.",
            (),
        )
    if _is_falling(evidence.losses):
        return "too few epochs: the loss was still falling at the end", "", (f"training.cycles={settings.cycles + 1}",)
    return (
        "the labels have no relation to the images that the network could find",
        "Check that labels and images belong to the same galaxies (`metalight inspect RUN`), and what simple methods "
        "reach on them (`baselines.kinds`).",
        (),
    )


def _is_falling(losses: FloatArray) -> bool:
    """Whether the training was broken off while the network learnt."""
    size = len(losses) // 8
    if size == 0:
        return False
    before, last = float(losses[-2 * size : -size].mean()), float(losses[-size:].mean())
    return last < (1 - STILL_FALLING) * before


def _compute_rmse(predicted: FloatArray | float, truth: FloatArray) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def _find_range(values: FloatArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())
