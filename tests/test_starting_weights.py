"""Promises of starting weights: where they are looked for, how soon they are refused, and what fits."""

import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from safetensors.torch import save as serialize
from timm.models import adapt_input_conv

from call import list_performed, refuse_run, run
from hub import COMMIT, go_to_hub, serve_hub, serve_silence
from make import TINY, make_model, make_sample
from make_fits import make_fits_sample
from metalight.errors import ModelError
from metalight.model import build_network, check_weights_fit, load_weights, save_model
from metalight.model_files import check_starting_weights, check_weights_file
from metalight.recipe import ModelSettings

NOBODY = "http://127.0.0.1:9"
"""A port where nothing listens: the connection is refused at once."""

TAGGED = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which nobody answers for."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    go_to_hub(monkeypatch, NOBODY)
    return tmp_path / "cache"


def write_weights(path: Path, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    tensors = timm.create_model("test_resnet", pretrained=False).state_dict()
    save_file({**tensors, **changes}, path)
    return dict(tensors)


def test_weights_come_from_a_local_file_without_the_classifier(tmp_path: Path) -> None:
    tensors = write_weights(tmp_path / "weights.safetensors")
    network = build_network(TINY, 1)
    assert load_weights(network, "test_resnet", str(tmp_path / "weights.safetensors")) == "file"
    state = network.body.state_dict()
    assert all(torch.equal(state[name], tensors[name]) for name in state)
    assert len(state) == len([name for name in tensors if not name.startswith("fc.")])


def test_the_backbone_of_a_model_of_ours_is_taken_and_its_head_is_not(tmp_path: Path) -> None:
    model = make_model(seed=3)
    save_model(model, tmp_path / "model")
    network = build_network(TINY, 2)
    head = {name: tensor.clone() for name, tensor in network.head.state_dict().items()}
    assert load_weights(network, "test_resnet", str(tmp_path / "model/model.safetensors")) == "model"
    trained = model.network.body.state_dict()
    assert all(torch.equal(tensor, trained[name]) for name, tensor in network.body.state_dict().items())
    assert all(torch.equal(tensor, head[name]) for name, tensor in network.head.state_dict().items())


@pytest.mark.parametrize(
    ("backbone", "num_channels"),
    [
        *(("test_resnet", num_channels) for num_channels in range(1, 9)),
        *(("test_convnext", 1), ("test_efficientnet", 5), ("regnetx_002", 2), ("mobilenetv3_small_050", 4)),
    ],
)
def test_the_stem_is_adapted_to_other_channels_as_timm_does(tmp_path: Path, backbone: str, num_channels: int) -> None:
    source = timm.create_model(backbone, pretrained=False)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    # The same by timm's own reader of weights.
    theirs = timm.create_model(
        backbone,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(tmp_path / "weights.safetensors")},
        num_classes=0,
        in_chans=num_channels,
    )
    network = build_network(ModelSettings(backbone=backbone, hidden_features=4), 1, num_channels)
    check_weights_fit(network, backbone, str(tmp_path / "weights.safetensors"))
    load_weights(network, backbone, str(tmp_path / "weights.safetensors"))
    expected, state = theirs.state_dict(), network.body.state_dict()
    assert set(expected) == set(state)
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert network(torch.rand(2, num_channels, 32, 32)).shape == (2, 1)


def test_a_grey_image_means_to_one_channel_what_it_meant_to_three() -> None:
    weight = torch.rand(4, 3, 3, 3)
    grey = torch.rand(1, 1, 8, 8)
    one = torch.nn.functional.conv2d(grey, adapt_input_conv(1, weight))
    torch.testing.assert_close(one, torch.nn.functional.conv2d(grey.expand(1, 3, 8, 8), weight))


