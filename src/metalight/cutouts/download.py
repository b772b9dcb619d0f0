"""Cutouts from a service into a store: each galaxy once, at the service's pace, resumed after any interruption.

One thread writes while the others ask. A part is written when enough files are in hand or enough time has passed, so
that a killed process loses at most the part in hand. What is there, or was refused, is not asked for again.

Galaxies are asked for in random order: neighbours fail together, as outside a footprint, and would look like a service
that fails. A failure is the fault of its galaxy if the service has answered for another one since. Before a service is
given up, it is asked once more for a galaxy that it has answered for.
"""

import contextlib
import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from metalight.cutouts.checks import ImageVerdict
from metalight.cutouts.report import DownloadReport, report_store
from metalight.cutouts.services import CutoutRequest, CutoutService
from metalight.cutouts.wanted import list_wanted
from metalight.errors import ServiceError
from metalight.identifiers import name_of
from metalight.progress import Progress, no_progress, show_note
from metalight.recipe import NetworkSettings
from metalight.store import AskedCutout, CutoutFile, CutoutStore, RefusalKind, RefusedCutout
from metalight.web import Errand, Request, Verdict, WebClient, join_query

_SECONDS_TO_STOP = 5.0
_FAILURES_OF_THE_ABSENT = 8
_SECONDS_TO_SHOW = 0.1
_ROWS_A_PIECE = 4096
REFUSED_BY_SERVICES = ("outside_footprint", "service_error", "invalid_image", "no_image")
"""Refusals after a request; the others are seen without one."""


@dataclass(frozen=True)
class DownloadLimits:
    """When what is in hand is written, and when a service is suspected to be out of order.

    One that is suspected is given up if it fails again for a galaxy that it has answered for, or has answered for none.
    """

    files_a_part: int = 512
    bytes_a_part: int = 64_000_000
    seconds_a_part: float = 5.0
    """So much is lost to what kills the process at once; any other interruption loses nothing."""

    failures_in_a_row: int = 100
    """Galaxies that it fails for, one after the other."""

    failures_without_success_s: float = 300.0
    """Time without any success, and with at least one failure for each connection. One that has sent no answer at all
    is suspected sooner: after one galaxy for each connection, at least 8."""


_DEFAULT_LIMITS = DownloadLimits()


def download_cutouts(
    galaxies: pd.DataFrame,
    service: CutoutService,
    folder: Path,
    settings: NetworkSettings,
    *,
    retry_refused: bool = False,
    limits: DownloadLimits = _DEFAULT_LIMITS,
    foretell: Callable[[int], None] = lambda num_left: None,
    progress: Progress = no_progress,
) -> DownloadReport:
    """Fetch the cutout of each galaxy that is not in the folder yet.

    Args:
        galaxies: Columns object_id (int64, each once), ra, dec (degrees), frame_arcsec (side of the image on the sky;
            NaN where it is not known).
        service: Where to ask.
        folder: Of the store; made if need be. What is in it stays.
        settings: How to ask.
        retry_refused: Ask once more for those that were refused after a request.
        limits: When to write, and when to give up.
        foretell: Told how many galaxies are to be asked for, before the first one is, if any.
        progress: Shows how many galaxies are done.

    Raises:
        InUseError: Another process downloads into the folder.
        ServiceError: The service gives nothing that can be used; what came before is kept.
        ImageError: A part in the folder is damaged.
        ValueError: A galaxy is there twice.
        KeyboardInterrupt: Ctrl-C, after what was in hand is written.
    """
    started = time.monotonic()
    store = CutoutStore(folder)
    with store.hold():
        wanted = list_wanted(galaxies, service)
        left, there = _find_left(wanted, store, service, retry_refused=retry_refused)
        num_requests = 0
        if len(left):
            foretell(len(left))
            download = _Download(service, store, limits, settings, num_left=len(left))
            if len(there):
                download.answered = _ask(wanted, int(there[0]))
            order = np.random.default_rng().permutation(left)
            num_requests = download.fetch_all(wanted.take(order), progress)
        report = report_store(wanted, store, service.bands)
    num_new = len(report.fetched) - len(there)
    return DownloadReport(report.fetched, report.refused, num_new, num_requests, time.monotonic() - started)


