"""The scores of a set of predictions: as numbers, as metrics.json, and as a table to read."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metalight.atomic import save_json
from metalight.errors import EvaluationError
from metalight.evaluation.breakdown import Breakdown, compute_breakdown, describe_breakdown
from metalight.evaluation.metric_text import (
    SHOWN,
    align_rows,
    choose_decimals,
    choose_decimals_of,
    format_interval,
    format_label,
    format_number,
)
from metalight.intervals import FEW_GALAXIES, Interval
from metalight.metrics import compute_baseline, compute_metrics
from metalight.small_files import load_json

LARGEST_VALUE = 1e100
"""A larger number is not a measurement, but what some program writes for one that is missing; its square overflows."""

BaselineSource = Literal["training set", "scored galaxies"]
"""The galaxies whose mean the baseline predicts."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """How good a set of predictions is, beside predicting one mean for every galaxy."""

    num_galaxies: int
    """Galaxies that were scored."""
    num_left_out: int
    """Galaxies left out because they lack a true value or a prediction."""
    metrics: dict[str, Interval]
    """By the names of `metalight.metrics.compute_metrics`."""
    baseline: dict[str, Interval]
    """The same metrics of predicting `baseline_mean` for the same galaxies."""
    baseline_mean: float
    """The one prediction of the baseline, in the unit of the target."""
    baseline_source: BaselineSource
    """Whose mean that is; the mean of the scored galaxies themselves makes the baseline a little too good."""
    num_bootstrap: int
    """Bootstrap samples behind the intervals; 0 if there are none."""
    seed: int
    """Seed of the bootstrap."""
    breakdown: Breakdown = dataclasses.field(default_factory=dict)
    """What lies behind the scores, as of `metalight.evaluation.breakdown.compute_breakdown`; empty of files that were
    written before there was one."""


def find_scorable(truth: npt.ArrayLike, predicted: npt.ArrayLike, *, at_least: int = 2) -> npt.NDArray[np.bool_]:
    """Mask of the galaxies that have both a finite true value and a finite prediction.

    Raises:
        EvaluationError: There are fewer than `at_least` of them, or a value is too large to be one.
        ValueError: The lengths differ.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth of shape {truth.shape} and predicted of shape {predicted.shape} must be as long")
    is_scorable: npt.NDArray[np.bool_] = np.isfinite(truth) & np.isfinite(predicted)
    for name, values in (("true value", truth), ("prediction", predicted)):
        is_too_large = is_scorable & (np.abs(values) > LARGEST_VALUE)
        if is_too_large.any():
            raise EvaluationError(
                f"The {name} of {is_too_large.sum():,} of {len(values):,} galaxies is beyond 1e100, first "
                f"{values[is_too_large][0]:g}: that is not a measurement; leave such values empty."
            )
    num_scorable = int(is_scorable.sum())
    if num_scorable < at_least:
        have = "has" if num_scorable == 1 else "have"
        raise EvaluationError(
            f"Of {len(truth)} galaxies, {num_scorable} {have} both a true value and a prediction; at least {at_least} "
            "are needed: check the label column of the catalogue, or predict more galaxies."
        )
    return is_scorable


