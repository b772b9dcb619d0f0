"""A study as a table of TOML: which settings its variants change, over what they are repeated, what they are drawn by.

    purpose = "One line."
    claim = "The claim that is tested, and its source."
    reference = "NAME"                       # of the variant that the others are compared with; else the first
    repeated_over = ["training.seed"]        # what each further seed is added to
    seeds = 1                                # how often, unless --seeds says otherwise
    extremes = true                          # score the extreme 5 % of the truth too
    needs = "fetching"                       # only for recipes whose images a service gives
    at_most = "pixels.side"                  # leaves out variants that set more than the recipe has
    pooled_over = {"splits.fold" = [0, 1]}   # one run for each value; their test galaxies are scored together
    axis = {setting = "pixels.side", label = "Side (pixels)", is_logarithmic = true}

    [variants.NAME]                          # settings as in a recipe, in place of those of the recipe
    training.batch_size = 128

A value `"recipe:SECTION.KEY"` stands for what the recipe has there, `"recipe:training.learning_rates.2"` for one of
several, and `"recipe:training.batch_size * 2"` for a multiple.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from metalight.errors import RecipeError, explain_system, name_nearest, quote_flaw, shorten
from metalight.recipe import Recipe, Settings, validate_recipe
from metalight.small_files import parse_toml, read_small_file

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ,.+×_-]{0,58}[A-Za-z0-9+.])?")
_OF_RECIPE = re.compile(r"recipe:\s*([a-z0-9_.]+)\s*(?:\*\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*)?")


class Axis(Settings):
    """The number that variants are drawn against."""

    setting: str
    """Such as `pixels.side`."""

    label: str
    is_logarithmic: bool = False


class StudyTable(Settings):
    """The table of settings that a study varies."""

    purpose: Annotated[str, Field(min_length=1, max_length=300)]
    claim: str = ""
    """The claim that is tested, and its source."""

    note: str = ""
    """Caveats for judging the result."""

    reference: str = ""
    """The variant that the others are compared with; empty: the first."""

    repeated_over: tuple[str, ...] = ("training.seed",)
    """Settings of seeds to which the number of the repetition is added."""

    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Repetitions."""

    extremes: bool = False
    """Whether galaxies with extreme true values are scored by themselves too."""

    needs: Literal["", "fetching"] = ""
    """Requirement for the recipe."""

    at_most: str = ""
    """A setting: variants that set it higher than the recipe does are left out."""

    pooled_over: dict[str, tuple[Any, ...]] = Field(default={}, max_length=1)
    """Settings and their values: one run for each, whose test galaxies are scored together."""

    axis: Axis | None = None
    """Empty: variants are drawn one below the other."""

    has_published_values: bool = False
    """Whether the paper's figure 4 and its baselines stand beside the results, of the study of resolution."""

    variants: dict[str, dict[str, Any]]
    """Name and settings, in order."""

    @model_validator(mode="after")
    def _names_fit(self) -> "StudyTable":
        if not self.variants:
            raise ValueError("it has no [variants.NAME]")
        folded = [folder_of(name).casefold() for name in self.variants]
        for name in self.variants:
            if not _NAME.fullmatch(name):
                raise ValueError(f"'{shorten(name)}' is not a name of a variant, such as batch 128")
            if folded.count(folder_of(name).casefold()) > 1:
                raise ValueError(f"the variant '{name}' and another would have the same folder")
        if self.reference and self.reference not in self.variants:
            raise ValueError(f"reference names no variant: '{shorten(self.reference)}'")
        if any(len(values) == 0 for values in self.pooled_over.values()):
            raise ValueError("pooled_over names no values")
        if self.has_published_values and (self.axis is None or self.axis.setting != "pixels.side" or self.pooled_over):
            raise ValueError("has_published_values is for variants whose axis is pixels.side, and that are not pooled")
        return self


@dataclass(frozen=True)
class Study:
    """A table and what it is called."""

    name: str
    table: StudyTable
    text: str
    """The TOML."""


def list_studies() -> dict[str, str]:
    """Name and purpose of each built-in study."""
    folder = resources.files("metalight.studies") / "tables"
    names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {name: load_study(name).table.purpose for name in names}


