"""A simulated survey on disk: a catalogue and a folder of images, as a user would have from SDSS.

    FOLDER/
    ├── simulation.json      what was asked for; makes the folder ours, and says how to resume it
    ├── catalog.csv          one row a galaxy, as SDSS would measure it; each of its galaxies has an image
    ├── truth.csv            what is true of each galaxy, also what nothing shows
    ├── limits.csv           errors that no method goes below, and one that it may reach
    └── images/              OBJID.jpg, and cutouts.json, which says what the images are

An interrupted survey resumes, and a survey can be made larger. Either way the files are, byte
for byte, those of a survey made in one go, with any number of processes.
"""

import contextlib
import functools
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight import __version__
from metalight.atomic import replace_file, save_json
from metalight.cutouts import ORIGIN_FILE, compute_frame_arcsec
from metalight.errors import RunError, explain_system, name_nearest
from metalight.outputs import check_outputs
from metalight.processes import count_processes, share_out
from metalight.progress import Progress, no_progress
from metalight.recipe import CutoutsSettings, Framing
from metalight.simulation.cutout import draw_cutout
from metalight.simulation.instrument import INSTRUMENTS
from metalight.simulation.limits import compute_limits
from metalight.simulation.measured import build_catalog, build_truth
from metalight.simulation.population import MAX_GALAXIES, Galaxy, draw_population, iterate_galaxies
from metalight.simulation.universe import Universe
from metalight.small_files import load_json
from metalight.tables import Table, save_table

SCENE_VERSION = 4
"""Raise it whenever the same seed gives other galaxies or images than before: old surveys are then not mixed up."""

_SMALLEST_SIDE, _LARGEST_SIDE = 8, 1024

_GALAXIES_PER_TASK = 16
"""Few, so that the work ends soon after Ctrl-C; enough that handing out tasks takes no time."""

_GALAXIES_PER_PIECE = 10_000
"""Drawing more galaxies than this at a time takes memory and no less time."""

_GALAXIES_PER_PROCESS = 200
"""A process takes a second to start: fewer new images than this are not worth another one."""

_SIMULATION = "simulation.json"
_DRAWS = "drew galaxies"


