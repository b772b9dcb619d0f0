"""The fit: phases one after the other, each of them a `Trainer.fit` of Lightning, with a checkpoint an epoch."""

import contextlib
import logging
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import timm
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from metalight.atomic import replace_file
from metalight.errors import TrainingError
from metalight.model import Network, TargetScaling, build_network, choose_precision, load_weights, name_device
from metalight.progress import Progress, no_progress
from metalight.recipe import ModelSettings, TrainingSettings
from metalight.training.batches import EpochBatches, Rows, divide_into_batches
from metalight.training.checkpoints import Checkpoint, keep_only, load_last_checkpoint, save_checkpoint
from metalight.training.epoch_bars import EpochBars
from metalight.training.normalization import measure_fluxes
from metalight.training.task import Phase, TrainingTask


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Galaxies to learn from, or to validate with."""

    object_ids: npt.NDArray[np.int64]
    """(galaxy,)"""

    targets: npt.NDArray[np.float64]
    """(galaxy, target) in physical units; NaN where a label is missing."""

    pixels: npt.NDArray[Any]
    """(row, side, side, channel), memory-mapped: the decoded images of these galaxies and of others; uint8 levels, or
    float32 fluxes."""

    rows: npt.NDArray[np.intp]
    """(galaxy,) the row of each galaxy in `pixels`."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The result of a fit."""

    network: Network
    """On the CPU, in evaluation mode."""

    scaling: TargetScaling
    history: pd.DataFrame
    """One row a mini-batch: phase, epoch, step, train_loss, validation_rmse (of the first target, in its unit; at the
    last mini-batch of an epoch, else NaN), learning_rate_early, learning_rate_late, learning_rate_head."""

    validation_rmse: list[float]
    """Of each target after the last epoch, in its unit; empty without validation galaxies."""

    precision: str
    starting_weights: str
    """Where they came from, as `load_weights` tells it."""

    first_filters: npt.NDArray[np.float32]
    """(2, filter, channel, side, side): what images met first before the training, and what they meet after it."""

    resumed: str = ""
    """How a training that was interrupted before went on, for people; empty if it was not."""


@dataclass(frozen=True)
class CheckpointPlace:
    """Where the checkpoints of a training are, and how they are known."""

    folder: Path
    identity: str
    """A digest of the settings and of the data: a checkpoint of any other training is passed over."""


