"""The stage that divides the galaxies into training, validation and test sets."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog import SkyColumns
from metalight.cutouts import compute_frame_arcsec
from metalight.images import SMALLEST_SIDE_TO_COMPARE, Pixels, label_identical, load_pixels
from metalight.pipeline.labels import check_labels_differ
from metalight.pipeline.stage import Job, Stage, describe_table
from metalight.recipe import Recipe
from metalight.splits import (
    SPLITS,
    assign_column,
    assign_fold,
    assign_ids,
    assign_random,
    assign_sky,
    find_groups,
    load_test_ids,
)
from metalight.tables import Table, find_column, load_galaxies, require_numbers, save_galaxies


def name_sky_columns(recipe: Recipe) -> SkyColumns | None:
    """The catalogue's columns that the splits read of places on the sky; None where they read none."""
    if recipe.splits.method != "sky":
        return None
    has_frames_by_size = recipe.cutouts.framing == "petrosian" and not recipe.cutouts.field_arcsec
    return SkyColumns(recipe.catalog.ra, recipe.catalog.dec, recipe.catalog.petro_r90 if has_frames_by_size else "")


def check_splits(recipe: Recipe) -> None:
    """Refuse a file of test galaxies that cannot be used, before any long work.

    Raises:
        SplitError: It cannot.
    """
    if recipe.splits.method == "ids":
        load_test_ids(Path(recipe.splits.test_ids), object_id=recipe.catalog.object_id)


def load_set(job: Job, split: str) -> Table:
    """The galaxies of one set with the columns of the catalogue, in the catalogue's order."""
    splits = load_galaxies(job.run.splits).frame
    return _load_galaxies(job, splits.loc[splits["split"] == split, "object_id"].to_numpy())


def _perform_splits(job: Job) -> str:
    settings, columns = job.recipe.splits, name_sky_columns(job.recipe)
    # Of the galaxies that have a usable image and a label, in the catalogue's order.
    pixels = load_pixels(job.run.pixels)
    note = ""
    if settings.method == "random":
        splits = assign_random(pixels.object_ids, seed=settings.seed, fractions=settings.fractions)
    elif settings.method == "folds":
        splits = assign_fold(
            pixels.object_ids,
            fold=settings.fold,
            num_folds=settings.folds,
            seed=settings.seed,
            validation_fraction=settings.validation_fraction,
        )
        note = f"; fold {settings.fold + 1} of {settings.folds} is tested"
    elif settings.method == "column":
        words = _load_galaxies(job, pixels.object_ids).frame["split_name"].tolist()
        splits = assign_column(pixels.object_ids, words)
    elif columns is not None:
        splits, note = _assign_sky(job, pixels, columns)
    else:
        splits, note = _assign_ids(job, pixels)
    training = splits.loc[splits["split"] == "train", "object_id"].to_numpy()
    check_labels_differ(_load_galaxies(job, training).frame, job.recipe.catalog.targets, "the training set")
    save_galaxies(Table(splits, {}), job.run.splits)
    sizes = splits["split"].value_counts()
    return ", ".join(f"{int(sizes.get(split, 0)):,} {split}" for split in SPLITS) + note


def _load_galaxies(job: Job, object_ids: npt.NDArray[np.int64]) -> Table:
    """The catalogue's rows of these galaxies, in their order."""
    catalog = load_galaxies(job.run.catalog)
    galaxies = catalog.frame.set_index("object_id", drop=False).loc[object_ids]
    return Table(galaxies.reset_index(drop=True), catalog.info)


def _assign_ids(job: Job, pixels: Pixels) -> tuple[pd.DataFrame, str]:
    settings = job.recipe.splits
    path = Path(settings.test_ids)
    test_ids = load_test_ids(path, object_id=job.recipe.catalog.object_id)
    splits = assign_ids(
        pixels.object_ids, test_ids, seed=settings.seed, validation_fraction=settings.validation_fraction
    )
    return splits, _describe_absent(job, pixels, test_ids, path)


