"""Promises of maps of features of one pixel: the same function, and gradients that are numbers, in bf16 too."""

import copy

import pytest
import torch

from metalight.model import build_network
from metalight.recipe import ModelSettings
from metalight.training import TrainingData, fit_network
from test_training import CPU, change, make_data


def fill_memory_with_nan() -> None:
    """What is then given out again and not written to shows."""
    filled = [torch.full((1 << 16,), float("nan")) for _ in range(60)]
    del filled


@pytest.mark.parametrize("backbone", ["test_resnet", "resnet10t", "test_efficientnet", "mobilenetv3_small_050"])
@pytest.mark.parametrize("side", [1, 4])
def test_centres_of_kernels_give_the_same_features_and_gradients(backbone: str, side: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(ModelSettings(backbone=backbone, hidden_features=4), 1, side=side)
        images = torch.rand(4, 3, side, side)
    plain, spared = network.eval(), copy.deepcopy(network).eval()
    spared.spare_points(True)
    assert any(type(layer) is not torch.nn.Conv2d for layer in spared.body.modules() if hasattr(layer, "kernel_size"))
    outputs = []
    for each in (plain, spared):
        outputs.append(each(images))
        outputs[-1].sum().backward()
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)
    for (name, one), other in zip(plain.named_parameters(), spared.parameters(), strict=True):
        if one.grad is None or other.grad is None:  # a layer behind the features, which nothing goes through
            assert one.grad is other.grad, name
            continue
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)
    spared.spare_points(False)
    assert [type(layer) for layer in plain.modules()] == [type(layer) for layer in spared.modules()]


@pytest.mark.parametrize("side", [1, 2, 3, 4, 8, 16])
def test_small_images_are_learnt_in_bf16_without_a_weight_that_is_no_number(side: int) -> None:
    data = make_data(16, side)
    settings = change(frozen_epochs=0, constant_epochs=1, cycles=0, precision="bf16", optimizer="sgd")
    fill_memory_with_nan()
    fitted = fit_network(
        TrainingData(data.object_ids, data.targets, data.pixels, data.rows),
        None,
        ModelSettings(backbone="resnet10t", weights="none", hidden_features=4),
        settings,
        device=CPU,
    )
    assert all(tensor.isfinite().all() for tensor in fitted.network.state_dict().values())
    assert max(float(tensor.detach().abs().max()) for tensor in fitted.network.parameters()) < 100
