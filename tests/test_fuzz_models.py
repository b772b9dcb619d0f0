"""A saved model from a stranger: whatever its files hold, it is loaded or refused in one sentence, in little memory."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from bounded import Feed, count_outcomes
from make import TINY, make_model
from metalight.errors import ModelError
from metalight.model import (
    SavedModel,
    build_network,
    check_weights_fit,
    load_model,
    load_weights,
    save_model,
    try_network,
)
from metalight.model_files import check_starting_weights, list_sides
from mutate import mutate_values, mutations

NUM_MUTATIONS = 1000
"""Of the two files together."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger") / "model"
    save_model(make_model(num_targets=2), folder)
    return folder


def mutate_header(data: bytes, generator: np.random.Generator) -> bytes:
    """A safetensors file with another header, of another length or of the same."""
    length = struct.unpack("<Q", data[:8])[0]
    header, tensors = data[8 : 8 + length], data[8 + length :]
    kind = generator.integers(0, 4)
    if kind == 0:
        claims = (0, 1, length - 1, length + 1, len(data), 2**31, 2**63, 2**64 - 1)
        return struct.pack("<Q", claims[int(generator.integers(len(claims)))]) + data[8:]
    if kind == 1:
        values = json.loads(header)
        name = list(values)[int(generator.integers(len(values)))]
        header = json.dumps({**values, name: mutate_values(values[name], generator)}).encode()
    elif kind == 2:
        header = json.dumps(mutate_values(json.loads(header), generator)).encode()
    else:
        header = mutations(header, int(generator.integers(2**32)))
    return struct.pack("<Q", len(header)) + header + tensors


def mutate_files(whole: dict[str, bytes], seed: int) -> dict[str, bytes]:
    generator = np.random.default_rng(seed)
    config, tensors = whole["config.json"], whole["model.safetensors"]
    kind = seed % 4
    if seed % 16 == 0:
        values = json.loads(config)
        values["images"]["enlarged_to"] = int(2 ** generator.uniform(0, 31))
        config = json.dumps(values).encode()
    elif kind == 0:
        config = json.dumps(mutate_values(json.loads(config), generator)).encode()
    elif kind == 1:
        config = mutations(config, seed)
    elif kind == 2:
        tensors = mutate_header(tensors, generator)
    else:
        tensors = mutations(tensors, seed)
    return {"config.json": config, "model.safetensors": tensors}


def find_outcome(folder: Path) -> str:
    try:
        model = load_model(folder)
    except ModelError as error:
        return check_words(error, folder)
    assert isinstance(model, SavedModel)
    # A larger side would fill the memory with the first batch.
    assert model.network.enlarged_to in (0, *list_sides(model.config.images.side))
    return "loaded"


def find_outcome_of_weights(path: Path) -> str:
    """What becomes of the file where a recipe names it for starting weights."""
    try:
        check_starting_weights(TINY.backbone, str(path))
        network = try_network(TINY, 1, 3, side=16)
        check_weights_fit(network, TINY.backbone, str(path))
        load_weights(build_network(TINY, 1), TINY.backbone, str(path))
    except ModelError as error:
        return check_words(error, path)
    return "loaded"


def check_words(error: ModelError, path: Path) -> str:
    message = str(error).replace(str(path), "")
    assert "\n" not in message
    assert len(message) < 1000, message
    return "refused"


def prepare(folder: Path) -> Feed:
    whole = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    weights = folder / "model.safetensors"
    assert (find_outcome(folder), find_outcome_of_weights(weights)) == ("loaded", "loaded")

    def feed(seed: int) -> str:
        changed = mutate_files(whole, seed)
        for name, data in changed.items():
            (folder / name).write_bytes(data)
        if seed % 4 < 2 or seed % 3:
            return find_outcome(folder)
        return find_outcome_of_weights(weights)

    return feed


@pytest.mark.parametrize("count", [NUM_MUTATIONS, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_model_of_any_bytes_is_loaded_or_refused(folder: Path, count: int) -> None:
    counts = count_outcomes(prepare, folder, seeds=range(count))
    assert set(counts) == {"loaded", "refused"}
    assert counts["loaded"] > count / 50  # such as those with another seed, or another weight
    assert counts["refused"] > count / 2
