"""Image files to decoded, checked and resized images, many at a time.

What is wrong with a file is a reason that stands in its row, not an error: the other galaxies go on.
"""

import hashlib
import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import ImageError, explain_system
from metalight.identifiers import name_of
from metalight.image_files import split_path
from metalight.images.fits_planes import MAX_FITS_BYTES
from metalight.images.kinds import ImageKind, decode_files
from metalight.store import FileReader

MAX_FILE_BYTES = 400_000_000
"""Larger files are refused unread."""

_FILES_A_BATCH = 16
_LARGEST_PART_BYTES = 128_000_000
_MOST_FILES_A_PART = 4096


@dataclass(frozen=True, eq=False)
class ReadImages:
    """The outcome of reading some files."""

    outcomes: pd.DataFrame
    """One row a galaxy, in order: object_id, path, reason (why it cannot be used; empty if it can), is_unread (whether
    it may be readable another time); of its file or files sha256, height, width (in pixels), pixel_scale_arcsec (NaN
    where not known), num_filled (undefined pixels that were filled); is_grey."""

    pixels: npt.NDArray[Any]
    """(galaxy, side, side, channel), of the kind's type: zeros where there is a reason."""


def read_images(
    folder: Path,
    found: pd.DataFrame,
    kind: ImageKind,
    *,
    num_threads: int = 2,
    advance: Callable[[int], None] = lambda steps: None,
) -> ReadImages:
    """Decode, check and resize image files.

    Args:
        folder: Folder of the files, or of the parts that hold them.
        found: Columns object_id, path, num_bytes, modified_ns, as `metalight.cutouts` gives them; and e_bv, E(B−V) in
            mag, where fluxes are to be dereddened: a galaxy without it is refused.
        kind: What they are, and what they are brought to.
        num_threads: Files decoded at the same time.
        advance: Told how many more files are done.
    """
    pixels = np.zeros((len(found), *kind.row_shape), dtype=kind.dtype)
    outcomes: list[_Outcome] = []
    for batch in _read_in_order(folder, found, kind, num_threads):
        for outcome in batch:
            if outcome.pixels is not None:
                pixels[len(outcomes)] = outcome.pixels
                outcome.pixels = None
            outcomes.append(outcome)
        advance(len(batch))
    frame = pd.DataFrame({name: [getattr(outcome, name) for outcome in outcomes] for name in _COLUMNS})
    return ReadImages(frame.astype(_COLUMNS), pixels)


def divide_into_parts(num_files: int, kind: ImageKind) -> list[slice]:
    """The files in parts whose decoded images fit in memory, and which are not much work to do again."""
    size = max(_FILES_A_BATCH, min(_MOST_FILES_A_PART, _LARGEST_PART_BYTES // kind.num_bytes))
    size -= size % (64 if size > 64 else _FILES_A_BATCH)  # whole batches of most sizes
    return [slice(first, min(first + size, num_files)) for first in range(0, num_files, size)]


def refuse_duplicates(outcomes: pd.DataFrame) -> None:
    """Give every usable image that has a twin, byte for byte, a reason against it, in place.

    Which galaxy such an image shows cannot be known.
    """
    usable = outcomes.loc[outcomes["reason"] == "", ["object_id", "sha256"]]
    twins = usable[usable.duplicated("sha256", keep=False)]
    by_content: dict[str, list[int]] = defaultdict(list)
    for object_id, sha256 in twins.itertuples(index=False):
        by_content[sha256].append(object_id)
    reasons = []
    for object_id, sha256 in twins.itertuples(index=False):
        # A survey may serve one and the same picture for thousands of galaxies: no list is looked through for each.
        alike = by_content[sha256]
        other = alike[1] if alike[0] == object_id else alike[0]
        more = f" and of {len(alike) - 2} more" if len(alike) > 2 else ""
        reasons.append(f"is byte for byte the image of another galaxy: {name_of(other)}{more}")
    outcomes.loc[twins.index, "reason"] = reasons


def check_any_usable(folder: Path, outcomes: pd.DataFrame) -> None:
    """Refuse to continue without any usable image.

    Raises:
        ImageError: All have a reason against them; the most frequent one is told.
    """
    if (outcomes["reason"] == "").any():
        return
    # Reasons that differ only in a number, or in another galaxy's identifier after a colon, are the same reason.
    kinds = outcomes["reason"].map(lambda reason: re.sub(r"\d+", "0", reason.split(":")[0]))
    example = outcomes[kinds == kinds.mode()[0]].iloc[0]
    num_alike = int((kinds == kinds.mode()[0]).sum())
    raise ImageError(
        f"None of the {len(outcomes)} images in {folder} can be used. {num_alike} for the same reason, such as galaxy "
        f"{name_of(example['object_id'])}: {example['path']} {example['reason']}."
    )


_COLUMNS = {
    "object_id": "int64",
    "path": "str",
    "reason": "str",
    "is_unread": "bool",
    "sha256": "str",
    "height": "int64",
    "width": "int64",
    "is_grey": "bool",
    "pixel_scale_arcsec": "float64",
    "num_filled": "int64",
}


@dataclass(slots=True)
class _Outcome:
    """The outcome of reading one file."""

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


def _read_one(
    reader: FileReader, object_id: int, path: str, num_bytes: int, e_bv: float, *, kind: ImageKind
) -> _Outcome:
    outcome = _Outcome(object_id, path)
    max_bytes = MAX_FITS_BYTES if kind.is_fits else MAX_FILE_BYTES
    if num_bytes > max_bytes:
        outcome.reason = f"is too large: more than {max_bytes // 1_000_000} MB"
        return outcome
    try:
        files = [reader.read(name) for name in split_path(path)]
    except OSError as error:
        outcome.reason, outcome.is_unread = f"cannot be read: {explain_system(error)}", True
        return outcome
    if sum(map(len, files)) != num_bytes:
        outcome.reason, outcome.is_unread = "changed since the folder was listed; run again", True
        return outcome
    outcome.sha256 = _hash(files)
    try:
        decoded = decode_files(files, kind, e_bv=e_bv)
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
    e_bv = found["e_bv"] if "e_bv" in found else pd.Series(math.nan, index=found.index)
    columns = (found["object_id"], found["path"], found["num_bytes"], e_bv)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    reader = FileReader(folder)

    def read_batch(first: int) -> list[_Outcome]:
        return [_read_one(reader, *row, kind=kind) for row in rows[first : first + _FILES_A_BATCH]]

    running: deque[Future[list[_Outcome]]] = deque()
    with ThreadPoolExecutor(num_threads, thread_name_prefix="decode") as pool:
        for first in range(0, len(rows), _FILES_A_BATCH):
            if len(running) == 2 * num_threads:
                yield running.popleft().result()
            running.append(pool.submit(read_batch, first))
        while running:
            yield running.popleft().result()
