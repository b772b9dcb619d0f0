"""A simulated survey on disk: a catalogue and a folder of images, as a user would have from SDSS.

    FOLDER/
    ├── simulation.json      what was asked for; makes the folder ours, and says how to go on with it
    ├── catalog.csv          one row a galaxy, written last: each of its galaxies has an image
    └── images/              OBJID.jpg, and cutouts.json, which says what the images are

A survey that was interrupted goes on where it stopped, and a survey can be made larger. Either way the files are, byte
for byte, those of a survey made in one go, with any number of processes.
"""

import contextlib
import functools
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from metalight import __version__
from metalight.atomic import remove_leftovers, replace_file, save_json
from metalight.cutouts import ORIGIN_FILE
from metalight.errors import RunError, explain_system
from metalight.progress import Progress, no_progress
from metalight.simulate.population import MAX_GALAXIES, Galaxy, draw_population, iterate_galaxies
from metalight.simulate.scene import load_galsim, render_galaxy

SCENE_VERSION = 1
"""Raise it whenever the same seed gives other galaxies or images than before: old surveys are then not mixed up."""

CATALOG_COLUMNS = {
    "object_id": "objID",
    "metallicity": "oh_p50",
    "log_mass": "lgm_tot_p50",
    "log_sfr": "sfr_tot_p50",
    "redshift": "z",
    "petro_r90_arcsec": "petroR90_r",
}
"""Columns of catalog.csv, by the names that SDSS gives them."""

_SMALLEST_SIDE = 8
_JPEG_QUALITY = 90

_GALAXIES_PER_TASK = 16
"""Few, so that the work ends soon after Ctrl-C; enough that handing out tasks takes no time."""

_GALAXIES_PER_PROCESS = 200
"""A process takes a second to start: fewer new images than this are not worth another one."""


@dataclass(frozen=True)
class SurveyReport:
    """What `simulate_survey` left on disk."""

    catalog_path: Path
    images_folder: Path
    num_galaxies: int
    num_drawn: int
    """Images made by this call; the others were there already."""


def simulate_survey(
    num_galaxies: int,
    seed: int,
    folder: Path,
    *,
    side: int = 64,
    num_processes: int | None = None,
    progress: Progress = no_progress,
) -> SurveyReport:
    """Files of a survey of galaxies whose metallicities are known, in `folder`.

    Called again with the same seed and side it draws only the images that are missing; with more galaxies it makes
    the survey larger.

    Args:
        num_galaxies: Galaxies in the survey, 1 to 10 million.
        seed: Not negative. The first galaxies of a seed are the same however many are asked for.
        folder: A new or empty folder, or one that holds a survey of the same seed and side.
        side: Pixels on a side of the images, at least 8.
        num_processes: Processes that draw; 1 draws in this one. Left out: as many as there are processors, if there
            is enough to draw.
        progress: Shows how many of the missing images are drawn.

    Raises:
        RunError: An argument is out of range, or `folder` holds something else.
        MissingExtraError: GalSim is not installed.
    """
    _check_arguments(num_galaxies, seed, side, num_processes)
    load_galsim()  # before anything is written
    try:
        _open_survey(folder, num_galaxies, seed, side)
        population = draw_population(num_galaxies, seed)
        num_drawn = _draw_missing(population, side, seed, folder / "images", num_processes, progress)
        catalog = population[list(CATALOG_COLUMNS)].rename(columns=CATALOG_COLUMNS).round(5)
        with replace_file(folder / "catalog.csv") as temporary:
            catalog.to_csv(temporary, index=False, lineterminator="\n")
    except OSError as error:
        raise RunError(
            f"The survey in {folder} cannot be written: {explain_system(error)}; mend that and run the same again, "
            "or name another folder."
        ) from error
    return SurveyReport(folder / "catalog.csv", folder / "images", num_galaxies, num_drawn)


def _check_arguments(num_galaxies: int, seed: int, side: int, num_processes: int | None) -> None:
    if num_galaxies < 1:
        raise RunError(f"A survey needs at least 1 galaxy, not {num_galaxies}; ask for more.")
    if num_galaxies > MAX_GALAXIES:
        raise RunError(f"A survey has at most {MAX_GALAXIES} galaxies, not {num_galaxies}; ask for fewer.")
    if seed < 0:
        raise RunError(f"The seed must not be negative, and is {seed}; use 0 or more.")
    if side < _SMALLEST_SIDE:
        raise RunError(f"Images must be at least {_SMALLEST_SIDE} pixels on a side, not {side}; use a larger side.")
    if num_processes is not None and num_processes < 1:
        raise RunError(f"At least 1 process must draw, not {num_processes}; leave it out to use every processor.")


