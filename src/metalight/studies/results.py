"""Results of a study: the scores of every variant and repetition, and its difference to the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import MetalightError
from metalight.metrics import Interval, compute_metrics, compute_paired_metrics
from metalight.studies.plan import Plan
from metalight.studies.predictions import TestedGalaxies, find_enlargement, find_failure, load_seconds, load_tested

EXTREME_FRACTION = 0.05
"""Part of the test galaxies that are scored by themselves: as many with the lowest true values as with the highest."""

SCORED = ("rmse", "nmad")
"""Metrics of a study, by the names of `metalight.metrics.compute_metrics`."""

_NONE = Interval(float("nan"), float("nan"), float("nan"))
_NUM_BOOTSTRAP = 1000
_LEAST_TO_SCORE = 2


@dataclass(frozen=True)
class Difference:
    """A metric of a variant less that of the reference, on the same galaxies."""

    interval: Interval
    """With the 68 % interval of the paired differences."""

    interval_95: Interval

    @property
    def is_clear(self) -> bool:
        """Whether the 95 % interval excludes 0."""
        return bool(self.interval_95.low > 0 or self.interval_95.high < 0)


@dataclass(frozen=True)
class Result:
    """One repetition of a variant, of one target."""

    variant: str
    repetition: int
    target: str
    num_galaxies: int = 0
    metrics: dict[str, Interval] = field(default_factory=dict)
    """rmse and nmad with 68 % intervals; rmse_extremes where asked for."""

    baseline: dict[str, float] = field(default_factory=dict)
    """rmse and nmad of predicting the training mean for the same galaxies."""

    differences: dict[str, Difference] = field(default_factory=dict)
    """By the names of `metrics`; empty of the reference itself, and where there is none."""

    num_common: int = 0
    """Galaxies that both have."""

    training_seconds: float = 0.0
    seconds: float = 0.0
    """Of all stages, by the runs' own records."""

    enlarged_to: int = 0
    """Side in pixels that the network enlarges images to; 0: none."""

    failure: str = ""
    """How its training failed: `diverged` or `learned nothing`; empty if it worked."""

    flaw: str = ""
    """Why there is no result."""

    @property
    def relative_rmse(self) -> Interval:
        """RMSE / σ, with σ the RMSE of predicting the training mean; σ counts as known."""
        rmse, sigma = self.metrics.get("rmse", _NONE), self.baseline.get("rmse", float("nan"))
        return Interval(*(value / sigma for value in (rmse.value, rmse.low, rmse.high))) if sigma > 0 else _NONE


def collect_results(plan: Plan, runs_folder: Path, flaws: Mapping[str, str]) -> list[Result]:
    """The results of all runs, in order, target after target.

    Args:
        plan: The runs.
        runs_folder: Where they are.
        flaws: Sentences on the runs that failed, by their folders.
    """
    results = []
    for target in plan.recipe.catalog.targets:
        references: dict[int, TestedGalaxies] = {}
        # The reference first: all others are compared with it.
        variants = sorted(plan.variants, key=lambda name: name != plan.reference)
        of_target: dict[tuple[str, int], Result] = {}
        for variant in variants:
            for repetition in range(plan.seeds):
                result, tested = _score(plan, runs_folder, flaws, variant, repetition, target, references)
                of_target[variant, repetition] = result
                if variant == plan.reference and tested is not None:
                    references[repetition] = tested
        results += [of_target[variant, k] for variant in plan.variants for k in range(plan.seeds)]
    return results


def compare_galaxies(
    reference: pd.DataFrame, other: pd.DataFrame, *, extremes: bool = False
) -> tuple[dict[str, Difference], int]:
    """Metrics of `other` less those of `reference` on the galaxies that both have, and how many those are.

    Args:
        reference: Columns truth and predicted, by object_id.
        other: Likewise.
        extremes: Whether to give `rmse_extremes` too.
    """
    common = reference.index.intersection(other.index).sort_values()
    if len(common) < _LEAST_TO_SCORE:
        return {}, len(common)
    truth, a, b = (
        frame.loc[common, name].to_numpy()
        for frame, name in ((reference, "truth"), (reference, "predicted"), (other, "predicted"))
    )
    differences = _pair(truth, a, b)
    if extremes:
        chosen = find_extremes(truth)
        if chosen.sum() >= _LEAST_TO_SCORE:
            differences["rmse_extremes"] = _pair(truth[chosen], a[chosen], b[chosen])["rmse"]
    return differences, len(common)


