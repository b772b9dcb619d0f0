"""Promises of the network rebuilt for prediction: the same function, and the network itself left alone."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from make import make_model
from metalight.model import Network, build_network, open_inference
from metalight.model.inference import rebuild_network
from metalight.model.winograd import MIN_CHANNELS, WinogradConv2d, compute_matrices, is_suited
from metalight.recipe import ModelSettings

CPU = torch.device("cpu")


def make_network() -> Network:
    """A network whose batch norms have seen something, so that folding them matters."""
    network = make_model(side=32).network.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for _ in range(3):
            network(torch.rand(8, 3, 32, 32))
    return network.eval()


def make_wide() -> Network:
    """A network whose backbone has a wide convolution, with a batch norm after it."""
    network = make_network()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network.body = _Wide(network.body)
    return network.eval()


class _Wide(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.num_features: int = body.num_features  # type: ignore[assignment]
        self.wide = nn.Conv2d(self.num_features, MIN_CHANNELS, 1)
        self.middle = nn.Conv2d(MIN_CHANNELS, MIN_CHANNELS, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(MIN_CHANNELS)
        self.narrow = nn.Conv2d(MIN_CHANNELS, self.num_features, 1)

    def forward_features(self, images: Tensor) -> Tensor:
        features: Tensor = self.body.forward_features(functional.interpolate(images, scale_factor=8.0))  # type: ignore[operator]
        narrow: Tensor = self.narrow(self.norm(self.middle(self.wide(features))))
        return narrow


class _Random(nn.Module):
    """A backbone that never gives the same features twice."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward_features(self, images: Tensor) -> Tensor:
        features: Tensor = self.body.forward_features(images)  # type: ignore[operator]
        return functional.dropout(features, 0.5, training=True)


class _Branching(_Random):
    """A backbone that looks at its images before it decides what to do, which no tracing can follow."""

    def forward_features(self, images: Tensor) -> Tensor:
        if images.mean() > 100:
            return images
        features: Tensor = self.body.forward_features(images)  # type: ignore[operator]
        return features


def has_batch_norms(network: Network) -> bool:
    return any(isinstance(layer, nn.BatchNorm2d) for layer in network.body.modules())


@pytest.mark.parametrize("has_winograd", [False, True])
@pytest.mark.parametrize("make", [make_network, make_wide])
def test_a_rebuilt_network_is_the_same_function_without_batch_norms(make: object, has_winograd: bool) -> None:
    network: Network = make()  # type: ignore[operator]
    rebuilt = rebuild_network(network, side=32, has_winograd=has_winograd)
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt(images), network(images), atol=1e-5, rtol=1e-4)
    assert has_batch_norms(network)
    assert not has_batch_norms(rebuilt)
    is_winograd = any(isinstance(layer, WinogradConv2d) for layer in rebuilt.modules())
    assert is_winograd == (has_winograd and make is make_wide)


@pytest.mark.parametrize("backbone", ["test_efficientnet", "regnety_002", "mobilenetv3_small_050"])
def test_batch_norms_that_timm_joins_with_activations_are_folded_too(backbone: str) -> None:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = build_network(ModelSettings(backbone=backbone, hidden_features=8), 1).train()
        network(torch.rand(8, 3, 33, 33))
    rebuilt = rebuild_network(network.eval(), side=33, has_winograd=False)
    images = torch.rand(5, 3, 33, 33, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt(images), network(images), atol=1e-5, rtol=1e-4)
    assert not has_batch_norms(rebuilt)
    assert "batch_norm" not in rebuilt.body.layers.code  # type: ignore[operator,union-attr]


@pytest.mark.parametrize("body", [_Random, _Branching])
def test_a_backbone_that_cannot_be_rebuilt_stays_as_it_is(body: type[nn.Module]) -> None:
    network = make_network()
    network.body = body(network.body)
    assert has_batch_norms(rebuild_network(network.eval(), side=32, has_winograd=True))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_images_shared_out_over_threads_keep_their_order(precision: str, num_threads: int) -> None:
    network = make_network()
    images = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = network(images)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        with open_inference(network, side=32, device=CPU, precision=precision) as inference:  # type: ignore[arg-type]
            computed = torch.cat(list(inference.map(inference.compute, torch.split(images, 2))))
        assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(threads_before)
    tolerance = 1e-5 if precision == "float32" else 0.02
    torch.testing.assert_close(computed, expected, atol=tolerance, rtol=0)
    assert not torch.is_inference_mode_enabled()


def test_bf16_does_not_round_the_faint_sky() -> None:
    """Images that differ by half a level of 255 in their sky are told apart, as in float32."""
    network = make_network()
    sky = torch.full((1, 3, 32, 32), 4 / 255)
    images = torch.cat([sky, sky + 0.5 / 255])
    with open_inference(network, side=32, device=CPU, precision="float32") as inference:
        exact = inference.compute(images).diff(dim=0).abs()
    with open_inference(network, side=32, device=CPU, precision="bf16") as inference:
        first = next(layer for layer in inference.network.body.modules() if isinstance(layer, nn.Conv2d))
        assert first.weight.dtype == torch.float32
        assert inference.compute(images).diff(dim=0).abs() > 0.2 * exact > 0


def test_prediction_leaves_the_network_as_it_was() -> None:
    network = make_network()
    before = copy.deepcopy(network.state_dict())
    with open_inference(network, side=32, device=CPU, precision="bf16") as inference:
        inference.compute(torch.rand(2, 3, 32, 32))
    assert list(network.state_dict()) == list(before)
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_the_matrices_of_winograd_give_a_correlation_exactly() -> None:
    at, g, bt = compute_matrices()
    generator = np.random.default_rng(0)
    signal, kernel = generator.normal(size=6), generator.normal(size=3)
    np.testing.assert_allclose(at @ ((g @ kernel) * (bt @ signal)), np.correlate(signal, kernel), rtol=1e-12)


@given(st.integers(1, 5), st.integers(1, 21), st.integers(1, 21), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_winograd_is_the_direct_convolution(num: int, height: int, width: int, has_bias: bool, seed: int) -> None:
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        direct = nn.Conv2d(MIN_CHANNELS, MIN_CHANNELS + 3, 3, padding=1, bias=has_bias)
        images = torch.randn(num, MIN_CHANNELS, height, width).contiguous(memory_format=torch.channels_last)
        assert is_suited(direct)
        exact = direct.double()(images.double())
        error = (WinogradConv2d(direct.float())(images) - exact).abs().max()
        assert error < 2e-5 * max(1.0, exact.abs().max().item())


@pytest.mark.parametrize(
    "unsuited",
    [
        nn.Conv2d(128, 128, 3, padding=1, stride=2),
        nn.Conv2d(128, 128, 3, padding=1, groups=2),
        nn.Conv2d(128, 128, 3, padding=2, dilation=2),
        nn.Conv2d(128, 128, 3),
        nn.Conv2d(128, 128, 1),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.Conv2d(128, 128, 3, padding=1, padding_mode="reflect"),
    ],
)
def test_other_convolutions_are_left_to_the_library(unsuited: nn.Conv2d) -> None:
    assert not is_suited(unsuited)