def _find_left(
    wanted: pd.DataFrame, store: CutoutStore, service: CutoutService, *, retry_refused: bool
) -> tuple["np.ndarray[tuple[int], np.dtype[np.intp]]", "np.ndarray[tuple[int], np.dtype[np.intp]]"]:
    """Places of the galaxies to ask for, and of those that are there; what cannot be asked for is refused."""
    is_there = np.zeros(len(wanted), dtype=bool)
    is_there[store.find_files(wanted, bands=service.bands)["place"].to_numpy(dtype=np.intp)] = True
    known = store.find_refused(wanted)
    by_place = dict(zip(known["place"].tolist(), known["reason"].tolist(), strict=True))
    cannot = np.flatnonzero((wanted["flaw"] != "").to_numpy())
    now = datetime.now(UTC)
    store.add_refused(
        [
            RefusedCutout(_ask(wanted, place), cast(RefusalKind, wanted["kind"].iloc[place]), flaw, 0, "", now)
            for place, flaw in zip(cannot.tolist(), wanted["flaw"].iloc[cannot].tolist(), strict=True)
            if by_place.get(place) != flaw
        ]
    )
    is_refused = np.zeros(len(wanted), dtype=bool)
    if not retry_refused:
        was_asked = known["kind"].isin(REFUSED_BY_SERVICES).to_numpy()
        is_refused[known["place"].to_numpy(dtype=np.intp)[was_asked]] = True
    is_refused[cannot] = True
    return np.flatnonzero(~is_there & ~is_refused), np.flatnonzero(is_there)


def _ask(wanted: pd.DataFrame, place: int) -> AskedCutout:
    return AskedCutout(**{name: wanted[name].iloc[place].item() for name in _NUMBERS}, source=wanted["source"].iloc[0])


_NUMBERS = ("object_id", "ra_deg", "dec_deg", "pixel_scale_arcsec", "width", "height")


def _list_asked(wanted: pd.DataFrame) -> Iterator[AskedCutout]:
    # Piece by piece, so that memory stays flat; as lists, which are the fastest to go through.
    for first in range(0, len(wanted), _ROWS_A_PIECE):
        piece = wanted.iloc[first : first + _ROWS_A_PIECE]
        for row in zip(*(piece[name].to_numpy().tolist() for name in AskedCutout.__slots__), strict=True):
            yield AskedCutout(*row)


@dataclass(slots=True)
class _Galaxy(Errand):
    """The requests for one galaxy."""

    asked: AskedCutout = field(kw_only=True)
    files: list[CutoutRequest] = field(kw_only=True)
    """One for each of the requests."""

    begun: float = field(default_factory=time.monotonic)
    """When it was first asked for, by `time.monotonic`."""