def _describe_absent(job: Job, pixels: Pixels, test_ids: npt.NDArray[np.int64], path: Path) -> str:
    """Of the galaxies that were to be tested, how many are not, and why."""
    absent = np.setdiff1d(test_ids, pixels.object_ids)
    labelled = load_galaxies(job.run.catalog).frame["object_id"].to_numpy()
    num_without_image = int(np.isin(absent, labelled).sum())
    kinds = (
        (len(absent) - num_without_image, "not in the catalogue, or without a label there"),
        (num_without_image, "without a usable image"),
    )
    told = "".join(f", {num:,} {why}" for num, why in kinds if num)
    return f"; of the {len(test_ids):,} in {path.name}{told or ', all are for the test'}"


def _assign_sky(job: Job, pixels: Pixels, columns: SkyColumns) -> tuple[pd.DataFrame, str]:
    settings = job.recipe.splits
    galaxies = _load_galaxies(job, pixels.object_ids)

    def read(name: str) -> npt.NDArray[np.float64]:
        spelt = find_column(galaxies, name, path=job.run.catalog, role="[catalog]")
        return require_numbers(galaxies, spelt, path=job.run.catalog)

    radii = read(columns.petro_r90) if columns.petro_r90 else None
    frames = compute_frame_arcsec(job.recipe.cutouts, len(pixels.object_ids), radii)
    labels = label_identical(pixels.array, progress=job.progress) if pixels.side >= SMALLEST_SIDE_TO_COMPARE else None
    groups = find_groups(
        pixels.object_ids,
        ra_deg=read(columns.ra),
        dec_deg=read(columns.dec),
        link_arcsec=60 * settings.link_arcmin,
        frame_arcsec=frames,
        image_labels=labels,
    )
    splits = assign_sky(pixels.object_ids, groups, seed=settings.seed, fractions=settings.fractions)
    return splits, _describe_groups(job.recipe, groups, has_frames=frames is not None, labels=labels)


def _describe_groups(
    recipe: Recipe, groups: npt.NDArray[np.int64], *, has_frames: bool, labels: npt.NDArray[np.int64] | None
) -> str:
    num_members = np.unique(groups, return_counts=True)[1]
    note = f"; {len(num_members):,} groups linked up to {recipe.splits.link_arcmin:g} arcmin"
    note += " or by frames that touch" if has_frames else ""
    note += f", the largest of {num_members.max():,}"
    if not has_frames and recipe.cutouts.framing == "petrosian":
        note += "; frames were not looked at: [catalog] petro_r90 names no column"
    elif not has_frames:
        note += f"; frames were not looked at: those of framing '{recipe.cutouts.framing}' are unknown"
    if labels is None:
        note += f"; images were not compared: {recipe.pixels.side} pixels a side are too few"
    elif num_twins := len(labels) - len(np.unique(labels)):
        note += f"; images that another galaxy has too: {num_twins:,}"
    return note


def _splits_settings(recipe: Recipe) -> dict[str, Any]:
    # Where the test galaxies are listed is told by the inputs.
    settings = recipe.splits.model_dump(mode="json", exclude={"test_ids"})
    columns = name_sky_columns(recipe)
    if columns is not None:
        settings |= {
            "sky_columns": vars(columns),
            "cutouts": recipe.cutouts.model_dump(include={"framing", "field_arcsec"}),
            **({"frame_arcsec": recipe.cutouts.frame_arcsec} if recipe.cutouts.frame_arcsec else {}),
        }
    if recipe.splits.method == "ids":
        settings |= {"object_id": recipe.catalog.object_id}
    return settings


def _splits_inputs(recipe: Recipe) -> dict[str, Any]:
    return {"test_ids": describe_table(Path(recipe.splits.test_ids))} if recipe.splits.method == "ids" else {}


SPLITS_STAGE = Stage(
    "splits",
    after=("catalog", "pixels"),
    perform=_perform_splits,
    settings=_splits_settings,
    inputs=_splits_inputs,
    outputs=lambda run: [run.splits],
)
"""After the pixels: 60, 20 and 20 % are of the galaxies that have a usable image and a label."""
