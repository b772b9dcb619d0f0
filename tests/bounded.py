"""Many inputs, fed to a function in a process of its own: each may take only so much time, and so much memory."""

import multiprocessing
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MOST_BYTES = 2**30
"""Beyond what the imports and the undamaged files take."""

_MOST_SECONDS = 60
"""Of one input, on a machine that has much else to do; all of them are small files."""

Feed = Callable[[int], str]
"""What becomes of the input of a seed, in a word; anything unexpected is raised."""


def count_outcomes(prepare: Callable[..., Feed], *arguments: object, seeds: Iterable[int]) -> Counter[str]:
    """How many inputs have which outcome; a failure, a hang or more than 1 GiB of memory fails the test.

    Args:
        prepare: Makes what feeds the inputs; it is called in the process, and should feed one that is right, so that
            what is imported for it does not count.
        arguments: Its own.
        seeds: Of the inputs.
    """
    # Arrow's own allocator maps a gigabyte before it is asked for anything; what the process starts with, it keeps.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, prepare, arguments, seeds))
    process.start()
    theirs.close()
    seed: Any = "none yet"
    try:
        while True:
            # The process starts with imports, which take longer than any input.
            assert ours.poll(_MOST_SECONDS * (10 if seed == "none yet" else 1)), f"seed {seed}: it hangs"
            word = ours.recv()
            if isinstance(word, Counter):
                return word
            assert isinstance(word, int), word
            seed = word
    except EOFError:
        raise AssertionError(f"seed {seed}: the process ended without a word, as for want of memory") from None
    finally:
        process.kill()
        process.join()


def _run(
    connection: Connection, prepare: Callable[..., Feed], arguments: tuple[object, ...], seeds: Iterable[int]
) -> None:
    feed = prepare(*arguments)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES, taken + MOST_BYTES))
    counts: Counter[str] = Counter()
    for seed in seeds:
        connection.send(seed)
        try:
            counts[feed(seed)] += 1
        except BaseException as error:  # a panic of a library in Rust is not an Exception
            connection.send(f"seed {seed}: {type(error).__name__}: {error}")
            return
    connection.send(counts)
