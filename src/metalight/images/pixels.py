"""The decoded images of many galaxies as one memory-mapped array: a cache, safe to delete.

A folder of:

- `pixels.npy`: (galaxy, side, side, channel): uint8 with 3 channels, or float32 with 1 to 8, which are fluxes.
- `index.parquet`: object_id of each row; of its file or files the sha256, height and width in pixels, pixel scale in
  arcsec (NaN where not known), number of undefined pixels filled; whether the image is grey.
- `refused.parquet`: object_id, path and reason of each galaxy whose image cannot be used.
- `fingerprint.json`: what it was built from. It is built anew only when that changes.
"""

import hashlib
import json
import math
import re
import shutil
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.atomic import replace_folder
from metalight.errors import ImageError
from metalight.image_files import split_path
from metalight.images.fits_planes import MAX_FITS_BYTES
from metalight.images.kinds import ImageKind, decode_files, find_kind
from metalight.progress import Progress, no_progress
from metalight.recipe import CutoutsSettings

FORMAT_VERSION = 2
"""Raised whenever the rules of decoding, checking or resizing change, so that old caches are built anew."""

MAX_FILE_BYTES = 1_000_000_000
"""Larger files are refused unread."""

_ARRAY, _INDEX, _REFUSED, _FINGERPRINT = "pixels.npy", "index.parquet", "refused.parquet", "fingerprint.json"
_FILES_A_BATCH = 16
_ROWS_A_COPY = 256
_OF_FILES = ["sha256", "height", "width", "is_grey", "pixel_scale_arcsec", "num_filled"]
_ANY_SETTINGS = CutoutsSettings()


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images, one row a galaxy."""

    object_ids: npt.NDArray[np.int64]
    """The galaxy of each row."""

    side: int
    """Height and width in pixels."""

    array: npt.NDArray[Any]
    """(galaxy, side, side, channel), memory-mapped and read-only; uint8 with 3 channels in the files' order, which is
    i, r, g, or float32 with the fluxes of the bands asked for, in their order."""

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
            raise ImageError(f"Galaxy {lacking[0]}{more} has no decoded image; its refusal says why.")
        return rows

    @cached_property
    def _by_id(self) -> pd.Index:
        return pd.Index(self.object_ids, dtype="int64")


@dataclass(frozen=True, eq=False)
class PixelsReport:
    """What became of the images."""

    num_galaxies: int
    """Galaxies with pixels."""

    refused: pd.DataFrame
    """Columns object_id, path, reason: the galaxies whose image cannot be used."""

    is_fresh: bool
    """Whether the cache was there already, built from the same files."""

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
        folder: Folder of the image files.
        found: Columns object_id, path, num_bytes, modified_ns, as `metalight.cutouts` gives them; rows of the cache
            keep this order.
        cache: Folder to make, or to replace if it was built from other files.
        side: Height and width of the decoded images in pixels.
        settings: Which bands of FITS files, which field, and what their fluxes become.
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
    if _is_built(cache, fingerprint):
        return _report(cache, is_fresh=True)
    with replace_folder(cache) as building:
        outcomes = _decode_all(folder, found, building / "all.npy", kind, progress, num_threads)
        _refuse_duplicates(outcomes)
        kept = np.flatnonzero(outcomes["reason"] == "")
        if len(kept) == 0:
            raise ImageError(_explain_none_usable(folder, outcomes))
        _keep_rows(building / "all.npy", building / _ARRAY, outcomes["row"].to_numpy()[kept])
        index = outcomes.iloc[kept][["object_id", *_OF_FILES]]
        index.reset_index(drop=True).to_parquet(building / _INDEX)
        refused = outcomes.loc[outcomes["reason"] != "", ["object_id", "path", "reason"]]
        refused.reset_index(drop=True).to_parquet(building / _REFUSED)
        # A file that could not be read may be readable next time without looking changed: then read again.
        is_complete = not outcomes["is_unread"].any()
        (building / _FINGERPRINT).write_text(json.dumps(fingerprint | {"is_complete": bool(is_complete)}, indent=2))
    return _report(cache, is_fresh=False)


def load_pixels(cache: Path) -> Pixels:
    """The decoded images that `build_pixels` left in `cache`.

    Raises:
        ImageError: The cache is not there or not whole.
    """
    try:
        index = pd.read_parquet(cache / _INDEX)
        array = np.load(cache / _ARRAY, mmap_mode="r", allow_pickle=False)
        object_ids = index["object_id"].to_numpy(dtype=np.int64)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ImageError(_explain_broken(cache)) from error
    side, num_channels = array.shape[2:] if array.ndim == 4 else (0, 0)
    is_known = num_channels == 3 if array.dtype == np.uint8 else array.dtype == np.float32 and 1 <= num_channels <= 8
    if not is_known or array.shape[:3] != (len(object_ids), side, side):
        raise ImageError(_explain_broken(cache))
    return Pixels(object_ids=object_ids, side=side, array=array)


def _explain_broken(cache: Path) -> str:
    return f"The decoded images in {cache} are missing or not whole. Delete that folder and run again."


def _check_replaceable(cache: Path) -> None:
    """Refuse to replace a folder that holds anything else: a mistaken path must not delete a user's files."""
    if not cache.exists():
        return
    if not cache.is_dir():
        raise ImageError(f"{cache} is a file; the decoded images need a folder there. Move it away.")
    others = sorted(
        entry.name for entry in cache.iterdir() if entry.name not in (_ARRAY, _INDEX, _REFUSED, _FINGERPRINT)
    )
    if others:
        raise ImageError(
            f"{cache} holds {others[0]}, which is no part of the decoded images, so it is not replaced. "
            "Move that away, or choose another folder."
        )