def test_files_that_are_not_weights_of_the_backbone_name_what_is_lacking_surplus_and_misshapen(tmp_path: Path) -> None:
    network = build_network(TINY, 1)
    path = tmp_path / "weights.safetensors"

    def refuse() -> str:
        messages = []
        for look in (load_weights, check_weights_fit):
            with pytest.raises(ModelError, match="not those of the backbone 'test_resnet'") as caught:
                look(network, "test_resnet", str(path))
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
        return messages[0]

    write_weights(path, extra=torch.zeros(1))
    assert "1 surplus: extra. Check [model] backbone and weights." in refuse()
    write_weights(path, **{"conv1.0.weight": torch.zeros(1)})
    assert "1 of another shape: conv1.0.weight [1] instead of [" in refuse()
    save_file({f"my.{number}": torch.zeros(1) for number in range(5)}, path)
    message = refuse()
    assert "lacking: conv1.0.weight, conv1.1.weight, conv1.1.bias and " in message
    assert "5 surplus: my.0, my.1, my.2 and 2 more" in message
    save_file({**network.body.state_dict(), "conv1.0.weight": torch.zeros(16, 5, 3, 3)}, path)
    assert "[16, 5, 3, 3] instead of [" in refuse()


def test_real_imagenet_weights_fit(shared_folder: Path) -> None:
    path = shared_folder / "weights/resnet18_imagenet.safetensors"
    network = build_network(ModelSettings(backbone="resnet18.tv_in1k"), 1)
    load_weights(network, "resnet18.tv_in1k", str(path))
    assert torch.equal(network.body.state_dict()["conv1.weight"], load_file(path)["conv1.weight"])
    with pytest.raises(ModelError, match="not those of the backbone 'resnet34"):
        load_weights(build_network(ModelSettings(), 1), "resnet34.tv_in1k", str(path))


