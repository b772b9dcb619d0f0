"""Files that are either whole or not there: written beside their place, then moved into it in one step.

What a killed process leaves half-written has a name by which it is known (`remove_leftovers`): `.NAME.tmp-XXXXXXXX`,
and for a file its suffix after that.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MARK = ".tmp-"


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Path of a temporary file that takes the place of `path` when the block ends without an error.

    An interrupted block leaves `path` as it was. Missing parent folders are made. The temporary file keeps the
    suffix of `path`, by which many writers choose their format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _told_of(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}{_MARK}", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with _told_of(path):
            yield temporary
            # mkstemp makes files that only their owner can read; results are to be shared as any other file is.
            temporary.chmod(0o666 & ~_current_umask())
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Errors of the system name `path`, and not the temporary file that nobody knows."""
    try:
        yield
    except OSError as error:
        if _is_leftover(Path(str(error.filename)).name):
            error.filename, error.filename2 = str(path), None
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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}{_MARK}"))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_current_umask())
        move_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_folder(built: Path, path: Path) -> None:
    """Let a finished folder take the place of `path`, and delete what was there."""
    if not path.exists():
        built.replace(path)
        return
    # A folder cannot be replaced in one step: the old one is moved aside first, and deleted last.
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}{_MARK}"))
    path.replace(aside / path.name)
    built.replace(path)
    shutil.rmtree(aside)


def remove_leftovers(folder: Path, *, but_in: str = "") -> None:
    """Delete what killed processes left half-written in a folder and below it.

    Only for a folder that no other process is writing to: what that one is writing would go too.

    Args:
        folder: Where to look.
        but_in: Name of folders that are not looked into, as others may be at work there; empty: none.
    """
    for directory, names, files in os.walk(folder):
        if but_in in names:
            names.remove(but_in)
        leftovers = [name for name in names if _is_leftover(name)]
        for name in leftovers:
            shutil.rmtree(Path(directory, name), ignore_errors=True)
            names.remove(name)  # nothing is left to walk through
        for name in filter(_is_leftover, files):
            Path(directory, name).unlink(missing_ok=True)


def remove_leftovers_of(paths: Iterable[Path]) -> None:
    """Delete what killed processes left half-written of some files, where other files beside them may be in use.

    Only for files that no other process is writing.
    """
    for path in paths:
        name = re.compile(re.escape(f".{path.stem}{_MARK}") + r"\w{8}" + re.escape(path.suffix))
        for entry in path.parent.iterdir():
            if name.fullmatch(entry.name):
                entry.unlink(missing_ok=True)


def _is_leftover(name: str) -> bool:
    return name.startswith(".") and _MARK in name


def _current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
