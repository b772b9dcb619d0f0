"""The stage that makes the catalogue: from the user's own table, or selected from SDSS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metalight.catalog import (
    SKY_SERVER_COLUMNS,
    Catalog,
    LabelNoise,
    Selection,
    build_catalog,
    compute_label_noise,
    compute_properties,
    gather_repeats,
    list_cuts,
    load_catalog,
)
from metalight.errors import CatalogError, TableError
from metalight.pipeline.galspec_source import describe_galspec, name_galspec, select_from_galspec
from metalight.pipeline.labels import check_labels_differ
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.sky_server_source import describe_sky_server, name_sky_server, select_from_sky_server
from metalight.pipeline.splits_stage import name_sky_columns
from metalight.pipeline.stage import Job, Stage, describe_table
from metalight.recipe import Recipe
from metalight.run_folder import RunFolder
from metalight.tables import Table, find_column, save_galaxies, save_table


@dataclass(frozen=True)
class _Source:
    """Where a sample can be selected."""

    name: Callable[[Recipe], str]
    """What it is called in messages."""

    describe: Callable[[Recipe], dict[str, Any]]
    """What it is asked: for the provenance, and as the stage's inputs."""

    select: Callable[[Job], Selection]
    """A table with columns as SDSS spells them, and what has been counted."""

    columns: tuple[str, ...] = ()
    """The columns of that table, by which a recipe is checked before the work; none where they are known only then."""

    asks_database: bool = False
    """Whether it leaves the query in the run folder."""


def _perform_catalog(job: Job) -> str:
    settings = job.recipe.catalog
    catalog, repeats, notes = (_load_table(job), None, ()) if settings.is_table else _select(job)
    if catalog.reading:
        job.tell(f"{settings.path}: {catalog.reading}.")
    check_labels_differ(catalog.table.frame, settings.targets, f"{_name_origin(job.recipe)} that can be used")
    # Columns that the recipe names of properties must be there, before the work that ends with them.
    compute_properties(catalog.table, settings.properties, path=_name_origin(job.recipe))
    save_galaxies(catalog.table, job.run.catalog)
    save_table(Table(catalog.counts, {}), job.run.cuts)
    save_refused(catalog.refused, job.run.refused("catalog"))
    # What another source left in the run folder is not of this catalogue.
    if settings.is_table or not _SOURCES[settings.source].asks_database:
        job.run.query.unlink(missing_ok=True)
    if repeats is None:
        job.run.repeats.unlink(missing_ok=True)
    else:
        save_table(Table(repeats, {}), job.run.repeats)
    return "; ".join([_describe(job, catalog), *catalog.notes, *notes])


def _load_table(job: Job) -> Catalog:
    """The galaxies of the user's own table."""
    settings = job.recipe.catalog
    return load_catalog(
        Path(settings.path),
        object_id=settings.object_id,
        targets=settings.targets,
        file_name=settings.file_name,
        split=_name_split_column(job.recipe),
        sky=name_sky_columns(job.recipe),
        cuts=_list_cuts(job.recipe),
        limit=settings.limit,
        missing_values=settings.missing_values,
        properties=settings.properties,
    )


def _select(job: Job) -> tuple[Catalog, pd.DataFrame | None, tuple[str, ...]]:
    """The galaxies that are selected from SDSS, their repeats if they are known, and what should be known of them."""
    _check_selected_columns(job.recipe)
    selection = _SOURCES[job.recipe.catalog.source].select(job)
    catalog = build_catalog(
        selection.table,
        _name_origin(job.recipe),
        object_id="objID",
        targets=job.recipe.catalog.targets,
        split=_name_split_column(job.recipe),
        sky=name_sky_columns(job.recipe),
        cuts=_list_cuts(job.recipe),
        counted=selection.counts,
        has_repeats=True,
        properties=job.recipe.catalog.properties,
    )
    repeats, notes = _find_repeats(selection, catalog), list(selection.notes)
    num_again = len(selection.table.frame) - len(catalog.table.frame) - len(catalog.refused)
    if num_again:
        notes.insert(0, f"{num_again:,} other spectra of them" if num_again > 1 else "one other spectrum of them")
    if repeats is not None:
        notes.append(_tell_noise(compute_label_noise(repeats)))
    return catalog, repeats, tuple(notes)


def _find_repeats(selection: Selection, catalog: Catalog) -> pd.DataFrame | None:
    if selection.repeats is not None or selection.spectra is None:
        return selection.repeats
    spectra = pd.concat([selection.table.frame[list(selection.spectra.columns)], selection.spectra], ignore_index=True)
    return gather_repeats(spectra, catalog.table.frame["specObjID"].to_numpy())


