"""A recipe for a user's own catalogue and images, with everything in it that the two can tell."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd

from metalight.catalog import name_property
from metalight.cutouts import FoundCutouts, find_cutouts, list_folder, load_origin
from metalight.errors import CatalogError, ImageError, TableError
from metalight.image_files import cut_suffix, has_fits, is_fits, split_path
from metalight.images import decode_image, open_planes
from metalight.recipe import MAX_BANDS, ModelSettings, PixelsSettings, TrainingSettings, suggest_settings
from metalight.tables import Table, load_table, require_numbers, require_object_ids

_TARGETS = ("metallicity", "log_mass", "log_sfr", "log_ssfr", "redshift")
"""Properties that people want to predict, the likeliest first."""

_NAMES_OF_IDS = ("object_id", "objid", "id", "name", "source_id", "specobjid", "object", "iauname")
_ROWS_LOOKED_AT, _IMAGES_LOOKED_AT = 2000, 10
_FEW_GALAXIES = 5000
"""Training galaxies up to which the smaller network is proposed."""

_RED_TO_BLUE = "KHJYzIiRrVgGBuU"


@dataclass(frozen=True)
class ProposedRecipe:
    """A recipe, and what it rests on."""

    text: str
    """TOML with comments."""

    notes: tuple[str, ...]
    """Sentences on what was found, and on what was not clear."""


@dataclass(frozen=True)
class _Columns:
    """How the catalogue and the images belong together."""

    object_id: str
    file_name: str
    """Empty: files are named by the identifier."""


def propose_recipe(catalog: Path, images: Path) -> ProposedRecipe:
    """A recipe that trains on the galaxies of a table with the images of a folder.

    Raises:
        CatalogError: No column of the table says which image is whose, or none holds numbers to learn.
        MetalightError: The table or the folder cannot be read.
    """
    table = load_table(catalog)
    if table.frame.empty:
        raise CatalogError(f"{catalog} has no rows; give a table with a row for each galaxy.")
    columns = _find_columns(table, images, catalog)
    target, others = _find_target(table, columns, catalog)
    keys = require_object_ids(table, columns.object_id, path=catalog)
    names = table.frame[columns.file_name].tolist() if columns.file_name else None
    bands = _find_bands(images, table, columns)
    found = find_cutouts(images, keys, names, bands=bands) if bands else find_cutouts(images, keys, names)
    labels = pd.Series(require_numbers(table, target, path=catalog), index=keys)
    num_usable = int(np.isfinite(labels.reindex(found.found["object_id"])).sum())
    notes = [
        f"{len(keys):,} galaxies in {catalog}; {len(found.found):,} of them have an image, and {num_usable:,} of these "
        f"have {target}.",
        *([f"The target is {target}. Other columns of numbers: {', '.join(others[:8])}."] if others else []),
    ]
    text = _write(catalog, images, columns, target, bands, found, num_usable)
    return ProposedRecipe(text, tuple(notes))


def _find_columns(table: Table, images: Path, path: Path) -> _Columns:
    """The column whose values are most often those of image files: as identifiers, or as the files' names."""
    listed = [file.path for file in list_folder(images).files]
    paths, known = set(listed), {part for each in listed for part in _list_names(each)}
    shares: dict[tuple[str, Literal["object_id", "file_name"]], float] = {}
    for column in table.frame.columns:
        texts = _spell(table, column)
        if texts is None:
            continue
        shares[column, "object_id"] = float(np.mean([text in known for text in texts]))
        is_file = [text in paths or (text.startswith("/") and Path(text).is_file()) for text in texts]
        shares[column, "file_name"] = float(np.mean(is_file))
    (column, role), share = max(shares.items(), key=lambda each: each[1], default=(("", "object_id"), 0.0))
    if share == 0:
        example = listed[0] if listed else "no image files"
        raise CatalogError(
            f"No column of {path} has the names of the images in {images}: files there are named like '{example}', and "
            f"the columns are {', '.join(map(str, table.frame.columns[:12]))}. Name the images by an identifier in the "
            "catalogue, or add a column with their file names."
        )
    if role == "object_id":
        return _Columns(column, "")
    return _Columns(_find_identifier(table, column, path), column)


