"""When the next request may begin."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets requests begin one by one, evenly spaced; may be shared by threads.

    As many begin in a second as the limit allows, and never more.
    """

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """A pace of `per_second` turns; 0: without a limit."""
        self._step = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def take_turn(self) -> float:
        """Take the next turn if it has come: 0; else the seconds until it does, and nothing is taken."""
        with self._lock:
            now = self._clock()
            if self._next > now:
                return self._next - now
            # Who comes late by less than a turn does not put off those after it.
            self._next = (self._next if now - self._next < self._step else now) + self._step
        return 0.0

    def hold_back(self, seconds: float) -> None:
        """Let no request begin for so long: a service has asked for it."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def sleep(self, seconds: float) -> bool:
        """Wait so long; False if `stop` was called before or meanwhile."""
        if seconds <= 0:
            return not self._stopped.is_set()
        return not self._stopped.wait(seconds)

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End all waits, now and later."""
        self._stopped.set()
