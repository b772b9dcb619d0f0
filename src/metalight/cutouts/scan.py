"""The image files that lie in a folder and its sub-folders, and which of them cannot be used because of their path."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from metalight.errors import ImageError, explain_absence, explain_system
from metalight.image_files import IMAGE_SUFFIXES, is_fits, split_path


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file: its path relative to the folder, as text that any table can hold, and its directory entry."""

    path: str
    entry: os.DirEntry[str]
    is_utf8: bool

    @property
    def is_fits(self) -> bool:
        """Whether its name says that it is FITS."""
        return is_fits(self.path)


def scan_files(folder: Path) -> list[ImageFile]:
    """The image files of a folder and its sub-folders, sorted by path; one directory listing each, no `stat`.

    Raises:
        ImageError: The folder cannot be read, or has no image files.
    """
    if not folder.exists():
        raise ImageError(f"{explain_absence(folder, 'folder')}; check its path.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file, not a folder of images; check its path.")
    files: list[ImageFile] = []
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
                        files.append(ImageFile(as_text(path), entry, is_utf8=as_text(path) == path))
        except OSError as error:
            raise ImageError(
                f"The folder {directory} cannot be read: {explain_system(error)}. Mend that, or take it away."
            ) from error
    if not files:
        raise ImageError(f"{folder} holds no image files; their names must end with {', '.join(IMAGE_SUFFIXES)}.")
    return sorted(files, key=lambda file: file.path)


def compute_folder_digest(folder: Path) -> str:
    """A digest of the paths, sizes and times of the image files of a folder: it changes when any of them does.

    Raises:
        ImageError: The folder cannot be read, or has no image files.
    """
    digest = hashlib.sha256()
    for file in scan_files(folder):
        try:
            status = file.entry.stat()
            size_and_time = [status.st_size, status.st_mtime_ns]
        except OSError:  # it vanished meanwhile, or is a link to nothing
            size_and_time = [-1, 0]
        digest.update(json.dumps([file.path, *size_and_time]).encode())
    return digest.hexdigest()


def find_path_flaw(file: ImageFile, root: Path) -> str:
    """Why a file cannot be used because of its path or of where it leads; empty if it can.

    Args:
        file: Of the folder.
        root: The folder, links resolved.
    """
    if not file.is_utf8:
        return "has a path that is not UTF-8"
    if split_path(file.path) != [file.path]:
        return "has a path with braces, which stand for several files here; rename it"
    if not file.entry.is_symlink():
        return ""
    try:
        target = Path(file.entry.path).resolve()
    except (OSError, RuntimeError):  # which of them depends on the version of Python
        return "is a link that leads in a circle"
    if not target.is_relative_to(root):
        return "is a link that leads out of the folder"
    return "" if target.is_file() else "is a link to nothing that can be read"


def as_text(path: str) -> str:
    """A path as text: bytes that are not UTF-8 arrive as lone surrogates, which no table can store."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_image(entry: os.DirEntry[str]) -> bool:
    if not entry.name.lower().endswith(IMAGE_SUFFIXES):
        return False
    # Reading a pipe or a device would hang; a link is judged later, by where it leads.
    if entry.is_file(follow_symlinks=False):
        return True
    try:
        return entry.is_symlink() and not entry.is_dir()
    except OSError:  # a link in a circle, which is judged later too
        return True
