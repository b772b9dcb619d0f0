"""Files that are either whole or not there: written beside their place, then moved into it in one step."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Path of a temporary file that takes the place of `path` when the block ends without an error.

    An interrupted block leaves `path` as it was. Missing parent folders are made. The temporary file keeps the
    suffix of `path`, by which many writers choose their format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner can read; results are to be shared as any other file is.
        temporary.chmod(0o666 & ~_current_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_current_umask())
        if path.exists():
            # A folder cannot be replaced in one step: the old one is moved aside first, and deleted last.
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-old-"))
            path.replace(aside / path.name)
            temporary.replace(path)
            shutil.rmtree(aside)
        else:
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
