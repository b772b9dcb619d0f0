"""Settings that are known not to suit a sample of some size, before hours are spent on them; and settings that do.

The presets have the paper's rates, which were chosen for 77,000 training galaxies.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from metalight.recipe.learning import ModelSettings, TrainingSettings

SUITED_FROZEN_RATE = 0.01
SUITED_RATES = (0.001, 0.003, 0.01)
"""Rates of early layers, late layers and head that suit a few hundred galaxies."""

FEW_GALAXIES = 2000
"""Training galaxies below which these rates are advised."""

HIGHEST_SUITED_RATE = 0.03
"""Of the head, for few galaxies and `sgd`."""

FEWEST_STEPS = 100
SUITED_STEPS = 150
SMALLEST_SUITED_BATCH = 8


@dataclass(frozen=True)
class Concern:
    """Why a training is likely to fail."""

    cause: str
    """A clause, to be read after `Likely cause:`."""

    remedy: tuple[str, ...]
    """Settings that avoid it, as `section.key=value`."""


def list_concerns(model: ModelSettings, training: TrainingSettings, num_training: int) -> list[Concern]:
    """Why a training on so many galaxies is likely to fail, the most likely cause first; empty if nothing is known."""
    concerns = [_check_rates(training, num_training), _check_steps(training, num_training)]
    return [concern for concern in concerns if concern is not None]


def _check_rates(training: TrainingSettings, num_training: int) -> Concern | None:
    return None


def _check_steps(training: TrainingSettings, num_training: int) -> Concern | None:
    return None


def list_lower_rates(training: TrainingSettings) -> tuple[str, ...]:
    """The rates of a training divided by ten."""
    lower = [rate / 10 for rate in (training.frozen_learning_rate, *training.learning_rates)]
    return _write_rates(lower[0], (lower[1], lower[2], lower[3]))


def quote_settings(settings: Iterable[str]) -> str:
    """Settings as they are typed after a command: `--set section.key=value`, quoted where the shell needs it."""
    return " ".join(f"--set {shlex.quote(setting)}" for setting in settings)


def _write_rates(frozen: float, rates: tuple[float, float, float]) -> tuple[str, ...]:
    listed = ",".join(f"{rate:g}" for rate in rates)
    return (f"training.frozen_learning_rate={frozen:g}", f"training.learning_rates=[{listed}]")
