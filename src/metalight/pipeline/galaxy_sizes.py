"""Sizes for a catalogue that has none: measured on a first, wider image of each galaxy, before the framed one comes.

First looks are 256 pixels of SDSS's own 0.396 arcsec, which hold two Petrosian radii of galaxies up to petroR90_r of
about 25 arcsec; a galaxy that fills its image gets one twice as wide. What is measured is kept in `sizes.parquet`, so
that an interrupted run resumes, and no galaxy is looked at twice. Many are measured by several processes.
"""

import contextlib
import dataclasses
import importlib.util
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.cutouts import SDSS_PIXEL_ARCSEC, DownloadReport, build_service
from metalight.errors import ImageError, RecipeError, TableError
from metalight.images import PICTURE_CURVES, PetrosianRadius, decode_image, measure_petrosian
from metalight.pipeline.downloads import fetch_cutouts
from metalight.pipeline.stage import Job
from metalight.processes import count_processes, share_out
from metalight.recipe import Recipe
from metalight.store import FileReader
from metalight.tables import Table, load_galaxies, save_galaxies

FIRST_SIDES = (256, 512)
"""Pixels on a side of the first look, and of the second one of galaxies that fill it."""

_MEASURED_A_SAVE = 2000
_GALAXIES_A_TASK = 64
"""As many as a store reads together."""

_GALAXIES_A_PROCESS = 200
"""A process takes a second or two to start: fewer galaxies than this are not worth another one."""

_KEY = ["object_id", "image"]
_COLUMNS = [*_KEY, *(field.name for field in dataclasses.fields(PetrosianRadius))]


def check_measuring(recipe: Recipe) -> None:
    """Refuse a recipe that has sizes measured where `sep`, which is optional, is not installed.

    Raises:
        RecipeError: It is not.
    """
    settings = recipe.cutouts
    is_wanted = settings.is_fetched and settings.framing == "petrosian" and settings.size == "measured"
    if is_wanted and importlib.util.find_spec("sep") is None:
        raise RecipeError(
            '[cutouts] size = "measured" needs the package sep, which is not installed: run  pip install sep, or take '
            'the sizes from the catalogue with size = "column" or "factor".'
        )


def measure_radii(job: Job, places: pd.DataFrame) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """petroR90_r of each galaxy in arcsec, NaN where it cannot be measured, and by object_id why not.

    Args:
        job: The run, whose recipe names a service of colour pictures.
        places: Columns object_id, ra, dec (degrees).

    Raises:
        RecipeError: The curve of the pictures is not known.
        ServiceError: The service gives nothing that can be used.
    """
    source = job.recipe.cutouts.source
    if source not in PICTURE_CURVES:
        raise RecipeError(
            f"[cutouts] source is '{source}', and sizes are measured on pictures whose curve is known: "
            f'{", ".join(PICTURE_CURVES)}. Name a column of radii instead, with size = "column" or "factor".'
        )
    radii = pd.Series(np.nan, index=places["object_id"].to_numpy(), dtype="float64")
    flaws: dict[int, str] = {}
    left = places
    for side in FIRST_SIDES:
        report = _fetch_first_looks(job, left, side)
        flaws |= dict(zip(report.refused["object_id"].tolist(), report.refused["reason"].tolist(), strict=True))
        measured = _measure_all(job, report.fetched)
        radii.loc[measured["object_id"].to_numpy()] = measured["r90_arcsec"].to_numpy()
        failed = measured[measured["reason"] != ""]
        flaws |= dict(zip(failed["object_id"].tolist(), failed["reason"].tolist(), strict=True))
        left = places[places["object_id"].isin(failed.loc[failed["needs_wider"], "object_id"])]
        if left.empty:
            break
    lacking = radii.index[radii.isna()]
    in_order = np.array(radii.tolist(), dtype=np.float64)
    return in_order, {object_id: flaws[object_id] for object_id in lacking.tolist()}


def _fetch_first_looks(job: Job, places: pd.DataFrame, side: int) -> DownloadReport:
    service = build_service(job.recipe.cutouts.model_copy(update={"side": side}), job.recipe.skyserver)
    return fetch_cutouts(job, places.assign(frame_arcsec=side * SDSS_PIXEL_ARCSEC), service, job.run.first_looks)


def _measure_all(job: Job, fetched: pd.DataFrame) -> pd.DataFrame:
    """Measurements of the first looks, in their order; those of the same images are taken from before."""
    known, keys = _load_known(job), fetched.rename(columns={"modified_ns": "image"})
    there = keys.merge(known[_KEY], on=_KEY)["object_id"]
    todo = fetched[~fetched["object_id"].isin(there)]
    rows: list[dict[str, Any]] = []
    num_processes = count_processes(len(todo), things_per_process=_GALAXIES_A_PROCESS)
    measured = contextlib.closing(_measure_each(job, todo, num_processes))
    with job.progress("Measuring sizes", len(todo)) as advance, measured as batches:
        for batch in batches:
            rows += batch
            advance(len(batch))
            if len(rows) >= _MEASURED_A_SAVE:
                known, rows = _keep(job, known, rows), []
    known = _keep(job, known, rows) if rows else known
    return keys[_KEY].merge(known, on=_KEY, how="left")


def _load_known(job: Job) -> pd.DataFrame:
    try:
        return load_galaxies(job.run.sizes).frame[_COLUMNS]
    except (TableError, KeyError):  # there is none, or it is damaged: then all is measured
        return pd.DataFrame({name: pd.Series(dtype="int64" if name in _KEY else "object") for name in _COLUMNS})


def _measure_each(job: Job, fetched: pd.DataFrame, num_processes: int) -> Generator[list[dict[str, Any]], None, None]:
    """Measurements of galaxies in their order, some at a time."""
    columns = (fetched[name].tolist() for name in ("object_id", "modified_ns", "path"))
    files = list(zip(*columns, strict=True))
    tasks = (files[first : first + _GALAXIES_A_TASK] for first in range(0, len(files), _GALAXIES_A_TASK))
    measure = partial(measure_files, folder=job.run.first_looks, source=job.recipe.cutouts.source)
    yield from share_out(measure, tasks, num_processes, name="measured sizes")


def measure_files(files: Sequence[tuple[int, int, str]], *, folder: Path, source: str) -> list[dict[str, Any]]:
    """What is measured of first looks, by the columns of `sizes.parquet`.

    Args:
        files: object_id, the number that tells the image, and its path in the folder.
        folder: Where they are.
        source: Whose pictures they are.

    Raises:
        ImageError: One cannot be read.
    """
    reader = FileReader(folder)
    rows = []
    for object_id, image, path in files:
        try:
            levels = decode_image(reader.read(path))
            measured = measure_petrosian(levels, SDSS_PIXEL_ARCSEC, stretch=PICTURE_CURVES[source])
        except (OSError, ImageError) as error:
            raise ImageError(f"{folder}/{path} {error}; delete that folder, and run again.") from error
        rows.append({"object_id": object_id, "image": image, **dataclasses.asdict(measured)})
    return rows


def _keep(job: Job, known: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Add measurements to those that are known, and save them all."""
    new = pd.DataFrame(rows, columns=_COLUMNS).astype({"reason": "str"})
    both = new if known.empty else pd.concat([known, new], ignore_index=True)
    save_galaxies(Table(both, {}), job.run.sizes)
    return both