def fit_network(
    training: TrainingData,
    validation: TrainingData | None,
    model_settings: ModelSettings,
    settings: TrainingSettings,
    *,
    device: torch.device,
    history_path: Path | None = None,
    checkpoints: CheckpointPlace | None = None,
    progress: Progress = no_progress,
) -> FittedModel:
    """Fit a network to the training galaxies: first its head alone, then all layers (the paper, section 3.2).

    Every random draw is a function of the seed, the epoch and the batch, so that a run on the CPU in float32 repeats
    bit for bit on the same machine with the same versions and number of threads, whether it was interrupted or not.

    Args:
        training: At least two galaxies.
        validation: Galaxies whose RMSE is followed, on the images as they are; nothing is chosen by it.
        model_settings: The network and its starting weights.
        settings: How it is fitted.
        device: Where it is fitted.
        history_path: CSV of the history, rewritten after every epoch.
        checkpoints: Where the state after each epoch is kept, and resumed from; without it, nothing is kept.
        progress: Shows one bar an epoch.

    Raises:
        ModelError: The backbone or its starting weights cannot be used.
        TrainingError: The loss or weights became infinite or undefined, a target is constant, memory ran out, a
            checkpoint cannot be written, or there is no validation RMSE that the schedule could follow.
    """
    _check_validation(validation, settings)
    scaling = _fit_scaling(training, model_settings)
    precision = choose_precision(settings.precision, device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _quiet_lightning():
        torch.manual_seed(settings.seed)
        side, num_channels = training.pixels.shape[2:]
        network = build_network(model_settings, training.targets.shape[1], num_channels, side=side)
        starting_weights = load_weights(network, model_settings.backbone, model_settings.weights)
        first_filters = network.copy_first_filters()
        if training.pixels.dtype == np.float32:
            network.set_normalization(*measure_fluxes(training.pixels, training.rows))
        network.to(memory_format=torch.channels_last)
        network.spare_points(True)
        state = _State(network, _describe_environment(device, precision), checkpoints)
        resumed = state.restore()
        if state.history:
            # A kill may have come between the last checkpoint and its lines in the history.
            _save_history(state.history, history_path)
        for phase in _list_phases(len(training.object_ids), settings, state.epochs_done):
            task = TrainingTask(network, settings, phase, torch.tensor(scaling.scales, dtype=torch.float32))
            state.hand_to(task)
            reporter = EpochBars(task, progress)
            callbacks = [reporter, _EpochKeeper(task, state, history_path)]
            trainer = _build_trainer(phase, settings, device, precision, callbacks)
            train_loader, validation_loader = _build_loaders(training, validation, scaling, settings, phase)
            try:
                with reporter.bars():
                    _fit_phase(trainer, task, train_loader, validation_loader)
            except KeyboardInterrupt:
                # For the sentence that Ctrl-C ends with.
                raise KeyboardInterrupt(
                    f"after epoch {state.epochs_done} of {settings.epochs} of the training"
                ) from None
        network.freeze_body(False)
        network.spare_points(False)
        network.cpu().eval()
    if checkpoints is not None:
        keep_only(checkpoints.folder, checkpoints.identity)
    return FittedModel(
        network,
        scaling,
        pd.DataFrame(state.history),
        state.validation_rmse,
        precision,
        starting_weights,
        np.stack([first_filters, network.copy_first_filters()]),
        resumed,
    )


class _State:
    """State of a training that outlives its phases, on disk where checkpoints are wanted."""

    def __init__(self, network: Network, environment: str, place: CheckpointPlace | None) -> None:
        self._network = network
        self._environment = environment
        self._place = place
        self._restored: Checkpoint | None = None
        self.epochs_done = 0
        self.history: list[dict[str, Any]] = []
        self.validation_rmse: list[float] = []

    def restore(self) -> str:
        """Take up the last checkpoint; gives a few words on it, or nothing if there is none."""
        if self._place is None:
            return ""
        found = load_last_checkpoint(self._place.folder, self._place.identity)
        damaged = f"{found.num_damaged} damaged, passed over" if found.num_damaged else ""
        checkpoint = found.checkpoint
        if checkpoint is None:
            return f"started over: all checkpoints were damaged ({damaged})" if damaged else ""
        try:
            self._network.load_state_dict(checkpoint.network)
        except RuntimeError as error:
            raise TrainingError(
                f"The checkpoints in {self._place.folder} are of a network of the same name with other layers, begun "
                f"on {checkpoint.environment}, and now it is {self._environment}. Take the same versions, or delete "
                "that folder and run the same command again: the training starts over."
            ) from error
        self._restored = checkpoint
        self.epochs_done = checkpoint.epochs_done
        self.history = checkpoint.history
        self.validation_rmse = checkpoint.validation_rmse
        notes = [f"went on after epoch {checkpoint.epochs_done}", *([damaged] if damaged else [])]
        if checkpoint.environment != self._environment:
            notes.append(f"not bit for bit: begun on {checkpoint.environment}, now {self._environment}")
        return "; ".join(notes)

    def hand_to(self, task: TrainingTask) -> None:
        """Let a phase add to the history; the phase that was interrupted gets its optimizer back too."""
        task.history = self.history
        was_interrupted = self.history and self.history[-1]["phase"] == task.phase.name
        task.restored = self._restored if was_interrupted else None

    def keep(self, task: TrainingTask) -> None:
        """Note that a phase has done an epoch, and write a checkpoint."""
        self.validation_rmse = task.validation_rmse
        if self._place is not None:
            checkpoint = Checkpoint(
                identity=self._place.identity,
                environment=self._environment,
                epochs_done=self.epochs_done + 1,
                network=self._network.state_dict(),
                optimizer=task.trainer.optimizers[0].state_dict(),
                schedule=task.trainer.lr_scheduler_configs[0].scheduler.state_dict(),
                history=self.history,
                validation_rmse=self.validation_rmse,
            )
            save_checkpoint(checkpoint, self._place.folder)
        # Not before it is kept: Ctrl-C while it is written leaves the epoch to be done again.
        self.epochs_done += 1


def _describe_environment(device: torch.device, precision: str) -> str:
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in (torch, timm))
    return f"{name_device(device)}, {precision}, {versions}"


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


def _check_validation(validation: TrainingData | None, settings: TrainingSettings) -> None:
    """Refuse a schedule that follows what nobody can know."""
    if settings.schedule != "plateau":
        return
    if validation is None:
        lacking = "there are no validation galaxies"
    elif not np.isfinite(validation.targets[:, 0]).any():
        lacking = f"none of the {len(validation.targets)} validation galaxies has the first target"
    else:
        return
    raise TrainingError(
        f'schedule = "plateau" follows the validation RMSE, and {lacking}; set [splits] fractions, or take another '
        "schedule."
    )


def _fit_scaling(training: TrainingData, settings: ModelSettings) -> TargetScaling:
    try:
        return TargetScaling.fit(training.targets, settings.target_scaling)
    except ValueError as error:
        raise TrainingError(
            f"All {len(training.targets)} training galaxies have the same value ({error}), so there is nothing to "
            "learn; check [catalog] targets."
        ) from error


def _list_phases(num_galaxies: int, settings: TrainingSettings, epochs_done: int) -> list[Phase]:
    """The phases that remain after some epochs."""
    steps = len(divide_into_batches(num_galaxies, settings.batch_size))
    phases = []
    for name, first, end in (
        ("frozen", 0, settings.frozen_epochs),
        ("unfrozen", settings.frozen_epochs, settings.epochs),
    ):
        first = max(first, epochs_done)
        if first < end:
            phases.append(Phase(name, end - first, first, steps, is_body_frozen=name == "frozen"))
    return phases


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
    phase: Phase, settings: TrainingSettings, device: torch.device, precision: str, callbacks: list[Callback]
) -> Trainer:
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=1 if device.index is None else [device.index],
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=phase.epochs,
        gradient_clip_val=settings.gradient_clip_norm or None,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _EpochKeeper(Callback):
    """Keeps the history and a checkpoint on disk after each epoch, validation included."""

    def __init__(self, task: TrainingTask, state: _State, history_path: Path | None) -> None:
        self._task = task
        self._state = state
        self._history_path = history_path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._task.check_weights()
        self._state.keep(self._task)
        _save_history(self._task.history, self._history_path)


def _save_history(history: list[dict[str, Any]], path: Path | None) -> None:
    if path is not None:
        with replace_file(path) as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)


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
