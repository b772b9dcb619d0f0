"""Time that a prediction will take, estimated from a few images on this machine."""

import time

import torch

from metalight.model import Network, Precision, open_inference


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
    times = []
    with open_inference(network, side=side, device=device, precision=precision) as inference:
        images = torch.zeros(inference.batch_size, num_channels, side, side, device=device)
        tasks = [images] * (torch.get_num_threads() if device.type == "cpu" else 1)
        for _ in range(3):
            started = time.perf_counter()
            list(inference.map(lambda task: inference.compute(task).cpu(), tasks))
            times.append(time.perf_counter() - started)
    return min(times) / (len(tasks) * len(images))
