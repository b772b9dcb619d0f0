"""The image files that lie in a folder and its sub-folders, and which of them cannot be used whatever is in them.

Links are followed, to files and to folders, wherever they lead. Every folder is searched once, however many links lead
to it, so that links in a circle come to an end. Pipes, sockets and devices are never opened: that could hang.
"""

import errno
import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from metalight.errors import ImageError, explain_absence, explain_system
from metalight.image_files import IMAGE_SUFFIXES, find_other_suffix, is_fits, split_path

IS_NOT_THERE = "no image file"
"""Why a file cannot be used that does not exist."""

_SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Something that has the name of an image file."""

    path: str
    """Relative to the folder, or absolute; as text that any table can hold."""

    location: str
    """Where it is, for the system."""

    flaw: str = ""
    """Why it cannot be used, whatever it holds; reads after its path."""

    is_image: bool = True
    """Whether it is a file, or a link to one, of a type that is read."""

    @property
    def is_fits(self) -> bool:
        """Whether its name says that it is FITS."""
        return is_fits(self.path)

    def identify(self) -> tuple[int, int] | str:
        """The same for two paths to one file."""
        try:
            status = os.stat(self.location)  # noqa: PTH116 (of millions of files)
        except OSError:
            return self.path
        return status.st_dev, status.st_ino


@dataclass(frozen=True)
class FolderListing:
    """The image files of a folder, and the links in it that lead nowhere."""

    files: list[ImageFile] = field(default_factory=list)
    """Sorted by path."""

    dead_links: list[str] = field(default_factory=list)
    """Links that lead nowhere and are not named as images: perhaps to a folder that was searched once."""


def list_folder(folder: Path) -> FolderListing:
    """The image files of a folder and its sub-folders; no file is opened.

    Raises:
        ImageError: The folder or one in it cannot be read.
    """
    if not folder.exists():
        raise ImageError(f"{explain_absence(folder, 'folder')}; check its path.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file, not a folder of images; check its path.")
    listing = FolderListing()
    searched: set[tuple[int, int]] = set()
    # Links wait for the folders, so that what lies in the folder itself is listed by that path.
    waiting, links = [(str(folder), "")], list[tuple[str, str]]()
    while waiting or links:
        directory, prefix = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(directory)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in searched:
                continue
            searched.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise ImageError(
                f"The folder {directory} cannot be read: {explain_system(error)}. Make it readable, or remove it."
            ) from error
        for entry in entries:
            mode, flaw = _inspect(entry)
            if stat.S_ISDIR(mode):
                (links if entry.is_symlink() else waiting).append((entry.path, f"{prefix}{entry.name}/"))
            if has_image_name(entry.name):
                listing.files.append(_describe(prefix + entry.name, entry.path, mode, flaw))
            elif flaw and entry.is_symlink():
                listing.dead_links.append(as_text(prefix + entry.name))
    listing.files.sort(key=lambda file: file.path)
    return listing


def describe_named(folder: Path, name: str) -> ImageFile:
    """The file of a name, absolute or relative to a folder; its flaw is `IS_NOT_THERE` if there is none."""
    location = os.path.join(folder, name)  # noqa: PTH118 (of millions of files)
    try:
        mode, flaw = os.stat(location).st_mode, ""  # noqa: PTH116
    except (OSError, ValueError) as error:  # a name with a zero byte
        mode, flaw = 0, _explain(location, error)
    return _describe(name, location, mode, flaw)


def compute_folder_digest(folder: Path) -> str:
    """A digest of the paths, sizes and times of the image files of a folder: it changes when any of them does.

    Raises:
        ImageError: The folder cannot be read.
    """
    digest = hashlib.sha256()
    for file in list_folder(folder).files:
        try:
            status = os.stat(file.location)  # noqa: PTH116
            size_and_time = [status.st_size, status.st_mtime_ns]
        except OSError:  # it vanished meanwhile, or is a link to nothing
            size_and_time = [-1, 0]
        digest.update(json.dumps([file.path, file.flaw, *size_and_time]).encode())
    return digest.hexdigest()


def as_text(path: str) -> str:
    """A path as text: bytes that are not UTF-8 arrive as lone surrogates, which no table can store."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def has_image_name(name: str) -> bool:
    """Whether a name is that of an image, also of a type that is not read."""
    return name.lower().endswith(IMAGE_SUFFIXES) or bool(find_other_suffix(name))


def _inspect(entry: os.DirEntry[str]) -> tuple[int, str]:
    """The type of what an entry is or leads to, as of `stat`, without a look at plain files; and its flaw if none."""
    try:
        if entry.is_file(follow_symlinks=False):
            return stat.S_IFREG, ""
        if entry.is_dir(follow_symlinks=False):
            return stat.S_IFDIR, ""
        return os.stat(entry.path).st_mode, ""  # noqa: PTH116
    except OSError as error:
        return 0, _explain(entry.path, error)


def _explain(location: str, error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else errno.ENOENT
    if number == errno.ELOOP:
        return "is a link that leads in a circle"
    if number not in (errno.ENOENT, errno.ENOTDIR):
        return f"cannot be read: {explain_system(error)}" if isinstance(error, OSError) else IS_NOT_THERE
    try:
        return "is a link to nothing" if os.path.islink(location) else IS_NOT_THERE  # noqa: PTH114
    except ValueError:
        return IS_NOT_THERE


def _describe(path: str, location: str, mode: int, flaw: str) -> ImageFile:
    text = as_text(path)
    special = _SPECIAL.get(stat.S_IFMT(mode), "")
    other = find_other_suffix(path)
    if special:
        flaw = f"is {special}, not an image file"
    elif flaw:
        pass
    elif other:
        flaw = f"is a {other} file, which metalight does not read; convert it to PNG, TIFF, JPEG or FITS"
    elif text != path:
        flaw = "has a path that is not UTF-8"
    elif split_path(path) != [path]:
        flaw = "has a path with braces, which stand for several files here; rename it"
    return ImageFile(text, location, flaw, is_image=not special and not other)
