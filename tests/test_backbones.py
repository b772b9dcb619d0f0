"""Promises of the backbones offered: of every family, at every side and number of channels, learning and saved."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from call import refuse, refuse_run, run, succeed
from make import make_blobs, make_config, predict_pixels
from metalight.errors import ModelError
from metalight.model import (
    LAYER_GROUPS,
    Network,
    SavedModel,
    build_network,
    choose_device,
    load_model,
    save_model,
    to_unit_range,
)
from metalight.recipe import ModelSettings, TrainingSettings
from metalight.training import TrainingData, fit_network

SMALLEST = (
    "resnet10t",
    "convnext_atto",
    "efficientnet_b0",
    "tf_efficientnet_lite0",
    "regnetx_002",
    "regnety_002",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small_035",
)
"""The smallest of each family, and of timm's networks for tests one that takes no small images."""

ONE_STEP = TrainingSettings(
    batch_size=8,
    original_view=True,
    augmented_views=0,
    frozen_epochs=0,
    constant_epochs=1,
    cycles=0,
    learning_rates=(0.01, 0.01, 0.01),
    precision="float32",
)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def fit_a_step(backbone: str, side: int, num_channels: int = 3) -> tuple[Network, TrainingData]:
    pixels, metallicity = make_blobs(8, side)
    pixels = np.ascontiguousarray(np.tile(pixels, 3)[..., :num_channels])
    data = TrainingData(np.arange(8), metallicity[:, None], pixels, np.arange(8))
    fitted = fit_network(
        data,
        None,
        ModelSettings(backbone=backbone, weights="none", hidden_features=8),
        ONE_STEP,
        device=choose_device("cpu"),
    )
    return fitted.network, data


@pytest.mark.parametrize("backbone", SMALLEST)
def test_every_family_learns_in_all_layer_groups_and_comes_back_from_disk(backbone: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ONE_STEP.seed)
        before = build_network(ModelSettings(backbone=backbone, hidden_features=8), 1, side=32)
    network, data = fit_a_step(backbone, 32)
    for group in LAYER_GROUPS:
        pairs = zip(before.layer_groups()[group], network.layer_groups()[group], strict=True)
        assert any(not torch.equal(old, new) for old, new in pairs), group
    features = network.body.forward_features(torch.zeros(1, 3, 32, 32))  # type: ignore[operator]
    assert network.head[2].weight.shape == (8, 2 * features.shape[1])
    model = SavedModel(network, make_config(backbone=backbone, hidden_features=8, side=32))
    save_model(model, tmp_path / "model")
    both = [
        predict_pixels(m, data.pixels, data.rows, data.object_ids, views="none")
        for m in (model, load_model(tmp_path / "model"))
    ]
    np.testing.assert_array_equal(both[0], both[1])
    assert len(np.unique(both[0])) == 8
    # As fast as the processor can is the same function.
    with torch.inference_mode():
        plain = model.scaling.to_physical(network(to_unit_range(torch.from_numpy(data.pixels))).numpy())
    np.testing.assert_allclose(both[0], plain, atol=1e-4)
    in_bf16 = predict_pixels(model, data.pixels, data.rows, data.object_ids, views="none", precision="bf16")
    np.testing.assert_allclose(in_bf16, plain, atol=0.03)


