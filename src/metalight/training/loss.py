"""Losses of a batch, on scaled targets."""

import torch
from torch import Tensor
from torch.nn import functional

from metalight.recipe import TrainingSettings


def compute_loss(predicted: Tensor, true: Tensor, settings: TrainingSettings) -> Tensor:
    """The loss of predicted and true scaled targets, both (view, target).

    `rmse` is the root of the mean squared error of the batch (the paper, section 3.2). Its slope is undefined where
    the error is zero, so a floor is added in quadrature: sqrt(mean((predicted - true)^2) + floor^2).
    """
    if settings.loss == "huber":
        return functional.huber_loss(predicted, true)
    return torch.sqrt(functional.mse_loss(predicted, true) + settings.loss_floor**2)
