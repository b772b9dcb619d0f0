"""The galaxies that the stand-in knows: where they are, what is known of them, and which image files they have.

They come from a simulated survey, or from a folder of images with a catalogue. One in twenty has a double close by,
which is not in the survey: a galaxy that the cuts of the paper remove.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.cutouts import compute_frame_arcsec, list_cutouts
from metalight.errors import ImageError, RunError, TableError, explain_absence, quote_flaw
from metalight.recipe import CutoutsSettings
from metalight.simulation import INSTRUMENTS, SurveyDesign, Universe
from metalight.small_files import load_json
from metalight.sphere import compute_chord, compute_directions
from metalight.tables import Table, find_column, load_table, match_columns, require_numbers, require_object_ids

if TYPE_CHECKING:
    from scipy.spatial import KDTree

STRIPE = ((120.0, 240.0), (0.0, 60.0))
"""Right ascensions and declinations in degrees over which galaxies are spread whose catalogue has no positions."""

_GALAXIES_PER_DOUBLE = 20
_MARGIN_DEG = 1.0
_DOUBLE_BIT = 1 << 15
"""Of an identifier: SDSS numbers the objects of a field, and never so many."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sky:
    """Galaxies, those of the survey first and in its order, then the doubles."""

    folder: Path
    object_ids: npt.NDArray[np.int64]
    ra_deg: _Floats
    dec_deg: _Floats
    originals: npt.NDArray[np.intp]
    """Row of the galaxy that each is like: its own, or that of which it is a double."""

    num_galaxies: int
    """How many there are without the doubles."""

    catalog: pd.DataFrame
    """Catalogue of the survey's galaxies, without the doubles."""

    truth: pd.DataFrame | None
    """What is true of them; None where nobody knows."""

    images: dict[int, str]
    """Path of the JPEG file by row."""

    design: SurveyDesign | None
    """How images are drawn; None for a folder of images."""

    frames_arcsec: tuple[_Floats, ...]
    """Sides that the files' frames may be said to have: by the catalogue, and by the truth. Empty: of any."""

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree

        return KDTree(compute_directions(self.ra_deg, self.dec_deg))

    def find_nearest(self, ra_deg: float, dec_deg: float, within_arcsec: float) -> int | None:
        """Row of the galaxy nearest to a place; None if none is near enough."""
        place, chord = compute_directions(ra_deg, dec_deg), compute_chord(within_arcsec)
        _, row = self._tree.query(place, distance_upper_bound=chord)
        return int(row) if row < len(self.object_ids) else None

    @cached_property
    def footprint_deg(self) -> tuple[float, float, float, float]:
        """Box that holds all galaxies, with a margin: right ascension it begins at, width, least and greatest dec."""
        south, north = float(self.dec_deg.min()) - _MARGIN_DEG, float(self.dec_deg.max()) + _MARGIN_DEG
        ordered = np.sort(self.ra_deg % 360)
        gaps = np.diff(ordered, append=ordered[0] + 360)
        widest = int(gaps.argmax())
        # A degree is many degrees of right ascension near a pole.
        margin = _MARGIN_DEG / max(np.cos(np.deg2rad(min(90.0, max(-south, north)))), 1e-3)
        width = 360 - float(gaps[widest]) + 2 * margin
        if width >= 360 or north >= 90 or south <= -90:
            return 0.0, 360.0, south, north
        return float(ordered[(widest + 1) % len(ordered)] - margin) % 360, width, south, north

    def has_images_at(self, ra_deg: float, dec_deg: float) -> bool:
        """Whether a place is in the footprint."""
        start, width, south, north = self.footprint_deg
        return south <= dec_deg <= north and (ra_deg - start) % 360 <= width


def draw_uniform(object_ids: npt.NDArray[np.int64], salt: int) -> _Floats:
    """A number from 0 to 1 for each identifier, that depends on it and on the salt alone."""
    mixed = object_ids.astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    # The finish of splitmix64 (Steele, Lea & Flood 2014).
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    uniform: _Floats = (mixed ^ (mixed >> np.uint64(31))) / 2.0**64
    return uniform


def load_sky(folder: Path) -> Sky:
    """The galaxies of a simulated survey, or of a folder with catalog.csv and JPEG files named by identifier.

    Raises:
        RunError: There is no such folder, or nothing in it that can be served.
        TableError: Its catalogue cannot be read.
        ImageError: Its images cannot be.
    """
    if not folder.is_dir():
        flaw = f"{folder} is a file" if folder.exists() else explain_absence(folder, "folder")
        raise RunError(f"{flaw}; name the folder of a simulated survey, or one of images with a catalog.csv.")
    path = folder / "catalog.csv"
    if not path.exists():
        begun = " whole" if (folder / "simulation.json").exists() else ""
        raise RunError(
            f"{folder} holds no{begun} survey: it has no catalog.csv. Make one with `metalight simulate`, or name a "
            "folder of images with a catalogue beside it."
        )
    design = _load_design(folder)
    return _build_sky(folder, path, design)


