"""Cost of a training in time and memory, estimated from a few small steps on this machine."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from metalight.recipe import ModelSettings, TrainingSettings
from metalight.training.fit import TrainingData, fit_network

_VIEWS_A_STEP = 31  # unlike the numbers of channels of most layers
_NUM_STEPS = 3
_HARMLESS_RATE = 1e-6


@dataclass(frozen=True)
class TrainingCost:
    """Of a step, by view, and of what does not depend on the number of views."""

    frozen_seconds: float
    """Of a view, the head learning alone."""

    seconds: float
    """Of a view, all layers learning."""

    step_bytes: int
    """Of a view: what a step keeps of it until its gradients are known."""

    weight_bytes: int
    """Of the network's weights."""

    state_bytes: int
    """Of what the optimizer keeps beside the weights and their gradients."""

    def estimate_seconds(
        self, settings: TrainingSettings, *, num_training: int, num_validation: int, epochs_done: int
    ) -> float:
        """Of what is left of a training after some epochs."""
        num_views = num_training * settings.num_views
        num_left = settings.epochs - epochs_done
        num_frozen = max(0, settings.frozen_epochs - epochs_done)
        learning = num_views * (num_frozen * self.frozen_seconds + (num_left - num_frozen) * self.seconds)
        return learning + num_left * num_validation * self.frozen_seconds

    def estimate_bytes(self, settings: TrainingSettings) -> int:
        """Of memory, beside what the program takes before."""
        num_views = settings.batch_size * settings.num_views
        return num_views * self.step_bytes + 2 * self.weight_bytes + self.state_bytes

    @property
    def checkpoint_bytes(self) -> int:
        """Of one checkpoint on disk."""
        return self.weight_bytes + self.state_bytes


def measure_training_cost(
    model_settings: ModelSettings,
    settings: TrainingSettings,
    *,
    num_targets: int,
    image_shape: tuple[int, int, int],
    dtype: npt.DTypeLike,
    device: torch.device,
) -> TrainingCost:
    """Fit a network of random weights to a few random images, and see how long a step takes and what it keeps.

    Args:
        model_settings: The network.
        settings: How it is to be fitted.
        num_targets: Properties to predict.
        image_shape: (side, side, channel).
        dtype: Of the images: uint8 levels or float32 fluxes.
        device: Where it is to be fitted.

    Raises:
        ModelError: The backbone cannot be used.
        TrainingError: A single galaxy is too much for the memory.
    """
    num_galaxies = max(2, _VIEWS_A_STEP // settings.num_views)
    generator = np.random.default_rng(0)
    rows = np.arange(num_galaxies * _NUM_STEPS)
    pixels = generator.integers(0, 256, (len(rows), *image_shape)).astype(dtype)
    data = TrainingData(rows, generator.normal(size=(len(rows), num_targets)), pixels, rows)
    short = settings.model_copy(
        update={
            "frozen_epochs": 1,
            "constant_epochs": 1,
            "cycles": 0,
            "batch_size": num_galaxies,
            "schedule": "restarts",  # `plateau` needs validation galaxies
            # What the recipe's own would break is for the training to tell, of its galaxies and not of random ones.
            "frozen_learning_rate": _HARMLESS_RATE,
            "learning_rates": (_HARMLESS_RATE,) * 3,
        }
    )
    watch = _Watch(num_galaxies * settings.num_views)
    with torch.autograd.graph.saved_tensors_hooks(watch.note, lambda kept: kept):
        network = fit_network(
            data,
            None,
            model_settings.model_copy(update={"weights": "none"}),
            short,
            device=device,
            progress=watch.progress,
        ).network
    weight_bytes = sum(tensor.nbytes for tensor in network.state_dict().values())
    frozen, unfrozen = (min(np.diff(times)) / watch.num_views for times in watch.times)
    return TrainingCost(
        frozen_seconds=float(frozen),
        seconds=float(unfrozen),
        step_bytes=watch.most_bytes // watch.num_views,
        weight_bytes=weight_bytes,
        state_bytes=weight_bytes * (2 if settings.optimizer == "adamw" else 1),
    )


class _Watch:
    """Notes when steps end, and what they keep of their views."""

    def __init__(self, num_views: int) -> None:
        self.num_views = num_views
        self.times: list[list[float]] = []
        """Ends of the steps of each epoch."""
        self.most_bytes = 0
        self._kept: dict[int, int] = {}

    @contextlib.contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        self.times.append([])
        yield self._end_step

    def note(self, kept: Tensor) -> Tensor:
        """Told of each tensor that a step keeps; weights have another first dimension than a batch of views."""
        if kept.ndim > 0 and kept.shape[0] == self.num_views:
            self._kept[kept.untyped_storage().data_ptr()] = kept.untyped_storage().nbytes()
        return kept

    def _end_step(self, steps: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times[-1].append(time.perf_counter())
        self.most_bytes = max(self.most_bytes, sum(self._kept.values()))
        self._kept.clear()