@pytest.mark.parametrize("backbone", SMALLEST)
def test_images_of_one_pixel_are_learnt_by_every_family(backbone: str, tmp_path: Path) -> None:
    network, data = fit_a_step(backbone, 1)
    config = make_config(backbone=backbone, hidden_features=8, side=1, enlarged_to=network.enlarged_to)
    save_model(SavedModel(network, config), tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.config.images.enlarged_to == loaded.network.enlarged_to == network.enlarged_to
    predicted = [
        predict_pixels(m, data.pixels, data.rows, data.object_ids, views="eight")
        for m in (SavedModel(network, config), loaded)
    ]
    assert np.isfinite(predicted[0]).all()
    np.testing.assert_array_equal(predicted[0], predicted[1])


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_efficientnet"])
@given(side=st.integers(1, 200))
@settings(deadline=None, max_examples=6)
def test_images_of_every_side_are_taken(backbone: str, side: int) -> None:
    network = build_network(ModelSettings(backbone=backbone, hidden_features=4), 1, side=side).eval()
    assert network(torch.rand(2, 3, side, side)).shape == (2, 1)
    assert network.enlarged_to == 0 or network.enlarged_to > side


@pytest.mark.parametrize(
    ("backbone", "side", "enlarged_to"),
    [
        ("convnext_atto", 1, 32),
        ("convnext_atto", 20, 40),
        ("convnext_atto", 32, 0),
        ("convnext_atto", 1024, 0),
        ("resnet18", 1, 0),
        ("efficientnet_b0", 1, 0),
        ("dla34", 33, 64),
    ],
)
def test_images_are_enlarged_only_where_the_backbone_takes_none_so_small(
    backbone: str, side: int, enlarged_to: int
) -> None:
    assert build_network(ModelSettings(backbone=backbone), 1, side=side).enlarged_to == enlarged_to


def test_enlarging_repeats_pixels_and_adds_nothing() -> None:
    network = build_network(ModelSettings(backbone="convnext_atto"), 1, side=20).eval()
    images = torch.rand(2, 3, 20, 20)
    by_hand = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(network(images), network(by_hand), rtol=0, atol=0)


@pytest.mark.parametrize("num_channels", range(1, 9))
def test_one_to_eight_channels_are_learnt_and_saved(num_channels: int, tmp_path: Path) -> None:
    network, _ = fit_a_step("test_resnet", 16, num_channels)
    assert network.mean.shape == network.std.shape == (1, num_channels, 1, 1)
    channels = tuple("irgzuyjh"[:num_channels])
    model = SavedModel(network, make_config(hidden_features=8, channels=channels))
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    images = torch.rand(3, num_channels, 16, 16)
    torch.testing.assert_close(loaded.network(images), network(images))
    assert f"channels\n  {', '.join(channels)}, framing" in (tmp_path / "model/README.md").read_text()


def test_other_channels_are_normalised_as_their_stem_is_adapted() -> None:
    colours = [0.485, 0.456, 0.406]
    for num_channels, expected in ((1, [sum(colours) / 3]), (2, colours[:2]), (5, [*colours, *colours[:2]])):
        network = build_network(ModelSettings(backbone="resnet18", hidden_features=4), 1, num_channels)
        torch.testing.assert_close(network.mean.flatten(), torch.tensor(expected))


@pytest.mark.parametrize(
    ("backbone", "flaw"),
    [
        ("coat_tiny", "cannot be made without its own pooling"),
        ("efficientvit_b0", "cannot be made without its own pooling"),
        ("swin_tiny_patch4_window7_224", "does not take images of any size"),
        ("deit_tiny_patch16_224", "does not take images of any size"),
    ],
)
def test_backbones_of_other_kinds_are_refused_in_one_sentence(backbone: str, flaw: str) -> None:
    with pytest.raises(ModelError, match=f"backbone '{backbone}' {flaw}"):
        build_network(ModelSettings(backbone=backbone), 1)


def test_grey_images_are_learnt_as_one_band_and_colour_is_refused(sample: Path) -> None:
    grey = ["--set", 'cutouts.bands=["r"]', "--set", "model.backbone=test_convnext", "--set", "pixels.side=3"]
    assert "is in colour, where one band is wanted" in refuse_run(sample, *grey)
    colour = {path: Image.open(path).copy() for path in (sample / "images").iterdir()}
    for path, image in colour.items():
        image.convert("L").save(path)
    output = run(sample, *grey)
    assert "images at 3 × 3" in output
    assert "without colour" not in output
    assert "test_convnext takes no images of 3 px: enlarged to " in output
    assert np.load(sample / "run/pixels/pixels.npy", mmap_mode="r").shape == (40, 3, 3, 1)
    images = json.loads((sample / "run/model/config.json").read_text())["images"]
    assert images["channels"] == ["r"]
    assert images["enlarged_to"] > 3
    assert f"enlarges them to {images['enlarged_to']}" in (sample / "run/model/README.md").read_text()
    succeed("predict", sample / "run", "--images", sample / "images", "-o", sample / "predictions.csv")
    for path, image in colour.items():
        image.save(path)
    message = refuse("predict", sample / "run", "--images", sample / "images", "-o", sample / "predictions.csv")
    assert "is in colour, where one band is wanted" in message


def test_bands_that_no_image_file_has_are_refused(sample: Path) -> None:
    message = refuse_run(sample, "--set", 'cutouts.bands=["i", "r"]')
    assert "[cutouts] bands names 2, and such images have 3 in colour or 1 in grey" in message


def test_a_model_refuses_a_run_of_other_bands(finished: Path, copy: Path) -> None:
    recipe = copy / "run/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"i",\n    "r",\n    "g",', '"r",\n    "g",\n    "i",'))
    message = refuse("predict", finished / "run", "--images", copy / "run", "-o", copy / "predictions.csv")
    assert "The images have the bands 'r, g, i', but the model was trained on 'i, r, g'" in message