@dataclass
class _Download:
    """The requests in progress."""

    service: CutoutService
    store: CutoutStore
    limits: DownloadLimits
    settings: NetworkSettings
    num_left: int
    answered: AskedCutout | None = None
    """A galaxy that the service has answered for."""

    client: WebClient = field(init=False)
    writer: "_Writer" = field(init=False)
    ctrl_c: threading.Event = field(init=False)
    files: list[CutoutFile] = field(default_factory=list)
    refused: list[RefusedCutout] = field(default_factory=list)
    doubtful: list[tuple[float, RefusedCutout]] = field(default_factory=list)
    """Failures of the service, and when they were known, that no answer asked for later has followed: whose fault they
    are is not known yet."""

    num_done: int = 0
    num_shown: int = 0
    num_refused: int = 0
    num_bytes: int = 0
    num_fetched: int = 0
    started: float = field(default_factory=time.monotonic)
    last_success: float = field(default_factory=time.monotonic)
    last_written: float = field(default_factory=time.monotonic)
    last_shown: float = 0.0

    def fetch_all(self, wanted: pd.DataFrame, progress: Progress) -> int:
        """Fetch all, and give the number of requests."""
        galaxies = (self._build_errand(asked) for asked in _list_asked(wanted))
        with (
            _noting_ctrl_c() as self.ctrl_c,
            _Writer(self.store) as self.writer,
            WebClient(self.settings, accept=_ACCEPT) as self.client,
            progress("Fetching cutouts", self.num_left) as advance,
        ):
            coming = self.client.fetch_each(galaxies)
            try:
                for ended in coming:
                    self._take(ended)
                    self._show(advance)
                    self._heed_ctrl_c()
                self._show(advance, is_last=True)
                failure = self._resolve_doubts()
                self._write()
                if failure:
                    raise failure
            except KeyboardInterrupt:
                self.client.stop()
                self._keep_what_is_done(coming)
                raise KeyboardInterrupt(f"after {self.num_fetched:,} of {self.num_left:,} cutouts") from None
            return self.client.num_requests

    def _heed_ctrl_c(self) -> None:
        if self.ctrl_c.is_set():
            raise KeyboardInterrupt

    def _build_errand(self, asked: AskedCutout) -> _Galaxy:
        files = self.service.build_requests(asked)
        judge = partial(self.service.judge, asked=asked)
        requests = [Request(join_query(file.url, file.parameters), judge, self.service.max_bytes) for file in files]
        return _Galaxy(requests, asked=asked, files=files)

    def _take(self, ended: list[_Galaxy]) -> None:
        """Take what has ended in hand, and write what is in hand if it is time."""
        failure = None
        for galaxy in ended:
            self._accept(galaxy)
            is_unreachable = galaxy.outcomes[-1].verdict.is_unreachable and not self.client.has_answered
            if failure is None and is_unreachable:
                failure = self._explain_unreachable(galaxy)
            if failure is None and self._seems_hopeless():
                failure = self._resolve_doubts()
            if len(self.files) >= self.limits.files_a_part or self.num_bytes >= self.limits.bytes_a_part:
                self._write()
        if failure or time.monotonic() - self.last_written >= self.limits.seconds_a_part:
            self._write()
        if failure:
            raise failure

    def _seems_hopeless(self) -> bool:
        num_failures = len(self.doubtful)
        if not num_failures:
            return False
        drought_s = time.monotonic() - self.last_success
        is_dry = drought_s > self.limits.failures_without_success_s and num_failures >= self.settings.connections
        is_absent = num_failures >= max(self.settings.connections, _FAILURES_OF_THE_ABSENT)
        is_absent &= not self.client.has_answered
        return num_failures >= self.limits.failures_in_a_row or is_dry or is_absent

    def _resolve_doubts(self) -> ServiceError | None:
        """Refuse the galaxies that failed last if the service is at work; else why it is given up."""
        now = time.monotonic()
        if not self.doubtful:
            return None
        if not self._is_at_work():
            return self._give_up()
        self._refuse_doubtful(until=now)
        self.last_success = now
        return None

    def _is_at_work(self) -> bool:
        """Whether the service answers once more for a galaxy that it has answered for."""
        if self.answered is None:
            return False
        galaxy = self._build_errand(self.answered)
        for _ in self.client.fetch_each([galaxy]):
            self._heed_ctrl_c()
        return bool(galaxy.outcomes) and _is_sure(galaxy.outcomes[-1].verdict)

    def _accept(self, galaxy: _Galaxy) -> None:
        last = galaxy.outcomes[-1]
        now = datetime.now(UTC)
        if _is_sure(last.verdict):
            self._take_success(galaxy)
        if last.verdict.kind == "good":
            self.num_done += 1
            for file, outcome in zip(galaxy.files, galaxy.outcomes, strict=True):
                data = outcome.answer.body if outcome.answer else b""
                self.num_bytes += len(data)
                digest = hashlib.sha256(data).hexdigest()
                self.files.append(CutoutFile(galaxy.asked, data, digest, str(file), now, file.band))
            self.num_fetched += 1
        elif last.verdict.kind == "final" or not self.client.is_stopped:
            self.num_done += 1
            self.num_refused += 1
            num_tries = sum(outcome.num_tries for outcome in galaxy.outcomes)
            url, kind = str(galaxy.files[len(galaxy.outcomes) - 1]), _name_refusal(last.verdict)
            refused = RefusedCutout(galaxy.asked, kind, last.verdict.reason, num_tries, url, now)
            if _is_sure(last.verdict):
                self.refused.append(refused)
            else:
                self.doubtful.append((time.monotonic(), refused))

    def _take_success(self, galaxy: _Galaxy) -> None:
        """The service is at work."""
        if self.doubtful:
            # What was asked for before a failure, and came after it, tells nothing of it.
            self._refuse_doubtful(until=galaxy.begun)
        self.answered = galaxy.asked
        self.last_success = time.monotonic()

    def _refuse_doubtful(self, *, until: float) -> None:
        """Take failures that were known by then for those of their galaxies: the service was at work afterwards."""
        self.refused += [refused for known, refused in self.doubtful if known <= until]
        self.doubtful = [(known, refused) for known, refused in self.doubtful if known > until]

    def _write(self) -> None:
        self.writer.write(self.files, self.refused)
        self.files, self.refused, self.num_bytes = [], [], 0
        self.last_written = time.monotonic()

    def _keep_what_is_done(self, coming: Iterator[list[_Galaxy]]) -> None:
        """After Ctrl-C: wait a moment for what is under way, and write."""
        until = time.monotonic() + _SECONDS_TO_STOP
        try:
            for ended in coming:
                for galaxy in ended:
                    self._accept(galaxy)
                if time.monotonic() > until:
                    break
        finally:
            self._write()

    def _show(self, advance: Callable[[int], None], *, is_last: bool = False) -> None:
        """Show how far it is, but no oftener than a person can see."""
        now = time.monotonic()
        if is_last or now - self.last_shown >= _SECONDS_TO_SHOW:
            advance(self.num_done - self.num_shown)
            rate = self.num_done / max(1e-3, now - self.started)
            show_note(advance, f"{rate:.3g}/s" + (f", {self.num_refused:,} refused" if self.num_refused else ""))
            self.num_shown, self.last_shown = self.num_done, now

    def _give_up(self) -> ServiceError:
        (_, last), name, kept = self.doubtful[-1], self.service.name, self._tell_kept()
        return ServiceError(
            f"{name[:1].upper()}{name[1:]} gave nothing that can be used for {len(self.doubtful):,} galaxies one after "
            f"the other, last for {name_of(last.asked.object_id)}: {last.reason}. {kept}Check that the service is at "
            "work, its base_url and [network], and run the same command again to resume."
        )

    def _explain_unreachable(self, galaxy: _Galaxy) -> ServiceError:
        name, url = self.service.name, galaxy.files[0].url
        reason, kept = galaxy.outcomes[-1].verdict.reason, self._tell_kept()
        return ServiceError(
            f"{name[:1].upper()}{name[1:]} cannot be reached at {url}: {reason}, or base_url. {kept}Run the same "
            "command again to resume."
        )

    def _tell_kept(self) -> str:
        return f"The {self.num_fetched:,} cutouts that came before are kept. " if self.num_fetched else ""


