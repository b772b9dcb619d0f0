"""Additions of the resolution study to its runs: the published values, a forest on three numbers, steps of size."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from metalight.errors import MetalightError
from metalight.metrics import Interval, compute_metrics
from metalight.published import BY_SIDE, PREDICT_THE_MEAN
from metalight.studies.forest import predict_by_forest
from metalight.studies.plan import Plan
from metalight.studies.predictions import load_tested
from metalight.studies.results import SCORED, Difference, Summary, compare_galaxies

_SMALLEST = 1


@dataclass(frozen=True)
class SizeOfImages:
    """The scatter at one size of images, ours beside the published one."""

    variant: str
    side: int
    rmse: Interval
    """With its 68 % interval, or ± the standard error of several repetitions."""

    nmad: Interval
    rmse_over_sigma: float
    nmad_over_rmse: float
    published_rmse_over_sigma: float
    """NaN where nothing was published."""

    published_nmad_over_rmse: float
    enlarged_to: int
    has_failed: bool = False
    """Whether its training failed: then its differences tell nothing."""

    has_diverged: bool = False
    """Whether its numbers are far off, too."""


@dataclass(frozen=True)
class Forest:
    """A random forest on the three numbers of a 1 × 1 image."""

    metrics: dict[str, Interval]
    differences: dict[str, Difference]
    """Forest less the network at 1 × 1, on the same galaxies."""


@dataclass(frozen=True)
class Step:
    """Gain from the smallest images to the next larger ones."""

    smaller: int
    larger: int
    differences: dict[str, Difference]
    """Larger less smaller: negative where the larger is better."""


@dataclass(frozen=True)
class Resolution:
    """The study of one target."""

    target: str
    unit: str
    sizes: tuple[SizeOfImages, ...]
    mean: dict[str, float]
    """rmse and nmad of predicting the training mean."""

    forest: Forest | None
    steps: tuple[Step, ...]


def build_resolution(plan: Plan, runs_folder: Path, summaries: list[Summary], target: str) -> Resolution:
    """The scatter against image size; differences and the forest are of the first repetition."""
    sizes = []
    usable = [summary for summary in summaries if summary.target == target and summary.results]
    for summary in usable:
        side = round(plan.axis_value(summary.variant))
        rmse, nmad = summary.describe("rmse"), summary.describe("nmad")
        known = BY_SIDE.get(side)
        sizes.append(
            SizeOfImages(
                summary.variant,
                side,
                rmse,
                nmad,
                summary.describe_relative().value,
                nmad.value / rmse.value if rmse.value > 0 else float("nan"),
                known.rmse / PREDICT_THE_MEAN.rmse if known else float("nan"),
                known.nmad / known.rmse if known else float("nan"),
                summary.results[0].enlarged_to,
                has_failed=bool(summary.failures),
                has_diverged=summary.has_diverged,
            )
        )
    sizes.sort(key=lambda size: -size.side)
    tested, unit = _load_by_side(plan, runs_folder, sizes, target)
    mean = {name: float(np.mean([each.describe_baseline(name) for each in usable])) for name in SCORED}
    return Resolution(
        target,
        unit,
        tuple(sizes),
        mean if usable else dict.fromkeys(SCORED, float("nan")),
        _try_forest(plan, runs_folder, sizes, tested, target),
        _compare_steps({size.side: tested[size.side] for size in sizes if size.side in tested and not size.has_failed}),
    )


def _load_by_side(
    plan: Plan, runs_folder: Path, sizes: list[SizeOfImages], target: str
) -> tuple[dict[int, pd.DataFrame], str]:
    """The test galaxies of the first repetition, by side, and the unit of the target."""
    tested: dict[int, pd.DataFrame] = {}
    unit = ""
    for size in sizes:
        runs = plan.runs_of(size.variant, 0)
        try:
            found = load_tested([runs_folder / run.folder for run in runs], target)
        except MetalightError:  # of which another repetition is there
            continue
        unit = found.info.unit
        tested[size.side] = found.frame
    return tested, unit


def _try_forest(
    plan: Plan, runs_folder: Path, sizes: list[SizeOfImages], tested: dict[int, pd.DataFrame], target: str
) -> Forest | None:
    smallest = next((size for size in sizes if size.side == _SMALLEST), None)
    if smallest is None or _SMALLEST not in tested:
        return None
    (run, *_) = plan.runs_of(smallest.variant, 0)
    predicted = predict_by_forest(runs_folder / run.folder, target, seed=run.recipe.training.seed)
    network = tested[_SMALLEST]
    forest = network.assign(predicted=predicted.loc[network.index])
    metrics = compute_metrics(forest["truth"].to_numpy(), forest["predicted"].to_numpy())
    differences, _ = ({}, 0) if smallest.has_failed else compare_galaxies(network, forest)
    return Forest({name: metrics[name] for name in SCORED}, differences)


def _compare_steps(tested: dict[int, pd.DataFrame]) -> tuple[Step, ...]:
    """From each size to the next larger one, and from 2 to 4, between which 3 is not a halving."""
    sides = sorted(tested)
    pairs = list(itertools.pairwise(sides))
    if 2 in tested and 4 in tested and 3 in tested:
        pairs.append((2, 4))
    return tuple(Step(small, large, compare_galaxies(tested[small], tested[large])[0]) for small, large in pairs)
