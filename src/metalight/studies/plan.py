"""Which runs a study is made of: every variant, as often as asked, each with a whole recipe and a folder of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metalight.errors import RecipeError, name_nearest, shorten
from metalight.recipe import Recipe
from metalight.studies.table import Study, build_variant, folder_of, read_setting, set_value

_BASELINES = "baselines"


@dataclass(frozen=True)
class PlannedRun:
    """A run of a study."""

    variant: str
    repetition: int
    """From 0 on: what is added to the seeds."""

    part: int
    """From 0 on: which of the values that are pooled."""

    folder: str
    """Name of its run folder."""

    recipe: Recipe


@dataclass(frozen=True)
class Plan:
    """The runs of a study, in order."""

    study: Study
    recipe: Recipe
    """That the variants change."""

    runs: tuple[PlannedRun, ...]
    reference: str
    """Variant that the others are compared with; empty if it is not among the runs."""

    left_out: dict[str, str]
    """Variants that are not run, and why."""

    same_as: dict[str, str]
    """Variants whose recipe is that of an earlier one, and which."""

    seeds: int

    @property
    def variants(self) -> list[str]:
        """Those that are run, in order."""
        return list(dict.fromkeys(run.variant for run in self.runs))

    def runs_of(self, variant: str, repetition: int) -> list[PlannedRun]:
        """The runs whose test galaxies are scored together."""
        return [run for run in self.runs if run.variant == variant and run.repetition == repetition]

    def axis_value(self, variant: str) -> float:
        """The number that a variant is drawn against."""
        axis = self.study.table.axis
        if axis is None:
            raise ValueError("the study has no axis")
        recipe = next(run.recipe for run in self.runs if run.variant == variant)
        return float(read_setting(recipe.model_dump(), axis.setting, "axis"))


def plan_study(
    study: Study, recipe: Recipe, *, overrides: Sequence[str] = (), seeds: int | None = None, only: Sequence[str] = ()
) -> Plan:
    """The runs of a study with a recipe.

    Args:
        study: What is varied.
        recipe: What the variants change, with `overrides` in it.
        overrides: `section.key=value` each, as they were given. They hold for every run, even where the table sets the
            same for all variants; what the table varies, it varies all the same.
        seeds: Repetitions; None takes the table's own number.
        only: Variants to run, and no others; the reference too, if it is among them.

    Raises:
        RecipeError: The recipe lacks what the study needs, a variant's settings do not fit, or there is no such
            variant.

    Baselines are fitted in no run, unless the table or `overrides` name some.
    """
    table = study.table
    if table.needs == "fetching" and not recipe.cutouts.is_fetched:
        raise RecipeError(
            f"The study '{study.name}' needs images of several kinds, which only a service gives: take a recipe with "
            "[cutouts] service, or write a table with folders of your own."
        )
    for name in only:
        if name not in table.variants:
            told = name_nearest(name, list(table.variants))
            if told.startswith(" There are"):  # names may have commas, such as 'five, eight'
                told = f" There are: {'; '.join(table.variants)}."
            raise RecipeError(f"The study '{study.name}' has no variant '{shorten(name)}'.{told}")
    if not any(override.strip().startswith(f"{_BASELINES}.") for override in overrides):
        # A study compares networks: the baselines of every run would be most of the work of the small ones.
        recipe = build_variant(recipe, {_BASELINES: {"kinds": ()}}, "a study")
    for_all = _list_for_all(study, overrides)
    wanted = [name for name in table.variants if not only or name in only]
    num_seeds = seeds or table.seeds
    _check_numbers(study, recipe)
    runs: list[PlannedRun] = []
    left_out: dict[str, str] = {}
    for variant in wanted:
        of_variant = _build(study, recipe, variant, for_all)
        flaw = _find_excess(study, recipe, of_variant)
        if flaw:
            left_out[variant] = flaw
            continue
        runs += _repeat(study, recipe.name, variant, of_variant, num_seeds)
    if not runs:
        raise RecipeError(f"No variant of the study '{study.name}' is left to run: {'; '.join(left_out.values())}.")
    folders = [run.folder.casefold() for run in runs]
    for run in runs:
        if folders.count(run.folder.casefold()) > 1:
            raise RecipeError(f"Two runs of the study '{study.name}' would have the folder {run.folder}; rename one.")
    named = table.reference or next(name for name in table.variants if name not in left_out)
    present = {run.variant for run in runs}
    return Plan(study, recipe, tuple(runs), named if named in present else "", left_out, _find_same(runs), num_seeds)


def _check_numbers(study: Study, recipe: Recipe) -> None:
    """Refuse settings that are to be added to, compared or drawn, and are not numbers: not after hours of work."""
    table = study.table
    named = [("repeated_over", name) for name in table.repeated_over]
    named += [("at_most", table.at_most)] if table.at_most else []
    named += [("axis", table.axis.setting)] if table.axis else []
    for key, name in named:
        origin = f"{key} of the study '{study.name}'"
        value = read_setting(recipe.model_dump(), name, origin)
        if isinstance(value, bool) or not isinstance(value, int if key == "repeated_over" else int | float):
            raise RecipeError(f"{origin} names '{name}', which is not a {'whole ' * (key == 'repeated_over')}number.")


def _list_for_all(study: Study, overrides: Sequence[str]) -> list[str]:
    """Names of the settings that --set gave and that the table does not vary."""
    names = [override.partition("=")[0].strip() for override in overrides]
    kept = []
    for name in names:
        values = [_find(settings, name) for settings in study.table.variants.values()]
        if len({json.dumps(value, sort_keys=True, default=str) for value in values}) <= 1:
            kept.append(name)
    return kept


def _find(settings: Any, name: str) -> Any:
    for key in name.split("."):
        if not isinstance(settings, dict) or key not in settings:
            return None
        settings = settings[key]
    return settings


def _build(study: Study, recipe: Recipe, variant: str, for_all: Sequence[str]) -> Recipe:
    origin = f"the variant '{variant}' of the study '{study.name}'"
    built = build_variant(recipe, study.table.variants[variant], origin)
    for name in for_all:
        built = build_variant(built, set_value(name, read_setting(recipe.model_dump(), name, origin)), origin)
    return built


def _find_excess(study: Study, recipe: Recipe, variant: Recipe) -> str:
    setting = study.table.at_most
    if not setting:
        return ""
    origin = f"at_most of the study '{study.name}'"
    wanted, most = (read_setting(each.model_dump(), setting, origin) for each in (variant, recipe))
    return f"the recipe has {setting} = {most}" if wanted > most else ""


def _repeat(study: Study, name: str, variant: str, recipe: Recipe, seeds: int) -> list[PlannedRun]:
    origin = f"the variant '{variant}' of the study '{study.name}'"
    pooled, values = next(iter(study.table.pooled_over.items()), ("", (None,)))
    runs = []
    for repetition in range(seeds):
        for part, value in enumerate(values):
            settings = [
                set_value(seed, read_setting(recipe.model_dump(), seed, origin) + repetition)
                for seed in study.table.repeated_over
            ]
            settings += [set_value(pooled, value)] if pooled else []
            built = recipe
            for setting in settings:
                built = build_variant(built, setting, origin)
            folder = folder_of(variant)
            folder += f"-seed{repetition}" if repetition else ""
            folder += f"-part{part + 1}" if pooled else ""
            runs.append(
                PlannedRun(variant, repetition, part, folder, built.model_copy(update={"name": f"{name}-{folder}"}))
            )
    return runs


def _find_same(runs: Sequence[PlannedRun]) -> dict[str, str]:
    first_with: dict[str, str] = {}
    same_as = {}
    for run in runs:
        if run.repetition or run.part:
            continue
        key = run.recipe.model_copy(update={"name": ""}).model_dump_json()
        if key in first_with:
            same_as[run.variant] = first_with[key]
        first_with.setdefault(key, run.variant)
    return same_as