class _Stranger:
    """What a pickle may hold: a call that is made when it is opened."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trap,))


def test_a_pickle_is_refused_unopened_with_a_way_to_convert_it(tmp_path: Path) -> None:
    path, trap = tmp_path / "model.safetensors", tmp_path / "trap"
    for zipped in (True, False):
        torch.save({"weight": _Stranger(trap)}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=r"is a pickle, which may run code.*weights_only=True"):
            check_weights_file(path)
    path.write_bytes(pickle.dumps(_Stranger(trap)))
    with pytest.raises(ModelError, match="is a pickle"):
        check_weights_file(path)
    assert not trap.exists()


def test_files_that_are_not_whole_safetensors_are_refused_by_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelError, match=f"There is no weights file {path}; give"):
        check_weights_file(path)
    with pytest.raises(ModelError, match="is a folder, not a file"):
        check_weights_file(tmp_path)
    (tmp_path / "model").mkdir()
    whole = serialize({"weight": torch.ones(100)})
    (tmp_path / "model/model.safetensors").write_bytes(whole)
    with pytest.raises(ModelError, match=r"is a folder, not a file\. Give \[model\] weights .*model/model.safetensors"):
        check_weights_file(tmp_path)
    for content, message in (
        (b"", "is an empty file"),
        (b"not weights, but a text", "is not a safetensors file"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (whole[:-1], "is cut short or damaged: its length is not what its header says"),
        (whole + b"x", "its length is not what its header says"),
        (whole[:30], "is cut short: not even its header is whole"),
        (struct.pack("<Q", 10**15) + whole[8:], "is not a safetensors file"),
        (struct.pack("<Q", 50) + b"{" * 50, "is not a whole safetensors file"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            check_weights_file(path)
    path.write_bytes(whole)
    check_weights_file(path)


def test_a_header_beyond_any_model_s_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 10**9))
        file.truncate(10**9 + 100)  # a hole: no disk is used
    with pytest.raises(ModelError, match="has a header of 1,000,000,000 bytes, more than any model needs"):
        check_weights_file(path)


def test_a_download_is_seen_to_work_and_the_cached_file_needs_no_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = timm.create_model("test_resnet", pretrained=False).state_dict()
    with serve_hub({f"timm/{TAGGED}/model.safetensors": serialize(tensors)}) as address:
        go_to_hub(monkeypatch, address)
        check_starting_weights(TAGGED, "hub")
        assert not cache.exists()  # asking downloads nothing
        first = build_network(TINY, 1)
        assert load_weights(first, TAGGED, "hub") == "hub"
    assert torch.equal(first.body.state_dict()["conv1.0.weight"], tensors["conv1.0.weight"])
    for name in (TAGGED, "test_resnet"):
        check_starting_weights(name, "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = build_network(TINY, 1)
    load_weights(again, TAGGED, "hub")
    assert all(torch.equal(a, b) for a, b in zip(first.body.parameters(), again.body.parameters(), strict=True))


@pytest.mark.parametrize("backbone", ["resnet34.tv_in1k", "resnet34"])
def test_a_hub_out_of_reach_is_one_clear_line(cache: Path, monkeypatch: pytest.MonkeyPatch, backbone: str) -> None:
    message = f"The weights of '{backbone}' are wanted from the hub, which {{}}.* Download model.safetensors of timm/"
    message += f'.*http.*/{backbone}/.*model.safetensors.* "none": .*less accurate'
    with pytest.raises(ModelError, match=message.format("cannot be reached: .*refused.*heck your network")):
        check_starting_weights(backbone, "hub")
    with pytest.raises(ModelError, match="cannot be reached"):
        load_weights(build_network(TINY, 1), TAGGED, "hub")
    with serve_hub({}, status=503) as address:
        go_to_hub(monkeypatch, address)
        with pytest.raises(ModelError, match=message.format("refuses them: .*503")):
            check_starting_weights(backbone, "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=message.format("cannot be reached: the environment sets HF_HUB_OFFLINE")):
        check_starting_weights(backbone, "hub")


def test_what_the_hub_lacks_is_left_to_timm_which_knows_the_names(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_hub({}) as address:
        go_to_hub(monkeypatch, address)
        check_starting_weights("resnet43.tv_in1k", "hub")
        with pytest.raises(ModelError, match="which refuses them: "):
            load_weights(build_network(TINY, 1), TAGGED, "hub")
    check_starting_weights("../resnet34", "hub")
    check_starting_weights("resnet34.tv_in1k", "none")


_ASK = """
import sys
from metalight.cli import main
try: main()
finally: print(sorted({'torch', 'timm', 'lightning'} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("weights", ["hub", "truncated.safetensors"])
def test_a_run_refuses_weights_within_seconds_before_torch_and_before_long_work(sample: Path, weights: str) -> None:
    (sample / "truncated.safetensors").write_bytes(serialize({"weight": torch.ones(100)})[:-1])
    with serve_silence() as address:
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(sample / "hub"), "HF_HUB_OFFLINE": "0"}
        changes = ["--set", f"model.weights={weights}", "--set", "model.backbone=resnet34.tv_in1k"]
        command = ["run", str(sample / "recipe.toml"), "--run-dir", str(sample / "run"), *changes]
        ended = subprocess.run(
            [sys.executable, "-c", _ASK, *command],
            env=environment,
            cwd=sample,
            capture_output=True,
            text=True,
            timeout=60,  # a hub that never answers must not be waited for
        )
    assert ended.returncode == 1
    message, modules = ended.stderr.strip().splitlines()
    expected = "cannot be reached: no answer within 2 seconds" if weights == "hub" else "is cut short or damaged"
    assert expected in message
    assert modules == "[]"
    assert not (sample / "run/catalog.parquet").exists()


def write_hub_cache(home: Path, repository: str, content: bytes) -> None:
    """A hub's cache as its own library lays it out: content in `blobs`, a commit's links to it in `snapshots`."""
    folder = home / "hub" / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    snapshot = folder / "snapshots" / COMMIT
    for parent in (blob.parent, snapshot, folder / "refs"):
        parent.mkdir(parents=True)
    blob.write_bytes(content)
    (snapshot / "model.safetensors").symlink_to(Path("../../blobs") / blob.name)
    (folder / "refs/main").write_text(COMMIT)


def test_a_run_with_weights_in_the_hub_s_cache_needs_no_network(sample: Path) -> None:
    tensors = timm.create_model("test_resnet", pretrained=False).state_dict()
    command = ["run", str(sample / "recipe.toml"), "--run-dir", str(sample / "run")]
    command += ["--set", f"model.backbone={TAGGED}", "--set", "model.weights=hub"]
    environment = {**os.environ, "HF_ENDPOINT": NOBODY, "HF_HOME": str(sample / "home"), "HF_HUB_OFFLINE": "0"}

    def call() -> subprocess.CompletedProcess[str]:
        command_line = [sys.executable, "-c", "from metalight.cli import main; main()", *command]
        return subprocess.run(command_line, env=environment, capture_output=True, text=True, timeout=300)

    refused = call()
    assert refused.returncode == 1
    assert "which cannot be reached" in refused.stderr
    write_hub_cache(sample / "home", f"timm/{TAGGED}", serialize(tensors))
    ended = call()
    assert ended.returncode == 0, ended.stderr
    config = json.loads((sample / "run/model/config.json").read_text())
    assert config["training"]["starting_weights"] == "hub"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("later version", "has the format version 2, and this metalight reads 1; update metalight."),
        ("damaged description", "is damaged: hidden_features: Input should be"),
        ("truncated", "the file is cut short"),
        ("no images", "holds no image files"),
        ("other source", "The images have the source 'hst', but the model was trained on 'simulated'."),
        ("FITS", "The images are FITS files, but the model was trained on pictures such as JPEG"),
    ],
)
def test_a_prediction_is_refused_before_torch(tmp_path: Path, case: str, expected: str) -> None:
    model, images = tmp_path / "model", tmp_path / "images"
    save_model(make_model(), model)
    make_sample(tmp_path, 3)
    config = (model / "config.json").read_text()
    if case == "later version":
        (model / "config.json").write_text(config.replace('"format_version": 1', '"format_version": 2'))
    elif case == "damaged description":
        (model / "config.json").write_text(config.replace('"hidden_features": 16', '"hidden_features": -1'))
    elif case == "truncated":
        os.truncate(model / "model.safetensors", 1000)
    elif case == "no images":
        images = model
    elif case == "FITS":
        images = tmp_path / "fits/images"
        make_fits_sample(tmp_path / "fits", 3, ("i", "r", "g"))
    command = ["predict", str(model), "--images", str(images), "-o", str(tmp_path / "out.csv")]
    command += ["--source", "hst"] if case == "other source" else []
    ended = subprocess.run([sys.executable, "-c", _ASK, *command], capture_output=True, text=True, timeout=60)
    message, modules = ended.stderr.strip().splitlines()
    assert expected in message
    assert modules == "[]"
    assert not list(tmp_path.glob("out.*"))


def test_a_trained_run_asks_nobody_for_the_weights_that_it_started_from(
    sample: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ["--set", f"model.backbone={TAGGED}", "--set", "model.weights=hub"]
    assert "cannot be reached" in refuse_run(sample, *changes)
    tensors = timm.create_model("test_resnet", pretrained=False).state_dict()
    with serve_hub({f"timm/{TAGGED}/model.safetensors": serialize(tensors)}) as address:
        go_to_hub(monkeypatch, address)
        run(sample, *changes)
    assert json.loads((sample / "run/model/config.json").read_text())["training"]["starting_weights"] == "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(sample / "elsewhere"))
    performed = list_performed(run(sample, *changes, "--set", "evaluation.seed=5"))
    assert performed == ["evaluation", "figures", "results"]
    assert "cannot be reached" in refuse_run(sample, *changes, "--from", "training")
