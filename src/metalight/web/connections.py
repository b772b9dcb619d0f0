"""Connections to services, kept open and driven by one thread: libcurl does the work.

    connections = Connections(settings, accept="image/jpeg")
    connections.begin(request, about)
    for arrival in connections.wait(0.2): ...

What comes of a request is an `Arrival`, whatever it is. HTTP is spoken in version 1.1 only: later ones have no words
beside the status, by which services tell what is wrong.
"""

import contextlib
import email.utils
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import pycurl

from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS, Answer, Request, Verdict
from metalight.web.options import MOST_REDIRECTS, Option, list_options, name_http_proxy

_LARGEST_CHUNK = 16_384
"""Bytes: libcurl hands out no larger ones."""

_SECONDS_TO_LOOK = 0.05
_SECONDS_WITHOUT_SOCKETS = 0.005
_FINE = b"HTTP/1.1 200 OK\r\n"

T = TypeVar("T")


@dataclass(slots=True)
class Arrival(Generic[T]):
    """What came of a request."""

    about: T
    """What it was made for."""

    answer: Answer | None
    """None if there was none."""

    flaw: Verdict | None = None
    """What it is worth where nobody needs to look at it: the request failed, or the answer is too long."""

    asked_wait_s: float = 0.0
    """What the service asks to wait; 0 if it does not, or has answered for good."""

    num_repeats: int = 0
    """How often libcurl has sent it again by itself: a service may close a connection as the next request is sent."""


class Line:
    """One connection's request, and what has come of it so far.

    What comes is taken by `append` of lists: where code of Python runs within libcurl, Ctrl-C is lost.
    """

    def __init__(self, options: Sequence[Option]) -> None:
        """A line by which nothing is asked yet."""
        self.url = ""
        self.headers: list[bytes] = []
        self.chunks: list[bytes] = []
        self.curl = pycurl.Curl()
        for option, value in options:
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.HEADERFUNCTION, self.headers.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)
        self.curl.line = self
        name_http_proxy()
        self._heard = 0.0
        self._num_heard = 0

    def start(self, url: str) -> None:
        """Make ready to ask.

        Raises:
            pycurl.error, ValueError: It cannot be asked for.
        """
        self.headers.clear()
        self.chunks.clear()
        self._heard, self._num_heard = time.monotonic(), 0
        self.url = url
        self.curl.setopt(pycurl.URL, url.encode())

    def measure_silence(self, now: float) -> float:
        """Seconds since something was seen to have come."""
        num_heard = len(self.headers) + len(self.chunks)
        if num_heard != self._num_heard:
            self._num_heard, self._heard = num_heard, now
        return now - self._heard

    def read_reason(self) -> str:
        """The words beside the status."""
        # Answers before the last one (redirects, those of proxies) have left their lines too.
        line = next((line for line in reversed(self.headers) if line.startswith(b"HTTP/")), b"")
        words = line.decode("ascii", errors="ignore").split(None, 2)
        return words[2].strip() if len(words) > 2 else ""

    def read_header(self, name: str) -> str:
        """The value of a header of the last answer, named in small letters; empty if it has none."""
        for line in reversed(self.headers):
            if line.startswith(b"HTTP/"):
                break
            key, _, value = line.decode("latin-1").partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return ""


