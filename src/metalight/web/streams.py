"""Answers of any length, as they come."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import pycurl

from metalight.recipe import NetworkSettings
from metalight.web.answer import Verdict
from metalight.web.connections import Line, explain_failure, tell_unaskable, wait_for_any
from metalight.web.options import list_options

_SECONDS_TO_LOOK = 0.2


class BrokenStreamError(Exception):
    """An answer does not come, or not to its end; `is_final` if asking again will not help."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Stream:
    """An answer whose status and headers have come."""

    def __init__(self, line: Line, multi: pycurl.CurlMulti, timeout_s: float) -> None:
        """Wait for the head of the answer to what a line was made ready to ask.

        Raises:
            BrokenStreamError: None comes.
        """
        self._line, self._multi, self._timeout_s = line, multi, timeout_s
        self._is_whole = False
        self._flaw: Verdict | None = None
        while not (line.chunks or self._is_whole):
            self._go_on()
        self.status: int = line.curl.getinfo(pycurl.RESPONSE_CODE)
        self.reason = line.read_reason()

    def read_header(self, name: str) -> str:
        """The value of a header, named in small letters; empty if there is none."""
        return self._line.read_header(name)

    def receive(self) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            BrokenStreamError: It does not come to its end.
        """
        while True:
            chunks = self._line.chunks.copy()
            self._line.chunks.clear()
            yield from chunks
            if self._is_whole:
                return
            self._go_on()

    def _go_on(self) -> None:
        """Wait until something more has come, or may have."""
        if self._flaw:
            raise BrokenStreamError(self._flaw.reason, is_final=self._flaw.kind == "final")
        self._multi.perform()
        _, whole, broken = self._multi.info_read()
        self._is_whole = bool(whole)
        if broken:
            # It is told once what came before is taken.
            self._flaw = explain_failure(self._line, *broken[0][1:])
        elif self._line.measure_silence(time.monotonic()) > self._timeout_s:
            self._flaw = Verdict("again", f"nothing came for {self._timeout_s:g} s")
        elif not (whole or self._line.chunks):
            wait_for_any(self._multi, _SECONDS_TO_LOOK)


@contextlib.contextmanager
def open_stream(url: str, settings: NetworkSettings, headers: Sequence[str]) -> Iterator[Stream]:
    """A block in which an answer can be received as it was sent.

    Args:
        url: What to ask for.
        settings: Who asks, and how patiently.
        headers: Of the request, beside the usual ones.

    Raises:
        BrokenStreamError: None comes.
    """
    line = Line(list_options(settings, headers, is_packed=False))
    multi = pycurl.CurlMulti()
    try:
        try:
            line.start(url)
            multi.add_handle(line.curl)
        except (pycurl.error, ValueError) as error:
            raise BrokenStreamError(tell_unaskable(url, error).reason, is_final=True) from error
        yield Stream(line, multi, settings.timeout_s)
    finally:
        line.curl.close()
        multi.close()
