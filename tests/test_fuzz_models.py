"""A saved model from a stranger: whatever its files hold, it is loaded or refused in one sentence, in little memory."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from make import make_model
from metalight.errors import ModelError
from metalight.model import SavedModel, load_model, save_model
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
    if kind == 0:
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
        return "loaded" if isinstance(load_model(folder), SavedModel) else "nothing"
    except ModelError as error:
        message = str(error).removeprefix(str(folder))
        return "refused" if "\n" not in message and len(message) < 1000 else f"refused in too many words: {message}"
    except BaseException as error:  # a panic of a library in Rust is no Exception
        return repr(error)


def count_outcomes(folder: Path, seeds: range) -> dict[str, int]:
    """How many changed models are loaded, and how many are refused; anything else ends the test."""
    whole = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    counts = {"loaded": 0, "refused": 0}
    for seed in seeds:
        changed = mutate_files(whole, seed)
        for name, data in changed.items():
            if data != whole[name] or (folder / name).stat().st_size != len(data):
                (folder / name).write_bytes(data)
        outcome = find_outcome(folder)
        assert outcome in ("loaded", "refused"), f"seed {seed}: {outcome}"
        counts[outcome] += 1
        for name, data in whole.items():
            if changed[name] != data:
                (folder / name).write_bytes(data)
    return counts


def test_a_model_of_any_bytes_is_loaded_or_refused(folder: Path) -> None:
    counts = count_outcomes(folder, range(NUM_MUTATIONS))
    assert counts["loaded"] > 20  # such as those with another seed, or another weight
    assert counts["refused"] > NUM_MUTATIONS / 2


@pytest.mark.soak
def test_a_hundred_thousand_models_of_any_bytes_are_loaded_or_refused(folder: Path) -> None:
    counts = count_outcomes(folder, range(NUM_MUTATIONS, NUM_MUTATIONS + 100_000))
    assert min(counts.values()) > 1000
