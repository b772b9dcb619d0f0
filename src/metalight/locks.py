"""One process at a time: a file that a process holds while it works in a place."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from metalight.errors import InUseError


@contextlib.contextmanager
def hold_lock(path: Path, *, place: Path, way_out: str) -> Iterator[None]:
    """A block in which no other process holds the same file.

    The system lets go of it for a process that dies, however it dies.

    Args:
        path: The file to hold; it stays when the block ends.
        place: What it guards, for the message.
        way_out: What to do if it is held, for the message.

    Raises:
        InUseError: Another process holds it.
        OSError: The file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(f"Another process of metalight is working on {place}; {way_out}.") from None
    try:
        yield
    finally:
        lock.release()
