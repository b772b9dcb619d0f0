"""The stage that makes the catalogue: from the user's own table, or selected from SDSS."""

from pathlib import Path
from typing import Any

from metalight.catalog import Catalog, list_cuts, load_catalog
from metalight.pipeline.labels import check_labels_differ
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.splits_stage import name_sky_columns
from metalight.pipeline.stage import Job, Stage, describe_table
from metalight.recipe import Recipe
from metalight.tables import Table, save_table


def _perform_catalog(job: Job) -> str:
    settings = job.recipe.catalog
    catalog, origin = _load_table(job)
    check_labels_differ(catalog.table.frame, settings.targets, f"{origin} that can be used")
    save_table(catalog.table, job.run.catalog)
    save_table(Table(catalog.counts, {}), job.run.cuts)
    save_refused(catalog.refused, job.run.refused("catalog"))
    return _describe(job, catalog)


def _load_table(job: Job) -> tuple[Catalog, str]:
    """The galaxies of the user's own table, and what it is called."""
    settings = job.recipe.catalog
    catalog = load_catalog(
        Path(settings.path),
        object_id=settings.object_id,
        targets=settings.targets,
        file_name=settings.file_name,
        split=_name_split_column(job.recipe),
        sky=name_sky_columns(job.recipe),
        cuts=list_cuts(settings.cuts, is_selection=False),
        limit=settings.limit,
        missing_values=settings.missing_values,
    )
    return catalog, settings.path


def _describe(job: Job, catalog: Catalog) -> str:
    num_left, num_all = len(catalog.table.frame), int(catalog.counts["num_left"].iloc[0])
    cuts = list_cuts(job.recipe.catalog.cuts, is_selection=not job.recipe.catalog.is_table)
    passed = "pass the cuts and " if cuts else ""
    place = "" if name_sky_columns(job.recipe) is None else " and a place on the sky"
    had = ", ".join(job.recipe.catalog.targets) + place
    return f"{num_left:,} of {num_all:,} galaxies {passed}have {had}{format_refused(catalog.refused)}"


def _name_split_column(recipe: Recipe) -> str:
    return recipe.splits.column if recipe.splits.method == "column" else ""


def _catalog_settings(recipe: Recipe) -> dict[str, Any]:
    # Where the catalogue lies is told by the inputs; of the splits, only the columns that they need are read.
    settings = recipe.catalog.model_dump(
        mode="json", exclude={"path", "ra", "dec", "petro_r90", "skyserver", "source", "cuts"}
    )
    settings["split_column"] = _name_split_column(recipe)
    settings["cuts"] = list(list_cuts(recipe.catalog.cuts, is_selection=not recipe.catalog.is_table))
    columns = name_sky_columns(recipe)
    return settings if columns is None else {**settings, "sky_columns": vars(columns)}


def _catalog_inputs(recipe: Recipe) -> dict[str, Any]:
    return {"catalog": describe_table(Path(recipe.catalog.path))}


CATALOG_STAGE = Stage(
    "catalog",
    after=(),
    perform=_perform_catalog,
    settings=_catalog_settings,
    inputs=_catalog_inputs,
    outputs=lambda run: [run.catalog, run.cuts, run.refused("catalog")],
)
