"""A server on loopback for tests that says, byte for byte, what a script tells it to."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Script = Callable[["Visit"], bytes | None]
"""Given a request, what to answer; None closes the connection without a word."""


@dataclass
class Visit:
    """A request."""

    head: str
    number: int
    """Of all requests, from 0."""

    place: int
    """Of those of its connection, from 0."""

    connection: socket.socket

    @property
    def path(self) -> str:
        return self.head.split()[1]


@dataclass
class ScriptedServer:
    url: str
    visits: list[Visit] = field(default_factory=list)
    num_connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def serve_script(script: Script, *, certificate: str = "") -> Iterator[ScriptedServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if certificate else "http"
    server = ScriptedServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    open_ones: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        if context:
            connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        open_ones.append(connection)
        place, heard = 0, b""
        with contextlib.suppress(OSError), connection:
            while True:
                while b"\r\n\r\n" not in heard:
                    more = connection.recv(65536)
                    if not more:
                        return
                    heard += more
                head, _, heard = heard.partition(b"\r\n\r\n")
                with server.lock:
                    visit = Visit(head.decode(), len(server.visits), place, connection)
                    server.visits.append(visit)
                words = script(visit)
                place += 1
                if words is None:
                    return
                connection.sendall(words)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.num_connections += 1
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            connection.close()
        thread.join()