@contextlib.contextmanager
def _noting_ctrl_c() -> Iterator[threading.Event]:
    """A block in which Ctrl-C is noted, to be heeded where nothing in hand is lost; a second one acts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as a shell does for a command in the background

    def note(number: int, frame: object) -> None:
        if is_ignored and number == signal.SIGINT:
            return  # but a scheduler's SIGTERM arrives here too
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


_ACCEPT = "image/jpeg, application/fits, */*;q=0.1"


def _name_refusal(verdict: Verdict) -> RefusalKind:
    return verdict.refusal if isinstance(verdict, ImageVerdict) else "service_error"


def _is_sure(verdict: Verdict) -> bool:
    """Whether a service that says so is at work: it has given an image, or knows that it has none."""
    is_outside = isinstance(verdict, ImageVerdict) and verdict.refusal == "outside_footprint"
    return verdict.kind == "good" or (verdict.kind == "final" and is_outside)


class _Writer:
    """Writes parts to a store in a thread of its own, so that asking continues meanwhile: one after the other.

    Leaving its `with` block waits until all is written.
    """

    def __init__(self, store: CutoutStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write-cutouts")
        self._last: Future[None] | None = None

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        with self._thread:
            self._wait()

    def write(self, files: list[CutoutFile], refused: list[RefusedCutout]) -> None:
        """Write a part of each, unless empty, once the one before is written; errors of that one are raised here."""
        self._wait()
        if files or refused:
            self._last = self._thread.submit(self._add, files, refused)

    def _add(self, files: list[CutoutFile], refused: list[RefusedCutout]) -> None:
        self._store.add_files(files)
        self._store.add_refused(refused)

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()
