"""Two sets of predictions of the same galaxies, galaxy by galaxy: which is better, and how alike they are."""

import dataclasses
import math
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.evaluation.metric_text import (
    COMPARED,
    align_rows,
    choose_decimals,
    choose_decimals_of,
    format_interval,
    format_label,
    format_number,
)
from metalight.evaluation.scores import replace_nan
from metalight.intervals import FEW_GALAXIES, Interval
from metalight.metrics import PairedMetric, compute_nmad, compute_paired_metrics, compute_rmse

_LINE_WIDTH = 120

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of two sets of predictions, A and B, on the same galaxies."""

    num_galaxies: int
    """Galaxies with a true value and both predictions."""
    metrics: dict[str, PairedMetric]
    """By the names of `metalight.metrics.compute_metrics`."""
    residual_correlation: float
    """Pearson's correlation of the residuals of A and B; NaN where those of one do not vary."""
    rms_between: float
    """Root-mean-square difference of the two predictions of a galaxy, in the unit of the target."""
    rmse_of_mean: float
    """RMSE of the mean of the two predictions: what averaging them gives."""
    nmad_of_mean: float
    """Its NMAD."""
    is_identical: bool
    """Whether every prediction of B is that of A."""
    num_bootstrap: int
    """Bootstrap samples behind the intervals."""
    seed: int
    """Seed of the bootstrap."""


