"""Pictures of a run's galaxies for people: of those that are used, and of those that were left out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.cutouts import find_cutouts
from metalight.errors import ImageError
from metalight.image_files import is_fits, split_path
from metalight.images import (
    crop_square,
    decode_image,
    find_kind,
    load_pixels,
    make_display,
    read_images,
    resize_area,
)
from metalight.pipeline.refusals import load_refused, name_kind
from metalight.pipeline.stage import locate_images
from metalight.recipe import Recipe
from metalight.run_folder import RunFolder
from metalight.store import FileReader
from metalight.tables import load_galaxies

_STAGES = ("catalog", "cutouts", "pixels")
_LARGEST_SIDE = 256
"""Of a picture on a contact sheet, in pixels."""

_TRIED_A_PICTURE = 4
"""So many galaxies are tried for each picture wanted: files of some of them cannot be decoded."""

Ids = npt.NDArray[np.int64]
Picture = npt.NDArray[np.uint8]


def list_refused(run: RunFolder) -> dict[str, pd.DataFrame]:
    """The galaxies that each stage left out: object_id, path (empty where there is none) and reason."""
    refused = {}
    for stage in _STAGES:
        path = run.refused(stage)
        if not path.is_file():
            continue
        refused[stage] = load_refused(path)
    return refused


def load_pictures(run: RunFolder, recipe: Recipe, choose: Callable[[Ids], Ids]) -> tuple[Ids, Sequence[Picture], str]:
    """Some galaxies, a picture (side, side, 3 or 1) of each, and what was done to show them.

    Args:
        run: Where the decoded images are, or else the list of image files.
        recipe: Of the run.
        choose: Picks some of the galaxies that have an image.

    Raises:
        ImageError: There are no images yet, or none that can be used.
    """
    if run.pixels.is_dir():
        pixels = load_pixels(run.pixels)
        object_ids = choose(pixels.object_ids)
        levels = pixels.array[pixels.rows_of(object_ids)]
    elif run.cutouts.is_file():
        found = load_galaxies(run.cutouts).frame
        object_ids = choose(found["object_id"].to_numpy())
        chosen = found.set_index("object_id", drop=False).loc[object_ids].reset_index(drop=True)
        object_ids, levels = _read(locate_images(run, recipe), chosen, recipe)
    else:
        raise ImageError("There are no images yet: the stages cutouts and pixels are not done.")
    if not len(object_ids):
        raise ImageError("No image can be used; `metalight run` says why.")
    pictures, note = make_display(np.asarray(levels), recipe.cutouts.bands)
    return object_ids, list(pictures), note


def load_refused_pictures(
    run: RunFolder, recipe: Recipe, num: int, *, seed: int = 0
) -> tuple[pd.DataFrame, list[Picture]]:
    """Galaxies that were left out though they have an image that decodes, and a picture of each.

    Args:
        run: Where the tables of refusals are.
        recipe: Of the run.
        num: The most to show; of more, some of each kind of reason, at random.
        seed: Of that choice.

    Returns:
        Columns object_id, stage, reason, path; and the pictures, (height, width, 3 or 1), in the same order: by stage
        and reason.
    """
    folder = locate_images(run, recipe)
    refused = pd.concat(
        [frame.assign(stage=stage) for stage, frame in list_refused(run).items()] or [_no_refused()], ignore_index=True
    ).drop_duplicates("object_id")
    located = _locate(folder, refused, recipe)
    rows: list[int] = []
    pictures: list[Picture] = []
    for row in _take_turns(located, seed)[: _TRIED_A_PICTURE * num]:
        picture = _decode(folder, str(located["path"].iloc[row]), recipe)
        if picture is not None:
            rows.append(row)
            pictures.append(picture)
        if len(pictures) == num:
            break
    shown = located.iloc[rows][["object_id", "stage", "reason", "path"]].reset_index(drop=True)
    order = shown.sort_values(["stage", "reason", "object_id"], kind="stable").index
    return shown.loc[order].reset_index(drop=True), [pictures[place] for place in order]


def _take_turns(refused: pd.DataFrame, seed: int) -> list[int]:
    """Rows in an order in which every kind of reason has its turn, and within a kind galaxies come at random."""
    by_id = np.argsort(refused["object_id"].to_numpy(), kind="stable")
    shuffled = by_id[np.random.default_rng(seed).permutation(len(by_id))]
    kinds = refused["reason"].map(name_kind).iloc[shuffled]
    turns = kinds.groupby(kinds).cumcount().to_numpy()
    rows: list[int] = shuffled[np.argsort(turns, kind="stable")].tolist()
    return rows


def _no_refused() -> pd.DataFrame:
    return pd.DataFrame({"object_id": np.empty(0, np.int64), "path": [], "reason": [], "stage": []})


def _locate(folder: Path, refused: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """The refused galaxies whose image file is known or is named by their identifier."""
    without = refused.loc[refused["path"] == "", "object_id"].to_numpy(dtype=np.int64)
    is_by_name = not recipe.cutouts.is_fetched and not recipe.catalog.file_name
    if len(without) and folder.is_dir() and is_by_name:
        try:
            found = find_cutouts(folder, without, None, bands=recipe.cutouts.bands).found
        except ImageError:  # none of them has one
            found = None
        if found is not None:
            by_id = found.set_index("object_id")["path"]
            paths = refused["object_id"].map(by_id)
            refused = refused.assign(path=refused["path"].where(refused["path"] != "", paths.fillna("")))
    return refused[refused["path"] != ""]


def _decode(folder: Path, path: str, recipe: Recipe) -> Picture | None:
    """The picture in a file, whatever else is wrong with it; None if it has none."""
    if is_fits(path):
        return _decode_fits(folder, path, recipe)
    try:
        square = crop_square(decode_image(FileReader(folder).read(path)))
    except (OSError, ImageError):
        return None
    return resize_area(square, _LARGEST_SIDE) if len(square) > _LARGEST_SIDE else square


def _decode_fits(folder: Path, path: str, recipe: Recipe) -> Picture | None:
    reader = FileReader(folder)
    try:
        num_bytes = sum(len(reader.read(name)) for name in split_path(path))
    except OSError:
        return None
    found = pd.DataFrame({"object_id": [0], "path": [path], "num_bytes": [num_bytes], "modified_ns": [0]})
    # To look at it, nothing need be known of the dust before it.
    as_observed = recipe.cutouts.model_copy(update={"deredden": ""})
    object_ids, levels = _read(folder, found, recipe.model_copy(update={"cutouts": as_observed}))
    return make_display(levels, recipe.cutouts.bands)[0][0] if len(object_ids) else None


def _read(folder: Path, found: pd.DataFrame, recipe: Recipe) -> tuple[Ids, npt.NDArray[Any]]:
    """The galaxies whose files can be used, and their images (galaxy, side, side, channel)."""
    kind = find_kind(folder, found, recipe.pixels.side, recipe.cutouts)
    read = read_images(folder, found, kind)
    is_usable = (read.outcomes["reason"] == "").to_numpy()
    return found["object_id"].to_numpy(dtype=np.int64)[is_usable], read.pixels[is_usable]
