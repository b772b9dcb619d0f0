"""TOML to recipe: presets, files that build on a preset, single settings from the command line."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from metalight.errors import RecipeError, explain_system, hide_secrets, name_nearest, quote_flaw, shorten
from metalight.recipe.base import Settings
from metalight.recipe.learning import WORDS_FOR_WEIGHTS
from metalight.recipe.recipe import Recipe
from metalight.small_files import parse_toml, read_small_file

_SETTINGS_OF_ADDRESSES = (("cutouts", "base_url"), ("cutouts", "archive"), ("skyserver", "base_url"))

SETTINGS_OF_FILES = (
    ("catalog", "path"),
    ("catalog", "photometry"),
    ("cutouts", "folder"),
    ("model", "weights"),
    ("splits", "test_ids"),
    ("cutouts", "archive"),
)
"""Section and key of those that name files: in a recipe file relative to its folder, as its author sees them. An
archive may also be at an address."""

_HINTS = {
    "training.epochs": (
        "Epochs are counted in cycles: frozen_epochs + constant_epochs, then `cycles` cycles, the first of "
        "first_cycle_epochs and each cycle_multiplier times as long as the one before. For 20 epochs, 2 of them "
        "frozen, set cycles = 1, constant_epochs = 0 and first_cycle_epochs = 18."
    ),
}
"""For settings that people expect and that are not there, what takes their place."""

RECIPE_FILE = "recipe.toml"
"""Of a run folder."""

_HINT_OF_INIT = " For a catalogue and images of your own, `metalight init CATALOG IMAGES` writes a recipe."
_MOST_LEVELS = 20
_WORDS_FOR_PATHS = ("", *WORDS_FOR_WEIGHTS)  # these are not files: unset, and the words for weights


def list_presets() -> dict[str, str]:
    """Name and first line of description of each built-in recipe."""
    folder = resources.files("metalight.recipe") / "presets"
    texts = {entry.name.removesuffix(".toml"): entry.read_text() for entry in folder.iterdir()}
    return {name: text.splitlines()[0].removeprefix("# ") for name, text in sorted(texts.items())}


def show_preset(name: str) -> str:
    """The TOML text of a built-in recipe, to read or to start one's own from.

    Raises:
        RecipeError: There is no preset of that name.
    """
    presets = list_presets()
    if name not in presets:
        raise RecipeError(f"There is no preset '{shorten(name)}'.{name_nearest(name[:80], list(presets))}")
    return (resources.files("metalight.recipe") / "presets" / f"{name}.toml").read_text()


def load_recipe(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that a name or a file describes, with single settings changed.

    Args:
        recipe: A preset's name, the path of a TOML file, or a run folder, which has its own recipe. A file may build on
            a preset with `preset = "NAME"`.
        overrides: `section.key=value` each, values as in TOML, except that bare words need no quotes. Paths here are
            relative to the current folder.

    Raises:
        RecipeError: No such preset or file, not TOML, an unknown key (the nearest is named), or a wrong value.
    """
    if recipe in list_presets():
        name, values, origin = recipe, tomllib.loads(show_preset(recipe)), f"the preset '{recipe}'"
    else:
        folder = find_run_folder(recipe)
        path = folder / RECIPE_FILE if folder else Path(recipe)
        name, values, origin = path.stem, _read_file(path), str(path)
        values = _merge(_pop_preset(values, origin), _anchor_paths(values, path.parent))
    for override in overrides:
        if override.count(".") > _MOST_LEVELS:
            raise RecipeError(f"--set {shorten(override)} names no setting: there are none so deep.")
        values = _merge(values, _anchor_paths(_parse_override(override), Path()))
    if overrides:
        origin = f"{origin} with the --set options"
    return validate_recipe({"name": name, **values}, origin)


def find_run_folder(recipe: str) -> Path | None:
    """The run folder that a recipe's name stands for; None for a preset or a TOML file."""
    folder = Path(recipe)
    return folder if recipe not in list_presets() and (folder / RECIPE_FILE).is_file() else None


def validate_recipe(values: Mapping[str, Any], origin: str) -> Recipe:
    """The recipe with these settings, the defaults elsewhere.

    Args:
        values: Sections, each a mapping of settings.
        origin: Where they come from, for the messages.

    Raises:
        RecipeError: One sentence about the first setting that is wrong.
    """
    try:
        return Recipe.model_validate(_words_to_lists(_lists_to_tuples(values), Recipe))
    except ValidationError as error:
        raise RecipeError(_explain(error, origin)) from None