def _compute_fingerprint(found: pd.DataFrame, kind: ImageKind) -> dict[str, Any]:
    listing = hashlib.sha256()
    columns = (found[name].tolist() for name in ("object_id", "path", "num_bytes", "modified_ns"))
    for row in zip(*columns, strict=True):
        listing.update(json.dumps(row).encode())
    return {
        "format_version": FORMAT_VERSION,
        "files_sha256": listing.hexdigest(),
        **kind.describe(),
    }


def _is_built(cache: Path, fingerprint: dict[str, Any]) -> bool:
    try:
        stored = json.loads((cache / _FINGERPRINT).read_text())
        if stored != fingerprint | {"is_complete": True}:
            return False
        pd.read_parquet(cache / _REFUSED)
        return load_pixels(cache).side == int(fingerprint["side"])
    except (OSError, ValueError, ImageError):
        return False


def _report(cache: Path, *, is_fresh: bool) -> PixelsReport:
    index = pd.read_parquet(cache / _INDEX)
    shapes = Counter(zip(index["height"].tolist(), index["width"].tolist(), strict=True))
    return PixelsReport(
        num_galaxies=len(index),
        refused=pd.read_parquet(cache / _REFUSED),
        is_fresh=is_fresh,
        num_grey=int(index["is_grey"].sum()),
        shapes=dict(shapes.most_common()),
        num_filled=int((index["num_filled"] > 0).sum()),
    )


@dataclass(slots=True)
class _Outcome:
    """What became of one file."""

    object_id: int
    path: str
    reason: str = ""
    is_unread: bool = False
    sha256: str = ""
    height: int = 0
    width: int = 0
    is_grey: bool = False
    pixel_scale_arcsec: float = math.nan
    num_filled: int = 0
    pixels: npt.NDArray[Any] | None = None


def _read_one(folder: Path, object_id: int, path: str, num_bytes: int, kind: ImageKind) -> _Outcome:
    outcome = _Outcome(object_id, path)
    max_bytes = MAX_FITS_BYTES if kind.is_fits else MAX_FILE_BYTES
    if num_bytes > max_bytes:
        outcome.reason = f"is too large: more than {max_bytes // 1_000_000} MB"
        return outcome
    try:
        files = [(folder / name).read_bytes() for name in split_path(path)]
    except OSError as error:
        outcome.reason, outcome.is_unread = f"cannot be read: {error.strerror}", True
        return outcome
    if sum(map(len, files)) != num_bytes:
        outcome.reason, outcome.is_unread = "changed since the folder was listed; run again", True
        return outcome
    outcome.sha256 = _hash(files)
    try:
        decoded = decode_files(files, kind)
    except ImageError as error:
        outcome.reason = str(error)
        return outcome
    outcome.height, outcome.width = decoded.shape
    outcome.is_grey, outcome.pixels = decoded.is_grey, decoded.pixels
    outcome.pixel_scale_arcsec, outcome.num_filled = decoded.pixel_scale_arcsec, decoded.num_filled
    return outcome


def _hash(files: list[bytes]) -> str:
    digest = hashlib.sha256()
    for data in files:
        digest.update(data)
    return digest.hexdigest()


