"""Hubs of weights on this machine, as `HF_ENDPOINT` can name them: one that serves, one that never answers."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve_hub(files: dict[str, bytes], *, status: int = 200) -> Iterator[str]:
    """The address of a hub that has these files, by `author/repository/name`; or answers all with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            data = files.get(self.path.lstrip("/").replace("resolve/main/", ""))
            if status != 200 or data is None:
                self.send_response(status if status != 200 else 404)
                self.send_header("X-Error-Code", "RepoNotFound" if status == 200 else "Broken")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return b""
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return data

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_silence() -> Iterator[str]:
    """The address of a machine that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def go_to_hub(patch: pytest.MonkeyPatch, address: str) -> None:
    """Send the hub's library, which reads its environment when it is imported, to another address."""
    patch.setattr("huggingface_hub.constants.ENDPOINT", address)
    patch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