def _find_identifier(table: Table, file_name: str, path: Path) -> str:
    """The column of identifiers where files are named by another one: the first that tells all galaxies apart."""
    names = [name for name in table.frame.columns if name.casefold() in _NAMES_OF_IDS]
    names += [name for name in table.frame.columns if name not in names and name != file_name]
    for name in (*sorted(names, key=_rank_identifier), file_name):
        try:
            require_object_ids(table, name, path=path)
        except TableError:
            continue
        return name
    raise CatalogError(f"No column of {path} tells its galaxies apart; add one with an identifier for each galaxy.")


def _rank_identifier(name: str) -> int:
    folded = name.casefold()
    return _NAMES_OF_IDS.index(folded) if folded in _NAMES_OF_IDS else len(_NAMES_OF_IDS)


def _find_target(table: Table, columns: _Columns, path: Path) -> tuple[str, list[str]]:
    """The column to learn, and the other columns of numbers that could be."""
    kinds = {name: name_property(name, {}) for name in table.frame.columns}
    taken = {columns.object_id, columns.file_name}
    places = ("ra", "dec", "raj2000", "dej2000", "right_ascension", "declination")
    candidates = [
        name
        for name in table.frame.columns
        if name not in taken and name.casefold() not in (*places, *_NAMES_OF_IDS) and _varies(table, name, path)
    ]
    if not candidates:
        raise CatalogError(f"{path} has no column of numbers to learn; add one with the values to predict.")
    known = [name for name in candidates if kinds[name] in _TARGETS]
    target = min(known, key=lambda name: _TARGETS.index(kinds[name])) if known else candidates[0]
    return target, [name for name in candidates if name != target]


def _varies(table: Table, name: str, path: Path) -> bool:
    try:
        values = require_numbers(table, name, path=path)
    except TableError:
        return False
    return len(np.unique(values[np.isfinite(values)])) > 1


def _find_bands(images: Path, table: Table, columns: _Columns) -> tuple[str, ...]:
    """The bands of FITS files, from their names or else from the header of one; empty of pictures or if unknown."""
    files = [file for file in list_folder(images).files if file.is_fits and not file.flaw]
    if not files:
        return ()
    names = {PurePosixPath(cut_suffix(file.path)).name for file in files}
    texts = set(_spell(table, columns.file_name or columns.object_id) or ())
    rests = [name[len(text) + 1 :] for text in texts for name in names if name.startswith(text) and name != text]
    bands = [band for band, count in pd.Series(rests, dtype=object).value_counts().items() if count > len(texts) / 2]
    found = [str(band) for band in bands] or _read_bands(Path(files[0].location))
    return tuple(sorted(found, key=_rank_band)[:MAX_BANDS])


def _rank_band(band: str) -> tuple[int, str]:
    """The place of a band among others, from red to blue, as in colour pictures."""
    place = _RED_TO_BLUE.find(band[-1:])
    return (place if place >= 0 else _RED_TO_BLUE.find(band[-1:].lower()), band)


def _read_bands(file: Path) -> list[str]:
    try:
        labels = [next(iter(plane.labels), "") for plane in open_planes(file.read_bytes())]
    except (ImageError, OSError):
        return []  # it is refused with its reason when the images are read
    return labels if all(labels) and len(set(labels)) == len(labels) else []


def _find_side(images: Path, found: FoundCutouts) -> int:
    """The side of the first image that can be read, up to that of the preset."""
    largest = PixelsSettings().side
    for path in found.found["path"].head(_IMAGES_LOOKED_AT):
        file = images / split_path(path)[0]
        try:
            data = file.read_bytes()
            height, width = open_planes(data)[0].shape if is_fits(path) else decode_image(data).shape[:2]
        except (ImageError, OSError):
            continue
        return min(largest, int(height), int(width))
    return largest


