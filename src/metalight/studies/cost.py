"""What a study will cost, from a few trials, before its first long stage begins."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metalight.errors import MetalightError, RunError
from metalight.pipeline import describe_costs, list_ahead
from metalight.recipe import Recipe
from metalight.studies.plan import Plan, PlannedRun

_OF_LATER_STAGES = {"name", "prediction", "evaluation"}


@dataclass(frozen=True)
class StudyCost:
    """Of what is left of a study."""

    num_runs: int
    num_trainings: int
    seconds: float
    longest_seconds: float
    """Of the run that takes longest."""


def estimate_study(plan: Plan, runs_folder: Path, first: Path, *, device: str) -> StudyCost:
    """Try what the costliest and the cheapest runs of each kind take, and add up; a shared training counts once.

    Of runs that differ in the size of their images alone, two are tried, and those between are taken to cost what the
    number of pixels has them cost.

    Args:
        plan: All runs.
        runs_folder: Where they are.
        first: A run folder with catalogue and cutouts.
        device: Name of the processor, or `auto`.

    Raises:
        RunError: The disk has no place.
    """
    ahead = [(run, set(list_ahead(run.recipe, runs_folder / run.folder))) for run in plan.runs]
    ahead = [(run, stages) for run, stages in ahead if "evaluation" in stages]
    trained = set[str]()
    jobs: list[tuple[PlannedRun, bool]] = []
    for run, stages in ahead:
        key = run.recipe.model_dump_json(exclude=_OF_LATER_STAGES)
        is_trained_here = "training" in stages and key not in trained
        trained.add(key)
        jobs.append((run, is_trained_here))
    seconds = _estimate_seconds([run.recipe for run, _ in jobs], [is_new for _, is_new in jobs], first, device)
    return StudyCost(len(jobs), sum(is_new for _, is_new in jobs), sum(seconds), max(seconds, default=0.0))


def _estimate_seconds(recipes: Sequence[Recipe], are_trained: Sequence[bool], first: Path, device: str) -> list[float]:
    kinds: dict[str, dict[int, Recipe]] = {}
    for recipe, is_trained in zip(recipes, are_trained, strict=True):
        kinds.setdefault(_kind(recipe, is_trained), {})[recipe.pixels.side] = recipe
    known: dict[tuple[str, int], float] = {}
    for kind, by_side in kinds.items():
        is_trained = kind.endswith("+")
        for side in {min(by_side), max(by_side)}:
            stages = ("splits", "training", "prediction") if is_trained else ("splits", "prediction")
            known[kind, side] = _try(by_side[side], first, stages, device)
    return [
        _interpolate(recipe.pixels.side, {side: cost for (of_kind, side), cost in known.items() if of_kind == kind})
        for recipe, kind in ((recipe, _kind(recipe, new)) for recipe, new in zip(recipes, are_trained, strict=True))
    ]


def _try(recipe: Recipe, first: Path, stages: Sequence[str], device: str) -> float:
    try:
        return sum(cost.seconds for cost in describe_costs(recipe, first, stages, device))
    except RunError:
        raise
    except MetalightError:
        return 0.0  # its run says what is wrong


def _kind(recipe: Recipe, is_trained: bool) -> str:
    """All that the cost depends on beside the size of the images; it ends in + where there is a training."""
    values = recipe.model_dump(mode="json", include={"model", "training", "prediction"})
    values["model"].pop("weights")
    for section in ("training", "prediction"):
        values[section].pop("seed")
    values["bands"] = len(recipe.cutouts.bands)
    return json.dumps(values, sort_keys=True) + ("+" if is_trained else "-")


def _interpolate(side: int, by_side: dict[int, float]) -> float:
    low, high = min(by_side), max(by_side)
    if low == high:
        return by_side[low]
    return by_side[low] + (by_side[high] - by_side[low]) * (side**2 - low**2) / (high**2 - low**2)
