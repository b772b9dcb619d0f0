"""Differences between two runs: recipe, environment and results."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalight.errors import MetalightError
from metalight.pipeline.stages import STAGES
from metalight.recipe import SETTINGS_OF_FILES, Recipe, dump_recipe, load_recipe
from metalight.run_folder import RunFolder, compute_digest
from metalight.small_files import parse_toml, read_small_file

_NUM_DIGITS_SHOWN = 12


@dataclass(frozen=True)
class RunDifference:
    """One thing that is not the same in two runs."""

    what: str
    """A setting as `section.key`, or what else differs; a whole part of which one run has lost the record."""
    a: str
    """Of A; a dash where it has none."""
    b: str
    """Of B."""


def find_differences(a: RunFolder, b: RunFolder) -> list[RunDifference]:
    """Settings, then environment, then results that differ; nothing for two runs that are the same in all of them."""
    recipes = [_flatten(_load_toml(run.recipe)) for run in (a, b)]
    provenances = [_load_json(run.provenance) for run in (a, b)]
    for setting in _list_idle_settings(a, b, provenances):
        for recipe in recipes:
            recipe.pop(setting, None)
    for setting in map(".".join, SETTINGS_OF_FILES):
        if all(setting in recipe for recipe in recipes):
            shortened = _shorten(*(recipe[setting] for recipe in recipes))
            recipes[0][setting], recipes[1][setting] = shortened
    environments = [_describe_environment(provenance) for provenance in provenances]
    results = [_describe_results(run) for run in (a, b)]
    return [
        *_compare("recipe", *recipes),
        *_compare("environment", *environments),
        *_compare("model", *results),
    ]


def find_changed_settings(run: RunFolder, recipe: Recipe) -> list[str]:
    """Settings of a recipe that are not those that a run was last done with, such as `training.seed 0 → 7`."""
    before, now = _flatten(_load_toml(run.recipe)), _flatten(parse_toml(dump_recipe(recipe)))
    return [f"{each.what} {each.a} → {each.b}" for each in _compare("recipe", before, now)] if before else []


def is_outdated(run: RunFolder) -> bool:
    """Whether the predictions were made by other settings than the recipe of the run has, or by an earlier model."""
    records = run.load_records()
    if "prediction" not in records:
        return False
    try:
        recipe = load_recipe(str(run.recipe))
    except MetalightError:
        return False  # of another version, whose settings are not ours to judge
    behind = {"prediction"}
    for stage in reversed(STAGES):  # backwards, so that each has named those it reads before their turn comes
        if stage.name in behind:
            behind.update(stage.after)
    return any(
        stage.name not in records
        or records[stage.name].fingerprint.get("settings") != stage.settings(recipe)
        or records[stage.name].fingerprint.get("after") != {name: records[name].digest for name in stage.after}
        for stage in STAGES
        if stage.name in behind
    )


def _list_idle_settings(a: RunFolder, b: RunFolder, provenances: list[dict[str, Any]]) -> list[str]:
    """Paths that lead to the same content, and so make no difference."""
    idle = []
    hashes = [provenance.get("catalog_sha256") for provenance in provenances]
    if hashes[0] is not None and hashes[0] == hashes[1]:
        idle.append("catalog.path")
    records = [run.load_records().get("cutouts") for run in (a, b)]
    images = [record and record.fingerprint.get("inputs", {}).get("images") for record in records]
    if images[0] is not None and images[0] == images[1]:
        idle.append("cutouts.folder")
    return idle


def _describe_environment(provenance: Mapping[str, Any]) -> dict[str, str]:
    libraries = provenance.get("libraries", {})
    plain = ("metalight", "python", "platform", "processors", "device_asked_for")
    described = {name.replace("_", " "): provenance[name] for name in plain if name in provenance}
    described |= {f"library {name}": version for name, version in libraries.items()}
    if "catalog_sha256" in provenance:
        described["content of the catalogue (sha256)"] = _join_hashes(provenance["catalog_sha256"])[:_NUM_DIGITS_SHOWN]
    return {name: str(value) for name, value in described.items()}


def _join_hashes(hashes: str | Mapping[str, str]) -> str:
    """The hash of a catalogue in one file as it is; of several files, one that stands for all."""
    return hashes if isinstance(hashes, str) else hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


def _describe_results(run: RunFolder) -> dict[str, str]:
    training = _load_json(run.model / "config.json").get("training", {})
    labels = {"num_galaxies": "training galaxies", "num_validation": "validation galaxies", "precision": "precision"}
    described = {label: str(training[name]) for name, label in labels.items() if name in training}
    weights = run.model / "model.safetensors"
    if weights.is_file():
        described["weights of the model (sha256)"] = compute_digest([weights])[:_NUM_DIGITS_SHOWN]
    record = run.load_records().get("training")
    if record is not None:
        described["time of training"] = f"{record.seconds:,.1f} s"
    return described


def _compare(what: str, a: Mapping[str, str], b: Mapping[str, str]) -> list[RunDifference]:
    if bool(a) != bool(b):
        known = ("known" if a else "not known", "known" if b else "not known")
        return [RunDifference(what, *known)]
    names = [*a, *(name for name in b if name not in a)]
    pairs = [RunDifference(name, a.get(name, "–"), b.get(name, "–")) for name in names]
    return [pair for pair in pairs if pair.a != pair.b]


def _shorten(a: str, b: str) -> tuple[str, str]:
    """Two paths from where they begin to differ, of at most three parts; words such as `hub` stay as they are."""
    parts = [Path(each).parts for each in (a, b)]
    if a == b or not all(parts):
        return a, b
    num_alike = next((place for place, pair in enumerate(zip(*parts, strict=False)) if pair[0] != pair[1]), 0)
    tails = [each[max(num_alike, len(each) - 3) :] for each in parts]
    return str(Path(*tails[0])), str(Path(*tails[1]))


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return flat


def _load_toml(path: Path) -> dict[str, Any]:
    # Not as a recipe: one of another version may have settings that this one does not know.
    return _load(path, parse_toml)


def _load_json(path: Path) -> dict[str, Any]:
    return _load(path, json.loads)


def _load(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """What a file of a run says; nothing if it is not there or damaged, which keeps no prediction from comparison."""
    try:
        values = parse(read_small_file(path).decode())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
