"""Connections to services, kept open and driven by one thread: libcurl does the work.

    connections = Connections(8, settings, accept="image/jpeg")
    connections.begin(request, errand)
    for arrival in connections.wait(0.2): ...

Everything that can come of a request is an `Arrival`. HTTP is spoken in version 1.1 only: later ones have no words
beside the status, by which services tell what is wrong.
"""

import contextlib
import email.utils
import os
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pycurl

from metalight import __version__
from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS, Answer, Request, Verdict

MOST_REDIRECTS = 5
_LARGEST_CHUNK = 16_384
"""Bytes: libcurl hands out no larger ones."""

_SECONDS_TO_LOOK = 0.05
_SECONDS_WITHOUT_SOCKETS = 0.005
_FINE = b"HTTP/1.1 200 OK\r\n"
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the certificates that they trust, for a Python that looks elsewhere."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival(Generic[T]):
    """What came of a request."""

    errand: T
    """What it was made for."""

    answer: Answer | None
    """None if there was none."""

    flaw: Verdict | None
    """What the answer is worth where nobody needs to look at it: the request failed, or the answer is too long."""

    asked_wait_s: float
    """What the service asks to wait; 0 if it does not, or has answered for good."""


class _Line(Generic[T]):
    """One connection's request, and what has come of it so far.

    What comes is taken by `append` of lists: code of our own there would run within libcurl, where Ctrl-C is lost.
    """

    def __init__(self, options: list[tuple[int, object]]) -> None:
        self.curl = pycurl.Curl()
        self.headers: list[bytes] = []
        self.chunks: list[bytes] = []
        self.curl.line = self
        for option, value in options:
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.HEADERFUNCTION, self.headers.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)
        self.errand: T
        self.max_bytes = 0
        self.longest_s = 0.0
        self.heard = self.body_begun = 0.0
        self.num_heard = 0

    def start(self, request: Request, errand: T) -> None:
        """Make ready to ask.

        Raises:
            pycurl.error, ValueError: It cannot be asked for.
        """
        self.headers.clear()
        self.chunks.clear()
        self.errand, self.max_bytes, self.longest_s = errand, request.max_bytes, request.longest_s
        self.heard, self.body_begun, self.num_heard = time.monotonic(), 0.0, 0
        self.curl.setopt(pycurl.URL, request.url.encode())

    def is_too_long(self) -> bool:
        return len(self.chunks) * _LARGEST_CHUNK > self.max_bytes and sum(map(len, self.chunks)) > self.max_bytes

    def tell_delay(self, now: float, timeout_s: float) -> str:
        """Why an answer has taken too long by now; empty if it has not."""
        num_heard = len(self.headers) + len(self.chunks)
        if num_heard > self.num_heard:
            self.num_heard, self.heard = num_heard, now
            if self.chunks:
                self.body_begun = self.body_begun or now
        if self.body_begun and now - self.body_begun > self.longest_s:
            return f"the answer was not whole after {self.longest_s:g} s"
        return f"no answer for {timeout_s:g} s" if now - self.heard > timeout_s else ""

    def read(self) -> Answer:
        """The answer, of which the body has come whole or is not wanted."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        reason = "OK" if status == 200 and self.headers[0] == _FINE else self._read_reason()
        kind = self.curl.getinfo(pycurl.CONTENT_TYPE) or ""
        if ";" in kind or not kind.islower():
            kind = kind.partition(";")[0].strip().lower()
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        return Answer(self.curl.getinfo(pycurl.EFFECTIVE_URL), status, kind, reason, body)

    def _read_reason(self) -> str:
        # Answers before the last one (redirects, those of proxies) have left their lines too.
        line = next((line for line in reversed(self.headers) if line.startswith(b"HTTP/")), b"")
        words = line.decode("ascii", errors="ignore").split(None, 2)
        return words[2].strip() if len(words) > 2 else ""

    def read_retry_after(self) -> float:
        """The wait in seconds that the service asks for, as a number or as a date; 0 if it does not."""
        for line in reversed(self.headers):
            if line.startswith(b"HTTP/"):
                break
            name, _, value = line.decode("ascii", errors="ignore").partition(":")
            if name.strip().lower() == "retry-after":
                return _read_wait_s(value.strip())
        return 0.0


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
        options = list_options(settings, accept)
        self._free: list[_Line[T]] = [_Line(options) for _ in range(settings.connections)]
        self._busy: set[_Line[T]] = set()
        self._failed: list[Arrival[T]] = []
        self._looked = 0.0

    @property
    def num_busy(self) -> int:
        """Requests that are not answered yet."""
        return len(self._busy)

    def begin(self, request: Request, errand: T) -> None:
        """Ask by a connection that is free."""
        line = self._free.pop()
        try:
            line.start(request, errand)
        except (pycurl.error, ValueError) as error:
            self._free.append(line)
            self._failed.append(Arrival(errand, None, _tell_unaskable(request.url, str(error)), 0.0))
            return
        self._multi.add_handle(line.curl)
        self._busy.add(line)

    def wait(self, timeout_s: float) -> list[Arrival[T]]:
        """What has come, in whatever order; nothing if that takes longer than `timeout_s`, or much less."""
        arrived, self._failed = self._failed, []
        arrived += self._go_on()
        if arrived or timeout_s <= 0:
            return arrived
        began = time.monotonic()
        if self._multi.select(timeout_s) <= 0 and time.monotonic() - began < min(timeout_s, _SECONDS_WITHOUT_SOCKETS):
            # While a name is looked up there may be no socket to wait for.
            time.sleep(min(timeout_s, _SECONDS_WITHOUT_SOCKETS))
        return self._go_on()

    def close(self) -> None:
        """End all requests and connections."""
        for line in self._busy:
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
            for curl in whole:
                arrived.append(self._take(curl.line))
            for curl, code, words in broken:
                arrived.append(self._fail(curl.line, code, words))
        now = time.monotonic()
        is_time_to_look = now - self._looked > _SECONDS_TO_LOOK
        for line in [line for line in self._busy if is_time_to_look or len(line.chunks) > 1]:
            if line.is_too_long():
                arrived.append(self._fail(line, pycurl.E_FILESIZE_EXCEEDED, ""))
            elif delay := line.tell_delay(now, self._timeout_s):
                self._release(line)
                arrived.append(Arrival(line.errand, None, Verdict("again", delay), 0.0))
        if is_time_to_look:
            self._looked = now
        return arrived

    def _release(self, line: _Line[T]) -> None:
        self._multi.remove_handle(line.curl)
        self._busy.discard(line)
        self._free.append(line)

    def _take(self, line: _Line[T]) -> Arrival[T]:
        if line.is_too_long():
            return self._fail(line, pycurl.E_FILESIZE_EXCEEDED, "")
        answer = line.read()
        asked_wait_s = line.read_retry_after() if answer.status in STATUSES_THAT_PASS else 0.0
        self._release(line)
        return Arrival(line.errand, answer, None, asked_wait_s)

    def _fail(self, line: _Line[T], code: int, words: str) -> Arrival[T]:
        answer, flaw = None, Verdict("again", "")
        if code == pycurl.E_FILESIZE_EXCEEDED:
            line.chunks.clear()
            answer = line.read()
            flaw = Verdict("final", f"the answer is longer than {line.max_bytes:,} bytes")
        elif code == pycurl.E_TOO_MANY_REDIRECTS:
            flaw = Verdict("final", f"the service redirects more than {MOST_REDIRECTS} times")
        elif code in (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT):
            flaw = _tell_unaskable(line.curl.getinfo(pycurl.EFFECTIVE_URL), words)
        elif code == pycurl.E_OPERATION_TIMEDOUT:
            flaw = Verdict("again", f"no answer for {self._timeout_s:g} s")
        else:
            words = words.strip().rstrip(".") or line.curl.errstr() or f"error {code} of libcurl"
            flaw = Verdict("again", f"the connection failed: {words}")
        self._release(line)
        return Arrival(line.errand, answer, flaw, 0.0)


def name_agent(contact: str) -> str:
    """How we introduce ourselves to services."""
    words = " ".join(contact.split())
    return f"metalight/{__version__}" + (f" ({words})" if words else "")


def list_options(settings: NetworkSettings, accept: str) -> list[tuple[int, object]]:
    """How libcurl is to ask, as options of it and their values."""
    options: list[tuple[int, object]] = [
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.FOLLOWLOCATION, 1),
        (pycurl.MAXREDIRS, MOST_REDIRECTS),
        (pycurl.NOSIGNAL, 1),  # signals are Python's
        (pycurl.CONNECTTIMEOUT_MS, max(1, round(1000 * settings.timeout_s))),
        (pycurl.USERAGENT, name_agent(settings.contact).encode()),
        (pycurl.HTTPHEADER, [f"Accept: {accept}"]),
        (pycurl.ACCEPT_ENCODING, "gzip, deflate"),
        (pycurl.COOKIEFILE, ""),  # cookies are kept, in memory
    ]
    if proxy := os.environ.get("HTTP_PROXY", "") if "http_proxy" not in os.environ else "":
        options.append((pycurl.PROXY, proxy))
    return options + _list_certificates()


def _list_certificates() -> list[tuple[int, object]]:
    """Whose certificates are trusted: those that the system does, or that SSL_CERT_FILE and SSL_CERT_DIR name."""
    if sys.platform in ("darwin", "win32") and not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        return [(pycurl.SSL_OPTIONS, pycurl.SSLOPT_NATIVE_CA)]
    known = ssl.get_default_verify_paths()
    bundle = known.cafile or next((path for path in _BUNDLES if Path(path).is_file()), None)
    found = ((pycurl.CAINFO, bundle), (pycurl.CAPATH, known.capath))
    return [(option, str(path)) for option, path in found if path]


def _read_wait_s(value: str) -> float:
    if value.isdigit():
        return float(value)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def _tell_unaskable(url: str, words: str) -> Verdict:
    return Verdict("final", f"{url} cannot be asked: {words}")
