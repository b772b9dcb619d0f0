"""Cost of a study, estimated from a few trials before its first long stage begins."""

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metalight.errors import MetalightError, RunError
from metalight.pipeline import describe_costs, format_bytes, list_ahead, measure_decoded
from metalight.recipe import Recipe
from metalight.studies.plan import Plan, PlannedRun

_OF_LATER_STAGES = {"name", "prediction", "evaluation"}
_OF_PIXELS = {"catalog", "cutouts", "pixels", "skyserver"}

_Cost = tuple[float, int]
"""Seconds, and bytes on disk."""


@dataclass(frozen=True)
class StudyCost:
    """Of what is left of a study."""

    num_runs: int
    num_trainings: int
    seconds: float
    longest_seconds: float
    """Of the run that takes longest."""

    disk_bytes: int = 0
    """That decoded images, checkpoints and models will take at most."""


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
    are_trained = _find_trained(ahead)
    costs = _estimate_runs([run.recipe for run, _ in ahead], are_trained, first, device)
    disk_bytes = sum(on_disk for _, on_disk in costs)
    disk_bytes += _measure_all_decoded([run.recipe for run, stages in ahead if "pixels" in stages], first)
    free = shutil.disk_usage(runs_folder).free
    if disk_bytes > free:
        raise RunError(
            f"The study needs about {format_bytes(disk_bytes)} of disk in {runs_folder.parent}, where "
            f"{format_bytes(free)} are free; make room, choose another --output, or take fewer variants with --only."
        )
    seconds = [of_run for of_run, _ in costs]
    return StudyCost(len(ahead), sum(are_trained), sum(seconds), max(seconds, default=0.0), disk_bytes)


def _find_trained(ahead: Sequence[tuple[PlannedRun, set[str]]]) -> list[bool]:
    """Of each run, whether it has a training of its own; one that several share is the first one's."""
    trained = set[str]()
    are_trained = []
    for run, stages in ahead:
        key = run.recipe.model_dump_json(exclude=_OF_LATER_STAGES)
        are_trained.append("training" in stages and key not in trained)
        trained.add(key)
    return are_trained


def _measure_all_decoded(recipes: Sequence[Recipe], first: Path) -> int:
    """Bytes of the images to be decoded; those of runs that share them count once."""
    kinds = {recipe.model_dump_json(include=_OF_PIXELS): recipe for recipe in recipes}
    num_bytes = 0
    for recipe in kinds.values():
        with contextlib.suppress(MetalightError):  # its run says what is wrong
            num_bytes += measure_decoded(recipe, first)
    return num_bytes


def _estimate_runs(recipes: Sequence[Recipe], are_trained: Sequence[bool], first: Path, device: str) -> list[_Cost]:
    kinds: dict[str, dict[int, Recipe]] = {}
    for recipe, is_trained in zip(recipes, are_trained, strict=True):
        kinds.setdefault(_kind(recipe, is_trained), {})[recipe.pixels.side] = recipe
    known: dict[tuple[str, int], _Cost] = {}
    for kind, by_side in kinds.items():
        is_trained = kind.endswith("+")
        for side in {min(by_side), max(by_side)}:
            stages = ("splits", "training", "prediction") if is_trained else ("splits", "prediction")
            known[kind, side] = _try(by_side[side], first, stages, device)
    return [
        _interpolate(recipe.pixels.side, {side: cost for (of_kind, side), cost in known.items() if of_kind == kind})
        for recipe, kind in ((recipe, _kind(recipe, new)) for recipe, new in zip(recipes, are_trained, strict=True))
    ]


def _try(recipe: Recipe, first: Path, stages: Sequence[str], device: str) -> _Cost:
    try:
        costs = describe_costs(recipe, first, stages, device)
    except RunError:
        raise
    except MetalightError:
        return 0.0, 0  # its run says what is wrong
    return sum(cost.seconds for cost in costs), sum(cost.disk_bytes for cost in costs)


def _kind(recipe: Recipe, is_trained: bool) -> str:
    """All that the cost depends on beside the size of the images; it ends in + where there is a training."""
    values = recipe.model_dump(mode="json", include={"model", "training", "prediction"})
    values["model"].pop("weights")
    for section in ("training", "prediction"):
        values[section].pop("seed")
    values["bands"] = len(recipe.cutouts.bands)
    return json.dumps(values, sort_keys=True) + ("+" if is_trained else "-")


def _interpolate(side: int, by_side: dict[int, _Cost]) -> _Cost:
    low, high = min(by_side), max(by_side)
    (fewest, _), (most, on_disk) = by_side[low], by_side[high]
    part = (side**2 - low**2) / (high**2 - low**2) if high > low else 1.0
    return fewest + (most - fewest) * part, on_disk
