"""What a run will cost in time, memory and disk, told before anything long starts."""

import resource
import shutil
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metalight.baselines import BASELINES, estimate_fit_seconds
from metalight.errors import RunError
from metalight.images import SMALLEST_SIDE_FOR_APERTURES, ImageKind, find_kind, measure_apertures, read_images
from metalight.pipeline.predict_parts import HowToPredict
from metalight.pipeline.stage import Job, locate_images
from metalight.recipe import Recipe, list_concerns, quote_settings, suggest_settings
from metalight.run_folder import RunFolder
from metalight.splits import SPLITS
from metalight.tables import load_galaxies, load_table

if TYPE_CHECKING:
    from metalight.model import SavedModel

LONG_STAGES = ("pixels", "training", "prediction")
"""Stages whose time grows with the number of galaxies times that of a network; the first that is to be done brings the
estimate, in which baselines count too."""

_NUM_FILES_TRIED = 32


@dataclass(frozen=True)
class Cost:
    """Of one stage."""

    work: str
    """What it does, in words."""

    seconds: float
    memory_bytes: int = 0
    """0 where it is little."""

    disk_bytes: int = 0

    def describe(self) -> str:
        """The work and its time, for people."""
        return f"{self.work}, about {format_seconds(self.seconds)}"


@dataclass(frozen=True)
class Estimate:
    """What is ahead, by a trial of a few images on this machine."""

    costs: tuple[Cost, ...]
    free_memory_bytes: int | None
    """None where the system does not tell."""

    free_disk_bytes: int
    warnings: tuple[str, ...] = ()
    """Why the training is likely to fail, with settings that avoid it."""

    @property
    def disk_bytes(self) -> int:
        """That the run folder will grow by at most."""
        return sum(cost.disk_bytes for cost in self.costs)

    @property
    def memory_bytes(self) -> int:
        """That the largest stage takes."""
        return max((cost.memory_bytes for cost in self.costs), default=0)

    @property
    def is_memory_short(self) -> bool:
        """Whether the work is likely to end for want of memory."""
        return self.free_memory_bytes is not None and self.memory_bytes > self.free_memory_bytes

    def describe(self) -> list[str]:
        """Lines for people."""
        lines = [f"Ahead: {'; '.join(cost.describe() for cost in self.costs)}."]
        needs = f"{format_bytes(self.disk_bytes)} of disk ({format_bytes(self.free_disk_bytes)} free)"
        if self.memory_bytes:
            free = f" ({format_bytes(self.free_memory_bytes)} free)" if self.free_memory_bytes is not None else ""
            needs = f"{format_bytes(self.memory_bytes)} of memory{free} and {needs}"
        lines.append(f"It takes about {needs}.")
        if self.is_memory_short:
            lines.append("Memory may not suffice: lower [training] batch_size, or choose another --device.")
        return lines


def estimate_run(job: Job, stages: Collection[str]) -> Estimate:
    """Try a few images, and tell what the stages will cost; galaxies that will be refused are counted in.

    Args:
        job: The run, whose catalogue and cutouts are there; with the identity of a stage that may go on from where it
            was interrupted.
        stages: Those that are to be done, of which only the long ones count.

    Raises:
        RunError: The disk has no place for what will be written.
        ModelError: The backbone cannot be used.
    """
    found = load_galaxies(job.run.cutouts).frame
    folder = locate_images(job.run, job.recipe)
    kind = find_kind(folder, found, job.recipe.pixels.side, job.recipe.cutouts)
    costs = [_try_decoding(folder, found, kind)] if "pixels" in stages else []
    is_divided = any(stage in stages for stage in ("baselines", "training", "prediction"))
    sizes = _count_sets(job, len(found), are_known="splits" not in stages) if is_divided else {}
    if "baselines" in stages and job.recipe.baselines.names:
        costs.append(_try_baselines(job, kind, len(found), sizes["train"]))
    if "training" in stages or "prediction" in stages:
        costs += _try_learning(job, kind, sizes, stages)
    warnings = _list_warnings(job.recipe, sizes["train"]) if "training" in stages else []
    estimate = Estimate(
        costs=tuple(costs),
        free_memory_bytes=_measure_free_memory(job.device) if any(cost.memory_bytes for cost in costs) else None,
        free_disk_bytes=shutil.disk_usage(job.run.path).free,
        warnings=tuple(warnings),
    )
    if estimate.disk_bytes > estimate.free_disk_bytes:
        raise RunError(
            f"The run needs about {format_bytes(estimate.disk_bytes)} of disk in {job.run.path}, where "
            f"{format_bytes(estimate.free_disk_bytes)} are free; make room, or choose another --run-dir."
        )
    return estimate