def compare_predictions(
    truth: npt.ArrayLike,
    predicted_a: npt.ArrayLike,
    predicted_b: npt.ArrayLike,
    *,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Every metric of A, of B and of B − A, and how alike the two are.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted_a: Predictions of A, finite, shape (galaxies,).
        predicted_b: Predictions of B, likewise.
        num_bootstrap: Bootstrap samples behind the intervals, at least 1.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: As of `metalight.metrics.compute_paired_metrics`.
    """
    metrics = compute_paired_metrics(truth, predicted_a, predicted_b, num_bootstrap=num_bootstrap, seed=seed)
    truth, a, b = (np.asarray(values, dtype=np.float64) for values in (truth, predicted_a, predicted_b))
    mean = (a + b) / 2
    return Comparison(
        num_galaxies=len(truth),
        metrics=metrics,
        residual_correlation=_correlate(a - truth, b - truth),
        rms_between=compute_rmse(a, b),
        rmse_of_mean=compute_rmse(truth, mean),
        nmad_of_mean=compute_nmad(mean - truth),
        is_identical=bool(np.array_equal(a, b)),
        num_bootstrap=num_bootstrap,
        seed=seed,
    )


def describe_verdict(comparison: Comparison, unit: str) -> str:
    """One or two sentences on what the galaxies can show; the 95 % interval of the difference in RMSE decides.

    Args:
        comparison: What to judge.
        unit: Unit of the target; empty if it has none.
    """
    num = f"{comparison.num_galaxies:,} galaxies"
    if comparison.is_identical:
        return f"A and B are identical predictions of these {num}: every difference is 0."
    rmse, nmad = comparison.metrics["rmse"], comparison.metrics["nmad"]
    if not _excludes_zero(rmse.difference_95):
        decimals = _choose_difference_decimals(comparison)
        difference = _join(format_number(rmse.difference.value, decimals, sign="+"), unit)
        low, high = (format_interval(each, decimals, sign="+") for each in (rmse.difference, rmse.difference_95))
        return (
            f"No difference in RMSE that these {num} can show: B − A is {difference} (68 % interval {low}; the 95 % "
            f"interval, {high}, includes 0)."
        )
    verdict = f"{_describe_difference(comparison, 'rmse', unit)}."
    is_lower = rmse.difference.value < 0
    if _excludes_zero(nmad.difference_95) and (nmad.difference.value < 0) != is_lower:
        verdict += f" But {_describe_difference(comparison, 'nmad', unit)}: outliers make the difference."
    return verdict


def format_comparison(comparison: Comparison, unit: str) -> str:
    """A plain-text table of the main metrics of A, B and B − A, and below it the verdict and how alike A and B are.

    Args:
        comparison: What to show.
        unit: Unit of the target, such as `dex`; empty if it has none.
    """
    of_values = _choose_value_decimals(comparison)
    of_differences = _choose_difference_decimals(comparison)
    rows = [("metric", "A", "B", "B − A", "68 % interval", "95 % interval", "B better")]
    for name in COMPARED:
        metric, decimals = comparison.metrics[name], choose_decimals_of(name, of_values)
        signed = max(decimals, choose_decimals_of(name, of_differences))
        rows.append(
            (
                format_label(name, unit),
                format_number(metric.a.value, decimals),
                format_number(metric.b.value, decimals),
                format_number(metric.difference.value, signed, sign="+"),
                format_interval(metric.difference, signed, sign="+"),
                format_interval(metric.difference_95, signed, sign="+"),
                _format_percentage(metric.fraction_b_better),
            )
        )
    correlation = format_number(comparison.residual_correlation, 3)
    between, rmse, nmad = (
        format_number(value, of_values)
        for value in (comparison.rms_between, comparison.rmse_of_mean, comparison.nmad_of_mean)
    )
    is_few = comparison.num_galaxies < FEW_GALAXIES
    return "\n".join(
        [
            *align_rows(rows),
            "",
            *textwrap.wrap(describe_verdict(comparison, unit), _LINE_WIDTH),
            f"Correlation of the residuals of A and B: {correlation}. RMS difference of their predictions: "
            f"{_join(between, unit)}.",
            f"The mean of both predictions has RMSE {_join(rmse, unit)} and NMAD {_join(nmad, unit)}.",
            f"Intervals: {comparison.num_bootstrap:,} bootstrap samples, the same galaxies for A and B, seed "
            f"{comparison.seed}.",
            "B better: in how many of them, ties by half; of mean and median residuals the one nearer 0 is the better,",
            "of slopes the one nearer 1.",
            *(["Bootstrap intervals of so few galaxies tend to be too narrow."] if is_few else []),
        ]
    )


def build_record(comparison: Comparison, unit: str) -> dict[str, Any]:
    """The numbers as JSON takes them; one that is not defined is None."""
    metrics = {
        name: {
            "a": dataclasses.asdict(metric.a),
            "b": dataclasses.asdict(metric.b),
            "difference": {
                **dataclasses.asdict(metric.difference),
                "low_95": metric.difference_95.low,
                "high_95": metric.difference_95.high,
            },
            "fraction_b_better": metric.fraction_b_better,
        }
        for name, metric in comparison.metrics.items()
    }
    plain = {
        field.name: getattr(comparison, field.name)
        for field in dataclasses.fields(comparison)
        if field.name != "metrics"
    }
    record: dict[str, Any] = replace_nan({**plain, "verdict": describe_verdict(comparison, unit), "metrics": metrics})
    return record


def _correlate(first: FloatArray, second: FloatArray) -> float:
    first, second = first - first.mean(), second - second.mean()
    sizes = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip(first @ second / sizes, -1, 1)) if sizes > 0 else float("nan")


def _excludes_zero(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def _describe_difference(comparison: Comparison, name: str, unit: str) -> str:
    """`B's RMSE is lower than A's by 0.0030 dex (…)`, of a difference whose 95 % interval excludes 0."""
    metric = comparison.metrics[name]
    decimals = _choose_difference_decimals(comparison)
    is_lower = metric.difference.value < 0
    sizes = [_flip(each) if is_lower else each for each in (metric.difference, metric.difference_95)]
    return (
        f"B's {name.upper()} is {'lower' if is_lower else 'higher'} than A's by "
        f"{_join(format_number(sizes[0].value, decimals), unit)} (68 % interval {format_interval(sizes[0], decimals)}; "
        f"the 95 % interval, {format_interval(sizes[1], decimals)}, excludes 0)"
    )


def _flip(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low)


def _choose_value_decimals(comparison: Comparison) -> int:
    return max(choose_decimals(metric.value) for metric in (comparison.metrics["rmse"].a, comparison.metrics["rmse"].b))


def _choose_difference_decimals(comparison: Comparison) -> int:
    """As many as the values have; more where they would hide how wide the interval of the difference in RMSE is."""
    interval = comparison.metrics["rmse"].difference_95
    width = interval.high - interval.low
    needed = 0 if width == 0 else 1 - math.floor(math.log10(width))
    return max(_choose_value_decimals(comparison), min(needed, 10))


def _format_percentage(fraction: float) -> str:
    return f"{100 * fraction:.1f} %" if math.isfinite(fraction) else "–"


def _join(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number
