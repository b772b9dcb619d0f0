"""Stages that make the data: catalogue, cutouts, pixels, splits."""

from metalight.images import CONTENT_FILE, DECODING_VERSION, build_pixels, can_read_more, is_whole, list_cache_files
from metalight.pipeline.catalog_stage import CATALOG_STAGE
from metalight.pipeline.cutouts_stage import CUTOUTS_STAGE
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.splits_stage import SPLITS_STAGE
from metalight.pipeline.stage import Job, Stage, locate_images
from metalight.recipe import WORDS_ON_FETCHING
from metalight.tables import load_galaxies
from metalight.unfinished import name_unfinished


def _perform_pixels(job: Job) -> str:
    found = load_galaxies(job.run.cutouts).frame
    side, settings = job.recipe.pixels.side, job.recipe.cutouts
    report = build_pixels(
        locate_images(job.run, job.recipe), found, job.run.pixels, side=side, settings=settings, progress=job.progress
    )
    save_refused(report.refused, job.run.refused("pixels"))
    (height, width), num_alike = next(iter(report.shapes.items()))
    sizes = f"{num_alike:,} were {width} × {height}"
    grey = f"; without colour: {report.num_grey:,}" if report.num_grey and len(settings.bands) > 1 else ""
    filled = f"; with undefined pixels filled: {report.num_filled:,}" if report.num_filled else ""
    altered = "; decoded again: they had been altered since they were made" if report.was_altered else ""
    refused = format_refused(report.refused)
    return f"{report.num_galaxies:,} images at {side} × {side} ({sizes}){grey}{filled}{refused}{altered}"


DATA_STAGES = (
    CATALOG_STAGE,
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
