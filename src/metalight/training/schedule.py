"""The learning rate of every mini-batch, as a factor of its layer group's rate."""

import math
from collections.abc import Sequence

from metalight.recipe import TrainingSettings


def compute_rate_factor(step: int, steps_an_epoch: int, settings: TrainingSettings) -> float:
    """Factor of the rates at a mini-batch of the phase in which all layers learn, where only the step decides.

    Constant epochs, then cosine cycles from 1 to 0 that start again (SGDR, Loshchilov & Hutter 2017, eq. 5, with a
    lowest rate of 0), stepped a mini-batch; the paper, section 3.2, has cycles of 1, 2 and 4 epochs. The schedule
    `cosine` has one over all their epochs, `plateau` none. The authors' code holds the first part of the first cosine
    at a hundredth (`slow_start_fraction`).

    Args:
        step: Mini-batches of this phase before this one.
        steps_an_epoch: Mini-batches in an epoch.
        settings: The lengths of the parts.
    """
    step_of_cycle = step - settings.constant_epochs * steps_an_epoch
    if step_of_cycle < 0 or settings.schedule == "plateau":
        return 1.0
    for cycle, epochs in enumerate(settings.cosine_epochs):
        steps = epochs * steps_an_epoch
        if step_of_cycle < steps:
            if cycle == 0 and step_of_cycle < settings.slow_start_fraction * steps:
                return 0.01
            return 0.5 * (1 + math.cos(math.pi * step_of_cycle / steps))
        step_of_cycle -= steps
    return 0.0 if settings.cycles else 1.0


def compute_plateau_factor(validation_rmses: Sequence[float], settings: TrainingSettings) -> float:
    """Factor of the rates after some epochs of the schedule `plateau`: a step down for each plateau behind them.

    A plateau is `plateau_patience` epochs in a row whose validation RMSE is not below the lowest one before them; the
    count restarts after each. It depends on nothing but these numbers, so that a resumed training has the rates
    it would have had.

    Args:
        validation_rmses: After each epoch of the phase in which all layers learn.
        settings: The factor and the patience.
    """
    lowest, num_waited, num_plateaus = math.inf, 0, 0
    for rmse in validation_rmses:
        num_waited += 1
        if rmse < lowest:
            lowest, num_waited = rmse, 0
        elif num_waited == settings.plateau_patience:
            num_plateaus, num_waited = num_plateaus + 1, 0
    return float(settings.plateau_factor**num_plateaus)
