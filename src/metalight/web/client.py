"""Requests to a service: at its pace, with a name, checked, and again where that may help.

    with WebClient(settings) as client:
        outcome = client.fetch(url, {"ra": "180.0"}, judge=judge_picture)

What comes of a request is an `Outcome`, never an exception: of thousands of galaxies, some fail, and each says why.
"""

import contextlib
import email.utils
import math
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from metalight import __version__
from metalight.recipe import NetworkSettings
from metalight.web.pace import Pace

if TYPE_CHECKING:
    import httpx2

STATUSES_THAT_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be another one the next time."""

_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Answer:
    """What a service answered, whole."""

    url: str
    """Where it came from, after redirects."""

    status: int
    content_type: str
    """Media type, without parameters, in small letters."""

    reason: str
    """The words beside the status."""

    body: bytes


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth."""

    kind: Literal["good", "again", "final"]
    """`again`: asking once more may help; `final`: it will not."""

    reason: str = ""
    """Why it is not good, as words that stand after a colon."""

    most_tries: int = 100
    """Of `again`: after so many tries it is taken for the last word."""


@dataclass(frozen=True)
class Outcome:
    """What came of asking for a thing, after as many tries as were allowed."""

    answer: Answer | None
    """The last one; None if there was none."""

    verdict: Verdict
    """On it; `again` if no try was left."""

    num_tries: int


@dataclass
class _Counts:
    lock: threading.Lock = field(default_factory=threading.Lock)
    num_requests: int = 0


class WebClient:
    """Asks services; may be shared by threads."""

    def __init__(self, settings: NetworkSettings, *, pace: Pace | None = None, accept: str = "*/*") -> None:
        """A client that is closed by leaving its `with` block.

        Args:
            settings: How to ask.
            pace: When requests may begin; left out: by the settings.
            accept: Media types that are wanted.
        """
        import httpx2

        self._settings = settings
        self._pace = pace or Pace(settings.requests_per_second)
        self._counts = _Counts()
        self._client = httpx2.Client(
            headers={"User-Agent": name_agent(settings.contact), "Accept": accept},
            timeout=httpx2.Timeout(settings.timeout_s, pool=None),
            limits=httpx2.Limits(max_connections=settings.connections, max_keepalive_connections=settings.connections),
            follow_redirects=True,
            max_redirects=_MOST_REDIRECTS,
        )

    def __enter__(self) -> "WebClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def num_requests(self) -> int:
        """Requests begun so far."""
        return self._counts.num_requests

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
        self._client.close()

    def fetch(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        judge: Callable[[Answer], Verdict],
        max_bytes: int,
        longest_s: float = math.inf,
    ) -> Outcome:
        """Ask for a thing until an answer is good, or will never be, or no try is left.

        Args:
            url: Of the service.
            parameters: Of the query.
            judge: Tells what an answer is worth. It is not asked of statuses other than 200 that may pass.
            max_bytes: An answer that is longer is not read to its end, and will not be good.
            longest_s: Time after which an answer that is still arriving, in drips, is given up.
        """
        outcome = Outcome(None, Verdict("again", "stopped before an answer"), 0)
        wait_s = 0.0
        for num_tries in range(1, self._settings.tries + 1):
            if not (self._pace.sleep(wait_s) and self._pace.wait_for_turn()):
                break
            answer, verdict, asked_wait_s = self._try(url, parameters, judge, max_bytes, longest_s)
            outcome = Outcome(answer, verdict, num_tries)
            is_last = verdict.kind != "again" or num_tries >= verdict.most_tries
            if is_last or asked_wait_s > self._settings.longest_wait_s:
                break
            if asked_wait_s:
                self._pace.hold_back(asked_wait_s)
            wait_s = max(asked_wait_s, draw_wait_s(self._settings, num_tries))
        return outcome

    def _try(
        self,
        url: str,
        parameters: Mapping[str, str] | None,
        judge: Callable[[Answer], Verdict],
        max_bytes: int,
        longest_s: float,
    ) -> tuple[Answer | None, Verdict, float]:
        """An answer, what it is worth, and the wait in seconds that the service asks for."""
        import httpx2

        with self._counts.lock:
            self._counts.num_requests += 1
        try:
            with self._client.stream("GET", url, params=parameters) as response:
                asked_wait_s = _read_retry_after(response)
                body = _read_body(response, max_bytes, longest_s)
                answer = Answer(
                    str(response.url),
                    response.status_code,
                    response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                    response.reason_phrase,
                    body if body is not None else b"",
                )
        except httpx2.TooManyRedirects:
            return None, Verdict("final", f"the service redirects more than {_MOST_REDIRECTS} times"), 0.0
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            return None, Verdict("final", f"{url} cannot be asked: {error}"), 0.0
        except _TooSlowError:
            return None, Verdict("again", f"the answer was not whole after {longest_s:g} s"), 0.0
        except httpx2.TimeoutException:
            return None, Verdict("again", f"no answer for {self._settings.timeout_s:g} s"), 0.0
        except (httpx2.TransportError, httpx2.DecodingError, ssl.SSLError) as error:
            return None, Verdict("again", _explain_transport(error)), 0.0
        if body is None:
            return answer, Verdict("final", f"the answer is longer than {max_bytes:,} bytes"), 0.0
        if answer.status in STATUSES_THAT_PASS:
            words = f" ({answer.reason})" if answer.reason else ""
            return answer, Verdict("again", f"the service answered with status {answer.status}{words}"), asked_wait_s
        return answer, judge(answer), 0.0


def name_agent(contact: str) -> str:
    """How we introduce ourselves to services."""
    return f"metalight/{__version__}" + (f" ({contact})" if contact else "")


class _TooSlowError(Exception):
    """A body arrives too slowly."""


def draw_wait_s(settings: NetworkSettings, num_tries: int) -> float:
    """Seconds to wait after so many tries: twice as long after each, of which up to a half is left out."""
    longest_s = min(settings.longest_wait_s, settings.first_wait_s * 2.0 ** (num_tries - 1))
    # Many who failed together must not come back together.
    return longest_s * random.uniform(0.5, 1.0)


def _read_body(response: "httpx2.Response", max_bytes: int, longest_s: float) -> bytes | None:
    """The body; None if it is longer than `max_bytes`.

    Raises:
        _TooSlowError: It was not whole in time.
    """
    chunks, num_bytes, started = [], 0, time.monotonic()
    for chunk in response.iter_bytes():
        if time.monotonic() - started > longest_s:
            raise _TooSlowError
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _read_retry_after(response: "httpx2.Response") -> float:
    """The wait in seconds that a service asks for, as a number or as a date; 0 if it does not."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def _explain_transport(error: Exception) -> str:
    words = str(error).strip().rstrip(".")
    return f"the connection failed: {words}" if words else f"the connection failed ({type(error).__name__})"
