"""Promises of the network, its layer groups and weights, its saved form, and scaled targets."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load
from safetensors.torch import save as serialize

from make import TINY, make_blobs, make_model, predict_pixels
from metalight.errors import ModelError
from metalight.model import (
    LAYER_GROUPS,
    TargetScaling,
    build_network,
    check_backbone,
    choose_device,
    choose_precision,
    load_model,
    save_model,
    to_unit_range,
)
from metalight.recipe import ModelSettings


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_the_paper_s_network_has_the_paper_s_parts() -> None:
    network = build_network(ModelSettings(), 1)
    layers = [type(layer).__name__ for layer in network.head]
    assert layers == ["BatchNorm1d", "Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"]
    assert [network.head[i].p for i in (1, 5)] == [0.25, 0.5]
    assert network.head[2].weight.shape == (512, 1024)
    assert network.head[6].weight.shape == (1, 512)
    assert not torch.count_nonzero(network.state_dict()["head.2.bias"])
    # ResNet-34 without its classifier: 21,284,672 parameters; the head adds 1024·512 + 512 + 512 + 1 and two norms.
    assert sum(parameter.numel() for parameter in network.body.parameters()) == 21_284_672
    assert sum(parameter.numel() for parameter in network.head.parameters()) == 525_313 + 2 * 1024 + 2 * 512


def test_the_early_group_of_a_resnet_ends_with_its_second_stage() -> None:
    network = build_network(ModelSettings(), 1)
    names = {parameter: name for name, parameter in network.named_parameters()}
    groups = {group: {names[p] for p in parameters} for group, parameters in network.layer_groups().items()}
    assert any(name.startswith("body.layer2.") for name in groups["early"])
    assert "body.conv1.weight" in groups["early"]
    assert {name.split(".")[1] for name in groups["late"]} == {"layer3", "layer4"}
    assert {name.split(".")[0] for name in groups["head"]} == {"head"}


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_efficientnet", "test_byobnet"])
def test_every_parameter_is_in_exactly_one_layer_group(backbone: str) -> None:
    network = build_network(ModelSettings(backbone=backbone), 2)
    groups = network.layer_groups()
    assert tuple(groups) == LAYER_GROUPS
    assert all(groups.values())
    grouped = [id(parameter) for parameters in groups.values() for parameter in parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    assert len(set(grouped)) == len(grouped)


@pytest.mark.parametrize("side", [128, 64, 32, 16, 8, 4, 2, 1])
def test_images_of_any_size_are_taken(side: int) -> None:
    network = build_network(TINY, 2).eval()
    assert network(torch.rand(1, 3, side, side)).shape == (1, 2)


def test_the_input_is_normalised_as_imagenet_was() -> None:
    network = build_network(ModelSettings(backbone="resnet18"), 1)
    torch.testing.assert_close(network.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(network.std.flatten(), torch.tensor([0.229, 0.224, 0.225]))
    seen: list[torch.Tensor] = []
    next(network.body.children()).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.eval()(network.mean.expand(1, 3, 16, 16))
    assert seen[0].abs().max() < 1e-6


def test_a_frozen_body_neither_learns_nor_moves_its_batch_norms() -> None:
    network = build_network(TINY, 1)
    network.freeze_body(True)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    network(torch.rand(4, 3, 16, 16)).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.body.state_dict().items())
    assert all(parameter.grad is None for parameter in network.body.parameters())
    assert all(parameter.grad is not None for parameter in network.head.parameters())
    network.freeze_body(False)
    network.train()
    network(torch.rand(4, 3, 16, 16)).sum().backward()
    assert any(not torch.equal(before[name], tensor) for name, tensor in network.body.state_dict().items())


def test_bf16_leaves_the_head_in_float32() -> None:
    network = build_network(TINY, 1).eval()
    with torch.autocast("cpu", torch.bfloat16):
        scaled = network(torch.rand(2, 3, 16, 16))
    assert scaled.dtype == torch.float32


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("resnet43", "has no model 'resnet43'. Did you mean 'resnet34'"),
        ("resnet34.tv_in2k", "no weights 'tv_in2k' of 'resnet34'"),
        ("hf-hub:someone/theirs", "has no model"),
        ("../resnet34", "has no model"),
        ("test_vit", "'test_vit' does not give maps of features"),
        ("vit_tiny_patch16_224", "'vit_tiny_patch16_224' does not take images of any size"),
    ],
)
def test_backbones_that_cannot_be_used_are_refused_by_name(backbone: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_network(ModelSettings(backbone=backbone), 1)


def test_checking_a_backbone_passes_the_paper_s() -> None:
    check_backbone("resnet34.tv_in1k")


def test_a_saved_model_comes_back_whole(tmp_path: Path) -> None:
    model = make_model(num_targets=2)
    save_model(model, tmp_path / "run/model")
    for path in (tmp_path / "run/model", tmp_path / "run"):
        loaded = load_model(path)
        assert loaded.config == model.config
        assert not loaded.network.training
        state = loaded.network.state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in model.network.state_dict().items())
    assert "| `oh_p50` |" in (tmp_path / "run/model/README.md").read_text()


def test_loading_a_model_leaves_the_random_generator_alone(tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "model")
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    load_model(tmp_path / "model")
    assert torch.equal(torch.rand(3), expected)


_PREDICT = """
import sys, numpy as np, torch
from pathlib import Path
from metalight.model import load_model
from metalight.prediction import open_predictor
pixels = np.load(sys.argv[2])
ids = np.arange(len(pixels))
with open_predictor(load_model(Path(sys.argv[1])), device=torch.device("cpu")) as predictor:
    predicted = predictor.predict(pixels, ids, ids, views="paper")
