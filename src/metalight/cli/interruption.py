"""Ctrl-C, at whatever moment: one sentence, and the exit status that it has by the custom of shells."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_STATUS = 130
_PAUSE_SECONDS = 0.05


@contextlib.contextmanager
def told_of_ctrl_c() -> Iterator[None]:
    """A block that Ctrl-C ends with a sentence on what is kept, and the process with it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        moment = f" {interruption}" if str(interruption) else ""
        with _ignoring_ctrl_c():  # an impatient second one would cut the sentence short
            print(
                f"Interrupted{moment}. What is finished is kept: the same command goes on from there.", file=sys.stderr
            )
        raise SystemExit(_STATUS) from None


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def heeding_every_ctrl_c() -> Iterator[None]:
    """A block in which Ctrl-C is not lost where Python cannot raise it.

    Within a destructor or the callback of a weak reference, such as those of every import, an exception goes nowhere:
    the interruption is then made once more, a moment later. After the block, where the process ends and Python would
    show a traceback, Ctrl-C ends it at once.
    """
    before = sys.unraisablehook
    timers: list[threading.Timer] = []

    def listen(lost: Any) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            before(lost)
        elif not any(timer.is_alive() for timer in timers):  # two at once would be one too many
            again = (threading.main_thread().ident, signal.SIGINT)
            timers.append(threading.Timer(_PAUSE_SECONDS, signal.pthread_kill, again))
            timers[-1].start()

    sys.unraisablehook = listen
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.unraisablehook = before
