"""A bar an epoch, for people who wait."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from metalight.progress import Progress
from metalight.training.task import TrainingTask


class EpochBars(Callback):
    """Shows a bar an epoch, which tells the RMSE after the one before."""

    def __init__(self, task: TrainingTask, progress: Progress) -> None:
        self._task = task
        self._progress = progress
        self._bar = ExitStack()
        self._advance: Callable[[int], None] = lambda steps: None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open a bar."""
        task = self._task
        epoch = task.phase.first_epoch + trainer.current_epoch + 1
        label = f"Epoch {epoch} of {task.settings.epochs}"
        # The history of an epoch ends with its validation; the bar of an epoch tells of the one before.
        if task.history and np.isfinite(task.history[-1]["validation_rmse"]):
            label += f" (RMSE {task.history[-1]['validation_rmse']:.3f})"
        bar: AbstractContextManager[Callable[[int], None]] = self._progress(label, int(trainer.num_training_batches))
        self._advance = self._bar.enter_context(bar)

    def on_train_batch_end(self, *_: Any) -> None:
        """Move it on by a mini-batch."""
        self._advance(1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close it."""
        self._bar.close()

    @contextlib.contextmanager
    def bars(self) -> Iterator[None]:
        """A block after which no bar is left open, whatever ended it."""
        with self._bar:
            yield
