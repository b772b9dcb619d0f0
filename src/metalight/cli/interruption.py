"""Interruptions at any moment: one sentence, and the exit status that shells expect.

Ctrl-C (SIGINT), a scheduler's or `kill`'s SIGTERM and a closed terminal's SIGHUP are one thing here: each raises
`KeyboardInterrupt` in the main thread, so code that handles Ctrl-C handles all three. A signal that was ignored when
the process started, as SIGHUP is under `nohup`, stays ignored.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from types import FrameType
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_LOADING = (ExtensionFileLoader.create_module.__code__, ExtensionFileLoader.exec_module.__code__)
_PAUSE_SECONDS = 0.05
_SECONDS_TO_STOP = 10.0
"""An error that comes so soon after an interruption is taken for its consequence."""

_SECONDS_OF_ONE_ORDER = 1.0
"""`timeout`, a scheduler and a closing terminal all send more than one signal: a second one so soon is not another."""


class _Interruption:
    """The last signal that interrupted this process, and how signals are handled."""

    def __init__(self) -> None:
        self.number: int = signal.SIGINT
        self.moment = -math.inf

    @property
    def is_recent(self) -> bool:
        return time.monotonic() - self.moment < _SECONDS_TO_STOP

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise `KeyboardInterrupt`, or do what Ctrl-C does at this moment.

        Not in the midst of an import, where C code would turn the exception into another error, or lose it.
        """
        if _is_import_fragile(frame) and hasattr(signal, "setitimer"):
            self._repeat_soon(number)
            return
        if self._is_repeated(number):
            return
        self.number, self.moment = number, time.monotonic()
        _silence_lost_terminals()
        handler = signal.getsignal(signal.SIGINT)
        if number != signal.SIGINT and callable(handler) and handler != self.handle:
            handler(number, frame)  # of a download, which first keeps what it has
            return
        raise KeyboardInterrupt

    def install(self) -> None:
        """Handle all signals that are not ignored."""
        for number in _list_heeded():
            signal.signal(number, self.handle)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._repeat)

    def uninstall(self) -> None:
        """Let each signal end the process at once: where it ends anyway, Python would show a traceback.

        After an interruption, only Ctrl-C does: the others may be the same order again, and it has its status.
        """
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number in _list_heeded():
            is_done = self.is_recent and number != signal.SIGINT
            signal.signal(number, signal.SIG_IGN if is_done else signal.SIG_DFL)

    def _is_repeated(self, number: int) -> bool:
        return number != signal.SIGINT and time.monotonic() - self.moment < _SECONDS_OF_ONE_ORDER

    def _repeat_soon(self, number: int) -> None:
        # Not by a thread: the signal may have come while the main thread held a lock of `threading`.
        self.number = number
        signal.setitimer(signal.ITIMER_REAL, _PAUSE_SECONDS)

    def _repeat(self, _: int, frame: FrameType | None) -> None:
        self.moment = -math.inf
        self.handle(self.number, frame)

    def listen(self, lost: Any) -> bool:
        """Repeat an interruption that was raised in a destructor or the like, where an exception has no effect."""
        if lost.exc_type is not KeyboardInterrupt or not hasattr(signal, "setitimer"):
            return False
        self._repeat_soon(self.number)
        return True


_INTERRUPTION = _Interruption()


@contextlib.contextmanager
def heeding_interruptions() -> Iterator[None]:
    """A block in which SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt`, and none of them is lost.

    After the block, where the process ends, each ends it at once.
    """
    before = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if _INTERRUPTION.listen(lost) else before(lost)
    _INTERRUPTION.install()
    try:
        yield
    finally:
        _INTERRUPTION.uninstall()
        sys.unraisablehook = before


@contextlib.contextmanager
def told_of_interruptions() -> Iterator[None]:
    """A block whose interruption ends the process, with a sentence that says what is kept."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        _end(str(interruption))
    except Exception:
        # Code in C may have turned the interruption into another error, and Ctrl-C also ends what reads our output.
        if not _INTERRUPTION.is_recent:
            raise
        _end("")


def _end(moment: str) -> None:
    with _ignoring_signals(), contextlib.suppress(OSError, ValueError):  # an impatient second one would cut it short
        after = f" {moment}" if moment else ""
        print(
            f"Interrupted{after}. Everything finished is kept. Run the same command again to resume.", file=sys.stderr
        )
    raise SystemExit(128 + _INTERRUPTION.number) from None


@contextlib.contextmanager
def _ignoring_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _list_heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _list_heeded() -> list[int]:
    return [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _is_import_fragile(frame: FrameType | None) -> bool:
    """Whether the import system itself is at work, or a C extension is imported."""
    if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        return True
    while frame is not None:
        if frame.f_code in _LOADING:
            return True
        frame = frame.f_back
    return False


def _silence_lost_terminals() -> None:
    """Send what is still written to a closed terminal nowhere: writing to it would raise in the midst of the stop."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stream, or not one of a file
            descriptor = stream.fileno()
            try:
                os.write(descriptor, b"")
            except OSError:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
