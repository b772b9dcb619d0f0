"""The command line in a process that kills itself (SIGKILL) at a named moment.

python kill_at.py MOMENT ARGUMENT …
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOMENTS = ("decoding", "frozen phase", "middle of a cycle", "checkpoint", "prediction", "drawing")
"""In the order in which a run meets them."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(function: Callable[..., Any], is_moment: Callable[..., bool]) -> Callable[..., Any]:
    """The same function, after whose first call of the moment the process dies."""

    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        result = function(*arguments, **keywords)
        if is_moment(*arguments):
            die()
        return result

    return wrapper


def prepare(moment: str) -> None:
    if moment in ("decoding", "prediction"):
        from metalight.unfinished import UnfinishedWork

        folder, first = {"decoding": ("pixels", 64), "prediction": ("test.parquet", 0)}[moment]
        UnfinishedWork.keep = die_after(  # type: ignore[method-assign]
            UnfinishedWork.keep, lambda work, part, *_: (work.folder.stem, part.start) == (folder, first)
        )
    elif moment in ("frozen phase", "middle of a cycle"):
        from metalight.training.task import TrainingTask

        epoch = {"frozen phase": 1, "middle of a cycle": 4}[moment]
        TrainingTask.training_step = die_after(  # type: ignore[method-assign]
            TrainingTask.training_step,
            lambda task, batch, step: (task.phase.first_epoch + task.current_epoch, step) == (epoch, 1),
        )
    elif moment == "checkpoint":
        write_bytes = Path.write_bytes

        def write_half(path: Path, data: Any) -> int:
            if path.suffix != ".pt":
                return write_bytes(path, data)
            written = write_bytes(path, data[: len(data) // 2])
            die()
            return written

        Path.write_bytes = write_half  # type: ignore[assignment,method-assign]
    elif moment == "drawing":
        from matplotlib.figure import Figure

        calls = itertools.count(1)
        Figure.savefig = die_after(Figure.savefig, lambda *_: next(calls) == 3)  # type: ignore[method-assign]
    else:
        raise ValueError(moment)


def make_parts_small() -> None:
    """Small samples, yet several parts."""
    from metalight.cutouts import download
    from metalight.images import reading
    from metalight.pipeline import predict_parts

    object.__setattr__(download._DEFAULT_LIMITS, "files_a_part", 32)
    reading._MOST_FILES_A_PART = 64
    predict_parts._GALAXIES_A_PART = 16


def main() -> None:
    from metalight.cli import main as command_line

    make_parts_small()
    moment = sys.argv.pop(1)
    if moment != "never":
        prepare(moment)
    command_line()


if __name__ == "__main__":
    main()