np.save(sys.argv[3], predicted)
"""


def test_a_saved_model_predicts_the_same_numbers_in_a_new_process(tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "model")
    pixels, _ = make_blobs(5, 16)
    np.save(tmp_path / "pixels.npy", pixels)
    arguments = [str(tmp_path / name) for name in ("model", "pixels.npy", "predicted.npy")]
    subprocess.run([sys.executable, "-c", _PREDICT, *arguments], check=True)
    ids = np.arange(len(pixels))
    here = predict_pixels(model, pixels, ids, ids, views="paper")
    np.testing.assert_array_equal(np.load(tmp_path / "predicted.npy"), here)


def test_what_is_not_a_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="There is no saved model in"):
        load_model(tmp_path)


def test_damaged_models_are_refused_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(make_model(), folder)
    whole = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}

    def change(name: str, content: bytes, message: str) -> None:
        (folder / name).write_bytes(content)
        with pytest.raises(ModelError, match=message):
            load_model(folder)
        (folder / name).write_bytes(whole[name])

    config = json.loads(whole["config.json"])
    change("config.json", b"{", "config.json cannot be read")
    change("config.json", b"[]", "config.json cannot be read")
    change("config.json", json.dumps({**config, "format_version": 99}).encode(), "version 99.*update metalight")
    change("config.json", json.dumps({**config, "secret": 1}).encode(), "damaged: secret")
    change("config.json", json.dumps({**config, "hidden_features": 8}).encode(), r"do not fit config\.json")
    change("config.json", b" " * 2_000_000, "more than 1,000,000 bytes")
    change("config.json", b"[" * 100_000, "config.json cannot be read")
    images = config["images"]
    for changed, message in (
        ({"hidden_features": 10**9}, "hidden_features: Input should be less than or equal to 65536"),
        ({"dropout": [float("nan"), 0.5]}, r"dropout\.0: Input should be a finite number"),
        ({"images": {**images, "side": 10**9}}, r"images\.side: Input should be less than or equal to 1024"),
        ({"images": {**images, "channels": ["r", "r", "r"]}}, "images: bands has a name twice"),
        ({"images": {**images, "channels": []}}, "images: bands needs 1 to 8 names, not 0"),
        ({"images": {**images, "channels": ["r"], "stretch": "lupton"}}, "maps three bands, and bands has 1"),
        ({"images": {**images, "lupton": {"scale": [1, 2]}}}, r"images\.lupton: scale needs 1 or 3 numbers"),
        ({"images": {**images, "field_arcsec": -1}}, r"images\.field_arcsec: Input should be greater"),
        ({"targets": []}, "targets: .* at least 1"),
        ({"targets": config["targets"] * 2}, "two targets have the same name"),
        ({"targets": [{**config["targets"][0], "scale": 0}]}, r"targets\.0\.scale: Input should be greater than 0"),
        ({"format_version": "1"}, "it has no format_version"),
    ):
        change("config.json", json.dumps({**config, **changed}).encode(), message)
    tensors = load(whole["model.safetensors"])
    name = "head.6.bias"
    for state, message in (
        ({**tensors, "extra": torch.zeros(1)}, r"do not fit config\.json beside them: 'extra' is surplus"),
        ({**tensors, name: torch.zeros(2)}, r"'head\.6\.bias' is F32 \[2\] instead of F32 \[1\]"),
        ({**tensors, name: torch.zeros(1, dtype=torch.float64)}, r"'head\.6\.bias' is F64 \[1\] instead of F32"),
        ({**tensors, name: torch.full((1,), float("inf"))}, r"not finite numbers in 'head\.6\.bias'"),
        ({key: tensors[key] for key in tensors if key != name}, r"'head\.6\.bias' is lacking"),
    ):
        change("model.safetensors", serialize(state), message)
    torch.save(tensors, folder / "pickle")
    change("model.safetensors", (folder / "pickle").read_bytes(), "is a pickle, which may run code")
    change("model.safetensors", whole["model.safetensors"][:1000], "missing or damaged")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="missing or damaged"):
        load_model(folder)


def test_what_a_description_claims_takes_no_memory(tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "model")
    path = tmp_path / "model/config.json"
    config = json.loads(path.read_text())
    # A real network of these would take 1.3 GB.
    path.write_text(json.dumps({**config, "backbone": "resnet152", "hidden_features": 65_536}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"do not fit config\.json"):
        load_model(tmp_path / "model")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_saving_never_replaces_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ModelError, match="not a saved model, so it is not replaced"):
        save_model(make_model(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20).filter(lambda values: np.ptp(values) > 1e-3),
    st.sampled_from(["none", "standard"]),
)
@settings(deadline=None)
def test_scaling_and_back_gives_the_targets(values: list[float], method: str) -> None:
    targets = np.array(values)[:, None]
    scaling = TargetScaling.fit(targets, method)  # type: ignore[arg-type]
    scaled = scaling.to_scaled(targets)
    np.testing.assert_allclose(scaling.to_physical(scaled), targets, rtol=1e-5, atol=1e-3)
    if method == "standard":
        np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-3)


def test_a_constant_target_has_no_scaling() -> None:
    with pytest.raises(ValueError, match="target 1 is constant"):
        TargetScaling.fit(np.array([[1.0, 5.0], [2.0, 5.0]]), "standard")


def test_pixels_become_channels_first_from_0_to_1() -> None:
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).expand(2, 4, 4, 3)
    images = to_unit_range(pixels)
    assert images.shape == (2, 3, 4, 4)
    torch.testing.assert_close(images[0, :, 0, 0], torch.tensor([0, 128 / 255, 1]))


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="is unknown; accepted are auto, cpu, cuda, mps"):
        choose_device(name)


def test_float32_is_taken_where_it_is_asked_for() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_precision("float32", torch.device("cpu")) == "float32"
    assert choose_precision("bf16", torch.device("cpu")) == "bf16"
