"""Large files from the network: fetched in one piece, going on from where it was after any interruption.

What has come so far lies beside the place of the file, as `NAME.part`, and what the service calls that version of it
in `NAME.part.version`.
"""

import contextlib
import hashlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from metalight.errors import ServiceError
from metalight.progress import Progress, no_progress
from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS
from metalight.web.client import draw_wait_s

if TYPE_CHECKING:
    from metalight.web.streams import Stream

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
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    num_tries = 0
    while True:
        num_before = _measure(partial)
        try:
            _fetch_rest(url, partial, settings, progress)
            break
        except _FailedError as error:
            failure = error
        num_tries = 1 if _measure(partial) > num_before else num_tries + 1
        if failure.is_final or num_tries >= settings.tries:
            raise ServiceError(
                f"{url} cannot be fetched: {failure}. What has come is kept in {partial}: give the same command "
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


def _fetch_rest(url: str, partial: Path, settings: NetworkSettings, progress: Progress) -> None:
    """Add what is still to come; at the end of it the file is whole.

    Raises:
        _FailedError: It is not; what has come is kept.
    """
    from metalight.web.streams import BrokenStreamError, open_stream

    have, version = _measure(partial), ""
    if have:
        with contextlib.suppress(OSError):
            version = _version_of(partial).read_text(encoding="utf-8")
    headers = [f"Range: bytes={have}-"] if have else []
    if have and version:
        headers.append(f"If-Range: {version}")
    try:
        with open_stream(url, settings, headers) as stream:
            whole = _read_whole_size(stream)
            if stream.status == 416:
                if whole == have:
                    return
                partial.unlink()
                raise _FailedError("what has come is longer than the file is now; it is begun anew")
            have = _append(stream, partial, have, whole, progress)
    except BrokenStreamError as error:
        raise _FailedError(str(error), is_final=error.is_final) from error
    if whole is not None and have != whole:
        raise _FailedError(f"{have:,} of {whole:,} bytes came")


def _append(stream: "Stream", partial: Path, have: int, whole: int | None, progress: Progress) -> int:
    """Write what comes behind what is there, or anew where the service begins anew; the bytes that are there then."""
    if stream.status not in (200, 206):
        reason = f"the service answered with status {stream.status} ({stream.reason})"
        raise _FailedError(reason, is_final=stream.status not in STATUSES_THAT_PASS)
    goes_on = stream.status == 206
    if goes_on and not stream.read_header("content-range").startswith(f"bytes {have}-"):
        raise _FailedError("the service sent another part than was asked for", is_final=True)
    have = have if goes_on else 0
    tag = stream.read_header("etag")
    # A weak tag does not promise the same bytes.
    _version_of(partial).write_text("" if tag.startswith("W/") else tag, encoding="utf-8")
    with (
        progress("Fetching the archive, MB", -(-(whole or have) // _BYTES_A_STEP)) as advance,
        partial.open("ab" if goes_on else "wb") as file,
    ):
        advance(have // _BYTES_A_STEP)
        # As it comes: what waits for a full piece would be lost where the connection breaks.
        for chunk in stream.receive():
            file.write(chunk)
            advance((have + len(chunk)) // _BYTES_A_STEP - have // _BYTES_A_STEP)
            have += len(chunk)
    return have


def _read_whole_size(stream: "Stream") -> int | None:
    """Bytes of the whole file; None where the service does not tell."""
    end = stream.read_header("content-range").rpartition("/")[2]
    if stream.status in (206, 416):
        return int(end) if end.isdigit() else None
    length = stream.read_header("content-length")
    return int(length) if length.isdigit() else None


def _measure(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _version_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")
