"""Which image file belongs to which galaxy, from a folder of JPEG and PNG files.

A file belongs to a galaxy if its name without the suffix is exactly the decimal `object_id`, or if a column of the
catalogue names it. Sub-folders are searched too; linked sub-folders are not, and links that lead out of the folder
are refused. Wherever it is in doubt whose image a file is, every galaxy concerned is refused: one galaxy's image is
never used with another's label.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import ImageError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Suffixes of image files, in any case."""

NO_IMAGE_FILE = "no image file"
"""Why a galaxy without a file is refused."""

_LARGEST_OBJECT_ID = 2**63 - 1


@dataclass(frozen=True, eq=False)
class FoundCutouts:
    """The image files of galaxies, and the galaxies or files that are left out."""

    found: pd.DataFrame
    """Columns object_id, path (relative to the folder, with `/`), num_bytes, modified_ns; one row a galaxy."""

    refused: pd.DataFrame
    """Columns object_id, path (empty where there is none), reason. From `list_cutouts` the `object_id` is nullable:
    a file whose name is not an identifier has none."""

    unused: int
    """Number of image files in the folder that no row of the catalogue names."""


def find_cutouts(
    folder: Path, object_ids: npt.NDArray[np.int64], file_names: Sequence[str | None] | None = None
) -> FoundCutouts:
    """Each galaxy's image file, in the order of `object_ids`, and why a galaxy has none.

    Args:
        folder: Folder of JPEG and PNG files, searched with its sub-folders.
        object_ids: The galaxies, each once.
        file_names: One path relative to `folder` for each galaxy; without it, files are found by `object_id`.

    Raises:
        ImageError: The folder cannot be read, has no image files, or has none for these galaxies.
        ValueError: An identifier is there twice, is not an integer, or the two arguments differ in length.
    """
    ids = _check_ids(object_ids, file_names)
    files = _scan(folder)
    candidates = _match_ids(ids, files) if file_names is None else _match_names(ids, file_names, files)
    sorted_out = _SortedOut(folder)
    for object_id, candidate in zip(ids, candidates, strict=True):
        sorted_out.add(object_id, candidate)
    if ids and not sorted_out.found:
        raise ImageError(_explain_none_found(folder, ids, files, sorted_out.refused))
    used = {file.path for candidate in candidates for file in candidate.files}
    return FoundCutouts(sorted_out.found_frame(), sorted_out.refused_frame("int64"), len(files) - len(used))


def list_cutouts(folder: Path) -> FoundCutouts:
    """Every image file of a folder whose name is an `object_id`, by increasing `object_id`, and why others are not.

    Args:
        folder: Folder of JPEG and PNG files, searched with its sub-folders.

    Raises:
        ImageError: The folder cannot be read, has no image files, or none that is named by an identifier.
    """
    by_id: dict[int, list[_File]] = defaultdict(list)
    sorted_out = _SortedOut(folder)
    for file in _scan(folder):
        flaw = _name_flaw(file.stem)
        if flaw:
            sorted_out.refused.append((None, file.path, flaw))
        else:
            by_id[int(file.stem)].append(file)
    for object_id in sorted(by_id):
        candidate = _choose(by_id[object_id])
        # Without a catalogue the rows are files: of two files for one galaxy, both are listed.
        for file in candidate.files:
            sorted_out.add(object_id, _Candidate((file,), candidate.reason))
    if not sorted_out.found:
        _, path, reason = sorted_out.refused[0]
        raise ImageError(
            f"None of the {len(sorted_out.refused)} image files in {folder} can be used: {path} {reason}. "
            "Name each image by its galaxy's integer identifier, such as 1237648720693755918.jpg."
        )
    return FoundCutouts(sorted_out.found_frame(), sorted_out.refused_frame("Int64"), 0)


def scan_images(folder: Path) -> list[tuple[str, int, int]]:
    """Path, size in bytes and time of change in ns of every image file of a folder, sorted by path.

    Files that vanish in between, or links to nothing, count as of size -1.

    Raises:
        ImageError: The folder cannot be read, or has no image files.
    """
    listing = []
    for file in _scan(folder):
        try:
            status = file.entry.stat()
            listing.append((file.path, status.st_size, status.st_mtime_ns))
        except OSError:
            listing.append((file.path, -1, 0))
    return listing


@dataclass(frozen=True, slots=True)
class _File:
    """An image file: its path relative to the folder, as text that any table can hold, and its directory entry."""

    path: str
    entry: os.DirEntry[str]
    is_utf8: bool

    @property
    def stem(self) -> str:
        return PurePosixPath(self.entry.name).stem


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The files that may be a galaxy's image; a reason if none may be used."""

    files: tuple[_File, ...] = ()
    reason: str = ""
    named: str = ""
    """What the catalogue calls the file, for a galaxy that has none."""


