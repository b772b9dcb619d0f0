"""The work on one mini-batch, as a Lightning module."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from metalight.errors import TrainingError
from metalight.identifiers import name_of
from metalight.model import LAYER_GROUPS, NUM_DRAWS, Network, augment, to_unit_range
from metalight.recipe import TrainingSettings
from metalight.training.checkpoints import Checkpoint
from metalight.training.loss import compute_loss
from metalight.training.schedule import compute_plateau_factor, compute_rate_factor

# Parts of a random draw that must not depend on each other.
_FOR_VIEWS, _FOR_DROPOUT = 1, 2


@dataclass(frozen=True)
class Phase:
    """A part of the training with the same layers learning."""

    name: str
    epochs: int
    """Epochs to do."""

    first_epoch: int
    """Epochs done before: those of earlier phases, and those of this one before an interruption."""

    steps_an_epoch: int
    is_body_frozen: bool


class TrainingTask(LightningModule):
    """One phase of training: views, loss, learning rates, and what is recorded of them."""

    def __init__(self, network: Network, settings: TrainingSettings, phase: Phase, scales: Tensor) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.phase = phase
        self.register_buffer("scales", scales, persistent=False)
        self.history: list[dict[str, Any]] = []
        self.validation_rmse: list[float] = []
        self.restored: Checkpoint | None = None
        """The state that an interrupted phase resumes from."""
        self._squared_errors: list[Tensor] = []
        self._plateau_factor = 1.0
        network.freeze_body(phase.is_body_frozen)

    def configure_optimizers(self) -> Any:
        """A new optimizer for each phase, with a rate a layer group, stepped a mini-batch; or that of a checkpoint."""
        settings = self.settings
        groups = self.network.layer_groups()
        if self.phase.is_body_frozen:
            rates = {"head": settings.frozen_learning_rate}
        else:
            rates = dict(zip(LAYER_GROUPS, settings.learning_rates, strict=True))
        parameters = [{"params": groups[name], "lr": rate, "name": name} for name, rate in rates.items()]
        optimizer: Optimizer
        if settings.optimizer == "adamw":
            betas = (settings.momentum, 0.999)
            optimizer = AdamW(parameters, betas=betas, weight_decay=settings.weight_decay)
        else:
            optimizer = SGD(parameters, momentum=settings.momentum, weight_decay=settings.weight_decay)
        schedule = LambdaLR(optimizer, self._rate_factor)
        if self.restored is not None:
            optimizer.load_state_dict(self.restored.optimizer)
            schedule.load_state_dict(self.restored.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """The loss of all views of the galaxies of a mini-batch.

        Raises:
            TrainingError: The loss is not finite; the galaxies are named.
        """
        # Views and dropout are functions of (seed, epoch, batch): a resumed run draws what it would have drawn.
        key = [self.settings.seed, self.phase.first_epoch + self.current_epoch, batch_index]
        images, targets = self._build_views(batch, np.random.default_rng([*key, _FOR_VIEWS]))
        torch.manual_seed(int(np.random.default_rng([*key, _FOR_DROPOUT]).integers(2**63)))
        loss = compute_loss(self.network(images), targets, self.settings)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(self._explain_divergence(batch, value))
        self._record(value)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Collect the squared errors (galaxy, target) of the images as they are, in physical units."""
        residual = (self.network(to_unit_range(batch["pixels"])) - batch["targets"]) * self.scales
        self._squared_errors.append(residual.cpu().double() ** 2)

    def on_validation_epoch_end(self) -> None:
        """Note the RMSE of the first target with the epoch's last step, and of all targets for the model's record.

        Galaxies without a label count for the targets that they have; of a target that none has it is NaN.
        """
        rmse = torch.cat(self._squared_errors).nanmean(dim=0).sqrt().tolist()
        self._squared_errors.clear()
        if self.history:
            self.history[-1]["validation_rmse"] = rmse[0]
        self.validation_rmse = rmse

    def on_train_epoch_start(self) -> None:
        """Bring the rates to what the validation asks for, which came after the schedule's last step."""
        if self.settings.schedule != "plateau" or self.phase.is_body_frozen:
            return
        rows = [row for row in self.history if row["phase"] == self.phase.name]
        validated = [row["validation_rmse"] for row in rows if math.isfinite(row["validation_rmse"])]
        self._plateau_factor = compute_plateau_factor(validated, self.settings)
        schedule: Any = self.lr_schedulers()
        for group, rate in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = self._plateau_factor * rate

    def check_weights(self) -> None:
        """See that the weights, and the statistics of batch norms, are numbers: the loss tells it one step too late.

        Raises:
            TrainingError: Some are not; the epoch is named.
        """
        state = self.network.state_dict()
        if flawed := next((name for name, tensor in state.items() if not tensor.isfinite().all()), ""):
            raise TrainingError(
                f"In epoch {self.phase.first_epoch + self.current_epoch + 1} weights of the network ('{flawed}') "
                "stopped being finite numbers. Lower the rates under [training], or set gradient_clip_norm = 1.0."
            )

    def _rate_factor(self, step: int) -> float:
        if self.phase.is_body_frozen:
            return 1.0
        return self._plateau_factor * compute_rate_factor(step, self.phase.steps_an_epoch, self.settings)

    def _build_views(self, batch: dict[str, Any], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (galaxy × view, channel, side, side) and scaled targets (galaxy × view, target)."""
        images, targets = to_unit_range(batch["pixels"]), batch["targets"]
        spread = self.network.std if batch["pixels"].is_floating_point() else None
        views = [images] if self.settings.original_view else []
        draws = generator.random((self.settings.augmented_views, len(images), NUM_DRAWS), dtype=np.float32)
        for of_view in torch.from_numpy(draws).to(images.device):
            views.append(augment(images, of_view, self.settings.augmentation, flux_spread=spread))
        return torch.cat(views).contiguous(memory_format=torch.channels_last), targets.repeat(len(views), 1)

    def _record(self, loss: float) -> None:
        rates = {group["name"]: group["lr"] for group in self.optimizers().param_groups}  # type: ignore[union-attr]
        self.history.append(
            {
                "phase": self.phase.name,
                "epoch": self.phase.first_epoch + self.current_epoch,
                "step": self.phase.first_epoch * self.phase.steps_an_epoch + self.global_step,
                "train_loss": loss,
                "validation_rmse": float("nan"),
                **{f"learning_rate_{name}": rates.get(name, float("nan")) for name in LAYER_GROUPS},
            }
        )

    def _explain_divergence(self, batch: dict[str, Any], loss: float) -> str:
        object_ids = batch["object_ids"].tolist()
        listed = ", ".join(map(name_of, object_ids[:8])) + (
            f" and {len(object_ids) - 8} more" if object_ids[8:] else ""
        )
        epoch = self.phase.first_epoch + self.current_epoch + 1
        return (
            f"The loss became {loss} in epoch {epoch}, with the galaxies {listed}. Lower the rates under [training], "
            "or set gradient_clip_norm = 1.0; if it comes back with the same galaxies, look at their labels."
        )