@dataclass(frozen=True)
class SurveyDesign:
    """Design of a survey, without its size: the same design and number give the same galaxy and image."""

    seed: int = 0
    """Not negative. The first galaxies of a seed are the same however many are asked for."""

    first: int = 0
    """Number of the first galaxy: pieces of one survey, made apart, are those of a survey made in one go."""

    side: int = 128
    """Pixels on a side of the images, 8 to 1024."""

    framing: Framing = "petrosian"
    """What the images frame; not `other`."""

    instrument: str = "sdss"
    """One of `INSTRUMENTS`."""

    universe: Universe = field(default_factory=Universe)
    """The laws of its galaxies."""

    def describe(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "seed": self.seed,
            "first": self.first,
            "side": self.side,
            "framing": self.framing,
            "instrument": self.instrument,
            "universe": self.universe.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class SurveyReport:
    """The files that `simulate_survey` wrote."""

    catalog_path: Path
    images_folder: Path
    num_galaxies: int
    num_drawn: int
    """Images made by this call; the others were there already."""

    seconds_of_drawing: float
    """Time for an image on one processor; 0 if none was drawn."""

    limits: pd.DataFrame
    """What any method's error is bounded by, see `compute_limits`."""


def simulate_survey(
    num_galaxies: int,
    folder: Path,
    design: SurveyDesign | None = None,
    *,
    num_processes: int | None = None,
    progress: Progress = no_progress,
) -> SurveyReport:
    """Files of a survey of galaxies whose metallicities are known, in `folder`.

    Called again with the same design it draws only the images that are missing; with more galaxies it makes the survey
    larger.

    Args:
        num_galaxies: Galaxies in the survey, 1 to 10 million.
        folder: A new or empty folder, or one that holds a survey of the same design.
        design: What the survey is.
        num_processes: Processes that draw; 1 draws in this one. Left out: as many as there are processors, if there
            is enough to draw.
        progress: Shows how many of the missing images are drawn.

    Raises:
        RunError: An argument is out of range, or `folder` holds something else or belongs to a run.
        InUseError: `folder` belongs to a run in progress.
    """
    design = design or SurveyDesign()
    _check_arguments(num_galaxies, design, num_processes)
    check_outputs(folder / _SIMULATION)
    try:
        _open_survey(folder, num_galaxies, design)
        population = _draw_population(num_galaxies, design, num_processes, progress)
        started = time.monotonic()
        num_drawn, num_used = _draw_missing(population, design, folder / "images", num_processes, progress)
        seconds = (time.monotonic() - started) * num_used / num_drawn if num_drawn else 0.0
        save_table(build_catalog(population, design.seed, design.universe), folder / "catalog.csv")
        save_table(Table(build_truth(population)), folder / "truth.csv")
        limits = compute_limits(population)
        save_table(Table(limits), folder / "limits.csv")
    except OSError as error:
        raise RunError(
            f"The survey in {folder} cannot be written: {explain_system(error)}; fix that and run the same again, "
            "or name another folder."
        ) from error
    return SurveyReport(folder / "catalog.csv", folder / "images", num_galaxies, num_drawn, seconds, limits)


def _check_arguments(num_galaxies: int, design: SurveyDesign, num_processes: int | None) -> None:
    if num_galaxies < 1:
        raise RunError(f"A survey needs at least 1 galaxy, not {num_galaxies}; ask for more.")
    if design.first < 0:
        raise RunError(f"The number of the first galaxy must not be negative, and is {design.first}; use 0 or more.")
    if design.first + num_galaxies > MAX_GALAXIES:
        before = f" from number {design.first} on" if design.first else ""
        raise RunError(f"A survey has at most {MAX_GALAXIES} galaxies, not {num_galaxies}{before}; ask for fewer.")
    if design.seed < 0:
        raise RunError(f"The seed must not be negative, and is {design.seed}; use 0 or more.")
    if not _SMALLEST_SIDE <= design.side <= _LARGEST_SIDE:
        raise RunError(
            f"Images must be {_SMALLEST_SIDE} to {_LARGEST_SIDE} pixels on a side, not {design.side}; use another side."
        )
    if design.framing == "other":
        raise RunError("Images need a frame; use petrosian, fixed or fifteen.")
    if design.instrument not in INSTRUMENTS:
        hint = name_nearest(design.instrument, list(INSTRUMENTS))
        raise RunError(f"There is no instrument '{design.instrument}'.{hint}")
    if num_processes is not None and num_processes < 1:
        raise RunError(f"At least 1 process must draw, not {num_processes}; leave it out to use every processor.")


def _open_survey(folder: Path, num_galaxies: int, design: SurveyDesign) -> None:
    """Make `folder` ready for the survey, or refuse it."""
    asked = {
        "num_galaxies": num_galaxies,
        **design.describe(),
        "scene_version": SCENE_VERSION,
        "version": __version__,
    }
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; name a new folder for the survey.")
    path = folder / _SIMULATION
    if path.exists():
        _check_same_survey(path, asked)
    # Hidden files are those of the desktop, or ours from a start that was cut off: they are in nobody's way.
    elif folder.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunError(f"{folder} holds files but no simulated survey; name a new or empty folder.")
    save_json(asked, path)
    images_folder = folder / "images"
    source = INSTRUMENTS[design.instrument].source
    save_json({"framing": design.framing, "source": source}, images_folder / ORIGIN_FILE)


def _check_same_survey(path: Path, asked: dict[str, Any]) -> None:
    """Refuse to resume a survey that was begun with other settings."""
    folder = path.parent
    try:
        begun = load_json(path)
        num_galaxies, scene_version = int(begun["num_galaxies"]), begun["scene_version"]
        keys = ("seed", "first", "side", "framing", "instrument", "universe")
        differing = [key for key in keys if begun.get(key) != asked[key]]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as the settings of a survey; name a new folder.") from error
    if scene_version != asked["scene_version"]:
        raise RunError(
            f"{folder} holds a survey by metalight {begun.get('version')}, which draws other galaxies than this "
            "metalight; name another folder."
        )
    if differing:
        key = differing[0]
        begun_with, wanted = begun.get(key), asked[key]
        if key == "universe":
            law = next(name for name in wanted if begun_with.get(name) != wanted[name])
            key, begun_with, wanted = law, begun_with.get(law), wanted[law]
        raise RunError(
            f"{folder} holds a survey of {key} {begun_with}, not {wanted}; name another folder, or ask for "
            f"{begun_with}."
        )
    if num_galaxies > asked["num_galaxies"]:
        raise RunError(
            f"{folder} holds a larger survey, of {num_galaxies} galaxies; ask for at least as many, or name another "
            "folder."
        )


def _draw_population(
    num_galaxies: int, design: SurveyDesign, num_processes: int | None, progress: Progress
) -> pd.DataFrame:
    """The galaxies of the survey; many of them are drawn piece by piece, by several processes."""
    last = design.first + num_galaxies
    pieces = [
        (first, min(_GALAXIES_PER_PIECE, last - first)) for first in range(design.first, last, _GALAXIES_PER_PIECE)
    ]
    draw_piece = functools.partial(_draw_piece, design=design)
    if len(pieces) == 1:
        return draw_piece(pieces[0])
    num_processes = min(num_processes or count_processes(num_galaxies, things_per_process=1), len(pieces))
    results = contextlib.closing(share_out(draw_piece, pieces, num_processes, name=_DRAWS))
    drawn = []
    with progress("Finding galaxies", num_galaxies) as advance, results as populations:
        for population in populations:
            drawn.append(population)
            advance(len(population))
    return pd.concat(drawn).sort_index()


def _draw_piece(piece: tuple[int, int], design: SurveyDesign) -> pd.DataFrame:
    first, num_galaxies = piece
    galaxies = draw_population(num_galaxies, design.seed, design.universe, first=first)
    return galaxies.set_axis(range(first, first + num_galaxies))


def _draw_missing(
    population: pd.DataFrame,
    design: SurveyDesign,
    images_folder: Path,
    num_processes: int | None,
    progress: Progress,
) -> tuple[int, int]:
    """Number of images that were missing, and are drawn now, and of processes that drew them."""
    present = {path.name for path in images_folder.iterdir()}
    is_missing = [_image_name(object_id) not in present for object_id in population["object_id"].tolist()]
    missing = population[is_missing]
    num_tasks = -(-len(missing) // _GALAXIES_PER_TASK)
    if num_processes is None:
        num_processes = count_processes(len(missing), things_per_process=_GALAXIES_PER_PROCESS)
    num_processes = max(1, min(num_processes, num_tasks))
    galaxies = iterate_galaxies(missing)
    tasks = iter(lambda: list(itertools.islice(galaxies, _GALAXIES_PER_TASK)), [])
    draw_task = functools.partial(_draw_task, design=design, images_folder=images_folder)
    results = contextlib.closing(share_out(draw_task, tasks, num_processes, name=_DRAWS))
    with progress("Drawing galaxies", len(missing)) as advance, results as numbers:
        for num_drawn in numbers:
            advance(num_drawn)
    return len(missing), num_processes


def _draw_task(galaxies: list[Galaxy], design: SurveyDesign, images_folder: Path) -> int:
    """Number of images drawn and written."""
    radii = np.array([galaxy.petro_r90_arcsec for galaxy in galaxies])
    frames = compute_frame_arcsec(CutoutsSettings(framing=design.framing), len(galaxies), radii)
    assert frames is not None  # `other` was refused
    for galaxy, frame_arcsec in zip(galaxies, frames.tolist(), strict=True):
        jpeg = draw_cutout(
            galaxy,
            frame_arcsec=frame_arcsec,
            side=design.side,
            seed=design.seed,
            instrument=INSTRUMENTS[design.instrument],
            universe=design.universe,
        )
        with replace_file(images_folder / _image_name(galaxy.object_id)) as temporary:
            temporary.write_bytes(jpeg)
    return len(galaxies)


def _image_name(object_id: int) -> str:
    return f"{object_id}.jpg"
