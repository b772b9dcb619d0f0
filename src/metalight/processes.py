"""Work that is shared among processes of this machine, in tasks of a second or less.

Only the parent handles interruptions: the tasks in hand end, and no others begin. When the parent ends, its processes
end too, however it ended.
"""

import contextlib
import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from metalight.errors import RunError

_TASKS_AHEAD = 4
"""Tasks that wait for each process, so that none has to wait for a task."""

_SECONDS_TO_HEED = 0.5
"""Who ends a process may be ending all of them, such as a cluster's scheduler: this one hears of it so soon."""

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
    pool = ProcessPoolExecutor(num_processes, mp_context=get_context("spawn"), initializer=_depend_on_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        time.sleep(_SECONDS_TO_HEED)
        raise RunError(
            f"A process that {name} was ended from outside or could not start; run the same again to go on, with fewer "
            "processes if memory was short."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _depend_on_parent() -> None:
    """Leave interruptions to the parent, which alone decides, and end with it."""
    # Both reach every process of a terminal. SIGTERM stays: by it a broken pool ends the processes that are left.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()  # a pipe that the system closes when the parent is gone
        os._exit(1)