class _SortedOut:
    """Rows found and rows refused, while they are being told apart."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self.found: list[tuple[int, str, int, int]] = []
        self.refused: list[tuple[int | None, str, str]] = []

    def add(self, object_id: int, candidate: _Candidate) -> None:
        path = candidate.files[0].path if candidate.files else candidate.named
        if candidate.reason:
            self.refused.append((object_id, path, candidate.reason))
            return
        (file,) = candidate.files
        flaw = _path_flaw(file, self._root)
        if not flaw:
            try:
                status = file.entry.stat()
            except OSError as error:
                flaw = f"cannot be read: {error.strerror}"
        if flaw:
            self.refused.append((object_id, path, flaw))
        else:
            self.found.append((object_id, path, status.st_size, status.st_mtime_ns))

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


def _scan(folder: Path) -> list[_File]:
    """The image files of a folder and its sub-folders, sorted by path; one directory listing each, no `stat`."""
    if not folder.exists():
        raise ImageError(f"There is no folder {folder}; check [cutouts] folder.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file, not a folder of images; check [cutouts] folder.")
    files: list[_File] = []
    waiting = [(str(folder), "")]
    while waiting:
        directory, prefix = waiting.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, f"{prefix}{entry.name}/"))
                    elif _is_image(entry):
                        path = prefix + entry.name
                        files.append(_File(_as_text(path), entry, is_utf8=_as_text(path) == path))
        except OSError as error:
            raise ImageError(f"The folder {directory} cannot be read: {error.strerror}.") from error
    if not files:
        raise ImageError(f"{folder} holds no image files; their names must end with {', '.join(IMAGE_SUFFIXES)}.")
    return sorted(files, key=lambda file: file.path)


def _is_image(entry: os.DirEntry[str]) -> bool:
    # Reading a pipe or a device would hang; a link is judged later, by where it leads.
    is_plain = entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not entry.is_dir())
    return is_plain and entry.name.lower().endswith(IMAGE_SUFFIXES)


def _as_text(path: str) -> str:
    # Bytes of a name that are not UTF-8 arrive as lone surrogates, which no table can store.
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _path_flaw(file: _File, root: Path) -> str:
    """Why a file cannot be used because of its path or of where it leads; empty if it can."""
    if not file.is_utf8:
        return "has a path that is not UTF-8"
    if not file.entry.is_symlink():
        return ""
    target = Path(file.entry.path).resolve()
    if not target.is_relative_to(root):
        return "is a link that leads out of the folder"
    return "" if target.is_file() else "is a link to nothing that can be read"


def _choose(files: list[_File]) -> _Candidate:
    """The one file of a galaxy; a reason against all of them if there are more."""
    reason = NO_IMAGE_FILE if not files else ""
    if len(files) > 1:
        reason = f"has {len(files)} image files, and which is right cannot be known: " + " and ".join(
            file.path for file in files[:3]
        )
    return _Candidate(tuple(files), reason)


def _match_ids(ids: list[int], files: list[_File]) -> list[_Candidate]:
    by_stem: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        by_stem[file.stem].append(file)
    return [_choose(by_stem.get(str(object_id), [])) for object_id in ids]


def _match_names(ids: list[int], names: Sequence[str | None], files: list[_File]) -> list[_Candidate]:
    # Names are looked up in the listing, never opened: nothing outside the folder can be reached by a name.
    by_path = {file.path: file for file in files if file.is_utf8}
    candidates = [_find_name(name, by_path.get) for name in names]
    users: dict[str, list[int]] = defaultdict(list)
    for object_id, candidate in zip(ids, candidates, strict=True):
        for file in candidate.files:
            users[file.path].append(object_id)
    for row, (object_id, candidate) in enumerate(zip(ids, candidates, strict=True)):
        others = [other for file in candidate.files for other in users[file.path] if other != object_id]
        if others:
            candidates[row] = _Candidate(candidate.files, f"is named for galaxy {others[0]} too{_and_more(others)}")
    return candidates


def _and_more(others: list[int]) -> str:
    return f", and for {len(others) - 1} more" if len(others) > 1 else ""


def _find_name(name: str | None, find: Callable[[str], _File | None]) -> _Candidate:
    if not isinstance(name, str) or not name.strip():
        return _Candidate(reason="the catalogue names no file")
    path = PurePosixPath(name)
    named = _as_text(name)
    if path.is_absolute() or ".." in path.parts:
        return _Candidate(reason="the file's name must be a path inside the folder, without '..'", named=named)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return _Candidate(reason=f"the file's name does not end with {', '.join(IMAGE_SUFFIXES)}", named=named)
    file = find(str(path))
    return _Candidate((file,)) if file else _Candidate(reason=NO_IMAGE_FILE, named=named)


def _name_flaw(stem: str) -> str:
    """Why a file's name is not an `object_id`; empty if it is."""
    if not (stem.isascii() and stem.isdigit()):
        return "is not named by an integer identifier"
    if stem != "0" and stem.startswith("0"):
        return "has an identifier with leading zeros"
    if len(stem) > 19 or int(stem) > _LARGEST_OBJECT_ID:
        return "has an identifier that is larger than 64 bits hold"
    return ""


def _explain_none_found(
    folder: Path, ids: list[int], files: list[_File], refused: list[tuple[int | None, str, str]]
) -> str:
    other = next((row for row in refused if row[2] != NO_IMAGE_FILE), None)
    if other:
        object_id, path, reason = other
        return (
            f"None of the {len(ids)} galaxies of the catalogue has an image in {folder} that can be used: "
            f"galaxy {object_id}, {path or 'no file'}: {reason}. Check [cutouts] folder and [catalog] file_name."
        )
    return (
        f"None of the {len(ids)} galaxies of the catalogue has an image in {folder}: files there are named like "
        f"'{files[0].path}', ids look like '{ids[0]}'; check [catalog] object_id or file_name."
    )
