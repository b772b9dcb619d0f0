"""Long work in parts: finished parts are kept, and interrupted work resumes after the last one.

The parts towards `PATH` lie in the folder `PATH.unfinished` until they are put together.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metalight.atomic import replace_file
from metalight.locks import hold_lock

if TYPE_CHECKING:
    import pandas as pd

_IDENTITY, _LOCK = "identity.txt", "work.lock"


@dataclass(frozen=True)
class UnfinishedWork:
    """The parts of a piece of work."""

    folder: Path

    def load(self, part: slice) -> "pd.DataFrame | None":
        """The table of a part, as an earlier process kept it; nothing if it is not there whole.

        Args:
            part: The rows of the whole that it has.
        """
        import pandas as pd

        with contextlib.suppress(OSError, ValueError):  # pyarrow's errors are among them
            return pd.read_parquet(self._path_of(part))
        return None

    def keep(self, part: slice, table: "pd.DataFrame") -> "pd.DataFrame":
        """Keep the table of a part, and give it back; whatever else belongs to the part must be on disk already."""
        with replace_file(self._path_of(part)) as temporary:
            table.to_parquet(temporary, index=False)
        return table

    def start_over(self, identity: str) -> None:
        """Delete all parts."""
        for entry in self.folder.iterdir():
            if entry.name != _LOCK:
                entry.unlink()
        with replace_file(self.folder / _IDENTITY) as temporary:
            temporary.write_text(identity, encoding="utf-8")

    def _path_of(self, part: slice) -> Path:
        # Both ends, so that parts of another division are not taken for these.
        return self.folder / f"part-{part.start:09}-{part.stop:09}.parquet"


def forget_work(path: Path) -> None:
    """Delete the parts towards `path`, if there are any."""
    shutil.rmtree(name_unfinished(path), ignore_errors=True)


def name_unfinished(path: Path) -> Path:
    """The folder of the parts towards `path`."""
    return path.with_name(f"{path.name}.unfinished")


@contextlib.contextmanager
def go_on_with(path: Path, identity: str, *, needed: Sequence[str] = ()) -> Iterator[UnfinishedWork]:
    """The work towards `path` as it was left, or begun; when the block ends without an error, the parts are deleted.

    Args:
        path: What is made.
        identity: Of the work: a digest of all that the parts depend on. Parts of any other work are deleted.
        needed: Names of files in the folder without which the parts are worth nothing.

    Raises:
        InUseError: Another process is at the same work.
        OSError: The folder cannot be made or written.
    """
    folder = name_unfinished(path)
    folder.mkdir(parents=True, exist_ok=True)
    way_out = "wait until it has ended, or choose another place for the result"
    with hold_lock(folder / _LOCK, place=path, way_out=way_out):
        work = UnfinishedWork(folder)
        if _load_identity(folder) != identity or not all((folder / name).is_file() for name in needed):
            work.start_over(identity)
        yield work
        forget_work(path)


def _load_identity(folder: Path) -> str:
    try:
        return (folder / _IDENTITY).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
