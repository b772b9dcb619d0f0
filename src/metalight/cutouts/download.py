"""Cutouts from a service into a store: each galaxy once, at the service's pace, going on after any interruption.

Threads ask; the calling thread alone writes. A part is written when enough files are in hand or enough time has
passed, so that a killed process loses at most the part in hand. What is there, or was refused, is not asked for again.
"""

import contextlib
import hashlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, Queue, SimpleQueue
from typing import cast

import numpy as np
import pandas as pd

from metalight.cutouts.checks import ImageVerdict
from metalight.cutouts.report import DownloadReport, report_store
from metalight.cutouts.services import CutoutService
from metalight.cutouts.wanted import list_wanted
from metalight.errors import ServiceError
from metalight.progress import Progress, no_progress, show_note
from metalight.recipe import NetworkSettings
from metalight.store import AskedCutout, CutoutFile, CutoutStore, RefusalKind, RefusedCutout
from metalight.web import Outcome, WebClient

_SECONDS_TO_STOP = 5.0
_SECONDS_TO_NOTICE = 0.2
_FAILURES_OF_THE_ABSENT = 8
REFUSED_BY_SERVICES = ("outside_footprint", "service_error", "invalid_image", "no_image")
"""Refusals after a request; the others are seen without one."""


@dataclass(frozen=True)
class DownloadLimits:
    """When what is in hand is written, and when a service is given up."""

    files_a_part: int = 512
    bytes_a_part: int = 64_000_000
    seconds_a_part: float = 30.0
    failures_in_a_row: int = 100
    """Galaxies that a service fails for, one after the other, after which it is not asked further."""

    failures_without_success_s: float = 300.0
    """So long without any success, and with at least one failure for each connection, it is not asked further
    either. One that has never answered is given up sooner: after one galaxy for each connection, at least 8."""


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
        left, num_there = _find_left(wanted, store, service, retry_refused=retry_refused)
        num_requests = 0
        if len(left):
            foretell(len(left))
            download = _Download(service, store, limits, num_left=len(left), num_there=num_there)
            num_requests = download.fetch_all(wanted.take(left), settings, progress)
        report = report_store(wanted, store, service.bands)
    num_new = len(report.fetched) - num_there
    return DownloadReport(report.fetched, report.refused, num_new, num_requests, time.monotonic() - started)


def list_cutouts_in_store(galaxies: pd.DataFrame, service: CutoutService, folder: Path) -> DownloadReport:
    """What a folder has of galaxies, without asking a service; arguments and errors as of `download_cutouts`."""
    return report_store(list_wanted(galaxies, service), CutoutStore(folder), service.bands)


def _find_left(
    wanted: pd.DataFrame, store: CutoutStore, service: CutoutService, *, retry_refused: bool
) -> tuple["np.ndarray[tuple[int], np.dtype[np.intp]]", int]:
    """Places of the galaxies that are to be asked for, and how many are there; what cannot be asked for is refused."""
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
    return np.flatnonzero(~is_there & ~is_refused), int(is_there.sum())


def _ask(wanted: pd.DataFrame, place: int) -> AskedCutout:
    return AskedCutout(**{name: wanted[name].iloc[place].item() for name in _NUMBERS}, source=wanted["source"].iloc[0])


_NUMBERS = ("object_id", "ra_deg", "dec_deg", "pixel_scale_arcsec", "width", "height")


