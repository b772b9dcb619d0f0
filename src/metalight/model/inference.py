"""A network as what predicts fastest on a processor: the same function within rounding, rebuilt."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from metalight.model.hardware import Precision
from metalight.model.network import Network
from metalight.model.winograd import WinogradConv2d, is_suited

LARGEST_CHANGE = 1e-4
"""In scaled targets; a network that differs by more on a trial, once rebuilt, is not used."""

_NUM_TRIALS = 2


@contextlib.contextmanager
def open_inference(
    network: Network, *, side: int, device: torch.device, precision: Precision
) -> Iterator[Callable[[Tensor], Tensor]]:
    """A block in which a function predicts scaled targets (batch, target) of images (batch, channel, side, side).

    On a CPU, batch norms are folded into the convolutions before them. In float32, each thread then computes whole
    images of its own; where the processor has no instructions of 512 bits, wide convolutions are done Winograd's way.
    On a GPU, the network computes as it is.

    Args:
        network: Moved to `device`, put in evaluation mode, and otherwise left as it is.
        side: Height and width in pixels of the images to come.
        device: Where to compute.
        precision: `bf16` computes the backbone in mixed precision.
    """
    network.to(device).to(memory_format=torch.channels_last).eval()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        compute: Callable[[Tensor], Tensor] = network
        if device.type == "cpu":
            rebuilt = rebuild_network(network, side=side, has_winograd=precision == "float32" and not _has_512_bits())
            compute = rebuilt
            if precision == "bf16":
                _convert_to_bf16(rebuilt)
            else:
                compute = stack.enter_context(_ImagesToThreads(rebuilt))
        if precision == "bf16":
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        yield compute


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
        """What the backbone's own method gives."""
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


class _ImagesToThreads:
    """A network whose batches are shared out over the processor's threads, whole images to each.

    Threads that each compute one part of a batch need not wait for each other at every layer, as they do when all of
    them work on the same layer.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._num_threads = torch.get_num_threads()

    def __enter__(self) -> "_ImagesToThreads":
        self._pool = ThreadPoolExecutor(
            self._num_threads, thread_name_prefix="predict", initializer=lambda: torch.set_num_threads(1)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._num_threads)  # threads made from now on would have one, too

    def __call__(self, images: Tensor) -> Tensor:
        num_parts = max(1, min(self._num_threads, len(images)))
        return torch.cat(list(self._pool.map(self._compute, images.tensor_split(num_parts))))

    def _compute(self, images: Tensor) -> Tensor:
        with torch.inference_mode():  # of this thread only
            scaled: Tensor = self._network(images)
        return scaled
