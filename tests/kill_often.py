"""The command line in processes that are killed (SIGKILL) at random moments, again and again, until one ends by itself.

A moment is a number of seconds, or exact: just before the N-th change to the files in a folder (one opened to be
written, moved, deleted, made), whatever part of the program makes it. Processes are forked from one that has imported
everything, so that a kill costs no import.
"""

import itertools
import math
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

_IMPORTED_ONCE = [f"metalight.{name}" for name in ("cli", "figures", "pipeline", "prediction", "training")]
_CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "shutil.rmtree"),
    *("tempfile.mkstemp", "tempfile.mkdtemp"),
}
_MOST_PROCESSES = 500
_NEVER = 10**9


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    status: int
    """0, or -9 if it was killed."""

    num_changes: int
    """Changes that it made in the folder, or was about to make."""

    seconds: float
    output: str


def run_forked(
    arguments: Sequence[object], folder: Path, *, kill_before: int = _NEVER, kill_after: float = math.inf
) -> Ended:
    """The command in a process that dies before that change in the folder, or after those seconds, or by itself."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED_ONCE)
    num_changes = context.Value("q", 0)
    output = folder.with_name(f"{folder.name}_output.txt")
    words = [str(argument) for argument in arguments]
    process = context.Process(target=_run, args=(words, folder, output, num_changes, kill_before))
    started = time.monotonic()
    process.start()
    process.join(None if math.isinf(kill_after) else kill_after)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return Ended(process.exitcode, num_changes.value, time.monotonic() - started, output.read_text())


def kill_until_it_ends(arguments: Sequence[object], folder: Path, seed: int, whole: Ended) -> list[Ended]:
    """The processes of a command, every one but the last killed at a moment of its own.

    Args:
        arguments: The command.
        folder: Whose changes are counted.
        seed: Of the moments; even seeds choose a change, odd ones a time.
        whole: How the same command ended where nothing was killed.
    """
    generator = random.Random(seed)
    ended: list[Ended] = []
    while not ended or ended[-1].status != 0:
        assert len(ended) < _MOST_PROCESSES, "it never ends"
        # As many early moments as late ones on a logarithmic scale: short lives are many, long ones are there.
        moment = generator.random()
        if seed % 2:
            ended.append(run_forked(arguments, folder, kill_after=whole.seconds * 10 ** (-1.5 * moment)))
        else:
            ended.append(run_forked(arguments, folder, kill_before=int(whole.num_changes**moment) + 1))
        assert ended[-1].status in (0, -signal.SIGKILL), ended[-1].output
    return ended


def _run(words: list[str], folder: Path, output: Path, num_changes: Any, kill_before: int) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(handle, stream)
    counter = itertools.count(1)

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if _is_change(event, arguments, str(folder)):
            num_changes.value = next(counter)
            if num_changes.value == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)

    from kill_at import make_parts_small
    from metalight.cli import main

    make_parts_small()
    sys.argv[1:] = words
    sys.addaudithook(listen)
    main()


def _is_change(event: str, arguments: tuple[Any, ...], folder: str) -> bool:
    if event == "open":
        path, _, flags = arguments
        is_written = flags & (os.O_WRONLY | os.O_RDWR)
        return bool(is_written) and isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder)
    if event not in _CHANGES:
        return False
    # Folders are deleted by names relative to an open one.
    is_relative = event in ("os.remove", "os.rmdir") and arguments[-1] != -1
    paths = (os.fspath(argument) for argument in arguments if isinstance(argument, str | os.PathLike))
    return is_relative or any(path.startswith(folder) for path in paths)
