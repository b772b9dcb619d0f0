"""Stages that make the data: catalogue, cutouts, pixels, splits."""

from pathlib import Path
from typing import Any

from metalight.catalog import list_file_names
from metalight.cutouts import ORIGIN_FILE, check_origin, compute_folder_digest, find_cutouts
from metalight.images import CONTENT_FILE, DECODING_VERSION, build_pixels, can_read_more, is_whole, list_cache_files
from metalight.pipeline.catalog_stage import CATALOG_STAGE
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.splits_stage import SPLITS_STAGE
from metalight.pipeline.stage import Job, Stage
from metalight.recipe import Recipe
from metalight.run import describe_file
from metalight.tables import Table, load_table, save_table
from metalight.unfinished import name_unfinished


def _perform_cutouts(job: Job) -> str:
    settings = job.recipe.cutouts
    folder = Path(settings.folder)
    check_origin(folder, framing=settings.framing, source=settings.source)
    galaxies = load_table(job.run.catalog, missing_values=())
    # A column of the user's that only happens to be called file_name is not asked for.
    file_names = list_file_names(galaxies) if job.recipe.catalog.file_name else None
    cutouts = find_cutouts(folder, galaxies.frame["object_id"].to_numpy(), file_names, bands=settings.bands)
    save_table(Table(cutouts.found, {}), job.run.cutouts)
    save_refused(cutouts.refused, job.run.refused("cutouts"))
    unused = f"; {cutouts.unused:,} images belong to none of them" if cutouts.unused else ""
    return f"{len(cutouts.found):,} of {len(galaxies.frame):,} have an image{format_refused(cutouts.refused)}{unused}"


def _perform_pixels(job: Job) -> str:
    found = load_table(job.run.cutouts, missing_values=()).frame
    side, settings = job.recipe.pixels.side, job.recipe.cutouts
    report = build_pixels(
        Path(settings.folder), found, job.run.pixels, side=side, settings=settings, progress=job.progress
    )
    save_refused(report.refused, job.run.refused("pixels"))
    (height, width), num_alike = next(iter(report.shapes.items()))
    sizes = f"{num_alike:,} were {width} × {height}"
    grey = f"; without colour: {report.num_grey:,}" if report.num_grey and len(settings.bands) > 1 else ""
    filled = f"; with undefined pixels filled: {report.num_filled:,}" if report.num_filled else ""
    altered = "; decoded anew: they had been altered since they were made" if report.was_altered else ""
    refused = format_refused(report.refused)
    return f"{report.num_galaxies:,} images at {side} × {side} ({sizes}){grey}{filled}{refused}{altered}"


def _cutouts_inputs(recipe: Recipe) -> dict[str, Any]:
    folder = Path(recipe.cutouts.folder)
    return {"images": compute_folder_digest(folder), "origin": describe_file(folder / ORIGIN_FILE)}


DATA_STAGES = (
    CATALOG_STAGE,
    Stage(
        "cutouts",
        after=("catalog",),
        perform=_perform_cutouts,
        settings=lambda recipe: {
            **recipe.cutouts.model_dump(mode="json", exclude={"folder"}),
            "has_file_names": bool(recipe.catalog.file_name),
        },
        inputs=_cutouts_inputs,
        outputs=lambda run: [run.cutouts, run.refused("cutouts")],
    ),
    Stage(
        "pixels",
        after=("cutouts",),
        perform=_perform_pixels,
        settings=lambda recipe: {
            **recipe.pixels.model_dump(mode="json"),
            "decoding_version": DECODING_VERSION,
            "cutouts": recipe.cutouts.model_dump(mode="json", exclude={"folder", "framing", "source"}),
        },
        outputs=lambda run: [run.pixels / CONTENT_FILE, run.refused("pixels")],
        cache=lambda run: list_cache_files(run.pixels),
        is_cache_whole=lambda run: is_whole(run.pixels),
        has_more=lambda run, recipe: can_read_more(Path(recipe.cutouts.folder), run.pixels),
        unfinished=lambda run: [name_unfinished(run.pixels)],
    ),
    SPLITS_STAGE,
)
"""In order."""