def load_study(name_or_file: str) -> Study:
    """A built-in study, or that of the user's own TOML file.

    Raises:
        RecipeError: There is none of that name, or the file is no such table.
    """
    entry = resources.files("metalight.studies") / "tables" / f"{name_or_file}.toml"
    if re.fullmatch(r"[a-z0-9-]+", name_or_file) and entry.is_file():
        return _parse(name_or_file, entry.read_text(encoding="utf-8"), f"the study '{name_or_file}'")
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.exists():
        folder = resources.files("metalight.studies") / "tables"
        known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir())
        raise RecipeError(
            f"There is no study '{shorten(name_or_file)}', and no TOML file of that name."
            f"{name_nearest(name_or_file[:80], known)}"
        )
    try:
        text = read_small_file(path).decode()
    except FileNotFoundError:
        raise RecipeError(f"There is no file {path}; check the path, or see `metalight study list`.") from None
    except (OSError, UnicodeDecodeError) as error:
        flaw = explain_system(error) if isinstance(error, OSError) else quote_flaw(error)
        raise RecipeError(f"The study {path} cannot be read: {flaw}. Give a TOML file.") from None
    return _parse(path.stem, text, str(path))


def folder_of(variant: str) -> str:
    """Name of the run folders of a variant."""
    return re.sub(r"[ ,×]+", "-", variant)


def build_variant(recipe: Recipe, settings: Mapping[str, Any], origin: str) -> Recipe:
    """The recipe with the settings of a variant in place of its own.

    Args:
        recipe: Of which `"recipe:…"` speaks.
        settings: Sections, each a mapping of settings.
        origin: Where they come from, for the messages.

    Raises:
        RecipeError: A setting is unknown or does not fit.
    """
    own = recipe.model_dump()
    return validate_recipe(_merge(own, _resolve(settings, own, origin)), origin)


def read_setting(values: Any, name: str, origin: str) -> Any:
    """What a recipe, as nested mappings, has at `section.key`; of several values one, at `section.key.0`.

    Raises:
        RecipeError: It has no such setting.
    """
    for key in name.split("."):
        if isinstance(values, Mapping) and key in values:
            values = values[key]
        elif isinstance(values, tuple | list) and key.isdigit() and int(key) < len(values):
            values = values[int(key)]
        else:
            raise RecipeError(
                f"{origin} speaks of '{shorten(name)}', which no recipe has; see `metalight recipe check`."
            )
    return values


def set_value(name: str, value: Any) -> dict[str, Any]:
    """Nested mappings with one value at `section.key`."""
    for key in reversed(name.split(".")):
        value = {key: value}
    return dict(value)


def _parse(name: str, text: str, origin: str) -> Study:
    try:
        values = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{origin} is not TOML: {quote_flaw(error)}. Fix that line.") from None
    try:
        return Study(name, StudyTable.model_validate(_lists_to_tuples(values)), text)
    except ValidationError as error:
        raise RecipeError(_explain(error, origin)) from None


def _explain(error: ValidationError, origin: str) -> str:
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"Unknown key '{shorten(key)}' in {origin}.{name_nearest(key[:80], list(StudyTable.model_fields))}"
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{origin} is not a study: {f'{shorten(key)}: ' if key else ''}{reason[0].lower()}{reason[1:]}."


def _resolve(settings: Mapping[str, Any], recipe: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The settings with what the recipe has in place of `recipe:…`."""

    def resolve(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: resolve(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return tuple(resolve(item) for item in value)
        if not isinstance(value, str) or not value.startswith("recipe:"):
            return value
        match = _OF_RECIPE.fullmatch(value)
        if match is None:
            raise RecipeError(f"{origin} has '{shorten(value)}', which is not of the form recipe:SECTION.KEY * 2.")
        found = read_setting(recipe, match[1], origin)
        if match[2] is None:
            return found
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise RecipeError(f"{origin} multiplies '{match[1]}', which is not a number; leave '* {match[2]}' out.")
        product = found * float(match[2])
        return max(1, round(product)) if isinstance(found, int) else product

    return {key: resolve(value) for key, value in settings.items()}


def _merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged


def _lists_to_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_lists_to_tuples(item) for item in value)
    return value
