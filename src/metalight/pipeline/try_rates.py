"""Learning rates tried on the training galaxies of a run, before it is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from metalight.pipeline.learning_stages import load_training_data
from metalight.pipeline.run_recipe import run_recipe
from metalight.pipeline.stage import Job
from metalight.progress import Progress, no_progress
from metalight.recipe import Recipe
from metalight.run_folder import RunFolder
from metalight.tables import load_table

if TYPE_CHECKING:
    from metalight.training import RateRange, RateTrial


def try_rates(
    recipe: Recipe,
    run_dir: Path,
    rates: "RateRange",
    *,
    is_body_frozen: bool,
    device: str = "auto",
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda line: None,
) -> "RateTrial":
    """Bring a run up to its splits, and see what a range of learning rates does to the loss; errors as of `run_recipe`.

    Args:
        recipe: Whose training is to begin.
        run_dir: The run folder, made if need be.
        rates: Of the head.
        is_body_frozen: Whether the head learns alone.
        device: Name of the processor, or `auto`.
        progress: Shows long work.
        tell: Told in words of what takes long.
    """
    run_recipe(recipe, run_dir, last="splits", device=device, progress=progress, tell=tell)
    from metalight.model import choose_device
    from metalight.training import find_learning_rate

    run = RunFolder(run_dir)
    with run.hold():
        return find_learning_rate(
            load_training_data(Job(run, recipe), "train"),
            recipe.model,
            recipe.training,
            rates,
            is_body_frozen=is_body_frozen,
            device=choose_device(device),
            progress=progress,
        )


def count_training(recipe: Recipe, run_dir: Path) -> int:
    """Galaxies that a recipe learns from, of a run that has its splits."""
    from metalight.training import count_part

    splits = load_table(RunFolder(run_dir).splits, missing_values=()).frame["split"]
    return count_part(int((splits == "train").sum()), recipe.training.fraction)
