"""A function run in a process of its own, which may take only so much memory and time."""

import multiprocessing
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MOST_BYTES = 2**30
_MOST_SECONDS = 4 * 3600  # of the longest soak; what hangs, hangs for ever


def run_bounded(function: Callable[..., Any], *arguments: object) -> Any:
    """What the function returns; its failure, more than 1 GiB of memory, or a hang fails the test."""
    # Arrow's own allocator maps a gigabyte before it is asked for anything; what the process starts with, it keeps.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        assert ours.poll(_MOST_SECONDS), "it hangs"
        is_well, result = ours.recv()
    except EOFError:
        raise AssertionError("the process ended without a word, as for want of memory") from None
    finally:
        process.kill()
        process.join()
    assert is_well, result
    return result


def _run(connection: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    # What libraries map before is not of the input.
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES, taken + MOST_BYTES))
    try:
        connection.send((True, function(*arguments)))
    except BaseException as error:
        connection.send((False, f"{type(error).__name__}: {error}"))
