"""The decoded images of many galaxies as one memory-mapped array: a cache, safe to delete.

A folder of:

- `pixels.npy`: (galaxy, side, side, channel): uint8 with 1 to 3 channels, or float32 with 1 to 8, which are fluxes.
- `index.parquet`: object_id of each row; of its file or files the sha256, height and width in pixels, pixel scale in
  arcsec (NaN where not known), number of undefined pixels filled; whether the image is grey.
- `refused.parquet`: object_id, path and reason of each galaxy whose image cannot be used.
- `content.json`: the sha256 of the three files above, by which altered ones are noticed, and which tells later stages
  whether the images are other ones.
- `fingerprint.json`: what it was built from. It is rebuilt when that or the content changes.
"""

import hashlib
import json
import math
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.atomic import replace_file, replace_folder
from metalight.errors import ImageError, explain_system
from metalight.identifiers import name_of
from metalight.image_files import split_path
from metalight.images.kinds import ImageKind, find_kind
from metalight.images.reading import check_any_usable, divide_into_parts, read_images, refuse_duplicates
from metalight.progress import Progress, no_progress
from metalight.recipe import MAX_BANDS, CutoutsSettings
from metalight.small_files import load_json
from metalight.store import FileReader
from metalight.unfinished import UnfinishedWork, forget_work, go_on_with

CONTENT_FILE = "content.json"
"""Name of the file of a cache that changes if, and only if, what it holds does."""

INDEX_FILE = "index.parquet"
"""Name of the file of a cache that has one row a galaxy."""

