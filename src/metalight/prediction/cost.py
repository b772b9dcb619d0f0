"""What a prediction will cost in time, from a few images on this machine."""

import time

import torch

from metalight.model import Network, Precision, open_inference

_IMAGES_A_BATCH = 16


def measure_prediction_cost(
    network: Network, *, image_shape: tuple[int, int, int], device: torch.device, precision: Precision
) -> float:
    """Seconds a view.

    Args:
        network: Of any weights.
        image_shape: (side, side, channel).
        device: Where to predict.
        precision: What with.
    """
    side, _, num_channels = image_shape
    images = torch.zeros(_IMAGES_A_BATCH, num_channels, side, side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    times = []
    with open_inference(network, side=side, device=device, precision=precision) as compute:
        for _ in range(3):
            started = time.perf_counter()
            compute(images).cpu()
            times.append(time.perf_counter() - started)
    return min(times) / _IMAGES_A_BATCH
