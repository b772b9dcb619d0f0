"""Which image file belongs to which galaxy, from a folder of JPEG and PNG files, or of FITS files.

A file belongs to a galaxy if its name without the suffix is the galaxy's identifier, or if a column of the catalogue
names it; `galaxy_files` says how, also for FITS files of single bands. Sub-folders are searched too; linked
sub-folders are not, and links that lead out of the folder are refused. Wherever it is in doubt whose image a file is,
every galaxy concerned is refused: one galaxy's image is never used with another's label.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.cutouts.galaxy_files import (
    NO_IMAGE_FILE,
    Candidate,
    choose_bands,
    choose_files,
    group_by_galaxy,
    group_by_name,
)
from metalight.cutouts.scan import ImageFile, as_text, find_path_flaw, scan_files
from metalight.errors import ImageError, explain_system, shorten
from metalight.identifiers import find_identifier_flaw, is_own_key, key_of, name_of
from metalight.image_files import IMAGE_SUFFIXES, join_paths
from metalight.recipe import CutoutsSettings

_DEFAULT_BANDS = CutoutsSettings().bands
_ANY_BAND = "{band}"


@dataclass(frozen=True, eq=False)
class FoundCutouts:
    """The image files of galaxies, and the galaxies or files that are left out."""

    found: pd.DataFrame
    """Columns object_id, path (relative to the folder, with `/`), num_bytes, modified_ns; one row a galaxy.

    Of a galaxy with a file for each band, `path` is theirs as of `image_files.join_paths`, `num_bytes` their sum, and
    `modified_ns` a number that changes whenever one of them does.
    """

    refused: pd.DataFrame
    """Columns object_id, path (empty where there is none), reason. From `list_cutouts` the `object_id` is nullable:
    a file whose name cannot be an identifier has none."""

    unused: int
    """Number of image files in the folder that no row of the catalogue names."""


def find_cutouts(
    folder: Path,
    object_ids: npt.NDArray[np.int64],
    file_names: Sequence[str | None] | None = None,
    *,
    bands: Sequence[str] = _DEFAULT_BANDS,
) -> FoundCutouts:
    """Each galaxy's image file, in the order of `object_ids`, and why a galaxy has none.

    Args:
        folder: Folder of image files, searched with its sub-folders.
        object_ids: Keys of the galaxies, each once.
        file_names: One path relative to `folder` for each galaxy; without it, files are found by identifier. Where
            each band is a file of its own, `{band}` stands for the band.
        bands: The bands wanted of FITS files.

    Raises:
        ImageError: The folder cannot be read, has no image files, or has none for these galaxies.
        ValueError: An identifier is there twice, is not an integer, or the two arguments differ in length.
    """
    ids = _check_ids(object_ids, file_names)
    files = scan_files(folder)
    if file_names is None:
        groups = group_by_galaxy(files, bands, ids)
        candidates = [choose_files(groups.get(object_id), bands) for object_id in ids]
    else:
        candidates = _match_names(ids, file_names, files, bands)
    sorted_out = _SortedOut(folder)
    for object_id, candidate in zip(ids, candidates, strict=True):
        sorted_out.add(object_id, candidate)
    if ids and not sorted_out.found:
        raise ImageError(_explain_none_found(folder, ids, files, sorted_out.refused, bands))
    used = {file.path for candidate in candidates for file in candidate.files}
    return FoundCutouts(sorted_out.found_frame(), sorted_out.refused_frame("int64"), len(files) - len(used))


def list_cutouts(folder: Path, *, bands: Sequence[str] = _DEFAULT_BANDS) -> FoundCutouts:
    """Every image file of a folder that can be used, and why others cannot: each name is an identifier.

    They are in the order of the identifiers: integers by increasing value, then text by increasing code points.

    Args:
        folder: Folder of image files, searched with its sub-folders.
        bands: The bands wanted of FITS files; files of other bands are unused.

    Raises:
        ImageError: The folder cannot be read, has no image files, or none that can be used.
    """
    files = scan_files(folder)
    groups = group_by_name(files, bands)
    sorted_out = _SortedOut(folder)
    flaws = {name: _find_name_flaw(name) for name in groups}
    for name, flaw in flaws.items():
        if flaw:
            sorted_out.refused += [(None, file.path, flaw) for file in groups[name].list_all()]
    for name in sorted((name for name, flaw in flaws.items() if not flaw), key=_order):
        candidate = choose_files(groups[name], bands)
        if not candidate.reason:
            sorted_out.add(key_of(name), candidate)
        # Without a catalogue the rows are files: of two files for one galaxy, both are listed.
        for file in candidate.files if candidate.reason else ():
            sorted_out.add(key_of(name), Candidate((file,), candidate.reason))
    if not sorted_out.found:
        raise ImageError(_explain_none_listed(folder, sorted_out.refused, bands))
    used = sum(len(group.list_all()) for group in groups.values())
    return FoundCutouts(sorted_out.found_frame(), sorted_out.refused_frame("Int64"), len(files) - used)


def _find_name_flaw(name: str) -> str:
    """Why a file's name is not an identifier; empty if it is."""
    if name.startswith("."):
        return "is a hidden file"
    if name != name.strip():
        return "has a name with blanks around it"
    flaw = find_identifier_flaw(name)
    return f"has a name that {flaw}" if flaw else ""


def _order(name: str) -> tuple[bool, int, str]:
    """The place of an identifier among others."""
    return (False, int(name), "") if is_own_key(name) else (True, 0, name)


