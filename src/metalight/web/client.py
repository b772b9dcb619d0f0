"""Requests to a service: at its pace, with a name, checked, and again where that may help.

    with WebClient(settings) as client:
        outcome = client.fetch(url, {"ra": "180.0"}, judge=judge_picture, max_bytes=1_000_000)

What comes of a request is an `Outcome`, never an exception: of thousands of galaxies, some fail, and each says why.
"""

import heapq
import itertools
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS, Answer, Errand, Outcome, Request, Verdict, join_query
from metalight.web.pace import Pace

if TYPE_CHECKING:
    from metalight.web.connections import Arrival

SECONDS_TO_NOTICE = 0.2
"""No longer does `fetch_each` keep silent."""

_NOTHING = Outcome(None, Verdict("again", "stopped before an answer"), 0)

E = TypeVar("E", bound=Errand)


class WebClient:
    """Asks services; for the use of one thread, but `stop` may be called by any."""

    def __init__(self, settings: NetworkSettings, *, pace: Pace | None = None, accept: str = "*/*") -> None:
        """A client that is closed by leaving its `with` block.

        Args:
            settings: How to ask.
            pace: When requests may begin; left out: by the settings.
            accept: Media types that are wanted.
        """
        from metalight.web.connections import Connections

        self.num_requests = 0
        """Requests begun so far."""

        self._settings = settings
        self._pace = pace or Pace(settings.requests_per_second)
        self._connections: Connections[Any] = Connections(settings, accept=accept)

    def __enter__(self) -> "WebClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._pace.is_stopped

    def stop(self) -> None:
        """Begin no more requests, and end all waits: what is asked for then has no answer."""
        self._pace.stop()

    def close(self) -> None:
        """End all waits and connections."""
        self.stop()
        self._connections.close()

    def fetch(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        judge: Callable[[Answer], Verdict],
        max_bytes: int,
        longest_s: float = math.inf,
    ) -> Outcome:
        """Ask for a thing until an answer is good, or will never be, or no try is left; arguments as of `Request`."""
        errand = Errand([Request(join_query(url, parameters), judge, max_bytes, longest_s)])
        for _ in self.fetch_each([errand]):
            pass
        return errand.outcomes[-1] if errand.outcomes else _NOTHING

    def fetch_each(self, errands: Iterable[E]) -> Iterator[list[E]]:
        """Run errands, on as many as there are connections at the same time.

        Each request is made until an answer is good, or will never be, or no try is left. An errand that waits keeps
        its connection: who has failed for some does not ask for others instead.

        Args:
            errands: What to ask for; each is taken when a connection is free for it.

        Yields:
            Errands that have ended since, in any order; an empty list where none has for a while. After `stop`, those
            that wait end at once, the others as they are answered, and no more are taken.
        """
        work = _Work(errands)
        ended: list[E] = []
        yielded = time.monotonic()
        while True:
            if self.is_stopped:
                ended += work.drop()
            wait_s = 0.0 if ended else self._begin_what_may(work)
            if not work.num_tasks and work.is_exhausted:
                if ended:
                    yield ended
                return
            ended += self._settle(self._wait(wait_s), work)
            if ended or time.monotonic() - yielded > SECONDS_TO_NOTICE:
                yield ended
                ended, yielded = [], time.monotonic()

    def _begin_what_may(self, work: "_Work[E]") -> float:
        """Begin requests as long as there are connections and the pace allows; how long to wait for more, seconds."""
        delay_s = min(SECONDS_TO_NOTICE, work.end_waits(time.monotonic()))
        while not self.is_stopped and (work.ready or (work.num_tasks < self._settings.connections and work.take())):
            turn_s = self._pace.take_turn()
            if turn_s:
                return min(delay_s, turn_s)
            task = work.ready.popleft()
            self.num_requests += 1
            self._connections.begin(task.request, task)
        return delay_s

    def _wait(self, seconds: float) -> "list[Arrival[Any]]":
        if self._connections.num_busy:
            return self._connections.wait(seconds)
        self._pace.sleep(seconds)
        return self._connections.wait(0.0)

    def _settle(self, arrived: "list[Arrival[_Task[E]]]", work: "_Work[E]") -> list[E]:
        """Errands that end by what has come; the others are asked for again, or for what is next."""
        ended = []
        for arrival in arrived:
            task, answer = arrival.about, arrival.answer
            if arrival.num_repeats:
                self.num_requests += arrival.num_repeats
                self._pace.skip_turns(arrival.num_repeats)
            verdict = arrival.flaw or _judge(answer, task.request)
            num_tries = task.outcome.num_tries + 1
            task.outcome = Outcome(answer, verdict, num_tries)
            is_last = verdict.kind != "again" or num_tries >= min(verdict.most_tries, self._settings.tries)
            if is_last or arrival.asked_wait_s > self._settings.longest_wait_s:
                if task.end_request():
                    work.num_tasks -= 1
                    ended.append(task.errand)
                else:
                    work.ready.append(task)
                continue
            if arrival.asked_wait_s:
                self._pace.hold_back(arrival.asked_wait_s)
            wait_s = max(arrival.asked_wait_s, draw_wait_s(self._settings, num_tries))
            work.wait(task, time.monotonic() + wait_s)
        return ended


