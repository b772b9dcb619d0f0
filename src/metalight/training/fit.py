"""The fit: phases one after the other, each of them a `Trainer.fit` of Lightning."""

import contextlib
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from metalight.atomic import replace_file
from metalight.errors import TrainingError
from metalight.model import Network, TargetScaling, build_network, choose_precision, load_weights
from metalight.progress import Progress, no_progress
from metalight.recipe import ModelSettings, TrainingSettings
from metalight.training.batches import EpochBatches, Rows, divide_into_batches
from metalight.training.normalization import measure_fluxes
from metalight.training.task import Phase, TrainingTask


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Galaxies to learn from, or to validate with."""

    object_ids: npt.NDArray[np.int64]
    """(galaxy,)"""

    targets: npt.NDArray[np.float64]
    """(galaxy, target) in physical units, finite."""

    pixels: npt.NDArray[Any]
    """(row, side, side, channel), memory-mapped: the decoded images of these galaxies and of others; uint8 levels, or
    float32 fluxes."""

    rows: npt.NDArray[np.intp]
    """(galaxy,) the row of each galaxy in `pixels`."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What a fit leaves."""

    network: Network
    """On the CPU, in evaluation mode."""

    scaling: TargetScaling
    history: pd.DataFrame
    """One row a mini-batch: phase, epoch, step, train_loss, validation_rmse (of the first target, in its unit; at the
    last mini-batch of an epoch, else NaN), learning_rate_early, learning_rate_late, learning_rate_head."""

    validation_rmse: list[float]
    """Of each target after the last epoch, in its unit; empty without validation galaxies."""

    precision: str


