"""The lines that a run ends with: how good the network is, and whether another method is better on these galaxies."""

from collections.abc import Sequence

from metalight.evaluation.beside import BesideScores
from metalight.evaluation.metric_text import choose_decimals, format_interval, format_number
from metalight.evaluation.scores import Scores
from metalight.intervals import Interval

_MEAN = "mean"
"""The baseline that stands in every score as it is."""


def tell_score(target: str, scores: Scores, baselines: Sequence[BesideScores], unit: str) -> str:
    """The test RMSE with its 68 % interval, beside predicting the mean and the best baseline.

    Args:
        target: What is predicted.
        scores: Of the test galaxies.
        baselines: Of the same target; those that could not be fitted are ignored.
        unit: Of the target; empty if it has none.
    """
    rmse = scores.metrics["rmse"]
    # Of a training that failed, its RMSE may be thousands of times that of the mean.
    decimals = choose_decimals(min(rmse.value, scores.baseline["rmse"].value))
    interval = format_interval(rmse, decimals)
    between = "" if interval == "–" else f" (68 % interval {interval})"
    mean = format_number(scores.baseline["rmse"].value, decimals)
    galaxies = "galaxy" if scores.num_galaxies == 1 else "galaxies"
    told = f"{target}: RMSE {format_number(rmse.value, decimals)}{f' {unit}' if unit else ''}{between} for "
    told += f"{scores.num_galaxies:,} test {galaxies}; predicting the mean gives {mean}"
    best = find_best(baselines)
    if best is None:
        return f"{told}."
    return f"{told}, the best baseline, {best.facts.name}, {format_number(best.rmse.value, decimals)}."


def tell_best(scores: Scores, baselines: Sequence[BesideScores], unit: str) -> str:
    """Which method is best on these galaxies, and whether the difference is real: its 95 % interval excludes 0."""
    best = find_best(baselines)
    if best is None:
        return _compare_with_mean(scores)
    decimals = choose_decimals(scores.metrics["rmse"].value)
    better, name = best.network_better_by["rmse"], best.facts.name
    interval = best.network_better_by_95["rmse"]
    size = f"{format_number(abs(better.value), decimals)}{f' {unit}' if unit else ''}"
    between = f"95 % interval {format_interval(interval, decimals, sign='+')}"
    if interval.low > 0:
        return f"The network is the best method here: its RMSE is {size} lower than that of {name} ({between})."
    if interval.high < 0:
        turned = Interval(-interval.value, -interval.high, -interval.low)
        return (
            f"{name} is better than the network here: its RMSE is {size} lower, and the difference is real "
            f"(95 % interval {format_interval(turned, decimals)})."
        )
    if interval.low <= 0 <= interval.high:
        return (
            f"The network and {name} are equally good, as far as {best.num_galaxies:,} galaxies can tell (network "
            f"better by {format_number(better.value, decimals, sign='+')}; {between})."
        )
    ahead = "The network" if better.value > 0 else name
    return f"{ahead} has the lower RMSE, by {size}; without intervals, nobody knows whether that is chance."


def find_best(baselines: Sequence[BesideScores]) -> BesideScores | None:
    """The baseline with the lowest RMSE, apart from predicting the mean; None if there is none."""
    fitted = [each for each in baselines if each.network_better_by and each.facts.name != _MEAN]
    return min(fitted, key=lambda each: each.rmse.value, default=None)


def _compare_with_mean(scores: Scores) -> str:
    rmse, mean = scores.metrics["rmse"], scores.baseline["rmse"].value
    more = "To compare it with simple methods, set baselines.kinds = 'all'."
    if rmse.high < mean:
        return f"The network is better than predicting the mean. {more}"
    if rmse.low > mean:
        return f"The network is worse than predicting the mean. {more}"
    return f"The network is not clearly better than predicting the mean. {more}"
