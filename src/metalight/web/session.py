"""Answers of services as they arrive, with a deadline for their headers and for their progress.

    with Session(settings, accept="*/*") as session:
        session.run(read(session, url))

The client is asynchronous and works in a thread of its own, so that a deadline can end whatever is under way, and
Ctrl-C reaches the thread that waits for it at once. HTTP is spoken in version 1.1 only: later versions have no words
beside the status, by which services tell what is wrong.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import threading
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from metalight import __version__
from metalight.errors import ServiceError, hide_secrets, quote_flaw, shorten
from metalight.recipe import NetworkSettings
from metalight.web.answer import Verdict

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5

_LONGEST_CONTACT = 200

_LEAST_BYTES_A_SECOND = 1000
"""An answer that arrives more slowly than this, averaged over `timeout_s`, is given up."""

_LONGEST_CONNECT_S = 10.0
_LONGEST_KEEPALIVE_S = 30.0
_LARGEST_PAGE_OF_A_REDIRECT = 65_536
_SECONDS_TO_NOTICE = 0.2
_SECONDS_TO_END = 2.0

T = TypeVar("T")


class Session:
    """A client of services, whose coroutines run in a thread of its own."""

    def __init__(self, settings: NetworkSettings, *, accept: str = "*/*", coding: str = "gzip, deflate") -> None:
        """A session that is closed by leaving its `with` block.

        Args:
            settings: Who asks, and how patiently.
            accept: Media types that are wanted.
            coding: How answers may be compressed.

        Raises:
            ServiceError: The environment names a proxy that cannot be used.
        """
        self._timeout_s = settings.timeout_s
        self._connect_s = min(_LONGEST_CONNECT_S, settings.timeout_s)
        self._client = _build_client(settings, {"Accept": accept, "Accept-Encoding": coding})
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Lookups())
        self._thread = threading.Thread(target=self._loop.run_forever, name="web", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End whatever is under way, and all connections."""
        if self._loop.is_closed():
            return
        wait([self.submit(self._end())], timeout=_SECONDS_TO_END)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS_TO_END)
        if not self._thread.is_alive():
            self._loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine, without waiting for its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; it is cancelled if the wait for it is interrupted."""
        future = self.submit(coroutine)
        try:
            while not wait([future], timeout=_SECONDS_TO_NOTICE).done:
                pass
            return future.result()
        finally:
            future.cancel()

    @contextlib.asynccontextmanager
    async def ask(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        before_redirect: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator["httpx2.Response"]:
        """A block in which the answer to a request can be received: its status and headers have come.

        Args:
            url: What to ask for.
            headers: Of the request, beside the usual ones.
            before_redirect: Awaited before each request to which the service redirects.

        Raises:
            Exception: There is no answer; `explain_failure` tells why.
        """
        import httpx2

        _check_address(url)
        request = self._client.build_request("GET", url, headers=headers)
        for num_redirects in range(MOST_REDIRECTS + 1):
            if num_redirects and before_redirect is not None:
                await before_redirect()
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.send(request, stream=True)
                if response.next_request is not None:
                    await _leave(response)
            if response.next_request is None:
                break
            request = response.next_request
            _check_address(str(request.url))
        else:
            raise httpx2.TooManyRedirects("too many redirects", request=request)
        try:
            yield response
        finally:
            await response.aclose()

    async def receive(self, response: "httpx2.Response", *, is_raw: bool = False) -> AsyncGenerator[bytes]:
        """The body of an answer in pieces; the time that the caller takes for them does not count.

        Args:
            response: The answer.
            is_raw: Give the bytes as they were sent, and not unpacked.

        Raises:
            Exception: The body does not come to its end; `explain_failure` tells why.
        """
        pieces = response.aiter_raw() if is_raw else response.aiter_bytes()
        deadline, num_bytes = self._loop.time() + self._timeout_s, 0
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await anext(pieces, None)
            if piece is None:
                return
            num_bytes += len(piece)
            received = self._loop.time()
            if num_bytes >= _LEAST_BYTES_A_SECOND * self._timeout_s:
                deadline, num_bytes = received + self._timeout_s, 0
            yield piece
            deadline += self._loop.time() - received

    def explain_failure(self, error: Exception, url: str, *, has_answered: bool) -> Verdict:
        """The verdict on a request that ended with an error of `ask` or `receive`.

        Args:
            error: The error; any other is raised again.
            url: What was asked for.
            has_answered: Whether the service has answered before, so that waiting for it may help.
        """
        import httpx2

        words = hide_secrets(_quote(error))
        if isinstance(error, httpx2.TooManyRedirects):
            return Verdict("final", f"the service redirects more than {MOST_REDIRECTS} times")
        if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError)):
            return Verdict("final", f"{hide_secrets(url)} is not a web address: {words}")
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
            is_late = isinstance(error, httpx2.ConnectTimeout)
            reason = "the connection failed: " + (f"none within {self._connect_s:g} s" if is_late else words)
            if has_answered:
                return Verdict("again", reason)
            # A name that cannot be looked up, or a port where nothing listens, does not change within minutes.
            most_tries = 1 if is_late else 2
            return Verdict("again", f"{reason}; check your network", most_tries, is_unreachable=True)
        if isinstance(error, (TimeoutError, httpx2.TimeoutException)):
            return Verdict("again", f"no answer, or too slow an answer, for {self._timeout_s:g} s")
        if isinstance(error, (httpx2.TransportError, httpx2.DecodingError, ConnectionError, ssl.SSLError)):
            return Verdict("again", f"the connection failed: {words}")
        raise error

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()
        await asyncio.sleep(0)  # transports end in the next turn of the loop


def _build_client(settings: NetworkSettings, headers: Mapping[str, str]) -> "httpx2.AsyncClient":
    import httpx2

    words = shorten(settings.contact, _LONGEST_CONTACT)
    agent = f"metalight/{__version__}" + (f" ({words})" if words else "")
    try:
        return httpx2.AsyncClient(
            headers={name.encode(): value.encode() for name, value in {**headers, "User-Agent": agent}.items()},
            # Deadlines of whole steps, such as all headers, are ours.
            timeout=httpx2.Timeout(None, connect=min(_LONGEST_CONNECT_S, settings.timeout_s)),
            limits=httpx2.Limits(max_keepalive_connections=settings.connections, keepalive_expiry=_LONGEST_KEEPALIVE_S),
        )
    except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
        raise ServiceError(
            f"The environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE) has a value that cannot be used: "
            f"{quote_flaw(error)}. Set it to an address such as http://proxy:3128, or unset it."
        ) from error


async def _leave(response: "httpx2.Response") -> None:
    """Read the rest of an answer that nobody needs if it is short, so that its connection can be used again."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) <= _LARGEST_PAGE_OF_A_REDIRECT:
        async for _ in response.aiter_raw():
            pass
    await response.aclose()


def _check_address(url: str) -> None:
    import httpx2

    try:
        urllib.parse.urlsplit(url).port  # noqa: B018
    except ValueError as error:
        raise httpx2.InvalidURL(str(error)) from error


def _quote(error: BaseException) -> str:
    """The words of the system's error that lies at the bottom of others, or else those of the error."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.strerror and not isinstance(below, ssl.SSLError):
            return below.strerror if isinstance(below, socket.gaierror) else os.strerror(below.errno or 0)
        below = below.exceptions[0] if isinstance(below, BaseExceptionGroup) else below.__cause__ or below.__context__
    return quote_flaw(error)


class _Lookups(ThreadPoolExecutor):
    """Looks addresses up, each in a thread that may be left behind: it can neither be ended nor given a limit."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """As of `Executor`."""
        future: Future[Any] = Future()

        def look_up() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        return future
