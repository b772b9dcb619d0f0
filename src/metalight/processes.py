"""Work that is shared among processes of this machine, in tasks of a second or less.

Ctrl-C is the parent's alone: the tasks in hand end, and no others begin.
"""

import contextlib
import itertools
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from metalight.errors import RunError

_TASKS_AHEAD = 4
"""Tasks that wait for each process, so that none has to wait for a task."""

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def count_processes(num_things: int, *, things_per_process: int) -> int:
    """How many processes are worth their start for so many things to do; at most one for each processor."""
    return max(1, min(os.cpu_count() or 1, 1 + num_things // things_per_process))


def share_out(
    work: Callable[[_Task], _Result], tasks: Iterable[_Task], num_processes: int, *, name: str
) -> Generator[_Result, None, None]:
    """Results of tasks, in their order; only a few tasks are taken at a time, however many there are.

    Args:
        work: A function of a module; what it raises is raised here.
        tasks: They and the results go from process to process, so that they must be picklable.
        num_processes: 1 works in this process.
        name: What a process does, for the message.

    Raises:
        RunError: A process was ended from outside, or could not start.
    """
    if num_processes == 1:
        yield from map(work, tasks)
        return
    waiting = iter(tasks)
    with _start_pool(num_processes, name) as pool:
        at_work = deque(pool.submit(work, task) for task in itertools.islice(waiting, _TASKS_AHEAD * num_processes))
        while at_work:
            result = at_work.popleft().result()
            at_work += (pool.submit(work, task) for task in itertools.islice(waiting, 1))
            yield result


@contextlib.contextmanager
def _start_pool(num_processes: int, name: str) -> Iterator[ProcessPoolExecutor]:
    """Processes that finish the few tasks in hand, and begin no others, when the block ends early."""
    # Forked copies of a process that runs threads, as torch and numpy do, may hang.
    pool = ProcessPoolExecutor(num_processes, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise RunError(
            f"A process that {name} was ended from outside or could not start; run the same again to go on, with fewer "
            "processes if memory was short."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone decides, and children leave whole files.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
