"""Stages that make the data: catalogue, cutouts, pixels, splits."""

from pathlib import Path
from typing import Any

from metalight.catalog import load_catalog
from metalight.images import CONTENT_FILE, DECODING_VERSION, build_pixels, can_read_more, is_whole, list_cache_files
from metalight.pipeline.cutouts_stage import CUTOUTS_STAGE
from metalight.pipeline.labels import check_labels_differ
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.splits_stage import SPLITS_STAGE, name_sky_columns
from metalight.pipeline.stage import Job, Stage, describe_table, locate_images
from metalight.recipe import WORDS_ON_FETCHING, Recipe
from metalight.tables import Table, load_table, save_table
from metalight.unfinished import name_unfinished


def _perform_catalog(job: Job) -> str:
    settings = job.recipe.catalog
    catalog = load_catalog(
        Path(settings.path),
        object_id=settings.object_id,
        targets=settings.targets,
        file_name=settings.file_name,
        split=job.recipe.splits.column if job.recipe.splits.method == "column" else "",
        sky=name_sky_columns(job.recipe),
        missing_values=settings.missing_values,
    )
    check_labels_differ(catalog.table.frame, settings.targets, f"{settings.path} that can be used")
    save_table(catalog.table, job.run.catalog)
    save_table(Table(catalog.counts, {}), job.run.cuts)
    save_refused(catalog.refused, job.run.refused("catalog"))
    num_left, num_all = len(catalog.table.frame), int(catalog.counts["num_left"].iloc[0])
    place = "" if name_sky_columns(job.recipe) is None else " and a place on the sky"
    had = ", ".join(settings.targets) + place
    return f"{num_left:,} of {num_all:,} galaxies have {had}{format_refused(catalog.refused)}"


def _perform_pixels(job: Job) -> str:
    found = load_table(job.run.cutouts, missing_values=()).frame
    side, settings = job.recipe.pixels.side, job.recipe.cutouts
    report = build_pixels(
        locate_images(job.run, job.recipe), found, job.run.pixels, side=side, settings=settings, progress=job.progress
    )
    save_refused(report.refused, job.run.refused("pixels"))
    (height, width), num_alike = next(iter(report.shapes.items()))
    sizes = f"{num_alike:,} were {width} × {height}"
    grey = f"; without colour: {report.num_grey:,}" if report.num_grey and len(settings.bands) > 1 else ""
    filled = f"; with undefined pixels filled: {report.num_filled:,}" if report.num_filled else ""
    altered = "; decoded anew: they had been altered since they were made" if report.was_altered else ""
    refused = format_refused(report.refused)
    return f"{report.num_galaxies:,} images at {side} × {side} ({sizes}){grey}{filled}{refused}{altered}"


def _catalog_settings(recipe: Recipe) -> dict[str, Any]:
    # Where the catalogue lies is told by the inputs; of the splits, only the columns that they need are read.
    settings = recipe.catalog.model_dump(mode="json", exclude={"path", "ra", "dec", "petro_r90"})
    settings["split_column"] = recipe.splits.column if recipe.splits.method == "column" else ""
    columns = name_sky_columns(recipe)
    return settings if columns is None else {**settings, "sky_columns": vars(columns)}


def _catalog_inputs(recipe: Recipe) -> dict[str, Any]:
    return {"catalog": describe_table(Path(recipe.catalog.path))}


DATA_STAGES = (
    Stage(
        "catalog",
        after=(),
        perform=_perform_catalog,
        settings=_catalog_settings,
        inputs=_catalog_inputs,
        outputs=lambda run: [run.catalog, run.cuts, run.refused("catalog")],
    ),
    CUTOUTS_STAGE,
    Stage(
        "pixels",
        after=("cutouts",),
        perform=_perform_pixels,
        settings=lambda recipe: {
            **recipe.pixels.model_dump(mode="json"),
            "decoding_version": DECODING_VERSION,
            "cutouts": recipe.cutouts.model_dump(mode="json", exclude={*WORDS_ON_FETCHING, "framing", "source"}),
        },
        outputs=lambda run: [run.pixels / CONTENT_FILE, run.refused("pixels")],
        cache=lambda run: list_cache_files(run.pixels),
        is_cache_whole=lambda run: is_whole(run.pixels),
        has_more=lambda run, recipe: can_read_more(locate_images(run, recipe), run.pixels),
        unfinished=lambda run: [name_unfinished(run.pixels)],
    ),
    SPLITS_STAGE,
)
"""In order."""