@dataclass(slots=True)
class _Task(Generic[E]):
    """An errand under way."""

    errand: E
    outcome: Outcome = _NOTHING
    """Of the last try of the request in hand."""

    @property
    def request(self) -> Request:
        return self.errand.requests[len(self.errand.outcomes)]

    def end_request(self) -> bool:
        """Take the outcome for the last word; whether the errand has ended by that."""
        self.errand.outcomes.append(self.outcome)
        is_good, self.outcome = self.outcome.verdict.kind == "good", _NOTHING
        return not is_good or len(self.errand.outcomes) == len(self.errand.requests)


class _Work(Generic[E]):
    """Errands under way, each with a connection of its own, as far as they are not being answered."""

    def __init__(self, errands: Iterable[E]) -> None:
        self._source = iter(errands)
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, _Task[E]]] = []
        self.ready: deque[_Task[E]] = deque()
        self.num_tasks = 0
        self.is_exhausted = False

    def take(self) -> bool:
        """Take one errand more; whether there is one."""
        errand = None if self.is_exhausted else next(self._source, None)
        if errand is None:
            self.is_exhausted = True
            return False
        self.ready.append(_Task(errand))
        self.num_tasks += 1
        return True

    def wait(self, task: _Task[E], until: float) -> None:
        """Let the request be made again, but not before then."""
        heapq.heappush(self._waiting, (until, next(self._numbers), task))

    def end_waits(self, now: float) -> float:
        """Let those that have waited be ready; seconds until the next one is."""
        while self._waiting and self._waiting[0][0] <= now:
            self.ready.append(heapq.heappop(self._waiting)[2])
        return self._waiting[0][0] - now if self._waiting else math.inf

    def drop(self) -> list[E]:
        """What is not being answered ends as it is, and nothing more is taken."""
        dropped = [*self.ready, *(task for _, _, task in self._waiting)]
        self.ready.clear()
        self._waiting.clear()
        self.is_exhausted = True
        self.num_tasks -= len(dropped)
        for task in dropped:
            task.end_request()
        return [task.errand for task in dropped]


def draw_wait_s(settings: NetworkSettings, num_tries: int) -> float:
    """Seconds to wait after so many tries: twice as long after each, of which up to a half is left out."""
    longest_s = min(settings.longest_wait_s, settings.first_wait_s * 2.0 ** (num_tries - 1))
    # Many who failed together must not come back together.
    return longest_s * random.uniform(0.5, 1.0)


def _judge(answer: Answer | None, request: Request) -> Verdict:
    if answer is None:
        raise ValueError("what has no answer has a flaw")
    if answer.status in STATUSES_THAT_PASS:
        words = f" ({answer.reason})" if answer.reason else ""
        return Verdict("again", f"the service answered with status {answer.status}{words}")
    return request.judge(answer)
