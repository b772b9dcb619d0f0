"""Scaling of fluxes to the range that a network learns in: their mean and spread in the training set."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def measure_fluxes(pixels: npt.NDArray[np.float32], rows: npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (channel,) of the pixels of some galaxies, read one by one.

    Args:
        pixels: (row, side, side, channel) fluxes.
        rows: The galaxies' rows.
    """
    in_order = np.sort(rows)
    means = np.zeros(pixels.shape[3])
    for row in in_order:
        means += pixels[row].mean(axis=(0, 1), dtype=np.float64) / len(rows)
    variances = np.zeros(pixels.shape[3])
    for row in in_order:
        # About the mean, in a second pass: a bright sky would leave nothing of the difference of two large sums.
        variances += ((pixels[row] - means) ** 2).mean(axis=(0, 1)) / len(rows)
    stds = np.sqrt(variances)
    stds[stds == 0] = 1.0  # nothing to scale where a channel never changes
    return torch.tensor(means, dtype=torch.float32), torch.tensor(stds, dtype=torch.float32)
