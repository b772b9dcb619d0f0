"""The stand-in over HTTP/1.1 on loopback: a thread for each connection, which stays open between requests.

    with serve(survey, faults=Faults({"429": 0.05})) as server:
        fetch(f"{server.url}/dr18/SkyServerWS/ImgCutout/getjpeg?ra=180&dec=30")

Python's own server of HTTP parses heads as if they were letters, which takes longer than all else; of a head, this one
reads what it needs.
"""

import contextlib
import json
import math
import re
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from metalight.errors import RunError, explain_system
from metalight.stand_in.answer import JPEG, Answer, build_page, resize_jpeg
from metalight.stand_in.faults import OF_QUERIES, FaultDraw, Faults, build_instead, change_table
from metalight.stand_in.img_cutout import SMALLEST_SIZE, ImgCutout
from metalight.stand_in.sky import Sky, load_sky
from metalight.stand_in.sql_search import ROW_LIMIT, SqlSearch

_HOST = "127.0.0.1"
_SERVICE = re.compile(r"/dr(\d{1,2})/skyserverws/(imgcutout/getjpeg|searchtools/sqlsearch)/?", re.IGNORECASE)
_RELEASES = range(8, 20)

_LONGEST_HEAD = 1 << 16
"""A query for every column is some thousands of bytes."""

_MOST_PARAMETERS = 100
_MOST_CONNECTIONS = 256
"""That are open at the same time; others are ended at once."""

_IDLE_S = 120.0
"""Between requests, and for an answer to be taken."""

_LONGEST_ARRIVAL_S = 20.0
"""Of a head, from its first byte on."""