def find_extremes(truth: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mask of the galaxies with extreme true values: the lowest and the highest, 5 % in all, at least one of each."""
    num_each = max(1, round(EXTREME_FRACTION * len(truth) / 2))
    order = np.argsort(truth, kind="stable")
    chosen = np.zeros(len(truth), dtype=np.bool_)
    chosen[order[:num_each]] = chosen[order[-num_each:]] = True
    return chosen


@dataclass(frozen=True)
class Summary:
    """A variant over its repetitions, of one target."""

    variant: str
    target: str
    results: tuple[Result, ...]
    """Those that there are."""

    flaws: tuple[str, ...]
    is_repeated: bool = False
    """Whether several were asked for, of which means and their standard errors are told."""

    has_failed_reference: bool = False
    """Whether a training of the reference failed, so that differences to it tell nothing."""

    @property
    def failures(self) -> tuple[str, ...]:
        """How trainings of it failed, each way once."""
        return tuple(dict.fromkeys(result.failure for result in self.results if result.failure))

    @property
    def has_diverged(self) -> bool:
        """Whether its numbers are so far off that they would leave others no room in a figure."""
        return "diverged" in self.failures

    @property
    def has_differences(self) -> bool:
        """Whether its differences to the reference tell anything: not where a training of either side failed."""
        return not (self.failures or self.has_failed_reference)

    def describe(self, name: str) -> Interval:
        """A metric: of one repetition with its 68 % interval, of several the mean ± its standard error."""
        return self._join([result.metrics[name] for result in self.results if name in result.metrics])

    def describe_relative(self) -> Interval:
        """RMSE / σ, likewise."""
        return self._join([result.relative_rmse for result in self.results])

    def describe_baseline(self, name: str) -> float:
        """The metric of predicting the mean, over all repetitions."""
        values = [result.baseline[name] for result in self.results if name in result.baseline]
        return float(np.mean(values)) if values else float("nan")

    def describe_difference(self, name: str) -> Interval:
        """A metric less that of the reference: of one repetition with its 95 % interval, of several as `describe`.

        Differences are between runs of the same seed. There are none where a training of either side failed.
        """
        if not self.has_differences:
            return _NONE
        differences = [result.differences[name] for result in self.results if name in result.differences]
        return self._join([difference.interval_95 for difference in differences])

    @property
    def seconds(self) -> float:
        """Of a repetition, the mean."""
        return float(np.mean([result.seconds for result in self.results])) if self.results else float("nan")

    def _join(self, intervals: Sequence[Interval]) -> Interval:
        if not intervals:
            return _NONE
        if not self.is_repeated:
            return intervals[0]
        values = np.array([interval.value for interval in intervals])
        # Where all but one failed there is no standard error, and the interval of that one is something else.
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        mean = float(values.mean())
        return Interval(mean, mean - error, mean + error)


def summarise(results: Sequence[Result], *, reference: str = "") -> list[Summary]:
    """The results by target and variant, in order.

    Args:
        results: Of all runs.
        reference: The variant that the others are compared with.
    """
    failed = {result.target for result in results if result.variant == reference and result.failure}
    keys = dict.fromkeys((result.target, result.variant) for result in results)
    summaries = []
    for target, variant in keys:
        of_key = [result for result in results if (result.target, result.variant) == (target, variant)]
        flaws = tuple(dict.fromkeys(result.flaw for result in of_key if result.flaw))
        there = tuple(each for each in of_key if not each.flaw)
        summaries.append(
            Summary(
                variant,
                target,
                there,
                flaws,
                is_repeated=len(of_key) > 1,
                has_failed_reference=target in failed,
            )
        )
    return summaries


def build_table(results: Sequence[Result]) -> pd.DataFrame:
    """The results as results.csv has them, one row a variant, repetition and target."""
    rows = []
    for result in results:
        row: dict[str, object] = {
            "variant": result.variant,
            "repetition": result.repetition,
            "target": result.target,
            "num_galaxies": result.num_galaxies,
        }
        for name in (*SCORED, "rmse_extremes"):
            interval = result.metrics.get(name, _NONE)
            row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        row |= {f"{name}_of_mean": result.baseline.get(name, float("nan")) for name in SCORED}
        row["rmse_over_sigma"] = result.relative_rmse.value
        for name in (*SCORED, "rmse_extremes"):
            difference = result.differences.get(name, Difference(_NONE, _NONE))
            row |= {
                f"{name}_difference": difference.interval.value,
                f"{name}_difference_low": difference.interval.low,
                f"{name}_difference_high": difference.interval.high,
                f"{name}_difference_low_95": difference.interval_95.low,
                f"{name}_difference_high_95": difference.interval_95.high,
            }
        row |= {
            "num_common": result.num_common,
            "training_seconds": result.training_seconds,
            "seconds": result.seconds,
            "enlarged_to": result.enlarged_to,
            "failure": result.failure,
            "flaw": result.flaw,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _score(
    plan: Plan,
    runs_folder: Path,
    flaws: Mapping[str, str],
    variant: str,
    repetition: int,
    target: str,
    references: Mapping[int, TestedGalaxies],
) -> tuple[Result, TestedGalaxies | None]:
    runs = plan.runs_of(variant, repetition)
    folders = [runs_folder / run.folder for run in runs]
    flaw = next((flaws[run.folder] for run in runs if run.folder in flaws), "")
    if flaw:
        return Result(variant, repetition, target, flaw=flaw), None
    try:
        tested = load_tested(folders, target)
        enlarged_to, failure = find_enlargement(folders[0]), find_failure(folders, target)
    except MetalightError as error:
        return Result(variant, repetition, target, flaw=str(error)), None
    frame = tested.frame
    if len(frame) < _LEAST_TO_SCORE:
        return Result(variant, repetition, target, flaw="too few test galaxies to score"), None
    truth, predicted = frame["truth"].to_numpy(), frame["predicted"].to_numpy()
    metrics = _keep_scored(compute_metrics(truth, predicted, num_bootstrap=_NUM_BOOTSTRAP))
    extremes = find_extremes(truth)
    if plan.study.table.extremes and extremes.sum() >= _LEAST_TO_SCORE:
        of_extremes = compute_metrics(truth[extremes], predicted[extremes], num_bootstrap=_NUM_BOOTSTRAP)
        metrics["rmse_extremes"] = of_extremes["rmse"]
    means = frame["mean"].to_numpy()
    of_mean = compute_metrics(truth, means, num_bootstrap=0) if np.isfinite(means).all() else {}
    differences, num_common = dict[str, Difference](), 0
    if repetition in references and variant != plan.reference:
        reference = references[repetition].frame
        differences, num_common = compare_galaxies(reference, frame, extremes=plan.study.table.extremes)
    seconds = [load_seconds(folder) for folder in folders]
    result = Result(
        variant,
        repetition,
        target,
        num_galaxies=len(frame),
        metrics=metrics,
        baseline={name: of_mean[name].value for name in SCORED if name in of_mean},
        differences=differences,
        num_common=num_common,
        training_seconds=round(sum(training for training, _ in seconds), 2),
        seconds=round(sum(of_all for _, of_all in seconds), 2),
        enlarged_to=enlarged_to,
        failure=failure,
    )
    return result, tested


def _keep_scored(metrics: Mapping[str, Interval]) -> dict[str, Interval]:
    return {name: metrics[name] for name in SCORED}


def _pair(
    truth: npt.NDArray[np.float64], a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]
) -> dict[str, Difference]:
    paired = compute_paired_metrics(truth, a, b, num_bootstrap=_NUM_BOOTSTRAP)
    return {name: Difference(paired[name].difference, paired[name].difference_95) for name in SCORED}
