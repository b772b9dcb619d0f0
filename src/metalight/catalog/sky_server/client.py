"""SkyServer's SqlSearch: one query, one answer in CSV, and what is none.

SDSS documentation and source, as collected: a client may send 60 queries a minute, each of which may take 600 s and
bring 500,000 rows. An answer in CSV begins with a line `#Table1`; errors come as a page, as text or as JSON with an
ErrorMessage, also with status 200.
"""

import contextlib
import csv
import html
import io
import json
import math
import re
import time
from typing import Literal

from metalight.errors import ServiceError, shorten
from metalight.recipe import NetworkSettings, SkyServerSettings
from metalight.web import Answer, Outcome, Pace, Verdict, WebClient, judge_status

_MOST_BYTES = 2**30
_FIRST_LINE = b"#Table1"
_LONGEST_QUOTE = 200

_OF_TIME = re.compile(r"\btimed?[ -]?out\b", re.IGNORECASE)
"""What services say of a query that took too long."""

_GATEWAY_TIMEOUT = 504
"""A status: what stands before the service waited for it in vain."""

_OF_THE_QUERY = re.compile(
    r"incorrect syntax|syntax error|invalid (column|object)|no such (column|table)|could not be bound|ambiguous column",
    re.IGNORECASE,
)
"""What databases say of a query that no asking again will mend."""


class SlowQueryError(ServiceError):
    """A query takes the service longer than it is waited for."""


class _PatientPace(Pace):
    """A pace that stops when the patience with a query has ended: what is under way may end, but is not begun again."""

    _ends_at = math.inf

    def begin(self, patience_s: float) -> None:
        """A new query, which may be begun again for so long."""
        self._ends_at = time.monotonic() + patience_s

    @property
    def is_stopped(self) -> bool:
        """Whether the patience has ended, or `stop` was called."""
        return super().is_stopped or time.monotonic() >= self._ends_at


class SqlSearch:
    """Asks one release of SkyServer; closed by leaving its `with` block."""

    def __init__(self, settings: SkyServerSettings, network: NetworkSettings) -> None:
        """A client at the pace of the service.

        Args:
            settings: Which service, and how fast.
            network: How to ask any service.
        """
        self.url = name_service(settings)
        patient = network.model_copy(update={"timeout_s": settings.timeout_s})
        self._pace = _PatientPace(settings.queries_per_minute / 60)
        self._web = WebClient(patient, pace=self._pace, accept="text/csv, text/plain, */*")

    def __enter__(self) -> "SqlSearch":
        return self

    def __exit__(self, *_: object) -> None:
        self._web.close()

    def fetch_csv(self, sql: str, *, patience_s: float = math.inf) -> bytes:
        """The answer to a query as it was served, a whole table in CSV.

        Args:
            sql: The query.
            patience_s: Time after which it is not begun again.

        Raises:
            SlowQueryError: The service works on it for too long, by its own words or by the clock.
            ServiceError: The service cannot be reached, or does not answer with a table.
        """
        started = time.monotonic()
        self._pace.begin(patience_s)
        outcome = self._web.fetch(self.url, {"cmd": sql, "format": "csv"}, judge=_judge, max_bytes=_MOST_BYTES)
        if outcome.verdict.kind == "good" and outcome.answer is not None:
            return outcome.answer.body
        is_slow = time.monotonic() - started > patience_s or _tells_of_time(outcome)
        raise (SlowQueryError if is_slow else ServiceError)(_explain(outcome, self.url))


def name_service(settings: SkyServerSettings) -> str:
    """The address of SqlSearch of a release."""
    return f"{settings.services_url}/SearchTools/SqlSearch"


def _judge(answer: Answer) -> Verdict:
    if answer.status != 200:
        return judge_status(answer)
    if not answer.body.startswith(_FIRST_LINE):
        kind: Literal["again", "final"] = "final" if _OF_THE_QUERY.search(_read_words(answer)) else "again"
        return Verdict(kind, "it answered with something else than a table")
    return Verdict("good") if _is_whole(answer.body) else Verdict("again", "the table that it answered with is cut off")


def _is_whole(body: bytes) -> bool:
    """Whether CSV has a line of names, and every line as many fields: a truncated answer ends within a line."""
    if not body.endswith(b"\n"):
        return False
    try:
        rows = csv.reader(io.StringIO(body.partition(b"\n")[2].decode(), newline=""), strict=True)
        num_columns = len(next(rows, []))
        return num_columns > 0 and all(len(row) == num_columns for row in rows)
    except (UnicodeDecodeError, csv.Error):
        return False


def _read_words(answer: Answer) -> str:
    """What a page, a text or JSON says, without its markup."""
    text = answer.body[:100_000].decode("utf-8", errors="replace")
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(text)["ErrorMessage"])
    text = re.sub(r"(?is)<(script|style|head)\b.*?(</\1>|$)", " ", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def _tells_of_time(outcome: Outcome) -> bool:
    answer = outcome.answer
    if answer is None or answer.body.startswith(_FIRST_LINE):
        return False
    return answer.status == _GATEWAY_TIMEOUT or _OF_TIME.search(_read_words(answer)) is not None


def _explain(outcome: Outcome, url: str) -> str:
    has_words = outcome.answer is not None and not outcome.answer.body.startswith(_FIRST_LINE)
    words = _read_words(outcome.answer) if outcome.answer is not None and has_words else ""
    said = f", '{shorten(words, _LONGEST_QUOTE)}'" if words else ""
    tries = f", {outcome.num_tries} times" if outcome.num_tries > 1 else ""
    way_out = (
        "Check [skyserver] base_url and release."
        if outcome.verdict.kind == "final"
        else "Try again later: what it has answered so far is kept."
    )
    return f"{url} gives no galaxies: {outcome.verdict.reason}{said}{tries}. {way_out}"
