"""Files that are either whole or not there: written beside their place, then moved into it in one step.

A temporary file or folder is called `.NAME.metalight-XXXXXXXX`; a file has its suffix after that. Whoever makes one
holds a lock on it, which the system releases when the process ends, however it ends. The first time that a process
writes into a folder, it deletes the temporaries there whose lock is free: killed processes left them.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and what killed processes left stays
    fcntl = None  # type: ignore[assignment]

_MARK = ".metalight-"
_TEMPORARY = re.compile(rf"\.(?P<name>[^/]*){re.escape(_MARK)}\w{{8}}")
_OF_A_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_swept: set[str] = set()
"""Folders in which this process has deleted what killed ones left."""


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Path of a temporary file that takes the place of `path` when the block ends without an error.

    An interrupted block leaves `path` as it was. Missing parent folders are made. The temporary file keeps the
    suffix of `path`, by which many writers choose their format.
    """
    with _told_of(path), _make_temporary(path, is_folder=False) as temporary:
        yield temporary
        # mkstemp makes files that only their owner can read; results are to be shared as any other file is.
        temporary.chmod(0o666 & ~_current_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Errors of the system name `path`, not the temporary file; those of a full disk always name something."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            error.filename, error.filename2 = _TEMPORARY.sub(r"\g<name>", str(error.filename)), None
        elif error.errno in _OF_A_FULL_DISK:
            error.filename = str(path)
        raise


def save_json(values: Any, path: Path) -> None:
    """Write a JSON file in one step.

    Raises:
        ValueError: A number is not finite: JSON has no token for it.
    """
    with replace_file(path) as temporary:
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Path of an empty temporary folder that takes the place of `path` when the block ends without an error."""
    with _told_of(path), _make_temporary(path, is_folder=True) as temporary:
        yield temporary
        temporary.chmod(0o777 & ~_current_umask())
        move_folder(temporary, path)


def move_folder(built: Path, path: Path) -> None:
    """Let a finished folder take the place of `path`, and delete what was there."""
    if not path.exists():
        built.replace(path)
        return
    # A folder cannot be replaced in one step: the old one is moved aside first, and deleted last.
    with _make_temporary(path, is_folder=True) as aside:
        path.replace(aside / path.name)
        built.replace(path)


@contextlib.contextmanager
def _make_temporary(path: Path, *, is_folder: bool) -> Iterator[Path]:
    """A new file or folder beside `path`, locked until the block ends; it is then deleted, unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _delete_leftovers(path.parent)
    temporary, handle = _make(path, is_folder=is_folder)
    # Before it was locked, another process may have taken it for a leftover.
    while handle is not None and not _lock_if_there(handle, temporary):
        os.close(handle)
        temporary, handle = _make(path, is_folder=is_folder)
    try:
        yield temporary
    finally:
        _delete(temporary)
        if handle is not None:
            os.close(handle)


def _make(path: Path, *, is_folder: bool) -> tuple[Path, int | None]:
    """A new temporary, and an open handle where it can be locked."""
    if not is_folder:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}{_MARK}", suffix=path.suffix)
        if fcntl is not None:
            return Path(name), handle
        os.close(handle)
        return Path(name), None
    while True:
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}{_MARK}"))
        if fcntl is None:
            return temporary, None
        with contextlib.suppress(FileNotFoundError):
            return temporary, os.open(temporary, os.O_RDONLY)


def _lock_if_there(handle: int, temporary: Path) -> bool:
    """Lock a new temporary, where the file system has locks; tell whether it is still there."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(handle), temporary.stat())
    except FileNotFoundError:
        return False


def _delete_leftovers(folder: Path) -> None:
    """Delete what killed processes left in a folder, once in the life of this process."""
    known_as = str(folder.absolute())
    if fcntl is None or known_as in _swept:
        return
    _swept.add(known_as)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not re.fullmatch(rf"{_TEMPORARY.pattern}(\.[^/]*)?", entry.name) or entry.is_symlink():
                continue
            with contextlib.suppress(OSError):
                _delete_if_unlocked(Path(entry.path))


def _delete_if_unlocked(temporary: Path) -> None:
    handle = os.open(temporary, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _delete(temporary)
    finally:
        os.close(handle)


def _delete(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def _current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