def _build_sky(folder: Path, path: Path, design: SurveyDesign | None) -> Sky:
    table = load_table(path)
    id_name = find_column(table, "objID" if match_columns(table, "objID") else "object_id", path=path, role="objID")
    object_ids = require_object_ids(table, id_name, path=path)
    if not len(object_ids):
        raise RunError(f"{path} has no galaxies; name another folder.")
    images = _find_images(folder, object_ids, design)
    if design is None:
        # Of galaxies without an image and without a truth there is nothing to show.
        kept = sorted(images)
        table = Table(table.frame.iloc[kept].reset_index(drop=True), table.info)
        object_ids, images = object_ids[kept], {row: images[old] for row, old in enumerate(kept)}
    ra_deg, dec_deg = _find_places(table, path, object_ids)
    truth = _load_truth(folder, object_ids) if design is not None else None
    sky = Sky(
        folder,
        object_ids,
        ra_deg,
        dec_deg,
        np.arange(len(object_ids)),
        len(object_ids),
        table.frame,
        truth,
        images,
        design,
        _list_frames(table, truth, design, path),
    )
    return _add_doubles(sky)


def _load_design(folder: Path) -> SurveyDesign | None:
    path = folder / "simulation.json"
    if not path.exists():
        return None
    try:
        stated = load_json(path)
        universe = Universe.model_validate(stated["universe"])
        return SurveyDesign(
            int(stated["seed"]),
            int(stated["first"]),
            int(stated["side"]),
            stated["framing"],
            next(name for name in INSTRUMENTS if name == stated["instrument"]),
            universe,
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise RunError(f"{path} cannot be read as the settings of a survey: {quote_flaw(error)}.") from error


def _find_images(folder: Path, object_ids: npt.NDArray[np.int64], design: SurveyDesign | None) -> dict[int, str]:
    """Paths of the JPEG files named by identifier, by row."""
    images_folder = folder / "images" if (folder / "images").is_dir() else folder
    try:
        found = list_cutouts(images_folder).found
    except ImageError:
        if design is None:
            raise
        return {}
    rows = {object_id: row for row, object_id in enumerate(object_ids.tolist())}
    images = {
        rows[object_id]: str(images_folder / name)
        for object_id, name in zip(found["object_id"].tolist(), found["path"].tolist(), strict=True)
        if object_id in rows and name.lower().endswith((".jpg", ".jpeg"))
    }
    if not images and design is None:
        raise RunError(f"{images_folder} holds no JPEG file named by an identifier of {folder / 'catalog.csv'}.")
    return images


def _find_places(table: Table, path: Path, object_ids: npt.NDArray[np.int64]) -> tuple[_Floats, _Floats]:
    """Right ascensions and declinations of the catalogue in degrees; or else by the identifiers, over a stripe."""
    if match_columns(table, "ra") and match_columns(table, "dec"):
        ra_deg, dec_deg = (
            require_numbers(table, find_column(table, name, path=path, role=name), path=path) for name in ("ra", "dec")
        )
        if not (np.isfinite(ra_deg).all() and (np.abs(dec_deg) <= 90).all()):
            raise TableError(f"{path} has galaxies without a place on the sky; fill ra and dec, or leave both out.")
        return ra_deg % 360, dec_deg
    (west, east), (south, north) = STRIPE
    sines = np.sin(np.deg2rad([south, north]))
    dec_deg = np.rad2deg(np.arcsin(sines[0] + np.ptp(sines) * draw_uniform(object_ids, 1)))
    return np.round(west + (east - west) * draw_uniform(object_ids, 0), 8), np.round(dec_deg, 8)


def _load_truth(folder: Path, object_ids: npt.NDArray[np.int64]) -> pd.DataFrame | None:
    """The truth table of a survey, if it is of these galaxies."""
    path = folder / "truth.csv"
    if not path.exists():
        return None
    truth = load_table(path).frame
    return truth if "objID" in truth and truth["objID"].tolist() == object_ids.tolist() else None


def _list_frames(
    table: Table, truth: pd.DataFrame | None, design: SurveyDesign | None, path: Path
) -> tuple[_Floats, ...]:
    if design is None:
        return ()
    radii: list[_Floats | None] = []
    if match_columns(table, "petroR90_r"):
        radii.append(require_numbers(table, find_column(table, "petroR90_r", path=path, role="petroR90_r"), path=path))
    if truth is not None:
        radii.append(truth["petro_r90_arcsec"].to_numpy(np.float64))
    settings = CutoutsSettings(framing=design.framing)
    frames = [compute_frame_arcsec(settings, len(table.frame), radius) for radius in radii or (None,)]
    return tuple(frame for frame in frames if frame is not None)


def _add_doubles(sky: Sky) -> Sky:
    """The sky with a double, two minutes of arc away, for some of its galaxies."""
    known = set(sky.object_ids.tolist())
    chosen = [
        row
        for row, object_id in enumerate(sky.object_ids.tolist())
        if row % _GALAXIES_PER_DOUBLE == 0 and object_id ^ _DOUBLE_BIT not in known
    ]
    away = np.where(sky.dec_deg[chosen] > 0, -1, 1) / 30
    return replace(
        sky,
        object_ids=np.concatenate([sky.object_ids, sky.object_ids[chosen] ^ _DOUBLE_BIT]),
        ra_deg=np.concatenate([sky.ra_deg, sky.ra_deg[chosen]]),
        dec_deg=np.concatenate([sky.dec_deg, np.round(sky.dec_deg[chosen] + away, 8)]),
        originals=np.concatenate([sky.originals, sky.originals[chosen]]),
    )