class _Asking(Line, Generic[T]):
    """A line by which whole answers are asked for."""

    about: T
    request: Request
    body_begun = 0.0

    def is_too_long(self) -> bool:
        if len(self.chunks) * _LARGEST_CHUNK <= self.request.max_bytes:
            return False
        return sum(map(len, self.chunks)) > self.request.max_bytes

    def tell_delay(self, now: float, timeout_s: float) -> str:
        """Why an answer has taken too long by now; empty if it has not."""
        if self.measure_silence(now) > timeout_s:
            return f"no answer for {timeout_s:g} s"
        if self.chunks:
            self.body_begun = self.body_begun or now
            if now - self.body_begun > self.request.longest_s:
                return f"the answer was not whole after {self.request.longest_s:g} s"
        return ""

    def read(self) -> Answer:
        """The answer, of which the body has come whole or is not wanted."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        reason = "OK" if status == 200 and self.headers[0] == _FINE else self.read_reason()
        kind = self.curl.getinfo(pycurl.CONTENT_TYPE) or ""
        if ";" in kind or not kind.islower():
            kind = kind.partition(";")[0].strip().lower()
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        return Answer(self.curl.getinfo(pycurl.EFFECTIVE_URL), status, kind, reason, body)


class Connections(Generic[T]):
    """So many connections, for the use of one thread."""

    def __init__(self, settings: NetworkSettings, *, accept: str) -> None:
        """Connections that are not open yet.

        Args:
            settings: How many, and how to ask.
            accept: Media types that are wanted.
        """
        self._timeout_s = settings.timeout_s
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, settings.connections)
        options = list_options(settings, [f"Accept: {accept}"])
        self._free: list[_Asking[T]] = [_Asking(options) for _ in range(settings.connections)]
        self._busy: set[_Asking[T]] = set()
        self._failed: list[Arrival[T]] = []
        self._looked = 0.0
        self._head_bytes = 0

    @property
    def num_busy(self) -> int:
        """Requests that are not answered yet."""
        return len(self._busy)

    def begin(self, request: Request, about: T) -> None:
        """Ask by a connection that is free."""
        line = self._free.pop()
        line.about, line.request, line.body_begun = about, request, 0.0
        try:
            line.start(request.url)
            self._multi.add_handle(line.curl)
            self._busy.add(line)
        except (pycurl.error, ValueError) as error:
            self._free.append(line)
            self._failed.append(Arrival(about, None, tell_unaskable(request.url, error)))

    def wait(self, timeout_s: float) -> list[Arrival[T]]:
        """What has come, in whatever order; nothing if that takes longer than `timeout_s`, or not even that long."""
        arrived, self._failed = self._failed, []
        arrived += self._go_on()
        if arrived or timeout_s <= 0:
            return arrived
        wait_for_any(self._multi, timeout_s)
        return self._go_on()

    def close(self) -> None:
        """End all requests and connections."""
        for line in self._busy:
            with contextlib.suppress(pycurl.error):  # Ctrl-C may have come as it was taken off
                self._multi.remove_handle(line.curl)
        for line in [*self._busy, *self._free]:
            line.curl.close()
        self._busy, self._free = set(), []
        self._multi.close()

    def _go_on(self) -> list[Arrival[T]]:
        self._multi.perform()
        arrived = []
        num_left = 1
        while num_left:
            num_left, whole, broken = self._multi.info_read()
            arrived += [self._take(curl.line) for curl in whole]
            arrived += [self._fail(curl.line, code, words) for curl, code, words in broken]
        now = time.monotonic()
        is_time_to_look = now - self._looked > _SECONDS_TO_LOOK
        for line in [line for line in self._busy if is_time_to_look or len(line.chunks) > 1]:
            if line.is_too_long():
                arrived.append(self._fail(line, pycurl.E_FILESIZE_EXCEEDED, ""))
            elif delay := line.tell_delay(now, self._timeout_s):
                arrived.append(self._end(line, Verdict("again", delay)))
        if is_time_to_look:
            self._looked = now
        return arrived

    def _take(self, line: _Asking[T]) -> Arrival[T]:
        if line.is_too_long():
            return self._fail(line, pycurl.E_FILESIZE_EXCEEDED, "")
        answer = line.read()
        asked_wait_s = _read_wait_s(line.read_header("retry-after")) if answer.status in STATUSES_THAT_PASS else 0.0
        return self._end(line, None, answer, asked_wait_s)

    def _fail(self, line: _Asking[T], code: int, words: str) -> Arrival[T]:
        if code == pycurl.E_FILESIZE_EXCEEDED:
            line.chunks.clear()
            flaw = Verdict("final", f"the answer is longer than {line.request.max_bytes:,} bytes")
            return self._end(line, flaw, line.read())
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return self._end(line, Verdict("again", f"no answer for {self._timeout_s:g} s"))
        return self._end(line, explain_failure(line, code, words))

    def _end(
        self, line: _Asking[T], flaw: Verdict | None, answer: Answer | None = None, asked_wait_s: float = 0.0
    ) -> Arrival[T]:
        """What came by a line, which is free then."""
        arrival = Arrival(line.about, answer, flaw, asked_wait_s, self._count_repeats(line))
        self._multi.remove_handle(line.curl)
        self._busy.discard(line)
        self._free.append(line)
        return arrival

    def _count_repeats(self, line: _Asking[T]) -> int:
        """How often more than once a request was sent, which only its bytes tell; not if it was redirected."""
        if not line.curl.getinfo(pycurl.NUM_CONNECTS):
            return 0  # it repeats by a new connection
        num_bytes: int = line.curl.getinfo(pycurl.REQUEST_SIZE)
        if not num_bytes or line.curl.getinfo(pycurl.REDIRECT_COUNT):
            return 0
        # But for the address, all requests are alike.
        head_bytes = num_bytes - len(line.request.url)
        self._head_bytes = min(self._head_bytes or head_bytes, head_bytes)
        return max(0, round(num_bytes / (self._head_bytes + len(line.request.url))) - 1)


def wait_for_any(multi: pycurl.CurlMulti, timeout_s: float) -> None:
    """Wait until something may have come, or for so long, or less."""
    began = time.monotonic()
    is_idle = multi.select(timeout_s) <= 0
    if is_idle and time.monotonic() - began < min(timeout_s, _SECONDS_WITHOUT_SOCKETS):
        # While a name is looked up there may be no socket to wait for.
        time.sleep(min(timeout_s, _SECONDS_WITHOUT_SOCKETS))


def explain_failure(line: Line, code: int, words: str) -> Verdict:
    """What a request is worth that libcurl gave up with this code and these words."""
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        return Verdict("final", f"the service redirects more than {MOST_REDIRECTS} times")
    if code in (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT):
        return tell_unaskable(line.url, words)
    words = words.strip().rstrip(".") or f"error {code} of libcurl"
    return Verdict("again", f"the connection failed: {words}")


def tell_unaskable(url: str, flaw: object) -> Verdict:
    """What a request is worth that cannot be made."""
    words = flaw.args[-1] if isinstance(flaw, pycurl.error) and flaw.args else flaw
    return Verdict("final", f"{url} cannot be asked: {words}")


def _read_wait_s(value: str) -> float:
    """The wait in seconds that a service asks for, as a number or as a date; 0 if it does not."""
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0
