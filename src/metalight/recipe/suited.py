"""Settings of a training that do not suit the size of its sample, told before hours are spent; and settings that do.

The presets have the rates and batches of the paper, which were chosen for 77,000 training galaxies.

The limits rest on trainings of ResNet-18 with ImageNet weights on 60 and 240 of the 400 real SDSS galaxies (10 epochs
of the schedule of `paper`, `sgd`, 32 and 64 px, one or two seeds). Their validation RMSE over that of predicting the
mean, by the highest rate and the images of a batch (galaxies × views):

| images | highest rate | rate / images | RMSE / that of the mean |
|---|---|---|---|
| 16 × 5 | 0.01 | 0.00013 | 0.76, 0.78 |
| 8 × 5 | 0.01 | 0.00025 | 0.84, 1.02 (60 galaxies) |
| 64 × 5 | 0.1 | 0.00031 | 0.87 |
| 16 × 5 | 0.03 | 0.00038 | 1.23 |
| 16 × 1 | 0.01 | 0.00063 | 1.49 |
| 32 × 5 | 0.1 | 0.00063 | 1.04 |
| 16 × 5 | 0.1 | 0.00125 | 3.2 |
| 64 × 1 | 0.1 | 0.00156 | 145 |

So the rate over the images of a batch decides, as in Goyal et al. (2017, arXiv:1706.02677). Batches of 256 leave 10
steps in all: 1.05. Where targets are not scaled, 10 to 150 steps do not bring the network from 0 to 8.9: 2.7 to 12, at
any of these rates.
"""

import shlex
from collections.abc import Iterable

from metalight.recipe.learning import ModelSettings, TrainingSettings

FEW_GALAXIES = 2000
"""Training galaxies up to which the limit on rates is used: more give a training the time to recover."""

HIGHEST_RATE_PER_IMAGE = 0.0003
"""Highest rate of any layers over the images of a batch, with `sgd`."""

FEWEST_STEPS = 30
"""Mini-batches in all, below which hardly anything is learnt."""

ENOUGH_STEPS = 150
"""What batches are advised for."""

FEWEST_STEPS_UNSCALED = 500
"""Mini-batches in all that a network needs to come near labels that are not scaled: 150 are too few, and the 3,000 of
`paper` with its own sample are enough; nothing between was tried."""

_SUITED_FROZEN_RATE, _SUITED_RATES, _SUITED_IMAGES = 0.01, (0.001, 0.003, 0.01), 80
"""With batches of so many images; chosen on validation galaxies for the README. For fewer images they are lowered in
proportion."""

_SUITED_BATCHES = (128, 64, 32, 16, 8)
_MOST_CYCLES = 8


def list_concerns(model: ModelSettings, training: TrainingSettings, num_training: int) -> list[str]:
    """Why a training on so many galaxies is likely to fail, as clauses; empty if nothing is known against it."""
    concerns = []
    num_steps = _count_steps(training, num_training)
    if num_steps < FEWEST_STEPS:
        concerns.append(
            f"there are only {num_steps} training steps: {training.epochs} epochs of {num_training:,} galaxies in "
            f"batches of {training.batch_size}"
        )
    if _is_rate_too_high(training, num_training):
        concerns.append(
            f"the learning rates, up to {_find_highest_rate(training):g}, are too high for batches of "
            f"{_count_images(training, num_training)} images (galaxies × views)"
        )
    if model.target_scaling == "none" and num_steps < FEWEST_STEPS_UNSCALED:
        concerns.append(
            f'the labels are not scaled (target_scaling = "none"), and {num_steps:,} training steps are too few for '
            "the network to come near them"
        )
    return concerns


def suggest_settings(model: ModelSettings, training: TrainingSettings, num_training: int) -> tuple[str, ...]:
    """Settings, as `section.key=value`, against which nothing is known for so many galaxies; only those that differ."""
    suggested = []
    if model.target_scaling == "none" and _count_steps(training, num_training) < FEWEST_STEPS_UNSCALED:
        suggested.append("model.target_scaling=standard")
    if _count_steps(training, num_training) < ENOUGH_STEPS:
        training = _shorten_batches(training, num_training)
        suggested.append(f"training.batch_size={training.batch_size}")
    if _count_steps(training, num_training) < FEWEST_STEPS:
        training = _add_cycles(training, num_training)
        suggested.append(f"training.cycles={training.cycles}")
    if _is_rate_too_high(training, num_training):
        part = min(1.0, _count_images(training, num_training) / _SUITED_IMAGES)
        early, late, head = _SUITED_RATES
        suggested += _write_rates(part * _SUITED_FROZEN_RATE, (part * early, part * late, part * head))
    return tuple(suggested)


def list_lower_rates(training: TrainingSettings) -> tuple[str, ...]:
    """The rates of a training divided by ten, as settings."""
    early, late, head = training.learning_rates
    return _write_rates(training.frozen_learning_rate / 10, (early / 10, late / 10, head / 10))


def quote_settings(settings: Iterable[str]) -> str:
    """Settings as they are typed after a command: `--set section.key=value`, quoted where the shell needs it."""
    return " ".join(f"--set {shlex.quote(setting)}" for setting in settings)


def _count_steps(training: TrainingSettings, num_training: int) -> int:
    return training.epochs * max(1, num_training // training.batch_size)


def _count_images(training: TrainingSettings, num_training: int) -> int:
    """Of a batch."""
    return min(training.batch_size, num_training) * training.num_views


def _find_highest_rate(training: TrainingSettings) -> float:
    of_frozen = training.frozen_learning_rate if training.frozen_epochs else 0.0
    of_all = max(training.learning_rates) if training.epochs > training.frozen_epochs else 0.0
    return max(of_frozen, of_all)


def _is_rate_too_high(training: TrainingSettings, num_training: int) -> bool:
    if training.optimizer != "sgd" or num_training > FEW_GALAXIES:
        return False
    return _find_highest_rate(training) > HIGHEST_RATE_PER_IMAGE * _count_images(training, num_training)


def _shorten_batches(training: TrainingSettings, num_training: int) -> TrainingSettings:
    """The largest batches that leave enough steps, or else the smallest; never larger ones than before."""
    sizes = [size for size in _SUITED_BATCHES if size <= training.batch_size] or [training.batch_size]
    built = [training.model_copy(update={"batch_size": size}) for size in sizes]
    return next((each for each in built if _count_steps(each, num_training) >= ENOUGH_STEPS), built[-1])


def _add_cycles(training: TrainingSettings, num_training: int) -> TrainingSettings:
    built = [
        training.model_copy(update={"cycles": cycles}) for cycles in range(training.cycles + 1, _MOST_CYCLES + 1)
    ] or [training]
    return next((each for each in built if _count_steps(each, num_training) >= ENOUGH_STEPS), built[-1])


def _write_rates(frozen: float, rates: tuple[float, float, float]) -> tuple[str, ...]:
    listed = ",".join(f"{rate:.2g}" for rate in rates)
    return (f"training.frozen_learning_rate={frozen:.2g}", f"training.learning_rates=[{listed}]")