def describe_costs(recipe: Recipe, run_dir: Path, stages: Collection[str], device: str = "auto") -> tuple[Cost, ...]:
    """What the stages would cost by a recipe, tried on the images of a run that has them; errors as of `estimate_run`.

    Args:
        recipe: What is wanted.
        run_dir: A run folder with catalogue and cutouts, whatever its own recipe is.
        stages: Those that are to be done; with `splits` the sets are taken to be as large as the recipe asks for.
        device: Name of the processor, or `auto`.
    """
    return estimate_run(Job(RunFolder(run_dir), recipe, device), stages).costs


def measure_decoded(recipe: Recipe, run_dir: Path) -> int:
    """Bytes that the decoded images of a recipe take, of a run that has catalogue and cutouts."""
    job = Job(RunFolder(run_dir), recipe)
    found = load_galaxies(job.run.cutouts).frame
    kind = find_kind(locate_images(job.run, recipe), found, recipe.pixels.side, recipe.cutouts)
    return kind.num_bytes * len(found)


def estimate_prediction(model: "SavedModel", how: HowToPredict, num_galaxies: int) -> Cost:
    """Try a few images with a saved model, and tell what the prediction of so many galaxies will cost."""
    from metalight.model import NUM_TEST_VIEWS
    from metalight.prediction import measure_prediction_cost

    images = model.config.images
    image_shape = (images.side, images.side, len(images.channels))
    of_view = measure_prediction_cost(
        model.network, image_shape=image_shape, device=how.device, precision=how.precision
    )
    num_views = NUM_TEST_VIEWS[how.views]
    return Cost(f"predicting {_count_views(num_galaxies, num_views)}", num_galaxies * num_views * of_view)


