"""The range of learning rates in which a training learns: a few mini-batches, each with a larger rate.

Smith (2017, "Cyclical learning rates for training neural networks", section 3.3) calls it a range test: below the range
the loss stands still, above it the loss grows without bound. It looks at the first steps only.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from metalight.errors import TrainingError
from metalight.model import TargetScaling, build_network, choose_precision, load_weights
from metalight.progress import Progress, no_progress
from metalight.recipe import ModelSettings, TrainingSettings
from metalight.training.batches import EpochBatches, Rows, divide_into_batches
from metalight.training.fit import TrainingData
from metalight.training.loss import compute_loss
from metalight.training.normalization import measure_fluxes
from metalight.training.task import Phase, TrainingTask

SMOOTHING = 0.9
"""Weight of what was before in the running mean of the loss, at each step."""

_DIVERGED = 4.0
"""Times the lowest loss, after which the trial ends."""

_HALF_WINDOW = 0.5
"""Decades of rate to both sides that the slope is measured over: single mini-batches must not decide."""

_LEAST_FALL = 0.02
"""Part of the first loss that it must fall by in a decade to be said to fall at all."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RateRange:
    """The rates to try: each is the one before times the same factor."""

    lowest: float = 1e-6
    highest: float = 10.0
    num_steps: int = 100

    def rate_of(self, step: int) -> float:
        """The rate at a step, from 0 on."""
        return float(self.lowest * (self.highest / self.lowest) ** (step / max(1, self.num_steps - 1)))


@dataclass(frozen=True, eq=False)
class RateTrial:
    """Loss as a function of the learning rate."""

    history: pd.DataFrame
    """One row a mini-batch: learning_rate (of the head), loss, loss_smoothed."""

    suggested: float
    """The rate about which the smoothed loss falls most steeply, below that of the lowest; NaN if it never falls."""

    at_lowest_loss: float
    """The rate at which the smoothed loss is lowest; NaN if it never falls. Rates near it are on the brink."""

    has_diverged: bool
    """Whether the loss grew without bound within the range, so that its upper end is known."""


def find_learning_rate(
    training: TrainingData,
    model_settings: ModelSettings,
    settings: TrainingSettings,
    rates: RateRange,
    *,
    is_body_frozen: bool,
    device: torch.device,
    progress: Progress = no_progress,
) -> RateTrial:
    """Train a few mini-batches, each with a larger rate than the one before, from the start of a training.

    The network, its starting weights, views, loss, optimizer and batches are those of the settings; the other layer
    groups have rates in the proportion of `learning_rates` to that of the head. Nothing is kept.

    Args:
        training: At least two galaxies.
        model_settings: The network and its starting weights.
        settings: How it is to be fitted.
        rates: Of the head.
        is_body_frozen: Whether the head learns alone, as in the frozen epochs.
        device: Where to compute.
        progress: Shows the steps.

    Raises:
        ModelError: The backbone or its starting weights cannot be used.
        TrainingError: A target is constant.
    """
    try:
        scaling = TargetScaling.fit(training.targets, model_settings.target_scaling)
    except ValueError as error:
        raise TrainingError(f"There is nothing to learn ({error}); check [catalog] targets.") from error
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        side, num_channels = training.pixels.shape[2:]
        network = build_network(model_settings, training.targets.shape[1], num_channels, side=side)
        load_weights(network, model_settings.backbone, model_settings.weights)
        if training.pixels.dtype == np.float32:
            network.set_normalization(*measure_fluxes(training.pixels, training.rows))
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.spare_points(True)
        steps = len(divide_into_batches(len(training.object_ids), settings.batch_size))
        phase = Phase("trial", 1, 0, steps, is_body_frozen)
        ramp = _Ramp(network, settings, phase, torch.tensor(scaling.scales, dtype=torch.float32), rates)
        losses = ramp.try_rates(training, scaling.to_scaled(training.targets), device, progress)
    return judge_losses(np.array([rates.rate_of(step) for step in range(len(losses))]), np.array(losses))


