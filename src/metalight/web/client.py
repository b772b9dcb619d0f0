"""Requests to a service: at its pace, with a name, checked, and again where that may help.

    with WebClient(settings) as client:
        outcome = client.fetch(url, {"ra": "180.0"}, judge=judge_picture, max_bytes=1_000_000)

What comes of a request is an `Outcome`, never an exception: of thousands of galaxies, some fail, and each says why.
"""

import asyncio
import contextlib
import email.utils
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, TypeVar

from metalight.errors import hide_secrets
from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS, Answer, Errand, Outcome, Request, Verdict, join_query
from metalight.web.pace import Pace

if TYPE_CHECKING:
    import httpx2

SECONDS_TO_NOTICE = 0.2
"""`fetch_each` is never silent for longer, and waits notice after no longer that they are ended."""

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

        Raises:
            ServiceError: The environment names a proxy that cannot be used.
        """
        from metalight.web.session import Session

        self.num_requests = 0
        """Requests begun so far, redirects included."""

        self.has_answered = False
        """Whether there was any answer so far."""

        self._settings = settings
        self._pace = pace or Pace(settings.requests_per_second)
        self._session = Session(settings, accept=accept)

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
        self._session.close()

    def fetch(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        judge: Callable[[Answer], Verdict],
        max_bytes: int,
    ) -> Outcome:
        """Ask for a thing until an answer is good, or will never be, or no try is left; arguments as of `Request`."""
        errand = Errand([Request(join_query(url, parameters), judge, max_bytes)])
        for _ in self.fetch_each([errand]):
            pass
        return errand.outcomes[-1] if errand.outcomes else _NOTHING

    def fetch_each(self, errands: Iterable[E]) -> Iterator[list[E]]:
        """Run errands, on as many as there are connections at the same time.

        Each request is made until an answer is good, or will never be, or no try is left. An errand that waits keeps
        its place: who has failed for some does not ask for others instead.

        Args:
            errands: What to ask for; each is taken when there is a place for it.

        Yields:
            Errands that have ended since, in any order; an empty list where none has for a while. After `stop`, those
            that wait end at once, the others as they are answered, and no more are taken.
        """
        source = iter(errands)
        running: set[Future[E]] = set()
        try:
            while True:
                while not self.is_stopped and len(running) < self._settings.connections:
                    errand = next(source, None)
                    if errand is None:
                        break
                    running.add(self._session.submit(self._run(errand)))
                if not running:
                    return
                ended, running = wait(running, timeout=SECONDS_TO_NOTICE, return_when=FIRST_COMPLETED)
                yield [future.result() for future in ended]
        finally:
            for future in running:
                future.cancel()

    async def _run(self, errand: E) -> E:
        for request in errand.requests:
            errand.outcomes.append(await self._fetch(request))
            if errand.outcomes[-1].verdict.kind != "good":
                break
        return errand

    async def _fetch(self, request: Request) -> Outcome:
        outcome, wait_s = _NOTHING, 0.0
        while await self._sleep(wait_s) and await self._wait_for_turn():
            answer, verdict, asked_wait_s = await self._try(request)
            num_tries = outcome.num_tries + 1
            outcome = Outcome(answer, verdict, num_tries)
            is_last = verdict.kind != "again" or num_tries >= min(verdict.most_tries, self._settings.tries)
            if asked_wait_s > self._settings.longest_wait_s:
                break
            if asked_wait_s:
                self._pace.hold_back(asked_wait_s)
            if is_last:
                break
            wait_s = max(asked_wait_s, draw_wait_s(self._settings, num_tries))
        return outcome

    async def _try(self, request: Request) -> tuple[Answer | None, Verdict, float]:
        """An answer, what it is worth, and the wait in seconds that the service asks for."""
        try:
            async with self._session.ask(request.url, before_redirect=self._take_turn) as response:
                self.has_answered = True
                body = await self._read(response, request.max_bytes)
        except Exception as error:
            verdict = self._session.explain_failure(error, request.url, has_answered=self.has_answered)
            return None, verdict, 0.0
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        url = hide_secrets(str(response.url))
        answer = Answer(url, response.status_code, kind, response.reason_phrase, body or b"")
        if body is None:
            return answer, Verdict("final", f"the answer is longer than {request.max_bytes:,} bytes"), 0.0
        may_pass = answer.status in STATUSES_THAT_PASS
        asked_wait_s = _read_wait_s(response.headers.get("retry-after", "").strip()) if may_pass else 0.0
        return answer, request.judge(answer), asked_wait_s

    async def _read(self, response: "httpx2.Response", max_bytes: int) -> bytes | None:
        """The body; None if it is longer than `max_bytes`."""
        pieces, num_bytes = [], 0
        async with contextlib.aclosing(self._session.receive(response)) as received:
            async for piece in received:
                num_bytes += len(piece)
                if num_bytes > max_bytes:
                    return None
                pieces.append(piece)
        return b"".join(pieces)

    async def _wait_for_turn(self) -> bool:
        """Wait until a request may begin; False if `stop` was called before."""
        while not self.is_stopped:
            turn_s = self._pace.take_turn()
            if not turn_s:
                self.num_requests += 1
                return True
            await asyncio.sleep(min(turn_s, SECONDS_TO_NOTICE))
        return False

    async def _take_turn(self) -> None:
        """Wait until a request to which a service redirects may begin, whether `stop` was called or not."""
        while turn_s := self._pace.take_turn():
            await asyncio.sleep(turn_s)
        self.num_requests += 1

    async def _sleep(self, seconds: float) -> bool:
        """Wait so long; False if `stop` was called before or meanwhile."""
        until = time.monotonic() + seconds
        while not self.is_stopped:
            left_s = until - time.monotonic()
            if left_s <= 0:
                return True
            await asyncio.sleep(min(left_s, SECONDS_TO_NOTICE))
        return False


def draw_wait_s(settings: NetworkSettings, num_tries: int) -> float:
    """Seconds to wait after so many tries: twice as long after each, of which up to a half is left out."""
    longest_s = min(settings.longest_wait_s, settings.first_wait_s * 2.0 ** (num_tries - 1))
    # Many who failed together must not come back together.
    return longest_s * random.uniform(0.5, 1.0)


def _read_wait_s(value: str) -> float:
    """The wait in seconds that a service asks for, as a number or as a date; 0 if it does not."""
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0
