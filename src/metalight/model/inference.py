"""A network as what predicts fastest on a processor: the same function within rounding, rebuilt.

The prediction of an image does not depend on the images beside it, nor on how many there are: every computation has the
same shape, and on a CPU it runs on one thread. Libraries choose how to add by the shape and the number of threads.
"""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from metalight.model.hardware import Precision
from metalight.model.network import Network
from metalight.model.winograd import WinogradConv2d, is_suited

LARGEST_CHANGE = 1e-4
"""In scaled targets; a network that differs by more on a trial, once rebuilt, is not used."""

IMAGES_A_TASK = 16
"""Images that a thread of a CPU computes at once: enough for its full speed (measured), few enough for many threads."""

_NUM_TRIALS = 2

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class Inference:
    """A network that predicts; `open_inference` makes one."""

    def __init__(
        self,
        network: Network,
        device: torch.device,
        precision: Precision,
        batch_size: int,
        pool: ThreadPoolExecutor | None,
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        """Images of every computation."""
        self._device = device
        self._precision = precision
        self._pool = pool

    def compute(self, images: Tensor) -> Tensor:
        """Scaled targets (batch, target) of up to `batch_size` images (batch, channel, side, side)."""
        whole = images.new_zeros(self.batch_size, *images.shape[1:]).contiguous(memory_format=torch.channels_last)
        whole[: len(images)] = images
        is_mixed = self._precision == "bf16"
        # Both are of this thread only.
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=is_mixed):
            scaled: Tensor = self.network(whole)[: len(images)]
        return scaled

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Results of work that calls `compute`, in the order of the tasks; on a CPU one task for each thread.

        Threads that each compute their own images do not wait for each other at every layer, as they do when all of
        them work on the same layer.
        """
        return map(work, tasks) if self._pool is None else self._pool.map(work, tasks)


@contextlib.contextmanager
def open_inference(
    network: Network, *, side: int, device: torch.device, precision: Precision, batch_size: int = 64
) -> Iterator[Inference]:
    """A block in which a network predicts scaled targets.

    On a CPU, batch norms are folded into the convolutions before them, and each thread computes up to `IMAGES_A_TASK`
    images of its own at a time. In float32, where the processor has no instructions of 512 bits, wide convolutions are
    done Winograd's way. On a GPU, the network computes as it is.

    Args:
        network: Moved to `device`, put in evaluation mode, and otherwise left as it is.
        side: Height and width in pixels of the images to come.
        device: Where to compute.
        precision: `bf16` computes the backbone in mixed precision.
        batch_size: Images that a GPU, or a thread of a CPU, computes at once at most.
    """
    network.to(device).to(memory_format=torch.channels_last).eval()
    if device.type != "cpu":
        yield Inference(network, device, precision, batch_size, None)
        return
    rebuilt = rebuild_network(network, side=side, has_winograd=precision == "float32" and not _has_512_bits())
    if precision == "bf16":
        _convert_to_bf16(rebuilt)
    with _open_pool() as pool:
        yield Inference(rebuilt, device, precision, min(batch_size, IMAGES_A_TASK), pool)


@contextlib.contextmanager
def _open_pool() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch would take, each of which computes by itself."""
    num_threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="predict", initializer=lambda: torch.set_num_threads(1))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(num_threads)  # threads made from now on would have one, too


def rebuild_network(network: Network, *, side: int, has_winograd: bool) -> Network:
    """A copy of a network with batch norms folded into convolutions.

    A backbone that cannot be rebuilt, or not to the same function, is copied as it is.

    Args:
        network: On the CPU, in evaluation mode.
        side: Height and width in pixels of the images to come.
        has_winograd: Do wide convolutions of 3 × 3 pixels Winograd's way.
    """
    rebuilt = copy.deepcopy(network)
    try:
        rebuilt.body = _FoldedBody(rebuilt.body, has_winograd=has_winograd).to(memory_format=torch.channels_last)
    except Exception:  # tracing fails with errors of many types
        return copy.deepcopy(network)
    num_channels = network.mean.shape[1]
    noise = torch.randn(_NUM_TRIALS, num_channels, side, side, generator=torch.Generator().manual_seed(0))
    # In the range that the network knows, also if that is of fluxes.
    trial = (network.mean + network.std * noise).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        change = (rebuilt(trial) - network(trial)).abs().max()
    return rebuilt if change <= LARGEST_CHANGE else copy.deepcopy(network)


class _FoldedBody(nn.Module):
    """A backbone whose batch norms are part of the convolutions before them, for prediction only."""

    def __init__(self, body: nn.Module, *, has_winograd: bool) -> None:
        super().__init__()
        _part_norms_from_activations(body)
        tracer = fx.Tracer()
        tracer.traced_func_name = "forward_features"
        self.layers = fuse(fx.GraphModule(body, tracer.trace(body)))
        for name, layer in list(self.layers.named_modules()):
            if has_winograd and is_suited(layer):
                self.layers.set_submodule(name, WinogradConv2d(layer))

    def forward_features(self, images: Tensor) -> Tensor:
        """The result of the backbone's own method."""
        features: Tensor = self.layers(images)
        return features


def _part_norms_from_activations(body: nn.Module) -> None:
    """Make two layers of each of timm's that are a batch norm and an activation: only plain norms can be folded."""
    for name, layer in list(body.named_modules()):
        if type(layer) is BatchNormAct2d:
            norm = nn.BatchNorm2d(layer.num_features, eps=layer.eps)
            norm.load_state_dict(layer.state_dict())
            body.set_submodule(name, nn.Sequential(norm, layer.drop, layer.act).eval())


def _convert_to_bf16(network: Network) -> None:
    """Let the products of the backbone be of bf16, all but those of its first convolution.

    Once normalised, the sky of an image lies near −2, where numbers of bf16 are 1/128 apart: a whole level of 255. With
    the first convolution in float32 the rounding of predictions is a quarter of what it was, for a tenth of the time.
    """
    layers = [(name, layer) for name, layer in network.body.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    first = next((name for name, layer in layers if isinstance(layer, nn.Conv2d)), "")
    for name, layer in layers:
        if name == first:
            network.body.set_submodule(name, _InFloat32(layer))
        else:
            layer.to(torch.bfloat16)  # as autocast would round the weights for every batch


class _InFloat32(nn.Module):
    """A layer that mixed precision leaves alone."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            result: Tensor = self.layer(images.float())
        return result


def _has_512_bits() -> bool:
    return bool(torch.cpu.get_capabilities().get("avx512_f"))