class _SortedOut:
    """Rows found and rows refused, while they are being told apart."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self.found: list[tuple[int, str, int, int]] = []
        self.refused: list[tuple[int | None, str, str]] = []

    def add(self, object_id: int, candidate: Candidate) -> None:
        path = candidate.files[0].path if candidate.files else candidate.named
        if candidate.reason:
            self.refused.append((object_id, path, candidate.reason))
            return
        flaw = next((flaw for flaw in (find_path_flaw(file, self._root) for file in candidate.files) if flaw), "")
        if not flaw:
            try:
                stats = [file.entry.stat() for file in candidate.files]
            except OSError as error:
                flaw = f"cannot be read: {explain_system(error)}"
        if flaw:
            self.refused.append((object_id, path, flaw))
            return
        joined = join_paths([file.path for file in candidate.files])
        num_bytes = sum(status.st_size for status in stats)
        self.found.append((object_id, joined, num_bytes, _combine([status.st_mtime_ns for status in stats])))

    def found_frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.found, columns=["object_id", "path", "num_bytes", "modified_ns"])
        return frame.astype({"object_id": "int64", "path": "str", "num_bytes": "int64", "modified_ns": "int64"})

    def refused_frame(self, id_type: str) -> pd.DataFrame:
        # Column by column: identifiers of 19 digits must never pass through float on their way to a nullable column.
        object_ids = pd.Series([row[0] for row in self.refused], dtype="Int64").astype(id_type)  # type: ignore[call-overload]
        paths = pd.Series([row[1] for row in self.refused], dtype="str")
        reasons = pd.Series([row[2] for row in self.refused], dtype="str")
        return pd.DataFrame({"object_id": object_ids, "path": paths, "reason": reasons})


def _check_ids(object_ids: npt.NDArray[np.int64], file_names: Sequence[str | None] | None) -> list[int]:
    if object_ids.dtype.kind not in "iu":
        raise ValueError(f"object_ids must be integers, not {object_ids.dtype}")
    ids: list[int] = object_ids.tolist()
    if len(set(ids)) != len(ids):
        raise ValueError("object_ids must not repeat")
    if file_names is not None and len(file_names) != len(ids):
        raise ValueError(f"there are {len(ids)} object_ids but {len(file_names)} file_names")
    return ids


def _combine(modified_ns: list[int]) -> int:
    """One number for the times of several files: it also tells when two of them have changed places."""
    if len(modified_ns) == 1:
        return modified_ns[0]
    digest = hashlib.sha256(json.dumps(modified_ns).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _match_names(
    ids: list[int], names: Sequence[str | None], files: list[ImageFile], bands: Sequence[str]
) -> list[Candidate]:
    # Names are looked up in the listing, never opened: nothing outside the folder can be reached by a name.
    by_path = {file.path: file for file in files if file.is_utf8}
    candidates = [_find_name(name, by_path.get, bands) for name in names]
    users: dict[str, list[int]] = defaultdict(list)
    for row in sorted(range(len(ids)), key=ids.__getitem__):
        for file in candidates[row].files:
            users[file.path].append(ids[row])
    for row, candidate in enumerate(candidates):
        shared = next((users[file.path] for file in candidate.files if len(users[file.path]) > 1), None)
        if shared:
            other = shared[1] if shared[0] == ids[row] else shared[0]
            more = f", and for {len(shared) - 2} more" if len(shared) > 2 else ""
            candidates[row] = Candidate(candidate.files, f"is named for another galaxy too: {name_of(other)}{more}")
    return candidates


def _find_name(name: str | None, find: Callable[[str], ImageFile | None], bands: Sequence[str]) -> Candidate:
    if not isinstance(name, str) or not name.strip():
        return Candidate(reason="the catalogue names no file")
    path = PurePosixPath(name)
    named = as_text(name)
    if path.is_absolute() or ".." in path.parts:
        return Candidate(reason="the file's name must be a path inside the folder, without '..'", named=named)
    if not name.lower().endswith(IMAGE_SUFFIXES):
        return Candidate(reason=f"the file's name does not end with {', '.join(IMAGE_SUFFIXES)}", named=named)
    if _ANY_BAND in name:
        found = {band: find(str(path).replace(_ANY_BAND, band)) for band in bands}
        return choose_bands({band: [file] for band, file in found.items() if file is not None}, bands)
    file = find(str(path))
    return Candidate((file,)) if file else Candidate(reason=NO_IMAGE_FILE, named=named)


def _explain_none_listed(folder: Path, refused: list[tuple[int | None, str, str]], bands: Sequence[str]) -> str:
    object_id, path, reason = refused[0]
    way_out = "Name each image by its galaxy's identifier, such as 1237648720693755918.jpg."
    if object_id is not None:
        way_out = f"Each galaxy needs one file, or one FITS file for each band ({', '.join(bands)})."
    return f"None of the {len(refused)} image files in {folder} can be used: {path} {reason}. {way_out}"


def _explain_none_found(
    folder: Path,
    ids: list[int],
    files: list[ImageFile],
    refused: list[tuple[int | None, str, str]],
    bands: Sequence[str],
) -> str:
    other = next((row for row in refused if row[2] != NO_IMAGE_FILE), None)
    if other:
        object_id, path, reason = other
        galaxy = "" if object_id is None else f"galaxy {name_of(object_id)}, "
        return (
            f"None of the {len(ids)} galaxies of the catalogue has an image in {folder} that can be used: "
            f"{galaxy}{path or 'no file'}: {reason}. Check the folder and the names of its files."
        )
    of_bands = f", and the bands ({', '.join(bands)})" if files[0].is_fits else ""
    looks = name_of(ids[0])
    of_bands += "; an identifier with '/' is a path below the folder" if "/" in looks else ""
    return (
        f"None of the {len(ids)} galaxies of the catalogue has an image in {folder}: files there are named like "
        f"'{files[0].path}', ids look like '{shorten(looks)}'; check the columns of identifiers and of file "
        f"names{of_bands}."
    )