def _spell(table: Table, column: str) -> list[str] | None:
    """The values of a column as text, of the first rows; None if they cannot name a file."""
    values = table.spelled.get(column, table.frame[column]).head(_ROWS_LOOKED_AT)
    if not (pd.api.types.is_integer_dtype(values.dtype) or values.dtype == object or values.dtype == "str"):
        return None
    return [str(value).strip() for value in values.dropna().tolist()] or None


def _list_names(path: str) -> list[str]:
    """What an identifier or a band's file may be called for a file at this path."""
    whole = cut_suffix(path)
    stem = PurePosixPath(whole).name
    short = [stem[: stem.rfind(mark)] for mark in "_-." if mark in stem]
    return [whole, stem, *short, *([PurePosixPath(path).parent.name] if "/" in path else [])]


def _write(
    catalog: Path,
    images: Path,
    columns: _Columns,
    target: str,
    bands: tuple[str, ...],
    found: FoundCutouts,
    num_usable: int,
) -> str:
    origin = load_origin(images)
    num_training = int(0.6 * num_usable)
    backbone = "resnet18.tv_in1k" if num_training < _FEW_GALAXIES else "resnet34.tv_in1k"
    side = _find_side(images, found)
    file_name = [f"file_name = {_quote(columns.file_name)}  # the image of each galaxy"] if columns.file_name else []
    of_fits = [f"bands = [{', '.join(map(_quote, bands))}]  # the channels, in order"] if bands else []
    if has_fits(found.found["path"]):
        of_fits.append('# stretch = "lupton"  # makes colour pictures of the fluxes of three bands')
    lines = [
        f"# Made by `metalight init` for {num_usable:,} galaxies. Run it with `metalight run`.",
        'preset = "paper"  # the schedule, views and loss of Wu & Boada (2019); what follows is for your sample',
        "",
        "[catalog]",
        f"path = {_quote(catalog.absolute())}",
        f"object_id = {_quote(columns.object_id)}  # identifiers, whole numbers or text",
        *file_name,
        f"targets = [{_quote(target)}]  # columns to learn; several are learnt at once",
        "",
        "[cutouts]",
        f"folder = {_quote(images.absolute())}",
        f"framing = {_quote(origin.framing or 'other')}  # or petrosian (5.05 Petrosian R90 across), "
        "fixed (37.9 arcsec), fifteen (15 arcsec)",
        f"source = {_quote(origin.source or 'own')}  # the survey; a model refuses images of another source",
        *of_fits,
        "",
        "[pixels]",
        f"side = {side}  # images of other sizes are resampled",
        "",
        "[baselines]",
        'kinds = ["forest_apertures", "gaussian_process"]  # simple methods, often better on few galaxies',
        "",
        "[model]",
        f"backbone = {_quote(backbone)}",
        'weights = "hub"  # ImageNet weights; offline: weights = "FILE.safetensors", or "none" for a worse start',
        'target_scaling = "standard"',
        *_write_training(num_training),
    ]
    return "\n".join(lines) + "\n"


def _write_training(num_training: int) -> list[str]:
    """Batches and rates that suit so few galaxies; nothing where those of the paper do."""
    settings = dict(each.split("=") for each in suggest_settings(ModelSettings(), TrainingSettings(), num_training))
    of_training = {key: value for key, value in settings.items() if key.startswith("training.")}
    if not of_training:
        return []
    changed = [f"{key.removeprefix('training.')} = {value.replace(',', ', ')}" for key, value in of_training.items()]
    return ["", f"[training]  # for about {num_training:,} training galaxies", *changed]


def _quote(text: Any) -> str:
    """A TOML string."""
    return json.dumps(str(text), ensure_ascii=False)