def format_seconds(seconds: float) -> str:
    """A length of time in the unit that suits it: `40 s`, `3 min`, `2.5 h`."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _try_decoding(folder: Path, found: pd.DataFrame, kind: ImageKind) -> Cost:
    tried = found.iloc[:: max(1, len(found) // _NUM_FILES_TRIED)].head(_NUM_FILES_TRIED)
    started = time.perf_counter()
    read_images(folder, tried, kind)
    seconds = (time.perf_counter() - started) / len(tried) * len(found)
    return Cost(f"decoding {len(found):,} images", seconds, disk_bytes=kind.num_bytes * len(found))


def _try_baselines(job: Job, kind: ImageKind, num_galaxies: int, num_training: int) -> Cost:
    names = job.recipe.baselines.names
    seconds = len(job.recipe.catalog.targets) * estimate_fit_seconds(names, num_training)
    sees_rings = any(BASELINES[name].sees.image == "apertures" for name in names)
    if sees_rings and kind.side >= SMALLEST_SIDE_FOR_APERTURES:
        tried, rows = np.zeros((_NUM_FILES_TRIED, *kind.row_shape), dtype=kind.dtype), np.arange(_NUM_FILES_TRIED)
        measure_apertures(tried, rows[:1])  # so that what is made once is not timed
        started = time.perf_counter()
        measure_apertures(tried, rows)
        seconds += (time.perf_counter() - started) / _NUM_FILES_TRIED * num_galaxies
    return Cost(f"{len(names)} baselines", seconds)


def _count_sets(job: Job, num_galaxies: int, *, are_known: bool) -> dict[str, int]:
    """Galaxies of each set: as they were divided, or else about as they will be."""
    if are_known:
        counts = load_table(job.run.splits, missing_values=()).frame["split"].value_counts()
        return {split: int(counts.get(split, 0)) for split in SPLITS}
    # Of the user's own sets nothing is known yet; the default stands in for them.
    fractions = job.recipe.splits.fractions
    return {split: round(fraction * num_galaxies) for split, fraction in zip(SPLITS, fractions, strict=True)}


def _try_learning(job: Job, kind: ImageKind, sizes: dict[str, int], stages: Collection[str]) -> list[Cost]:
    import torch

    from metalight.model import NUM_TEST_VIEWS, build_network, choose_device, choose_precision
    from metalight.prediction import measure_prediction_cost
    from metalight.training import count_part, measure_training_cost

    recipe, device = job.recipe, choose_device(job.device)
    num_targets = len(recipe.catalog.targets)
    with torch.random.fork_rng(devices=[]):
        network = build_network(recipe.model, num_targets, kind.row_shape[2], side=kind.side)
    precision = choose_precision(recipe.prediction.precision, device)
    of_view = measure_prediction_cost(network, image_shape=kind.row_shape, device=device, precision=precision)
    costs = []
    if "training" in stages:
        settings = recipe.training
        epochs_done = _count_epochs_done(job)
        num_training = count_part(sizes["train"], settings.fraction)
        cost = measure_training_cost(
            recipe.model,
            settings,
            num_targets=num_targets,
            image_shape=kind.row_shape,
            dtype=kind.dtype,
            device=device,
        )
        costs.append(
            Cost(
                f"{settings.epochs - epochs_done} epochs of {_count_views(num_training, settings.num_views)}",
                cost.estimate_seconds(
                    settings,
                    num_training=num_training,
                    num_validation=sizes["validation"],
                    epochs_done=epochs_done,
                ),
                memory_bytes=cost.estimate_bytes(settings) + (_measure_resident() if device.type == "cpu" else 0),
                # Two checkpoints are kept while a third is written; the model is saved before they go.
                disk_bytes=3 * cost.checkpoint_bytes + cost.weight_bytes,
            )
        )
    if "prediction" in stages:
        num_views = NUM_TEST_VIEWS[recipe.prediction.views]
        num_galaxies = sizes["validation"] + sizes["test"]
        costs.append(Cost(f"predicting {_count_views(num_galaxies, num_views)}", num_galaxies * num_views * of_view))
    return costs


def _list_warnings(recipe: Recipe, num_in_set: int) -> list[str]:
    from metalight.training import count_part

    num_training = count_part(num_in_set, recipe.training.fraction)
    concerns = list_concerns(recipe.model, recipe.training, num_training)
    if not concerns:
        return []
    suggested = quote_settings(suggest_settings(recipe.model, recipe.training, num_training))
    return [f"This training is likely to fail: {'; '.join(concerns)}. Better: {suggested}"]


def _count_epochs_done(job: Job) -> int:
    """Epochs that an interrupted training has behind it."""
    from metalight.training import list_checkpoints

    checkpoints = list_checkpoints(job.run.checkpoints, job.identity) if job.identity else []
    return checkpoints[0].epochs_done if checkpoints else 0


def _count_views(num_galaxies: int, num_views: int) -> str:
    return f"{num_galaxies:,} galaxies" + (f" × {num_views} views" if num_views > 1 else "")


def _measure_resident() -> int:
    """What this process takes at most until now, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _measure_free_memory(device: str) -> int | None:
    from metalight.model import choose_device, measure_free_memory

    return measure_free_memory(choose_device(device))


def format_bytes(num_bytes: int) -> str:
    """A size in the unit that suits it."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 / 10 else f"{max(1, num_bytes / 2**20):.0f} MiB"
