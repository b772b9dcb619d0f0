"""When the next request may begin."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets requests begin one by one, evenly spaced, for any number of threads.

    Each turn is reserved under a lock and waited for outside of it, so that as many requests as the limit allows begin
    in a second, and never more.
    """

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """A pace of `per_second` turns; 0: without a limit."""
        self._step = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def wait_for_turn(self) -> bool:
        """Wait until a request may begin; False if `stop` was called before."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._step
        return self.sleep(turn - now)

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
