"""The learning-rate finder: a trial, its figure, and what it can and cannot say."""

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metalight.atomic import save_json
from metalight.errors import RecipeError
from metalight.outputs import check_outputs
from metalight.pipeline import count_training, try_rates
from metalight.progress import Progress, no_progress
from metalight.recipe import Recipe, list_concerns, quote_settings, suggest_settings

if TYPE_CHECKING:
    from metalight.training import RateTrial

_SMALLEST_RATE, _LARGEST_RATE = 1e-20, 1e20
"""Beyond them no float32 changes by a step, or every one is lost."""

_WIDTH = 120
_DATA = "data"


@dataclass(frozen=True)
class RateReport:
    """A trial, and where it is drawn."""

    trial: "RateTrial"
    text: str
    files: tuple[Path, ...]
    warning: str = ""
    """Why not to train with the suggested rates; empty where nothing is known against them."""


def study_learning_rate(
    recipe: Recipe,
    folder: Path,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    num_steps: int = 100,
    is_body_frozen: bool = False,
    device: str = "auto",
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda line: None,
) -> RateReport:
    """Try growing learning rates at the start of a recipe's training, draw the loss against them, and suggest one.

    Args:
        recipe: Whose training is to begin.
        folder: Where to write: learning_rate.png, .pdf, .csv and .json, and a run with the data in data/.
        lowest: First rate of the head.
        highest: Last one.
        num_steps: Mini-batches.
        is_body_frozen: Whether the head learns alone, for `frozen_learning_rate`; else all layers do, in the
            proportions of `learning_rates`.
        device: Name of the processor, or `auto`.
        progress: Shows long work.
        tell: Told in words of what takes long.

    Raises:
        RecipeError: The range is none.
        MetalightError: As of a run.
    """
    if not 0 < lowest < highest < math.inf:
        raise RecipeError(
            f"Rates from {lowest:g} to {highest:g} are not a range; give a --lowest above 0 and below --highest."
        )
    if not (lowest >= _SMALLEST_RATE and 2 * lowest <= highest <= _LARGEST_RATE):
        raise RecipeError(
            f"Rates from {lowest:g} to {highest:g} tell nothing: give --lowest of {_SMALLEST_RATE:g} or more, and "
            f"--highest of at least twice that, up to {_LARGEST_RATE:g}."
        )
    check_outputs(folder / "learning_rate.json")
    from metalight.figures import draw_learning_rates
    from metalight.training import RateRange

    own = recipe.model_copy(update={"name": f"{recipe.name}-learning-rate"})
    rates = RateRange(lowest, highest, num_steps)
    trial = try_rates(
        own, folder / _DATA, rates, is_body_frozen=is_body_frozen, device=device, progress=progress, tell=tell
    )
    stem = folder / ("learning_rate_frozen" if is_body_frozen else "learning_rate")
    files = draw_learning_rates(trial.history, path_stem=stem, suggested=trial.suggested)
    numbers = {
        "suggested": trial.suggested if math.isfinite(trial.suggested) else None,
        "at_lowest_loss": trial.at_lowest_loss if math.isfinite(trial.at_lowest_loss) else None,
        "has_diverged": trial.has_diverged,
        "is_body_frozen": is_body_frozen,
        "num_steps": len(trial.history),
    }
    record = stem.with_name(f"{stem.name}.json")
    save_json(numbers, record)
    warning = _find_flaw(trial, recipe, count_training(recipe, folder / _DATA), is_body_frozen=is_body_frozen)
    return RateReport(trial, describe_trial(trial, recipe, is_body_frozen=is_body_frozen), (*files, record), warning)


def _find_flaw(trial: "RateTrial", recipe: Recipe, num_training: int, *, is_body_frozen: bool) -> str:
    """What is known against the suggested rates: the first steps of a training do not show all that goes wrong."""
    if not math.isfinite(trial.suggested):
        return ""
    settings = recipe.training
    part = trial.suggested / settings.learning_rates[-1]
    rates = tuple(part * rate for rate in settings.learning_rates)
    changed = {"frozen_learning_rate": trial.suggested} if is_body_frozen else {"learning_rates": rates}
    training = settings.model_copy(update=dict[str, object](changed))
    concerns = list_concerns(recipe.model, training, num_training)
    if not concerns:
        return ""
    better = quote_settings(suggest_settings(recipe.model, training, num_training))
    return f"A training with this rate is likely to fail: {'; '.join(concerns)}. Better: {better}"


def describe_trial(trial: "RateTrial", recipe: Recipe, *, is_body_frozen: bool) -> str:
    """The result of the trial, and its limits."""
    settings = recipe.training
    of_recipe = settings.frozen_learning_rate if is_body_frozen else settings.learning_rates[-1]
    lines = []
    if math.isfinite(trial.suggested):
        setting = "frozen_learning_rate" if is_body_frozen else "the last of learning_rates"
        lines.append(
            f"The loss falls most steeply at a rate of {trial.suggested:.2g} of the head, and is lowest at "
            f"{trial.at_lowest_loss:.2g}; the recipe has {of_recipe:.2g} ({setting})."
        )
        if not is_body_frozen:
            shares = [rate / of_recipe for rate in settings.learning_rates]
            suggested = ", ".join(f"{share * trial.suggested:.2g}" for share in shares)
            lines.append(f"In the recipe's proportions: learning_rates = [{suggested}].")
    else:
        lines.append("The loss falls at none of these rates: nothing is suggested; try more steps, or other rates.")
    if trial.has_diverged:
        lines.append(f"Beyond {trial.history['learning_rate'].iloc[-1]:.2g} it grows without bound.")
    else:
        lines.append("It has not grown without bound: the upper end of the range is not known; raise --highest.")
    lines.append(
        f"This is the loss of {len(trial.history)} mini-batches from the start of a training, each with its own rate. "
        "It tells which rates move the network without breaking it, not which give the best predictions: those are "
        "chosen by the validation RMSE of whole trainings, to which this is a first guess within a factor of 3 or so."
    )
    return "\n".join(line for text in lines for line in textwrap.wrap(text, _WIDTH))