def _read_in_order(folder: Path, found: pd.DataFrame, kind: ImageKind, num_threads: int) -> Iterator[list[_Outcome]]:
    """Batches of files read by several threads, in the order of `found`, with few of them in memory at a time."""
    rows = list(zip(found["object_id"].tolist(), found["path"].tolist(), found["num_bytes"].tolist(), strict=True))

    def read_batch(first: int) -> list[_Outcome]:
        return [_read_one(folder, *row, kind) for row in rows[first : first + _FILES_A_BATCH]]

    running: deque[Future[list[_Outcome]]] = deque()
    with ThreadPoolExecutor(num_threads, thread_name_prefix="decode") as pool:
        for first in range(0, len(rows), _FILES_A_BATCH):
            if len(running) == 2 * num_threads:
                yield running.popleft().result()
            running.append(pool.submit(read_batch, first))
        while running:
            yield running.popleft().result()


def _decode_all(
    folder: Path, found: pd.DataFrame, path: Path, kind: ImageKind, progress: Progress, num_threads: int
) -> pd.DataFrame:
    """Write every usable image to an array file with room for all; a row for each file, `row` being its place there."""
    array = _create_array(path, (len(found), *kind.row_shape), kind.dtype)
    outcomes: list[_Outcome] = []
    places: list[int] = []
    num_written = 0
    with progress("Decoding images", len(found)) as advance:
        for batch in _read_in_order(folder, found, kind, num_threads):
            for outcome in batch:
                places.append(num_written if outcome.pixels is not None else -1)
                if outcome.pixels is not None:
                    array[num_written] = outcome.pixels
                    outcome.pixels = None
                    num_written += 1
            outcomes.extend(batch)
            advance(len(batch))
    array.flush()
    columns = ("object_id", "path", "reason", "is_unread", *_OF_FILES)
    frame = pd.DataFrame({name: [getattr(outcome, name) for outcome in outcomes] for name in columns})
    return frame.assign(row=places)


def _create_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap[Any, np.dtype[Any]]:
    num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    num_free = shutil.disk_usage(path.parent).free
    # Writing to a mapped file on a full disk kills the process without a word.
    if num_bytes > num_free:
        raise ImageError(
            f"The decoded images need {num_bytes / 1e9:.1f} GB in {path.parent.parent}, which has "
            f"{num_free / 1e9:.1f} GB free. Make room, or choose a smaller [pixels] side."
        )
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _refuse_duplicates(outcomes: pd.DataFrame) -> None:
    """Give every usable image that has a twin a reason against it, in place."""
    usable = outcomes["reason"] == ""
    twins = outcomes[usable & outcomes.duplicated("sha256", keep=False)]
    by_content: dict[str, list[int]] = defaultdict(list)
    for object_id, sha256 in zip(twins["object_id"].tolist(), twins["sha256"].tolist(), strict=True):
        by_content[sha256].append(object_id)
    for label, object_id, sha256 in zip(
        twins.index, twins["object_id"].tolist(), twins["sha256"].tolist(), strict=True
    ):
        others = [other for other in by_content[sha256] if other != object_id]
        more = f" and of {len(others) - 1} more" if len(others) > 1 else ""
        outcomes.loc[label, "reason"] = f"is byte for byte the image of galaxy {others[0]}{more}"


def _keep_rows(source: Path, target: Path, rows: npt.NDArray[np.int64]) -> None:
    """Leave only `rows` of the array file `source`, as the file `target`."""
    array = np.load(source, mmap_mode="r")
    if len(rows) == len(array):
        source.rename(target)
        return
    kept = _create_array(target, (len(rows), *array.shape[1:]), array.dtype)
    for first in range(0, len(rows), _ROWS_A_COPY):
        kept[first : first + _ROWS_A_COPY] = array[rows[first : first + _ROWS_A_COPY]]
    kept.flush()
    source.unlink()


def _explain_none_usable(folder: Path, outcomes: pd.DataFrame) -> str:
    # Reasons that differ only in a number, such as another galaxy's identifier, are the same reason.
    kinds = outcomes["reason"].map(lambda reason: re.sub(r"\d+", "0", reason))
    example = outcomes[kinds == kinds.mode()[0]].iloc[0]
    num_alike = int((kinds == kinds.mode()[0]).sum())
    return (
        f"None of the {len(outcomes)} images in {folder} can be used. {num_alike} for the same reason, such as galaxy "
        f"{example['object_id']}: {example['path']} {example['reason']}."
    )