def _tell_noise(noise: LabelNoise) -> str:
    if noise.num_galaxies == 0:
        return "no galaxy has a repeat, which would tell the label noise"
    robust = noise.robust_dex
    return (
        f"label noise {robust.value:.3f} dex ({robust.low:.3f} to {robust.high:.3f}) by {noise.num_pairs:,} pairs of "
        f"spectra of {noise.num_galaxies:,} galaxies"
    )


def _check_selected_columns(recipe: Recipe) -> None:
    """Refuse names of columns that a selection does not have, before anything is asked.

    Raises:
        CatalogError: There is one.
    """
    names = _SOURCES[recipe.catalog.source].columns
    columns = Table(pd.DataFrame(columns=list(names)))
    sky = name_sky_columns(recipe)
    asked = [("targets", target) for target in recipe.catalog.targets]
    asked += [] if sky is None else list(sky.list_by_setting().items())
    named = [(f"[catalog] {setting}", name) for setting, name in asked]
    named += [("[splits] column", name) for name in [_name_split_column(recipe)] if name]
    if recipe.catalog.file_name:
        raise CatalogError("A selection from SDSS names no files of images; leave out [catalog] file_name.")
    try:
        for role, name in named if names else []:
            find_column(columns, name, path=f"A selection from {_name_origin(recipe)}", role=role)
    except TableError as error:
        raise CatalogError(str(error)) from error


def _name_origin(recipe: Recipe) -> str:
    return recipe.catalog.path if recipe.catalog.is_table else _SOURCES[recipe.catalog.source].name(recipe)


def describe_selection(recipe: Recipe) -> dict[str, Any]:
    """What is asked for the galaxies, and where; nothing where they are those of the user's table."""
    return {} if recipe.catalog.is_table else _SOURCES[recipe.catalog.source].describe(recipe)


_SOURCES = {
    "skyserver": _Source(
        name_sky_server,
        describe_sky_server,
        select_from_sky_server,
        columns=tuple(column.name for column in SKY_SERVER_COLUMNS),
        asks_database=True,
    ),
    "galspec": _Source(name_galspec, describe_galspec, select_from_galspec),
}
"""By the name that `[catalog] source` has for them."""


def _describe(job: Job, catalog: Catalog) -> str:
    num_left, num_all = len(catalog.table.frame), int(catalog.counts["num_left"].iloc[0])
    passed = "pass the cuts and " if _list_cuts(job.recipe) else ""
    place = "" if name_sky_columns(job.recipe) is None else " and a place on the sky"
    had = _count_labels(catalog, job.recipe.catalog.targets) + place
    return f"{num_left:,} of {num_all:,} galaxies {passed}have {had}{format_refused(catalog.refused)}"


def _count_labels(catalog: Catalog, targets: Sequence[str]) -> str:
    if len(targets) == 1:
        return targets[0]
    return " or ".join(f"{target} ({catalog.table.frame[target].count():,})" for target in targets)


def _list_cuts(recipe: Recipe) -> tuple[str, ...]:
    return list_cuts(recipe.catalog.cuts, is_selection=not recipe.catalog.is_table)


def _name_split_column(recipe: Recipe) -> str:
    return recipe.splits.column if recipe.splits.method == "column" else ""


def _catalog_settings(recipe: Recipe) -> dict[str, Any]:
    # Where the catalogue lies is told by the inputs; of the splits, only the columns that they need are read.
    left_out = {"path", "source", "ra", "dec", "petro_r90", "photometry"}
    settings = recipe.catalog.model_dump(mode="json", exclude=left_out)
    settings["cuts"] = list(_list_cuts(recipe))
    settings["split_column"] = _name_split_column(recipe)
    columns = name_sky_columns(recipe)
    return settings if columns is None else {**settings, "sky_columns": vars(columns)}


def _catalog_inputs(recipe: Recipe) -> dict[str, Any]:
    if recipe.catalog.is_table:
        return {"catalog": describe_table(Path(recipe.catalog.path))}
    return describe_selection(recipe)


def _list_outputs(run: RunFolder) -> list[Path]:
    # Not every source has repeats.
    return [run.catalog, run.cuts, run.refused("catalog"), *filter(Path.is_file, [run.repeats])]


CATALOG_STAGE = Stage(
    "catalog",
    after=(),
    perform=_perform_catalog,
    settings=_catalog_settings,
    inputs=_catalog_inputs,
    outputs=_list_outputs,
    beside=lambda run: [run.query],
)