_NUM_DRIPS = 20
_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    414: "URI Too Long",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class StandIn:
    """A stand-in that is being served."""

    def __init__(self, sky: Sky, faults: Faults, *, port: int, row_limit: int, is_old_release: bool) -> None:
        """Listen on a port.

        Raises:
            OSError: It cannot be had.
        """
        self.sky = sky
        # First, for all else takes longer.
        self._listener = _Listener(self, port)
        self._faults = faults
        self._draw = FaultDraw(faults)
        self._pictures = ImgCutout(sky, faults, is_old_release=is_old_release)
        self._queries = SqlSearch(sky, row_limit=row_limit, is_old_release=is_old_release)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._most_connections = 0
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._is_stopping = threading.Event()
        self.url = f"http://{_HOST}:{self._listener.server_address[1]}"
        """Without a slash at its end."""

    @property
    def counts(self) -> dict[str, int]:
        """Answers so far by kind: stored, drawn, empty sky, outside, query, …, and the kinds of faults."""
        with self._lock:
            return dict(self._counts)

    @property
    def most_connections(self) -> int:
        """The largest number of connections that were open at the same time."""
        return self._most_connections

    def run(self) -> None:
        """Answer, until `stop` is called from another thread."""
        self._listener.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """End all connections and listen no more."""
        self._is_stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        with self._lock:
            open_ones = dict(self._connections)
        for connection in open_ones:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in open_ones.values():
            thread.join(timeout=5)
        self._queries.close()

    def admit(self) -> bool:
        """Take one of the connections that there may be; whether one is free."""
        return self._free.acquire(blocking=False)

    def converse(self, connection: socket.socket) -> None:
        """Answer the requests of an admitted connection until it ends."""
        with self._lock:
            self._connections[connection] = threading.current_thread()
            self._most_connections = max(self._most_connections, len(self._connections))
        try:
            connection.settimeout(_IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting = b""
            goes_on = True
            while goes_on and not self._is_stopping.is_set():
                head, waiting = _read_head(connection, waiting)
                if len(head) > _LONGEST_HEAD:
                    page = build_page("bad request", 414, "URI Too Long", "The request is too long.")
                    self._count(page.kind)
                    self._send(connection, page, "", has_body=True, is_last=True)
                    return
                goes_on = bool(head) and self._serve(connection, head)
        except OSError:
            pass  # the other side has gone, which is its right
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            self._free.release()

    def _count(self, kind: str) -> None:
        with self._lock:
            self._counts[kind] += 1

    def _serve(self, connection: socket.socket, head: bytes) -> bool:
        """Answer one request; whether the connection stays open."""
        line, _, fields = head.partition(b"\r\n")
        method, _, rest = line.decode("latin-1").partition(" ")
        target, _, version = rest.rpartition(" ")
        lowered = fields.lower()
        # A body is not read, so nothing can follow it.
        is_last = version != "HTTP/1.1" or b"connection: close" in lowered or b"content-length:" in lowered
        fault, answer = "", None
        if method not in ("GET", "HEAD"):
            answer, is_last = build_page("bad request", 405, "Method Not Allowed", "Use GET."), True
        elif not target.isprintable():
            answer, is_last = build_page("bad request", 400, "Bad Request", "The address has control characters."), True
        else:
            try:
                fault, answer = self._find_answer(target)
            except Exception:  # a bug of ours must be seen, and must not look like a broken connection
                traceback.print_exc(file=sys.stderr)
                answer = build_page("bug", 500, "The stand-in has a bug", traceback.format_exc())
        self._count(fault or answer.kind)
        if fault == "reset":
            # A connection that lingers for no time is not ended but reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        return self._send(connection, answer, fault, has_body=method == "GET", is_last=is_last)

    def _find_answer(self, target: str) -> tuple[str, Answer]:
        """The fault of an answer, empty if it has none, and the answer."""
        path, _, query = target.partition("?")
        if path == "/counts":
            return "", Answer("counts", 200, "application/json", json.dumps(self.counts).encode())
        service = _SERVICE.fullmatch(path)
        if service is None or int(service[1]) not in _RELEASES:
            return "", build_page("not found", 404, "Not Found", f"There is nothing at {path}.")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return "", build_page("bad request", 400, "Bad Request", "There are too many parameters.")
        parameters = {name.lower(): value for name, value in pairs}
        is_picture = service[2].lower().startswith("img")
        fault = self._draw.draw(target)
        if is_picture and fault in OF_QUERIES:
            fault = ""
        sql = parameters.get("cmd", "")
        instead = build_instead(fault, self._faults, target, sql, is_picture=is_picture) if fault else None
        if instead is not None:
            return fault, instead
        if fault == "reset":
            return fault, build_page(fault, 500, "", "")
        answer = (self._pictures if is_picture else self._queries).answer(parameters)
        if fault == "size":
            if not is_picture or answer.content_type != JPEG:
                return "", answer
            answer = _resize(answer, parameters)
        if fault in OF_QUERIES:
            if answer.kind != "query":
                return "", answer
            answer = replace(answer, body=change_table(fault, answer.body))
        return fault, answer

    def _send(self, connection: socket.socket, answer: Answer, fault: str, *, has_body: bool, is_last: bool) -> bool:
        """Send an answer; whether the connection stays open."""
        body, promised = answer.body, len(answer.body)
        if fault == "truncated":
            body = body[: promised // 2]
        elif fault == "longer":
            promised //= 2
        is_last = is_last or fault in ("truncated", "longer")
        lines = [
            f"HTTP/1.1 {answer.status} {answer.reason or _REASONS[answer.status]}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {promised}",
            *(f"{name}: {value}" for name, value in answer.headers),
            *(["Connection: close"] if is_last else []),
        ]
        message = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + (body if has_body else b"")
        if fault != "drip":
            connection.sendall(message)
            return not is_last
        step = -(-len(message) // _NUM_DRIPS)
        for start in range(0, len(message), step):
            connection.sendall(message[start : start + step])
            if self._is_stopping.wait(self._faults.drip_s / _NUM_DRIPS):
                return False
        return not is_last


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, stand_in: StandIn, port: int) -> None:
        self._stand_in = stand_in
        super().__init__((_HOST, port), socketserver.BaseRequestHandler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._stand_in.admit()

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._stand_in.converse(request)

    def shutdown_request(self, request: Any) -> None:
        # Not shut down first: a connection that is to be reset would be ended in good order.
        self.close_request(request)


def _read_head(connection: socket.socket, waiting: bytes) -> tuple[bytes, bytes]:
    """The head of the next request, empty if there is none, and what was sent after it.

    Raises:
        TimeoutError: It does not come, or not in time.
    """
    deadline = time.monotonic() + _LONGEST_ARRIVAL_S if waiting else math.inf
    while b"\r\n\r\n" not in waiting:
        connection.settimeout(min(_IDLE_S, max(0.001, deadline - time.monotonic())))
        more = connection.recv(65536)
        if not more:
            return b"", b""
        if not waiting:
            deadline = time.monotonic() + _LONGEST_ARRIVAL_S
        waiting += more
        if len(waiting) > _LONGEST_HEAD:
            return waiting, b""
    connection.settimeout(_IDLE_S)
    head, _, waiting = waiting.partition(b"\r\n\r\n")
    return head, waiting


def _resize(answer: Answer, parameters: dict[str, str]) -> Answer:
    """The picture in a size that was not asked for."""
    wanted = parameters.get("width", "")
    side = SMALLEST_SIZE if wanted != str(SMALLEST_SIZE) else 2 * SMALLEST_SIZE
    return Answer(answer.kind, answer.status, JPEG, resize_jpeg(answer.body, side, side))


@contextlib.contextmanager
def serve(
    folder: Path,
    *,
    port: int = 0,
    faults: Faults | None = None,
    row_limit: int = ROW_LIMIT,
    is_old_release: bool = False,
) -> Iterator[StandIn]:
    """A block in which a stand-in of SkyServer answers on loopback, in threads of this process.

    Args:
        folder: Of a simulated survey, or of images with a catalog.csv.
        port: To listen on; 0: any that is free.
        faults: What goes wrong; left out: nothing.
        row_limit: Rows after which the answer to a query ends without a word.
        is_old_release: Errors have status 200, as in the releases of 2014 to 2018.

    Raises:
        RunError: The folder cannot be served, or the port cannot be had.
        TableError: The folder's catalogue cannot be read.
        ImageError: Its images cannot be.
    """
    if row_limit < 1:
        raise RunError(f"The row limit must be at least 1, and is {row_limit}; leave it out for that of the service.")
    if not 0 <= port <= 65535:
        raise RunError(f"The port must be 0 to 65535, and is {port}; 0 takes any that is free.")
    sky = load_sky(folder)
    try:
        server = StandIn(sky, faults or Faults(), port=port, row_limit=row_limit, is_old_release=is_old_release)
    except OSError as error:
        raise RunError(
            f"Port {port} cannot be listened on: {explain_system(error)}; name another, or 0 for any that is free."
        ) from error
    thread = threading.Thread(target=server.run, name="stand-in", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def run_server(folder: Path, announce: Callable[[StandIn], None], **settings: Any) -> dict[str, int]:
    """Serve until Ctrl-C; how many answers of each kind there were.

    Args:
        folder: Of `serve`.
        announce: Told of the server when it answers.
        settings: Of `serve`.
    """
    with serve(folder, **settings) as server:
        with contextlib.suppress(KeyboardInterrupt):
            announce(server)
            threading.Event().wait()
        return server.counts
