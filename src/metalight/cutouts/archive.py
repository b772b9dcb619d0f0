"""Cutouts from an archive, tar (also .gz, .bz2, .xz) or zip, of JPEG pictures named by their galaxies' identifiers.

Such as the authors' later public set, Zenodo record 14712542: `images-sdss.tar.gz`, of 160 px with 0.262 arcsec each,
made by the Legacy Surveys' viewer from its layer `sdss`, beside a table `galaxies.csv` with objID and oh_p50. One
file to fetch instead of a request for each galaxy. (As collected; not tried live.)

Nothing is unpacked to disk: pictures go from the archive into the store, byte for byte.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from metalight.cutouts.archive_files import Member, open_archive
from metalight.cutouts.checks import MAX_PICTURE_BYTES, find_picture_flaw
from metalight.cutouts.galaxy_files import WantedNames
from metalight.cutouts.report import DownloadReport, report_store
from metalight.errors import shorten
from metalight.progress import Progress, no_progress
from metalight.store import AskedCutout, CutoutFile, CutoutStore, RefusalKind, RefusedCutout
from metalight.web import compute_checksum

_FILES_A_PART = 512
_LONGEST_PATH = 200
_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True)
class PicturesOfArchive:
    """Description of the pictures in an archive."""

    source: str
    side: int
    """Width and height in pixels."""

    pixel_scale_arcsec: float
    """NaN where it is not known, or not the same for all."""


def import_archive(
    object_ids: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    archive: Path,
    pictures: PicturesOfArchive,
    folder: Path,
    *,
    retry_refused: bool = False,
    progress: Progress = no_progress,
) -> DownloadReport:
    """Put the pictures of galaxies into a store, unless they are there.

    A store knows an archive by its content: what another one held, of whatever name, is not taken for what is in this.
    A galaxy with several pictures is refused: which of them is meant is not known.

    Args:
        object_ids: The galaxies, each once.
        archive: The file.
        pictures: What they are; of another size they are refused.
        folder: Of the store; made if need be. What is in it stays.
        retry_refused: Look once more for those that were refused.
        progress: Shows how many files of the archive are looked at.

    Raises:
        InUseError: Another process writes to the folder.
        ImageError: The archive cannot be read, or a part in the folder is damaged.
    """
    pictures = replace(pictures, source=f"{pictures.source} ({compute_checksum(archive, 'sha256')[:16]})")
    wanted, store = _list_wanted(object_ids, pictures), CutoutStore(folder)
    with store.hold():
        is_left = np.ones(len(wanted), dtype=bool)
        is_left[store.find_files(wanted)["place"].to_numpy(dtype=np.intp)] = False
        num_there = int((~is_left).sum())
        if not retry_refused:
            is_left[store.find_refused(wanted)["place"].to_numpy(dtype=np.intp)] = False
        left = set(wanted["object_id"].to_numpy()[is_left].tolist())
        if left:
            _import(left, archive, pictures, store, progress)
        report = report_store(wanted, store, ("",))
    return DownloadReport(report.fetched, report.refused, len(report.fetched) - num_there, 0, 0.0)


def _import(left: set[int], archive: Path, pictures: PicturesOfArchive, store: CutoutStore, progress: Progress) -> None:
    wanted = WantedNames(left)
    # Names first: whether a galaxy has several pictures is known only at the end.
    links = set[int]()
    with open_archive(archive) as members:
        counts, doubtful = _count_pictures(_find_files(members, wanted, links))
    files: list[CutoutFile] = []
    refused = [
        _refuse(
            object_id,
            pictures,
            archive,
            "no_image",
            "is a link in the archive, and no picture" if object_id in links else "has no picture in the archive",
        )
        for object_id in sorted(left - counts.keys())
    ]
    refused += [
        _refuse(object_id, pictures, archive, "invalid_image", f"has {count} pictures in the archive")
        for object_id, count in counts.items()
        if count > 1
    ]
    refused += [
        _refuse(object_id, pictures, archive, "invalid_image", "has a picture that may be another galaxy's")
        for object_id in sorted(doubtful)
        if counts[object_id] == 1
    ]
    with progress("Reading the archive", sum(counts.values())) as advance, open_archive(archive) as members:
        for member in members:
            object_ids = [] if member.is_link else _find_ids(member.name, wanted)
            advance(len(object_ids))
            if len(object_ids) != 1 or counts[object_ids[0]] > 1:
                continue
            object_id = object_ids[0]
            data = member.read(MAX_PICTURE_BYTES + 1)
            flaw = "is too large" if len(data) > MAX_PICTURE_BYTES else ""
            flaw = flaw or find_picture_flaw(data, width=pictures.side, height=pictures.side)
            if flaw:
                refused.append(_refuse(object_id, pictures, archive, "invalid_image", flaw))
                continue
            asked, url = _ask(object_id, pictures), f"{archive.name}/{shorten(member.name, _LONGEST_PATH)}"
            files.append(CutoutFile(asked, data, hashlib.sha256(data).hexdigest(), url, datetime.now(UTC)))
            if len(files) == _FILES_A_PART:
                store.add_files(files)
                files = []
    store.add_files(files)
    store.add_refused(refused)


def _find_files(members: Iterable[Member], wanted: WantedNames, links: set[int]) -> Iterator[list[int]]:
    """The galaxies that each file of an archive may show; those that a link is named by are added to `links`."""
    for member in members:
        object_ids = _find_ids(member.name, wanted)
        if member.is_link:
            links.update(object_ids)
        else:
            yield object_ids


def _count_pictures(galaxies: Iterable[list[int]]) -> tuple[Counter[int], set[int]]:
    """How many pictures each galaxy has, and which ones share one, by the galaxies that each picture may show."""
    counts, doubtful = Counter[int](), set[int]()
    for object_ids in galaxies:
        counts.update(object_ids)
        doubtful.update(object_ids if len(object_ids) > 1 else ())
    return counts, doubtful


def _find_ids(name: str, wanted: WantedNames) -> list[int]:
    """The galaxies that a file of an archive may show, by its path there."""
    path = PurePosixPath(name)
    # Some systems leave hidden files beside the real ones.
    is_picture = path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    return list(wanted.find_all(str(path), ())) if is_picture else []


def _list_wanted(object_ids: "np.ndarray[tuple[int], np.dtype[np.int64]]", pictures: PicturesOfArchive) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "object_id": object_ids,
            "source": pictures.source,
            "ra_deg": np.nan,
            "dec_deg": np.nan,
            "pixel_scale_arcsec": pictures.pixel_scale_arcsec,
            "width": pictures.side,
            "height": pictures.side,
        }
    )


def _ask(object_id: int, pictures: PicturesOfArchive) -> AskedCutout:
    nan = float("nan")
    return AskedCutout(object_id, pictures.source, nan, nan, pictures.pixel_scale_arcsec, pictures.side, pictures.side)


def _refuse(
    object_id: int, pictures: PicturesOfArchive, archive: Path, kind: RefusalKind, reason: str
) -> RefusedCutout:
    return RefusedCutout(_ask(object_id, pictures), kind, reason, 0, archive.name, datetime.now(UTC))
