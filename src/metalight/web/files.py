"""Large files from the network: fetched in one piece, going on from where it was after any interruption.

What has come so far lies beside the place of the file, as `NAME.part`, and what the service calls that version of it
in `NAME.part.version`.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from metalight.errors import ServiceError
from metalight.progress import Progress, no_progress
from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS
from metalight.web.client import draw_wait_s

if TYPE_CHECKING:
    import httpx2

CHECKSUM = re.compile(r"(md5):([0-9a-f]{32})|(sha256):([0-9a-f]{64})")
"""How a checksum is written, such as `md5:0123…`, as Zenodo shows it."""

_BYTES_A_STEP = 1_000_000


class _FailedError(Exception):
    """A try has failed; `is_final` if another one will too."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


def fetch_file(
    url: str, path: Path, settings: NetworkSettings, *, checksum: str = "", progress: Progress = no_progress
) -> None:
    """Fetch a file, unless it is there.

    Args:
        url: Where it is.
        path: Where it goes, once it is whole.
        settings: How to ask; tries count from the last one that brought something.
        checksum: As of `CHECKSUM`; empty if none is known.
        progress: Shows how much has come, in MB.

    Raises:
        ServiceError: It cannot be fetched, or is not what the checksum says.
    """
    import httpx2

    from metalight.web.connections import name_agent

    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    headers = {"User-Agent": name_agent(settings.contact), "Accept-Encoding": "identity"}
    timeout = httpx2.Timeout(settings.timeout_s)
    with httpx2.Client(headers=headers, timeout=timeout, follow_redirects=True) as client:
        num_tries = 0
        while True:
            num_before = _measure(partial)
            try:
                _fetch_rest(client, url, partial, progress)
                break
            except _FailedError as error:
                reason, is_final = str(error), error.is_final
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                reason, is_final = f"the connection failed: {error}", isinstance(error, httpx2.UnsupportedProtocol)
            num_tries = 1 if _measure(partial) > num_before else num_tries + 1
            if is_final or num_tries >= settings.tries:
                raise ServiceError(
                    f"{url} cannot be fetched: {reason}. What has come is kept in {partial}: give the same command "
                    "again, which goes on from there."
                )
            time.sleep(draw_wait_s(settings, num_tries))
    _check(partial, url, checksum)
    partial.replace(path)
    _version_of(partial).unlink(missing_ok=True)


def compute_checksum(path: Path, algorithm: str) -> str:
    """A file's checksum in hexadecimal digits, by `md5` or `sha256`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _check(partial: Path, url: str, checksum: str) -> None:
    match = CHECKSUM.fullmatch(checksum)
    if match is None:
        return
    algorithm, expected = [group for group in match.groups() if group]
    actual = compute_checksum(partial, algorithm)
    if actual != expected:
        partial.unlink()
        _version_of(partial).unlink(missing_ok=True)
        raise ServiceError(
            f"{url} is not what its checksum says: {algorithm}:{actual}, where {expected} was stated. It is deleted: "
            "check the checksum, and give the same command again."
        )


def _fetch_rest(client: "httpx2.Client", url: str, partial: Path, progress: Progress) -> None:
    """Add what is still to come; at the end of it the file is whole."""
    have, version = _measure(partial), ""
    if have:
        with contextlib.suppress(OSError):
            version = _version_of(partial).read_text(encoding="utf-8")
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and version:
        headers["If-Range"] = version
    with client.stream("GET", url, headers=headers) as response:
        whole = _read_whole_size(response)
        if response.status_code == 416:
            if whole == have:
                return
            partial.unlink()
            raise _FailedError("what has come is longer than the file is now; it is begun anew")
        if response.status_code not in (200, 206):
            reason = f"the service answered with status {response.status_code} ({response.reason_phrase})"
            raise _FailedError(reason, is_final=response.status_code not in STATUSES_THAT_PASS)
        goes_on = response.status_code == 206
        if goes_on and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
            raise _FailedError("the service sent another part than was asked for", is_final=True)
        have = have if goes_on else 0
        tag = response.headers.get("etag", "")
        # A weak tag does not promise the same bytes.
        _version_of(partial).write_text("" if tag.startswith("W/") else tag, encoding="utf-8")
        with progress("Fetching the archive, MB", -(-(whole or have) // _BYTES_A_STEP)) as advance:
            advance(have // _BYTES_A_STEP)
            have += _append(response, partial, advance, is_new=not goes_on)
    if whole is not None and have != whole:
        raise _FailedError(f"{have:,} of {whole:,} bytes came")


def _append(response: "httpx2.Response", partial: Path, advance: Callable[[int], None], *, is_new: bool) -> int:
    num_bytes = 0
    with partial.open("wb" if is_new else "ab") as file:
        # As it comes: what waits for a full piece would be lost where the connection breaks.
        for chunk in response.iter_raw():
            file.write(chunk)
            advance((num_bytes + len(chunk)) // _BYTES_A_STEP - num_bytes // _BYTES_A_STEP)
            num_bytes += len(chunk)
    return num_bytes


def _read_whole_size(response: "httpx2.Response") -> int | None:
    """Bytes of the whole file; None where the service does not tell."""
    end = response.headers.get("content-range", "").rpartition("/")[2]
    if response.status_code in (206, 416):
        return int(end) if end.isdigit() else None
    length = response.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


def _measure(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _version_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")