def _list_asked(wanted: pd.DataFrame) -> Iterator[AskedCutout]:
    names = list(AskedCutout.__slots__)
    for row in wanted[names].itertuples(index=False, name=None):
        yield AskedCutout(*row)


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What came of one galaxy: its files, or why it has none."""

    files: tuple[CutoutFile, ...] = ()
    refused: RefusedCutout | None = None
    is_settled: bool = True
    """False if asking was cut short, so that nothing is known."""

    begun: float = 0.0
    """When it was first asked for, by `time.monotonic`."""

    is_answered: bool = True
    """Whether the last try had an answer, of whatever worth."""


@dataclass
class _Download:
    """What is in hand, and the threads that fetch."""

    service: CutoutService
    store: CutoutStore
    limits: DownloadLimits
    num_left: int
    num_there: int
    files: list[CutoutFile] = field(default_factory=list)
    refused: list[RefusedCutout] = field(default_factory=list)
    doubtful: list[tuple[float, RefusedCutout]] = field(default_factory=list)
    """Failures of the service, and when they were known, that no answer asked for later has followed: whose fault they
    are is not known yet."""

    ctrl_c: threading.Event = field(default_factory=threading.Event)
    num_done: int = 0
    num_refused: int = 0
    num_bytes: int = 0
    num_under_way: int = 0
    num_fetched: int = 0
    has_answered: bool = False
    started: float = field(default_factory=time.monotonic)
    last_success: float = field(default_factory=time.monotonic)
    last_written: float = field(default_factory=time.monotonic)

    def fetch_all(self, wanted: pd.DataFrame, settings: NetworkSettings, progress: Progress) -> int:
        """Fetch all, and give the number of requests."""
        todo: Queue[AskedCutout | None] = Queue()
        done: SimpleQueue[_Fetched | Exception] = SimpleQueue()
        with _noting_ctrl_c() as self.ctrl_c, WebClient(settings, accept=_ACCEPT) as client:
            workers = [
                threading.Thread(
                    target=_work, args=(todo, done, client, self.service, settings), daemon=True, name=f"fetch-{number}"
                )
                for number in range(settings.connections)
            ]
            for worker in workers:
                worker.start()
            try:
                with progress("Fetching cutouts", self.num_left) as advance:
                    for asked in _list_asked(wanted):
                        todo.put(asked)
                        self.num_under_way += 1
                        # Enough that no thread waits while a part is written; few, so that memory stays flat.
                        while self.num_under_way >= 4 * settings.connections:
                            self._take(done, settings)
                            advance(1)
                            show_note(advance, self._describe())
                    while self.num_under_way:
                        self._take(done, settings)
                        advance(1)
                        show_note(advance, self._describe())
                self._judge_last_failures(settings)
                self._write()
                if self.ctrl_c.is_set():
                    raise KeyboardInterrupt
            except KeyboardInterrupt:
                client.stop()
                self._keep_what_is_done(done)
                raise KeyboardInterrupt(f"after {self.num_fetched:,} of {self.num_left:,} cutouts") from None
            finally:
                client.stop()
                for _ in workers:
                    todo.put(None)
                for worker in workers:
                    worker.join(timeout=0.1)
            return client.num_requests

    def _take(self, done: "SimpleQueue[_Fetched | Exception]", settings: NetworkSettings) -> None:
        """Wait for one galaxy, and write what is in hand if it is time."""
        while True:
            if self.ctrl_c.is_set():
                raise KeyboardInterrupt
            with contextlib.suppress(Empty):
                fetched = done.get(timeout=_SECONDS_TO_NOTICE)
                break
            if self._is_time_to_write():
                self._write()
        if isinstance(fetched, Exception):
            raise fetched
        self._accept(fetched)
        self.num_done += 1
        is_full = len(self.files) >= self.limits.files_a_part or self.num_bytes >= self.limits.bytes_a_part
        if is_full or self._is_time_to_write():
            self._write()
        num_failures = len(self.doubtful)
        drought_s = time.monotonic() - self.last_success
        is_dry = drought_s > self.limits.failures_without_success_s and num_failures >= settings.connections
        is_absent = not self.has_answered and num_failures >= max(settings.connections, _FAILURES_OF_THE_ABSENT)
        if num_failures >= self.limits.failures_in_a_row or is_dry or is_absent:
            self._write()
            raise self._give_up()

    def _accept(self, fetched: _Fetched) -> None:
        self.num_under_way -= 1
        self.has_answered |= fetched.is_answered
        if not fetched.is_settled:
            return
        refused = fetched.refused
        is_at_work = refused is None or refused.kind == "outside_footprint"
        if refused is not None:
            self.num_refused += 1
            if is_at_work:
                self.refused.append(refused)
            else:
                self.doubtful.append((time.monotonic(), refused))
        if is_at_work:
            # What was asked for before a failure, and came after it, tells nothing of it.
            self._refuse_doubtful(until=fetched.begun)
            self.last_success = time.monotonic()
        if fetched.files:
            self.num_fetched += 1
            self.files += fetched.files
            self.num_bytes += sum(len(file.data) for file in fetched.files)

    def _judge_last_failures(self, settings: NetworkSettings) -> None:
        """At the end: the galaxies that failed last are refused, unless the service has failed for all."""
        has_failed_for_all = 0 < len(self.doubtful) == self.num_done
        if has_failed_for_all and (not self.num_there or self.num_done > 2 * settings.connections):
            raise self._give_up()
        self._refuse_doubtful(until=math.inf)

    def _refuse_doubtful(self, *, until: float) -> None:
        """Take failures that were known by then for those of their galaxies: the service was at work afterwards."""
        self.refused += [refused for known, refused in self.doubtful if known <= until]
        self.doubtful = [(known, refused) for known, refused in self.doubtful if known > until]

    def _is_time_to_write(self) -> bool:
        return time.monotonic() - self.last_written >= self.limits.seconds_a_part

    def _write(self) -> None:
        self.store.add_files(self.files)
        self.store.add_refused(self.refused)
        self.files, self.refused, self.num_bytes = [], [], 0
        self.last_written = time.monotonic()

    def _keep_what_is_done(self, done: "SimpleQueue[_Fetched | Exception]") -> None:
        """After Ctrl-C: wait a moment for what is under way, and write."""
        until = time.monotonic() + _SECONDS_TO_STOP
        try:
            while self.num_under_way and (wait_s := until - time.monotonic()) > 0:
                fetched = done.get(timeout=wait_s)
                if not isinstance(fetched, Exception):
                    self._accept(fetched)
        except Empty:
            pass
        finally:
            self._write()

    def _describe(self) -> str:
        rate = self.num_done / max(1e-3, time.monotonic() - self.started)
        return f"{rate:.3g}/s" + (f", {self.num_refused:,} refused" if self.num_refused else "")

    def _give_up(self) -> ServiceError:
        (_, last), name = self.doubtful[-1], self.service.name
        kept = f"The {self.num_fetched:,} cutouts that came before are kept: check" if self.num_fetched else "Check"
        return ServiceError(
            f"{name[:1].upper()}{name[1:]} gave nothing that can be used for {len(self.doubtful):,} galaxies one after "
            f"the other, last for {last.asked.object_id}: {last.reason}. {kept} that the service is there, [cutouts] "
            "base_url and [network], and give the same command again, which goes on from there."
        )


@contextlib.contextmanager
def _noting_ctrl_c() -> Iterator[threading.Event]:
    """A block in which Ctrl-C is noted, to be heeded where nothing in hand is lost; a second one acts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def note(number: int, frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


_ACCEPT = "image/jpeg, application/fits, */*;q=0.1"


def _work(
    todo: "Queue[AskedCutout | None]",
    done: "SimpleQueue[_Fetched | Exception]",
    client: WebClient,
    service: CutoutService,
    settings: NetworkSettings,
) -> None:
    """Fetch galaxies until there are none; a thread's whole life."""
    while (asked := todo.get()) is not None:
        try:
            done.put(_fetch_galaxy(asked, client, service, settings))
        except Exception as error:  # a bug of ours, or no memory: it is raised where somebody sees it
            done.put(error)


def _fetch_galaxy(asked: AskedCutout, client: WebClient, service: CutoutService, settings: NetworkSettings) -> _Fetched:
    files: list[CutoutFile] = []
    num_tries, begun = 0, time.monotonic()
    for request in service.build_requests(asked):
        outcome = client.fetch(
            request.url,
            request.parameters,
            judge=partial(service.judge, asked=asked),
            max_bytes=service.max_bytes,
            longest_s=settings.timeout_s,
        )
        now = datetime.now(UTC)
        num_tries += outcome.num_tries
        if outcome.answer is None or outcome.verdict.kind != "good":
            is_settled = not client.is_stopped or outcome.verdict.kind == "final"
            refused = RefusedCutout(asked, _name_refusal(outcome), outcome.verdict.reason, num_tries, str(request), now)
            is_answered = outcome.answer is not None
            return _Fetched(refused=refused, is_settled=is_settled, begun=begun, is_answered=is_answered)
        data = outcome.answer.body
        files.append(CutoutFile(asked, data, hashlib.sha256(data).hexdigest(), str(request), now, request.band))
    return _Fetched(tuple(files), begun=begun)


def _name_refusal(outcome: Outcome) -> RefusalKind:
    return outcome.verdict.refusal if isinstance(outcome.verdict, ImageVerdict) else "service_error"