def dump_recipe(recipe: Recipe) -> str:
    """TOML text with every setting of a recipe, to be shown or written down.

    Paths are absolute, so that the text means the same anywhere; addresses are without user names and passwords.
    """
    import tomli_w

    values = recipe.model_dump(mode="json")
    for section, key in SETTINGS_OF_FILES:
        if _is_path(values[section][key]):
            values[section][key] = str(Path(values[section][key]).expanduser().absolute())
    for section, key in _SETTINGS_OF_ADDRESSES:
        values[section][key] = hide_secrets(values[section][key])
    return tomli_w.dumps(values)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_small_file(path).decode())
    except FileNotFoundError:
        if path.suffix == ".toml" or path.parent != Path():
            raise RecipeError(f"There is no recipe file {path}; check the path.") from None
        hint = name_nearest(str(path), list(list_presets()))
        raise RecipeError(f"'{path}' is neither a preset nor a file.{hint}") from None
    except IsADirectoryError:
        raise RecipeError(
            f"{path} is a folder without {RECIPE_FILE}, so not a run; give a TOML file or a run.{_HINT_OF_INIT}"
        ) from None
    except OSError as error:
        raise RecipeError(f"The recipe {path} cannot be read: {explain_system(error)}. Fix that first.") from None
    except UnicodeDecodeError as error:
        more = (
            "" if path.suffix == ".toml" else " If it is a catalogue, `metalight init CATALOG IMAGES` writes a recipe."
        )
        raise RecipeError(f"The recipe {path} cannot be read: {quote_flaw(error)}. Save it as UTF-8.{more}") from None
    except tomllib.TOMLDecodeError as error:
        more = (
            "" if path.suffix == ".toml" else " If it is a catalogue, `metalight init CATALOG IMAGES` writes a recipe."
        )
        raise RecipeError(f"The recipe {path} is not TOML: {quote_flaw(error)}. Fix that line.{more}") from None


def _pop_preset(values: dict[str, Any], origin: str) -> dict[str, Any]:
    preset = values.pop("preset", None)
    if preset is None:
        return {}
    if not isinstance(preset, str):
        raise RecipeError(f"In {origin}, preset must be a name in quotes, not {_quote(preset)}.")
    return tomllib.loads(show_preset(preset))


def _anchor_paths(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    anchored = _merge({}, values)
    for section, key in SETTINGS_OF_FILES:
        given = anchored.get(section)
        value = given.get(key) if isinstance(given, dict) else None
        if isinstance(value, str) and _is_path(value):
            try:
                anchored[section][key] = str(folder / Path(value).expanduser())
            except RuntimeError:  # nobody's home, such as that of ~x
                anchored[section][key] = str(folder / value)
    return anchored


def is_address(value: str) -> bool:
    """Whether a setting that may name a file names one on the network."""
    return value.startswith(("https://", "http://"))


def _is_path(value: str) -> bool:
    return value not in _WORDS_FOR_PATHS and not is_address(value)


def _merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: _merge(value, {}) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, value in above.items():
        if isinstance(value, Mapping):
            below = merged.get(key, {})
            merged[key] = _merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _parse_override(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise RecipeError(
            f"--set {shorten(hide_secrets(text))} is not of the form section.key=value, such as training.batch_size=64."
        )
    parsed = parse_value(value)
    for key in reversed(keys):
        parsed = {key: parsed}
    return dict(parsed)


def parse_value(text: str) -> Any:
    """A value as TOML has it, except that bare words, such as paths, need no quotes."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lists_to_tuples(value: Any) -> Any:
    # TOML has arrays only; strict settings hold tuples, which cannot change.
    if isinstance(value, Mapping):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_lists_to_tuples(item) for item in value)
    return value


def _words_to_lists(values: Any, settings: type[Settings]) -> Any:
    """`targets = "oh_p50"` is `targets = ["oh_p50"]`, wherever a list of words is wanted."""
    changed = dict(values) if isinstance(values, Mapping) else {}
    for key in changed.keys() & settings.model_fields.keys():
        kind = settings.model_fields[key].annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            changed[key] = _words_to_lists(changed[key], kind)
        elif isinstance(changed[key], str) and _takes_list(kind, changed[key]):
            changed[key] = (changed[key],)
    return changed if isinstance(values, Mapping) else values


def _takes_list(kind: Any, word: str) -> bool:
    """Whether a setting takes a list of words, and does not know this one word by itself."""
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    known = [each for choice in choices if get_origin(choice) is Literal for each in get_args(choice)]
    return word not in known and tuple[str, ...] in choices


def _explain(error: ValidationError, origin: str) -> str:
    problem = error.errors(include_url=False)[0]
    location = [str(part) for part in problem["loc"]]
    setting = ".".join(location)
    if problem["type"] == "extra_forbidden":
        if setting in _HINTS:
            return f"There is no setting '{setting}', which {origin} gives. {_HINTS[setting]}"
        known = _known_keys(location[:-1])
        return f"Unknown setting '{shorten(setting)}' in {origin}.{name_nearest(location[-1][:80], known)}"
    reason = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"In {origin}, [{shorten(setting)}]: {reason}{'' if reason.endswith(('.', '?')) else '.'}"
    reason = (reason[0].lower() + reason[1:]).replace("valid tuple", "list in brackets")
    return f"In {origin}, {shorten(setting)} = {_quote(problem['input'])} does not fit: {reason}."


def _quote(value: Any) -> str:
    return shorten(hide_secrets(repr(list(value)) if isinstance(value, tuple) else repr(value)), most=200)


def _known_keys(section: list[str]) -> list[str]:
    model: type[Settings] = Recipe
    for name in section:
        inner = model.model_fields[name].annotation
        if not (isinstance(inner, type) and issubclass(inner, Settings)):
            return []
        model = inner
    return [key for key in model.model_fields if key != "name"]