def fit_network(
    training: TrainingData,
    validation: TrainingData | None,
    model_settings: ModelSettings,
    settings: TrainingSettings,
    *,
    device: torch.device,
    history_path: Path | None = None,
    progress: Progress = no_progress,
) -> FittedModel:
    """Fit a network to the training galaxies: first its head alone, then all layers (the paper, section 3.2).

    Every random draw is a function of the seed, the epoch and the batch, so that a run on the CPU in float32 repeats
    bit for bit on the same machine with the same versions and number of threads.

    Args:
        training: At least two galaxies.
        validation: Galaxies whose RMSE is followed, on the images as they are; nothing is chosen by it.
        model_settings: The network and its starting weights.
        settings: How it is fitted.
        device: Where it is fitted.
        history_path: CSV of the history, written anew after every epoch.
        progress: Shows one bar an epoch.

    Raises:
        ModelError: The backbone or its starting weights cannot be used.
        TrainingError: The loss became infinite or undefined, a target is constant, or memory ran out.
    """
    scaling = _fit_scaling(training, model_settings)
    precision = choose_precision(settings.precision, device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _quiet_lightning():
        torch.manual_seed(settings.seed)
        network = build_network(model_settings, training.targets.shape[1], training.pixels.shape[3])
        load_weights(network, model_settings.backbone, model_settings.weights)
        if training.pixels.dtype == np.float32:
            network.set_normalization(*measure_fluxes(training.pixels, training.rows))
        network.to(memory_format=torch.channels_last)
        history: list[dict[str, Any]] = []
        validation_rmse: list[float] = []
        for phase in _list_phases(len(training.object_ids), settings):
            task = TrainingTask(network, settings, phase, torch.tensor(scaling.scales, dtype=torch.float32))
            task.history = history
            reporter = _EpochReporter(task, progress, history_path)
            trainer = _build_trainer(phase, settings, device, precision, reporter)
            train_loader, validation_loader = _build_loaders(training, validation, scaling, settings, phase)
            with reporter.bars():
                _fit_phase(trainer, task, train_loader, validation_loader)
            validation_rmse = task.validation_rmse
        network.freeze_body(False)
        network.cpu().eval()
    return FittedModel(network, scaling, pd.DataFrame(history), validation_rmse, precision)


def _fit_phase(
    trainer: Trainer,
    task: TrainingTask,
    train_loader: DataLoader[dict[str, Any]],
    validation_loader: DataLoader[dict[str, Any]] | None,
) -> None:
    """Fit one phase; Ctrl-C is passed on, where Lightning would end the process and leave the signal ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(task, train_loader, validation_loader)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{trainer.strategy.root_device} has too little memory for {task.settings.batch_size} galaxies of "
            f"{task.settings.num_views} views; lower [training] batch_size."
        ) from error
    except SystemExit:
        if trainer.interrupted:
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise


def _fit_scaling(training: TrainingData, settings: ModelSettings) -> TargetScaling:
    try:
        return TargetScaling.fit(training.targets, settings.target_scaling)
    except ValueError as error:
        raise TrainingError(
            f"All {len(training.targets)} training galaxies have the same value ({error}), so there is nothing to "
            "learn; check [catalog] targets."
        ) from error


def _list_phases(num_galaxies: int, settings: TrainingSettings) -> list[Phase]:
    steps = len(divide_into_batches(num_galaxies, settings.batch_size))
    frozen = Phase("frozen", settings.frozen_epochs, 0, steps, is_body_frozen=True)
    unfrozen = Phase(
        "unfrozen", settings.epochs - settings.frozen_epochs, settings.frozen_epochs, steps, is_body_frozen=False
    )
    return [phase for phase in (frozen, unfrozen) if phase.epochs]


class _GalaxyBatches(Dataset[dict[str, Any]]):
    """Mini-batches by their rows: pixels, scaled targets, identifiers, read from the memory map when asked for."""

    def __init__(self, data: TrainingData, scaled: npt.NDArray[np.float32]) -> None:
        self._data = data
        self._scaled = scaled

    def __getitem__(self, rows: Rows) -> dict[str, Any]:
        return {
            "pixels": torch.from_numpy(self._data.pixels[self._data.rows[rows]]),
            "targets": torch.from_numpy(self._scaled[rows]),
            "object_ids": self._data.object_ids[rows],
        }


def _build_loaders(
    training: TrainingData,
    validation: TrainingData | None,
    scaling: TargetScaling,
    settings: TrainingSettings,
    phase: Phase,
) -> tuple[DataLoader[dict[str, Any]], DataLoader[dict[str, Any]] | None]:
    # Batches come from the memory map in this process: workers that read ahead would make a run harder to repeat.
    sampler = EpochBatches(
        len(training.object_ids), settings.batch_size, seed=settings.seed, first_epoch=phase.first_epoch
    )
    batches = _GalaxyBatches(training, scaling.to_scaled(training.targets))
    train_loader = DataLoader(batches, sampler=sampler, batch_size=None)
    if validation is None:
        return train_loader, None
    num_galaxies = len(validation.object_ids)
    in_order = np.array_split(np.arange(num_galaxies), -(-num_galaxies // settings.batch_size))
    batches = _GalaxyBatches(validation, scaling.to_scaled(validation.targets))
    return train_loader, DataLoader(batches, sampler=in_order, batch_size=None)


def _build_trainer(
    phase: Phase, settings: TrainingSettings, device: torch.device, precision: str, reporter: Callback
) -> Trainer:
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=1 if device.index is None else [device.index],
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=phase.epochs,
        gradient_clip_val=settings.gradient_clip_norm or None,
        callbacks=[reporter],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _EpochReporter(Callback):
    """Shows a bar an epoch, and keeps the history on disk after each."""

    def __init__(self, task: TrainingTask, progress: Progress, history_path: Path | None) -> None:
        self._task = task
        self._progress = progress
        self._history_path = history_path
        self._bar = ExitStack()
        self._advance: Callable[[int], None] = lambda steps: None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        task = self._task
        epoch = task.phase.first_epoch + trainer.current_epoch + 1
        label = f"Epoch {epoch} of {task.settings.epochs}"
        # The history of an epoch ends with its validation; the bar of an epoch tells of the one before.
        if task.history and np.isfinite(task.history[-1]["validation_rmse"]):
            label += f" (RMSE {task.history[-1]['validation_rmse']:.3f})"
        bar: AbstractContextManager[Callable[[int], None]] = self._progress(label, int(trainer.num_training_batches))
        self._advance = self._bar.enter_context(bar)

    def on_train_batch_end(self, *_: Any) -> None:
        self._advance(1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar.close()
        if self._history_path is not None:
            with replace_file(self._history_path) as temporary:
                pd.DataFrame(self._task.history).to_csv(temporary, index=False)

    @contextlib.contextmanager
    def bars(self) -> Iterator[None]:
        """A block after which no bar is left open, whatever ended it."""
        with self._bar:
            yield


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep back what Lightning tells its developers: processors found, advice about workers, ends of fits."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*no `val_dataloader`.*")
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode at the start of training.*")
            yield
    finally:
        logger.setLevel(level)