def judge_losses(rates: FloatArray, losses: FloatArray) -> RateTrial:
    """Interpret the losses at growing rates.

    Args:
        rates: Growing, (step,).
        losses: Of each; the last may be infinite or undefined.
    """
    is_finite = np.isfinite(losses)
    history = pd.DataFrame({"learning_rate": rates, "loss": losses})[is_finite].reset_index(drop=True)
    smoothed = smooth(history["loss"].to_numpy(dtype=np.float64))
    history["loss_smoothed"] = smoothed
    has_diverged = bool(not is_finite.all() or (len(smoothed) and smoothed[-1] > _DIVERGED * smoothed.min()))
    suggested = at_lowest = math.nan
    if len(smoothed) > 2:
        lowest = int(np.argmin(smoothed))
        slopes = _measure_slopes(np.log10(history["learning_rate"].to_numpy(dtype=np.float64)), smoothed)
        # The end of the range is not a place to fall from, nor its beginning, where nothing has been learnt.
        if lowest > 1 and slopes[1:lowest].min() < -_LEAST_FALL * smoothed[0]:
            suggested = float(history["learning_rate"].iloc[1 + int(np.argmin(slopes[1:lowest]))])
            at_lowest = float(history["learning_rate"].iloc[lowest])
    return RateTrial(history, suggested, at_lowest, has_diverged)


def smooth(losses: FloatArray) -> FloatArray:
    """The running mean in which each step weighs nine tenths of the one after it, without the lag of its beginning."""
    smoothed: list[float] = []
    mean = 0.0
    for step, loss in enumerate(losses.tolist(), start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed.append(mean / (1 - SMOOTHING**step))
    return np.array(smoothed)


def _measure_slopes(places: FloatArray, losses: FloatArray) -> FloatArray:
    """Slope of the loss a decade of rate at each step: of a line through all steps within half a decade."""
    slopes = np.zeros(len(places))
    for step, place in enumerate(places.tolist()):
        is_near = np.abs(places - place) <= _HALF_WINDOW
        x, y = places[is_near] - places[is_near].mean(), losses[is_near]
        slopes[step] = float(x @ y / (x @ x)) if np.ptp(x) > 0 else 0.0
    return slopes


class _Ramp(TrainingTask):
    """A training whose rate grows from step to step, outside of Lightning: it ends when it has seen enough."""

    def __init__(self, *arguments: Any) -> None:
        *of_task, self._rates = arguments
        super().__init__(*of_task)

    def try_rates(
        self, training: TrainingData, scaled: npt.NDArray[np.float32], device: torch.device, progress: Progress
    ) -> list[float]:
        """The loss at each rate, until it has diverged."""
        configured = self.configure_optimizers()
        optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        self.network.train()
        losses: list[float] = []
        with progress("Trying learning rates", self._rates.num_steps) as advance:
            for step, rows in enumerate(itertools.islice(self._list_batches(training), self._rates.num_steps)):
                batch = {
                    "pixels": torch.from_numpy(training.pixels[training.rows[rows]]).to(device),
                    "targets": torch.from_numpy(scaled[rows]).to(device),
                }
                images, targets = self._build_views(batch, np.random.default_rng([self.settings.seed, step]))
                with self._autocast(device):
                    loss = compute_loss(self.network(images), targets, self.settings)
                losses.append(float(loss.detach()))
                if self._has_diverged(losses):
                    break
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                if self.settings.gradient_clip_norm:
                    torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip_norm)
                optimizer.step()
                schedule.step()
                advance(1)
        return losses

    def _rate_factor(self, step: int) -> float:
        of_head = self.settings.frozen_learning_rate if self.phase.is_body_frozen else self.settings.learning_rates[-1]
        return float(self._rates.rate_of(step) / of_head)

    def _list_batches(self, training: TrainingData) -> Iterator[Rows]:
        batches = EpochBatches(len(training.object_ids), self.settings.batch_size, seed=self.settings.seed)
        for epoch in itertools.count():
            batches.set_epoch(epoch)
            yield from batches

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        is_mixed = choose_precision(self.settings.precision, device) == "bf16"
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_mixed)

    @staticmethod
    def _has_diverged(losses: list[float]) -> bool:
        if not math.isfinite(losses[-1]):
            return True
        smoothed = smooth(np.array(losses))
        return bool(smoothed[-1] > _DIVERGED * smoothed.min())