def evaluate_predictions(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    baseline_mean: float | None,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> Scores:
    """The scores of the galaxies that have both a true value and a prediction; the others are counted.

    Args:
        truth: True values, NaN where missing, shape (galaxies,).
        predicted: Predictions, NaN where missing, shape (galaxies,).
        baseline_mean: Mean of the training set, the baseline of a run; None takes the mean of the scored galaxies, for
            predictions whose training set is not known.
        num_bootstrap: Bootstrap samples behind the 68 % intervals; 0 leaves them out.
        seed: Seed of the bootstrap.

    Raises:
        EvaluationError: Fewer than 2 galaxies can be scored.
        ValueError: The lengths differ, or `baseline_mean` is not finite.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_scorable = find_scorable(truth, predicted)
    truth, predicted = truth[is_scorable], predicted[is_scorable]
    mean = float(truth.mean()) if baseline_mean is None else float(baseline_mean)
    return Scores(
        num_galaxies=len(truth),
        num_left_out=len(is_scorable) - len(truth),
        metrics=compute_metrics(truth, predicted, num_bootstrap=num_bootstrap, seed=seed),
        baseline=compute_baseline(truth, mean, num_bootstrap=num_bootstrap, seed=seed),
        baseline_mean=mean,
        baseline_source="scored galaxies" if baseline_mean is None else "training set",
        num_bootstrap=num_bootstrap,
        seed=seed,
        breakdown=compute_breakdown(truth, predicted, num_bootstrap=num_bootstrap, seed=seed),
    )


def tell_if_useless(whose: str, r2: float) -> str:
    """A warning if predictions are worse than predicting the mean of the same galaxies; empty if they are not.

    Args:
        whose: Whose predictions, as the subject of a sentence in the plural.
        r2: Their R².
    """
    if not r2 < 0:
        return ""
    return f"{whose} are worse than predicting the mean for every galaxy (R² = {r2:.3g}): they are of no use."


def save_scores(scores: Mapping[str, Scores], path: Path) -> None:
    """Write the scores of each target as JSON; a number that is not defined is null."""
    stored = {target: replace_nan(dataclasses.asdict(of_target)) for target, of_target in scores.items()}
    save_json(stored, path)


def load_scores(path: Path) -> dict[str, Scores]:
    """The scores of each target that `save_scores` wrote.

    Raises:
        EvaluationError: The file is not there, or is no such file.
    """
    try:
        stored = load_json(path)
        return {target: _read_scores(of_target) for target, of_target in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} cannot be read as scores ({error}); run `metalight evaluate` to write it again."
        ) from error


def format_scores(scores: Scores, unit: str) -> str:
    """A plain-text table: the main metrics, their 68 % intervals, and what predicting the mean reaches; then sentences.

    Args:
        scores: What to show.
        unit: Unit of the target, such as `dex`; empty if it has none.
    """
    decimals = choose_decimals(scores.metrics["rmse"].value)
    rows = [("metric", "value", "68 % interval", "predict the mean")]
    for name in SHOWN:
        metric = scores.metrics[name]
        shown = choose_decimals_of(name, decimals)
        numbers = [format_number(value, shown) for value in (metric.value, scores.baseline[name].value)]
        rows.append((format_label(name, unit), numbers[0], format_interval(metric, shown), numbers[1]))
    return "\n".join([*align_rows(rows), "", *list_score_notes(scores, unit)])


def list_score_notes(scores: Scores, unit: str) -> list[str]:
    """Lines on what lies behind the scores: galaxies, intervals, the trusted range, lists of the lowest and highest."""
    decimals = choose_decimals(scores.metrics["rmse"].value)
    told = describe_breakdown(scores.breakdown, unit, decimals, num_galaxies=scores.num_galaxies)
    return [*_format_notes(scores), *told]


def replace_nan(value: Any) -> Any:
    """The same for JSON: None for every number in a tree of dicts, lists and tuples that is not finite.

    Numbers of numpy become plain ones. JSON has no NaN; the tokens that Python would write are refused by most other
    readers.
    """
    if isinstance(value, dict):
        return {key: replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_nan(item) for item in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _format_notes(scores: Scores) -> list[str]:
    galaxies = "galaxy" if scores.num_galaxies == 1 else "galaxies"
    counts = f"{scores.num_galaxies:,} {galaxies} scored"
    if scores.num_left_out:
        lack = "lacks" if scores.num_left_out == 1 else "lack"
        counts += f"; {scores.num_left_out:,} left out, which {lack} a true value or a prediction"
    whose = "training set" if scores.baseline_source == "training set" else "scored galaxies themselves"
    mean = format_number(scores.baseline_mean, choose_decimals(scores.metrics["rmse"].value))
    notes = [
        f"{counts}. Residual = predicted − true.",
        f"Predict the mean: {mean} for every galaxy, the mean of the {whose}.",
    ]
    if scores.num_bootstrap:
        few = " Those of so few galaxies tend to be too narrow." if scores.num_galaxies < FEW_GALAXIES else ""
        notes.append(f"Intervals: {scores.num_bootstrap:,} bootstrap samples of the galaxies, seed {scores.seed}.{few}")
    return notes


def _read_scores(stored: dict[str, Any]) -> Scores:
    intervals = {
        key: {name: _read_interval(interval) for name, interval in stored[key].items()}
        for key in ("metrics", "baseline")
    }
    breakdown = {
        part: {name: _read_interval(each) for name, each in numbers.items()}
        for part, numbers in stored.get("breakdown", {}).items()
    }
    return Scores(**{**stored, **intervals, "breakdown": breakdown})


def _read_interval(stored: dict[str, float | None]) -> Interval:
    return Interval(**{name: float("nan") if value is None else float(value) for name, value in stored.items()})
