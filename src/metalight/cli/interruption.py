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
        print(f"Interrupted{moment}. What is finished is kept: the same command goes on from there.", file=sys.stderr)
        raise SystemExit(_STATUS) from None


@contextlib.contextmanager
def heeding_every_ctrl_c() -> Iterator[None]:
    """A block in which Ctrl-C is not lost where Python cannot raise it.

    Within a destructor or the callback of a weak reference, such as those of every import, an exception goes nowhere:
    the interruption is then made once more, a moment later.
    """
    before = sys.unraisablehook

    def listen(lost: Any) -> None:
        if lost.exc_type is KeyboardInterrupt:
            again = (threading.main_thread().ident, signal.SIGINT)
            threading.Timer(_PAUSE_SECONDS, signal.pthread_kill, again).start()
        else:
            before(lost)

    sys.unraisablehook = listen
    try:
        yield
    finally:
        sys.unraisablehook = before
