"""A small service of cutouts on loopback for tests: as SkyServer answers, and wrong where it is told to be."""

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sky_pictures import make_galaxy, make_message

Fault = Callable[["Handler", int], bool]
"""Given a request and how often the galaxy was asked for before: answers wrongly and gives True, or gives False."""


@dataclass
class CutoutServer:
    """What the service has seen, and how it is to fail."""

    url: str = ""
    fault: Fault = lambda handler, times: False
    paths: list[str] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    asked: Counter[int] = field(default_factory=Counter)
    """How often each galaxy was asked for, by its right ascension in units of 0.001 degrees."""
    lock: threading.Lock = field(default_factory=threading.Lock)


def picture_of(ra_deg: float, side: int = 128) -> bytes:
    return make_galaxy(round(1000 * ra_deg), side)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Any

    def do_GET(self) -> None:
        service: CutoutServer = self.server.service
        self.query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        number = round(1000 * float(self.query.get("ra") or 0))
        with service.lock:
            service.paths.append(urlsplit(self.path).path)
            service.requests.append(self.query)
            service.times.append(time.monotonic())
            service.agents.add(self.headers["User-Agent"])
            times = service.asked[number]
            service.asked[number] += 1
        with contextlib.suppress(ConnectionError):
            if not service.fault(self, times):
                self.send(self.picture())

    def picture(self) -> bytes:
        side = int(self.query.get("size", 0)) or min(2048, max(64, int(self.query["width"])))
        return picture_of(float(self.query["ra"]), side)

    def send(
        self, body: bytes, *, status: int = 200, reason: str | None = None, kind: str = "image/jpeg", **headers: str
    ) -> bool:
        self.send_response(status, reason)
        self.send_header("Content-Type", kind)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        return True

    def reset(self) -> bool:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        return True

    def drip(self) -> bool:
        body = self.picture()
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for first in range(0, len(body), 20):
            self.wfile.write(body[first : first + 20])
            self.wfile.flush()
            time.sleep(0.05)
        return True

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def send_error_picture(handler: Handler, status: int, reason: str) -> bool:
    return handler.send(make_message(reason), status=status, reason=reason)


FAULTS: dict[str, Callable[[Handler], bool]] = {
    "500": lambda handler: send_error_picture(handler, 500, "INTERNAL SERVER ERROR. x"),
    "404": lambda handler: send_error_picture(handler, 404, "NOT FOUND. x"),
    "503": lambda handler: handler.send(b"busy", status=503, kind="text/plain"),
    "429": lambda handler: handler.send(b"slow down", status=429, kind="text/plain", Retry_After="0"),
    "text": lambda handler: handler.send(make_message("Requested (ra, dec) is outside the SDSS footprint.")),
    "html": lambda handler: handler.send(b"<html>error</html>", kind="text/html"),
    "truncated": lambda handler: handler.send(handler.picture()[:-500]),
    "cut off": lambda handler: (
        handler.send(handler.picture()[:500], Content_Length=str(len(handler.picture()))) and handler.reset()
    ),
    "size": lambda handler: handler.send(picture_of(float(handler.query["ra"]), 64)),
    "reset": lambda handler: handler.reset(),
    "longer": lambda handler: handler.send(handler.picture(), Content_Length=str(len(handler.picture()) - 100)),
    "drip": lambda handler: handler.drip(),
}
"""Each may pass."""


@contextlib.contextmanager
def serve_cutouts(fault: Fault | None = None) -> Iterator[CutoutServer]:
    """A service on a free port of loopback, in threads of this process."""
    service = CutoutServer()
    if fault is not None:
        service.fault = fault
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.service = service  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