_ARRAY, _REFUSED, _FINGERPRINT = "pixels.npy", "refused.parquet", "fingerprint.json"
_ALL = "all.npy"
_ROWS_A_COPY = 256
_OF_FILES = ["sha256", "height", "width", "is_grey", "pixel_scale_arcsec", "num_filled"]
_ANY_SETTINGS = CutoutsSettings()


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images, one row a galaxy."""

    object_ids: npt.NDArray[np.int64]
    """The galaxy of each row."""

    array: npt.NDArray[Any]
    """(galaxy, side, side, channel), memory-mapped and read-only: uint8 levels with 3 channels in the files' order,
    which is i, r, g, or with one; or float32 with the fluxes of the bands asked for, in their order."""

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return int(self.array.shape[1])

    def rows_of(self, object_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """The row of each galaxy.

        Raises:
            ImageError: A galaxy has no row; the first one is named.
        """
        wanted = np.asarray(object_ids)
        rows = self._by_id.get_indexer(pd.Index(wanted, dtype="int64"))
        lacking = wanted[rows < 0]
        if len(lacking):
            more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
            raise ImageError(f"Galaxy {name_of(lacking[0])}{more} has no decoded image; its refusal says why.")
        return rows

    @cached_property
    def _by_id(self) -> pd.Index:
        return pd.Index(self.object_ids, dtype="int64")


@dataclass(frozen=True, eq=False)
class PixelsReport:
    """The outcome of decoding."""

    num_galaxies: int
    """Galaxies with pixels."""

    refused: pd.DataFrame
    """Columns object_id, path, reason: the galaxies whose image cannot be used."""

    is_fresh: bool
    """Whether the cache was there already, built from the same files."""

    was_altered: bool
    """Whether a cache of the same files was there, but was not as it had been made."""

    num_grey: int
    """Galaxies whose image has no colour."""

    shapes: dict[tuple[int, int], int]
    """How many of the images have which height and width in their files, in pixels."""

    num_filled: int
    """Galaxies of whose image some pixels were undefined, and filled."""


def build_pixels(
    folder: Path,
    found: pd.DataFrame,
    cache: Path,
    *,
    side: int,
    settings: CutoutsSettings = _ANY_SETTINGS,
    progress: Progress = no_progress,
    num_threads: int = 2,
) -> PixelsReport:
    """Decode, check and resize every image once, unless `cache` holds the result already.

    Images that are byte for byte the same are refused together: which galaxy they show cannot be known.

    Args:
        folder: Folder of the image files, or of the parts that hold them.
        found: Columns object_id, path, num_bytes, modified_ns, as `metalight.cutouts` gives them, and e_bv where
            fluxes are to be dereddened, as of `read_images`; rows of the cache keep this order.
        cache: Folder to make, or to replace if it was built from other files.
        side: Height and width of the decoded images in pixels.
        settings: Which bands there are or are wanted; of FITS also which field, and what fluxes become.
        progress: Shows how many files are read.
        num_threads: Files decoded at the same time.

    Raises:
        ImageError: No image can be used, the images are of another kind than the settings or of two kinds, the disk is
            too full, or `cache` is something else.
        ValueError: A galaxy is there twice.
    """
    if found["object_id"].duplicated().any():
        raise ValueError("object_ids must not repeat")
    if found.empty:
        raise ImageError(f"There are no images in {folder} to decode.")
    _check_replaceable(cache)
    kind = find_kind(folder, found, side, settings)
    fingerprint = _compute_fingerprint(found, kind)
    is_built = _is_built(cache, fingerprint)
    if is_built and is_whole(cache):
        forget_work(cache)  # of a process that was killed as it deleted them
        return _report(cache, is_fresh=True)
    identity = hashlib.sha256(json.dumps(fingerprint).encode()).hexdigest()
    try:
        with go_on_with(cache, identity, needed=[_ALL]) as work:
            outcomes = _decode_all(folder, found, work, kind, progress, num_threads)
            _build_cache(folder, cache, outcomes, work, fingerprint)
    except OSError as error:
        raise ImageError(
            f"The decoded images cannot be written to {cache}: {explain_system(error)}. Fix that and run the same "
            "command again to resume."
        ) from error
    return _report(cache, was_altered=is_built)


def _build_cache(
    folder: Path, cache: Path, outcomes: pd.DataFrame, work: UnfinishedWork, fingerprint: dict[str, Any]
) -> None:
    refuse_duplicates(outcomes)
    check_any_usable(folder, outcomes)
    kept = np.flatnonzero(outcomes["reason"] == "")
    with replace_folder(cache) as building:
        index = outcomes.iloc[kept][["object_id", *_OF_FILES]]
        index.reset_index(drop=True).to_parquet(building / INDEX_FILE)
        refused = outcomes.loc[outcomes["reason"] != "", ["object_id", "path", "reason"]]
        refused.reset_index(drop=True).to_parquet(building / _REFUSED)
        # What could not be read may be readable next time without looking changed: the folder is then read again.
        unread = outcomes.loc[outcomes["is_unread"], "path"].tolist()
        _keep_rows(work.folder / _ALL, building / _ARRAY, kept)
        (building / CONTENT_FILE).write_text(json.dumps(_hash_content(building), indent=2))
        built = fingerprint | {"unread": unread}
        (building / _FINGERPRINT).write_text(json.dumps(built, indent=2))


def load_pixels(cache: Path) -> Pixels:
    """The decoded images that `build_pixels` left in `cache`.

    Raises:
        ImageError: The cache is not there or not whole.
    """
    try:
        index = pd.read_parquet(cache / INDEX_FILE)
        array = np.load(cache / _ARRAY, mmap_mode="r", allow_pickle=False)
        object_ids = index["object_id"].to_numpy(dtype=np.int64)
    except Exception as error:  # numpy and pyarrow have errors of many types for damaged files
        raise ImageError(_explain_broken(cache)) from error
    side, num_channels = array.shape[2:] if array.ndim == 4 else (0, 0)
    is_flux = array.dtype == np.float32
    is_known = 1 <= num_channels <= MAX_BANDS if is_flux else array.dtype == np.uint8 and 1 <= num_channels <= 3
    if not is_known or array.shape[:3] != (len(object_ids), side, side):
        raise ImageError(_explain_broken(cache))
    return Pixels(object_ids, array)


def load_file_sides(cache: Path, object_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The shorter side of the image file of each galaxy in pixels; all of them have decoded images."""
    index = pd.read_parquet(cache / INDEX_FILE)
    shorter = index[["height", "width"]].min(axis=1).to_numpy(dtype=np.int64)
    places = pd.Index(index["object_id"].to_numpy(dtype=np.int64)).get_indexer(pd.Index(object_ids))
    return np.asarray(shorter[places], dtype=np.int64)


def list_cache_files(cache: Path) -> list[Path]:
    """The files of a cache, whether or not they are there."""
    return [cache / name for name in (_ARRAY, INDEX_FILE, _REFUSED, CONTENT_FILE, _FINGERPRINT)]


def is_whole(cache: Path) -> bool:
    """Whether a cache has the very content that was built; all of it is read for that."""
    try:
        return _load_json(cache / CONTENT_FILE) == _hash_content(cache)
    except OSError:
        return False


def can_read_more(folder: Path, cache: Path) -> bool:
    """Whether a file that could not be read when a cache was built can be read now."""
    stored, reader = _load_json(cache / _FINGERPRINT), FileReader(folder)
    unread = stored.get("unread") if isinstance(stored, dict) else None
    return isinstance(unread, list) and any(_is_readable(reader, str(path)) for path in unread)


def _is_readable(reader: FileReader, path: str) -> bool:
    """Whether all files of a galaxy's image can be read whole."""
    try:
        for name in split_path(path):
            reader.read(name)
    except OSError:
        return False
    return True


