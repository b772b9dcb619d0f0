"""Losses of a batch, on scaled targets."""

import torch
from torch import Tensor
from torch.nn import functional

from metalight.recipe import TrainingSettings


def compute_loss(predicted: Tensor, true: Tensor, settings: TrainingSettings) -> Tensor:
    """The loss of predicted and true scaled targets, both (view, target); NaN stands for a label that is missing.

    A missing label has no part in the mean: neither its target nor another one learns from it, and a galaxy that has
    others is learnt from by those.

    `rmse` is the root of the mean squared error of the batch (the paper, section 3.2). Its slope is undefined where
    the error is zero, so a floor is added in quadrature: sqrt(mean((predicted - true)^2) + floor^2).
    """
    is_known = ~torch.isnan(true)
    if settings.loss == "huber":
        return _mean_of_known(functional.huber_loss(predicted, _fill(true, is_known), reduction="none"), is_known)
    squares = functional.mse_loss(predicted, _fill(true, is_known), reduction="none")
    return torch.sqrt(_mean_of_known(squares, is_known) + settings.loss_floor**2)


def _fill(true: Tensor, is_known: Tensor) -> Tensor:
    # Any number does, but not NaN: times a gradient of 0 it would be NaN still.
    return torch.where(is_known, true, 0.0)


def _mean_of_known(values: Tensor, is_known: Tensor) -> Tensor:
    return torch.where(is_known, values, 0.0).sum() / is_known.sum().clamp(min=1)
