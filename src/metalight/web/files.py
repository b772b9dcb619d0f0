"""Large files from the network: fetched in one piece, going on from where it was after any interruption.

What has come so far lies beside the place of the file, as `NAME.part`, and what the service calls that version of it
in `NAME.part.version`.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from metalight.errors import ServiceError, shorten
from metalight.progress import Progress, no_progress
from metalight.recipe import NetworkSettings
from metalight.web.answer import STATUSES_THAT_PASS, Verdict
from metalight.web.client import draw_wait_s

if TYPE_CHECKING:
    import httpx2

    from metalight.web.session import Session

CHECKSUM = re.compile(r"(md5):([0-9a-f]{32})|(sha256):([0-9a-f]{64})")
"""How a checksum is written, such as `md5:0123…`, as Zenodo shows it."""

_BYTES_A_STEP = 1_000_000
_LEAST_GAIN = 100_000
"""Bytes that a try must bring to be no failure: a service that sends a few now and then is not waited for forever."""


class _FailedError(Exception):
    """A try has failed, for the reason of a verdict, which tells what another one is worth."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def fetch_file(
    url: str,
    path: Path,
    settings: NetworkSettings,
    *,
    checksum: str = "",
    find_flaw: Callable[[Path], str] = lambda path: "",
    progress: Progress = no_progress,
) -> None:
    """Fetch a file, unless it is there.

    Args:
        url: Where it is.
        path: Where it goes, once it is whole.
        settings: How to ask; tries count from the last one that brought 100 kB or more.
        checksum: As of `CHECKSUM`; empty if none is known.
        find_flaw: Asked where no checksum is known: why what has come is not a whole file, as a clause; empty if it is.
        progress: Shows how much has come, in MB.

    Raises:
        ServiceError: It cannot be fetched, or is not what the checksum says, or has a flaw.
    """
    from metalight.web.session import Session

    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    num_tries = 0
    with Session(settings, coding="identity") as session:
        rest = _Rest(session, url, partial, progress)
        while True:
            num_before = _measure(partial)
            try:
                has_size = session.run(rest.fetch())
                flaw = _find_checksum_flaw(partial, checksum) if checksum else find_flaw(partial)
                if not flaw:
                    break
                if has_size:
                    raise ServiceError(_delete(partial, url, flaw))
                failure = Verdict("again", f"{flaw}; the service did not tell its length, and may have broken off")
            except _FailedError as error:
                failure = error.verdict
            num_tries = 1 if _measure(partial) >= num_before + _LEAST_GAIN else num_tries + 1
            if failure.kind == "final" or num_tries >= min(settings.tries, failure.most_tries):
                raise ServiceError(_explain(partial, url, failure))
            time.sleep(draw_wait_s(settings, num_tries))
    partial.replace(path)
    _version_of(partial).unlink(missing_ok=True)


def _explain(partial: Path, url: str, failure: Verdict) -> str:
    way_out = "Run the same command to try again."
    if _measure(partial):
        way_out = f"What has come is kept in {partial}: run the same command to resume."
    return f"{url} cannot be fetched: {failure.reason}. {way_out}"


def _delete(partial: Path, url: str, flaw: str) -> str:
    """Delete what has come, and tell why."""
    partial.unlink()
    _version_of(partial).unlink(missing_ok=True)
    return (
        f"{url} was fetched whole, but {flaw}. It is deleted: check the address and the checksum, and "
        "run the same command again."
    )


def compute_checksum(path: Path, algorithm: str) -> str:
    """A file's checksum in hexadecimal digits, by `md5` or `sha256`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _find_checksum_flaw(path: Path, checksum: str) -> str:
    algorithm, _, expected = checksum.partition(":")
    actual = compute_checksum(path, algorithm)
    return "" if actual == expected else f"is not what its checksum says: {algorithm}:{actual}, not {checksum}"


@dataclass
class _Rest:
    """The part of a file that is still missing."""

    session: "Session"
    url: str
    partial: Path
    progress: Progress
    has_answered: bool = False

    async def fetch(self) -> bool:
        """Add it to what has come; whether the service tells the length, which is that of the file then.

        Raises:
            _FailedError: It does not come to its end; what has come is kept.
        """
        have, version = _measure(self.partial), ""
        if have:
            with contextlib.suppress(OSError):
                version = _version_of(self.partial).read_text(encoding="utf-8")
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and version:
            headers["If-Range"] = version
        try:
            async with self.session.ask(self.url, headers) as response:
                self.has_answered = True
                return await self._take(response, have)
        except _FailedError:
            raise
        except Exception as error:
            verdict = self.session.explain_failure(error, self.url, has_answered=self.has_answered)
            raise _FailedError(verdict) from error

    async def _take(self, response: "httpx2.Response", have: int) -> bool:
        whole = _read_whole_size(response)
        if response.status_code == 416:
            if whole == have:
                return True
            self.partial.unlink()
            raise _FailedError(Verdict("again", "it has changed meanwhile, and is fetched from its beginning"))
        if response.status_code not in (200, 206):
            kind: Literal["again", "final"] = "again" if response.status_code in STATUSES_THAT_PASS else "final"
            words = f"status {response.status_code} ({shorten(response.reason_phrase)})"
            raise _FailedError(Verdict(kind, f"the service answered with {words}"))
        goes_on = response.status_code == 206
        if goes_on and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
            raise _FailedError(Verdict("final", "the service sent another part than was asked for"))
        have = await self._append(response, have if goes_on else 0, whole, goes_on=goes_on)
        if whole is not None and have != whole:
            raise _FailedError(Verdict("again", f"{have:,} of {whole:,} bytes came"))
        return whole is not None

    async def _append(self, response: "httpx2.Response", have: int, whole: int | None, *, goes_on: bool) -> int:
        """Write what comes behind what is there, or from the beginning; the bytes that are there then."""
        tag = response.headers.get("etag", "")
        # A weak tag does not promise the same bytes.
        _version_of(self.partial).write_text("" if tag.startswith("W/") else tag, encoding="utf-8")
        with (
            self.progress("Fetching the archive, MB", -(-(whole or have) // _BYTES_A_STEP)) as advance,
            self.partial.open("ab" if goes_on else "wb") as file,
        ):
            advance(have // _BYTES_A_STEP)
            # As it comes: what waits for a full piece would be lost where the connection breaks.
            async for piece in self.session.receive(response, is_raw=True):
                file.write(piece)
                advance((have + len(piece)) // _BYTES_A_STEP - have // _BYTES_A_STEP)
                have += len(piece)
        return have


def _read_whole_size(response: "httpx2.Response") -> int | None:
    """Bytes of the whole file; None where the service does not tell."""
    end = response.headers.get("content-range", "").rpartition("/")[2]
    if response.status_code in (206, 416):
        return int(end) if end.isdecimal() else None
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _measure(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _version_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")