def _hash_content(cache: Path) -> dict[str, str]:
    digests = {}
    for name in (_ARRAY, INDEX_FILE, _REFUSED):
        with (cache / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _explain_broken(cache: Path) -> str:
    return f"The decoded images in {cache} are missing or not whole. Delete that folder and run again."


def _check_replaceable(cache: Path) -> None:
    """Refuse to replace a folder that holds anything else: a mistaken path must not delete a user's files."""
    if not cache.exists():
        return
    if not cache.is_dir():
        raise ImageError(f"{cache} is a file; the decoded images need a folder there. Move it away.")
    others = sorted(entry.name for entry in cache.iterdir() if entry not in list_cache_files(cache))
    if others:
        raise ImageError(
            f"{cache} holds {others[0]}, which is not a part of the decoded images, so it is not replaced. "
            "Move that away, or choose another folder."
        )


def _compute_fingerprint(found: pd.DataFrame, kind: ImageKind) -> dict[str, Any]:
    listing = hashlib.sha256()
    names = ["object_id", "path", "num_bytes", "modified_ns", *(["e_bv"] if "e_bv" in found else [])]
    columns = (found[name].tolist() for name in names)
    for row in zip(*columns, strict=True):
        listing.update(json.dumps(row).encode())
    return {"files_sha256": listing.hexdigest(), **kind.describe()}


def _is_built(cache: Path, fingerprint: dict[str, Any]) -> bool:
    """Whether the cache says that it was built from this, in full; what it holds is not looked at."""
    return _load_json(cache / _FINGERPRINT) == fingerprint | {"unread": []}


def _load_json(path: Path) -> object:
    try:
        return load_json(path)
    except (OSError, ValueError):
        return None


def _report(cache: Path, *, is_fresh: bool = False, was_altered: bool = False) -> PixelsReport:
    index = pd.read_parquet(cache / INDEX_FILE)
    shapes = Counter(zip(index["height"].tolist(), index["width"].tolist(), strict=True))
    return PixelsReport(
        num_galaxies=len(index),
        refused=pd.read_parquet(cache / _REFUSED),
        is_fresh=is_fresh,
        was_altered=was_altered,
        num_grey=int(index["is_grey"].sum()),
        shapes=dict(shapes.most_common()),
        num_filled=int((index["num_filled"] > 0).sum()),
    )


def _decode_all(
    folder: Path, found: pd.DataFrame, work: UnfinishedWork, kind: ImageKind, progress: Progress, num_threads: int
) -> pd.DataFrame:
    """Write every usable image to its row of an array file with room for all; gives what became of each file."""
    array = work.folder / _ALL
    if not array.is_file():
        _create_array(array, (len(found), *kind.row_shape), kind.dtype)
    parts: list[pd.DataFrame] = []
    with progress("Decoding images", len(found)) as advance:
        for part in divide_into_parts(len(found), kind):
            outcomes = work.load(part)
            # A file that could not be read is tried again.
            if outcomes is None or outcomes["is_unread"].any():
                read = read_images(folder, found[part], kind, num_threads=num_threads, advance=advance)
                _write_rows(array, part.start, read.pixels)
                outcomes = work.keep(part, read.outcomes)
            else:
                advance(part.stop - part.start)
            parts.append(outcomes)
    return pd.concat(parts, ignore_index=True)


def _create_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Make an array file with room for a row an image."""
    num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    num_free = shutil.disk_usage(path.parent).free
    if num_bytes > num_free:
        raise ImageError(
            f"The decoded images need {num_bytes / 1e9:.1f} GB in {path.parent.parent}, which has "
            f"{num_free / 1e9:.1f} GB free. Make room, or choose a smaller [pixels] side."
        )
    with replace_file(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)


def _write_rows(path: Path, first: int, rows: npt.NDArray[Any]) -> None:
    """Put images into an array file, from the row `first` on."""
    array = np.load(path, mmap_mode="r")
    # Not through the map: on a disk that fills up, that would kill the process without a word.
    with path.open("r+b") as file:
        file.seek(array.offset + first * array.strides[0])
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _keep_rows(source: Path, target: Path, rows: npt.NDArray[np.int64]) -> None:
    """Write `rows` of the array file `source` as the file `target`; `source` stays, for who is killed meanwhile."""
    array = np.load(source, mmap_mode="r")
    if len(rows) == len(array):
        try:
            target.hardlink_to(source)
        except OSError:  # a file system without links
            source.rename(target)
        return
    _create_array(target, (len(rows), *array.shape[1:]), array.dtype)
    for first in range(0, len(rows), _ROWS_A_COPY):
        _write_rows(target, first, array[rows[first : first + _ROWS_A_COPY]])
