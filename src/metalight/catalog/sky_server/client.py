"""SkyServer's SqlSearch: one query, one answer in CSV, asked for again where that may help.

A client may send 60 queries a minute, each of which may take 600 s and bring 500,000 rows; SDSS documentation and
source, as collected.
"""

import math
import time
from collections.abc import Sequence

from metalight.catalog.sky_server.answers import MOST_BYTES, Reading, read_answer
from metalight.errors import ServiceError, shorten
from metalight.recipe import NetworkSettings, SkyServerSettings
from metalight.web import Answer, Pace, Verdict, WebClient

_LONGEST_QUOTE = 200

_QUOTA_WINDOW_S = 60.0
"""Over which SkyServer counts queries. It does not count those that it refuses."""

_MOST_REFUSALS = 12
"""Of one query, for the quota: with the waits of [network] that is about seven minutes."""

_LONGEST_WAIT_S = 86_400.0


class SlowQueryError(ServiceError):
    """A query takes the service longer than it is waited for."""


class _OneTry(Pace):
    """The pace for a web client that may try once: `SqlSearch` can read what SkyServer's errors mean, and asks again.

    Of the client, it hears for how long the service wants to be left alone.
    """

    asked_wait_s = 0.0
    _is_taken = False

    def allow_one(self) -> None:
        """Let the next request begin when its turn has come, and none after it."""
        self._is_taken, self.asked_wait_s = False, 0.0

    def take_turn(self) -> float:
        """As of `Pace`."""
        wait_s = super().take_turn()
        self._is_taken = not wait_s
        return wait_s

    def hold_back(self, seconds: float) -> None:
        """As of `Pace`."""
        self.asked_wait_s = seconds
        super().hold_back(seconds)

    @property
    def is_stopped(self) -> bool:
        """Whether the one request has begun, or `stop` was called."""
        return self._is_taken or super().is_stopped


class SqlSearch:
    """Asks one release of SkyServer; closed by leaving its `with` block."""

    def __init__(self, settings: SkyServerSettings, network: NetworkSettings) -> None:
        """A client at the pace of the service.

        Args:
            settings: Which service, and how fast.
            network: How to ask any service.
        """
        self.url = name_service(settings)
        self.num_refusals = 0
        """How often the quota has made it wait."""

        self._network = network
        once = {"timeout_s": settings.timeout_s, "tries": 2, "longest_wait_s": _LONGEST_WAIT_S}
        self._pace = _OneTry(settings.queries_per_minute / 60)
        self._web = WebClient(network.model_copy(update=once), pace=self._pace, accept="text/csv, text/plain, */*")

    def __enter__(self) -> "SqlSearch":
        return self

    def __exit__(self, *_: object) -> None:
        self._web.close()

    def fetch_csv(self, sql: str, columns: Sequence[str], *, patience_s: float = math.inf) -> bytes:
        """The answer to a query, a whole table in CSV below a line `#Table1`.

        Args:
            sql: The query.
            columns: Names of the columns that it asks for.
            patience_s: Time after which it is not begun again; waiting for the quota does not count.

        Raises:
            SlowQueryError: The service works on it for too long, by its own words or by the clock.
            ServiceError: The service cannot be reached, or does not answer with a table.
        """
        started, num_tries, num_refusals, unended = time.monotonic(), 0, 0, b""
        while True:
            reading = self._ask_once(sql, columns)
            # A table that is cut off within its last number looks whole, but not twice in the same way.
            if reading.kind == "table" or (reading.kind == "unended" and reading.table == unended):
                return reading.table
            if reading.kind == "quota" and num_refusals < _MOST_REFUSALS:
                num_refusals += 1
                self.num_refusals += 1
                self._pace.sleep(min(_QUOTA_WINDOW_S, self._compute_wait_s(num_refusals)))
                started = time.monotonic()
                continue
            num_tries, unended = num_tries + 1, reading.table
            is_late = time.monotonic() - started > patience_s
            if is_late or self._is_last(reading, num_tries):
                is_slow = is_late or reading.kind == "slow"
                raise (SlowQueryError if is_slow else ServiceError)(_explain(reading, num_tries, self.url))
            self._pace.sleep(self._compute_wait_s(num_tries))

    def _ask_once(self, sql: str, columns: Sequence[str]) -> Reading:
        readings: list[Reading] = []

        def judge(answer: Answer) -> Verdict:
            readings.append(read_answer(answer, columns))
            return Verdict("good" if readings[-1].kind == "table" else "final")

        self._pace.allow_one()
        outcome = self._web.fetch(self.url, {"cmd": sql, "format": "csv"}, judge=judge, max_bytes=MOST_BYTES)
        verdict = outcome.verdict
        if not readings and outcome.answer is not None and verdict.kind == "again":
            # A status that may pass, of which the client does not ask us.
            readings.append(read_answer(outcome.answer, columns))
        if readings:
            return readings[-1]
        return Reading("final" if verdict.kind == "final" else "again", verdict.reason, most_tries=verdict.most_tries)

    def _is_last(self, reading: Reading, num_tries: int) -> bool:
        if reading.kind in ("final", "quota") or self._pace.asked_wait_s > self._network.longest_wait_s:
            return True
        # A table without an end needs a second look in any case.
        fewest = 2 if reading.kind == "unended" else 1
        return num_tries >= max(fewest, min(reading.most_tries, self._network.tries))

    def _compute_wait_s(self, num_failures: int) -> float:
        """Seconds to wait after so many failures in a row: twice as long after each."""
        return min(self._network.longest_wait_s, self._network.first_wait_s * 2.0 ** (num_failures - 1))


def name_service(settings: SkyServerSettings) -> str:
    """The address of SqlSearch of a release."""
    return f"{settings.services_url}/SearchTools/SqlSearch"


def _explain(reading: Reading, num_tries: int, url: str) -> str:
    said = f", '{shorten(reading.words, _LONGEST_QUOTE)}'" if reading.words else ""
    tries = f", {num_tries} times" if num_tries > 1 else ""
    way_out = "Try again later: what it has answered so far is kept."
    if reading.kind == "final":
        way_out = "Check [skyserver] base_url and release."
    if reading.kind == "quota":
        tries = f", {_MOST_REFUSALS + 1} times"
        way_out = (
            "All programs that ask it from your network count: end the others, and run the command again. What it has "
            "answered so far is kept."
        )
    return f"{url} gives no galaxies: {reading.reason}{said}{tries}. {way_out}"