def _open_survey(folder: Path, num_galaxies: int, seed: int, side: int) -> None:
    """Make `folder` ready for the survey, or refuse it."""
    asked = {
        "num_galaxies": num_galaxies,
        "seed": seed,
        "side": side,
        "scene_version": SCENE_VERSION,
        "version": __version__,
    }
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; name a new folder for the survey.")
    path = folder / "simulation.json"
    if path.exists():
        _check_same_survey(path, asked)
    # Hidden files are those of the desktop, or ours from a start that was cut off: they are in nobody's way.
    elif folder.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunError(f"{folder} holds files but no simulated survey; name a new or empty folder.")
    save_json(asked, path)
    images_folder = folder / "images"
    save_json({"framing": "petrosian", "source": "simulated"}, images_folder / ORIGIN_FILE)
    # A process that was killed could not tidy up; what it left would be counted as images.
    remove_leftovers(folder)


def _check_same_survey(path: Path, asked: dict[str, Any]) -> None:
    """Refuse to go on with a survey that was begun with other settings."""
    folder = path.parent
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        num_galaxies = int(begun["num_galaxies"])
        seed, side, scene_version = begun["seed"], begun["side"], begun["scene_version"]
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as the settings of a survey; name a new folder.") from error
    if (seed, side) != (asked["seed"], asked["side"]):
        raise RunError(
            f"{folder} holds a survey of seed {seed} and side {side}, not of seed {asked['seed']} and side "
            f"{asked['side']}; name another folder, or use seed {seed} and side {side}."
        )
    if scene_version != asked["scene_version"]:
        raise RunError(
            f"{folder} holds a survey by metalight {begun.get('version')}, which draws other galaxies than this "
            "metalight; name another folder."
        )
    if num_galaxies > asked["num_galaxies"]:
        raise RunError(
            f"{folder} holds a larger survey, of {num_galaxies} galaxies; ask for at least as many, or name another "
            "folder."
        )


def _draw_missing(
    population: pd.DataFrame,
    side: int,
    seed: int,
    images_folder: Path,
    num_processes: int | None,
    progress: Progress,
) -> int:
    """Number of images that were missing, and are drawn now."""
    present = {path.name for path in images_folder.iterdir()}
    galaxies = [galaxy for galaxy in iterate_galaxies(population) if _image_name(galaxy) not in present]
    tasks = [galaxies[start : start + _GALAXIES_PER_TASK] for start in range(0, len(galaxies), _GALAXIES_PER_TASK)]
    if num_processes is None:
        num_processes = min(os.cpu_count() or 1, 1 + len(galaxies) // _GALAXIES_PER_PROCESS)
    draw_task = functools.partial(_draw_task, side=side, seed=seed, images_folder=images_folder)
    with progress("Drawing galaxies", len(galaxies)) as advance:
        if num_processes == 1 or not tasks:
            for task in tasks:
                advance(draw_task(task))
        else:
            with _start_pool(min(num_processes, len(tasks)), images_folder) as pool:
                for future in as_completed([pool.submit(draw_task, task) for task in tasks]):
                    advance(future.result())
    return len(galaxies)


@contextlib.contextmanager
def _start_pool(num_processes: int, images_folder: Path) -> Iterator[ProcessPoolExecutor]:
    """Processes that finish the few images in hand, and begin no others, when the block ends early."""
    # Forked copies of a process that runs threads, as torch and numpy do, may hang.
    pool = ProcessPoolExecutor(num_processes, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise RunError(
            f"A process that drew images for {images_folder} was ended from outside or could not start; run the same "
            "again to go on, with fewer processes if memory was short."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone decides, and children leave whole files.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw_task(galaxies: list[Galaxy], side: int, seed: int, images_folder: Path) -> int:
    """Number of images drawn and written."""
    for galaxy in galaxies:
        with replace_file(images_folder / _image_name(galaxy)) as temporary:
            Image.fromarray(render_galaxy(galaxy, side, seed)).save(temporary, "JPEG", quality=_JPEG_QUALITY)
    return len(galaxies)


def _image_name(galaxy: Galaxy) -> str:
    return f"{galaxy.object_id}.jpg"
