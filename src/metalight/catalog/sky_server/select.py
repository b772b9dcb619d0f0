"""The galaxies of SkyServer that pass cuts: counted at each, fetched in pages, and none lost between them."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.catalog import spread
from metalight.catalog.sdss_cuts import require_named_cut
from metalight.catalog.selection import Count, Selection
from metalight.catalog.sky_server.client import SlowQueryError, SqlSearch
from metalight.catalog.sky_server.kept import KeptAnswers
from metalight.catalog.sky_server.query import (
    COUNT_COLUMN,
    REPEATED_COLUMNS,
    SKY_SERVER_COLUMNS,
    Key,
    SkyServerColumn,
    build_count_query,
    build_page_query,
    build_repeats_query,
)
from metalight.errors import ServiceError, TableError
from metalight.progress import Progress, no_progress
from metalight.recipe import NetworkSettings, SkyServerSettings
from metalight.tables import SENTINELS, Table, build_text, find_column, require_numbers, require_object_ids

_NUM_OF_THE_PAPER = 142_000
"""Galaxies that the paper's cuts leave, where nobody has counted."""

_RELEASE_OF_THE_PAPER = "dr14"

_NOT_COUNTED = "that pass the cuts below; the database was too slow to count how many each of them leaves"


def select_sky_server(
    settings: SkyServerSettings,
    network: NetworkSettings,
    *,
    cuts: Sequence[str],
    folder: Path,
    limit: int = 0,
    missing_values: Sequence[float] = SENTINELS,
    progress: Progress = no_progress,
) -> Selection:
    """The galaxies that pass cuts, in the order of objID and specObjID, with `SKY_SERVER_COLUMNS`.

    A database that is too slow to count the galaxies of each cut is let off, and the rows are counted; so is one that
    does not find their other spectra. Notes tell of it.

    Args:
        settings: Which service, and how fast.
        network: How to ask any service.
        cuts: Names of cuts, in order.
        folder: Where answers are kept.
        limit: Take only so many, spread over the sky as of `metalight.catalog.spread`; 0 takes all.
        missing_values: Numbers that stand for "not measured".
        progress: Shows how far it is.

    Raises:
        ServiceError: The service does not answer, or its answers do not fit together.
    """
    with SqlSearch(settings, network) as search:
        answers = KeptAnswers(search, folder, missing_values=missing_values)
        asking = _Asking(answers, settings, tuple(cuts), search.url, progress)
        try:
            counts = asking.count_each_cut()
            num_all = counts[-1].num_left if counts else None
            if limit and (num_all is None or limit < num_all):
                frame, below = asking.fetch_spread(limit, num_all)
            else:
                frame, below = asking.fetch(spread.NUM_RANKS, num_all), spread.NUM_RANKS
            repeated = asking.fetch_repeats(below)
        except TableError as error:
            answers.forget()
            raise ServiceError(f"{error} Run the same command to ask again.") from error
    if not counts:
        counts = (Count("rows of the query", _NOT_COUNTED, f"SkyServer, {settings.release}", len(frame)),)
    if below < spread.NUM_RANKS or 0 < limit < len(frame):
        frame = frame.iloc[spread.choose_spread(frame["objID"].to_numpy(), limit)].reset_index(drop=True)
        counts = (*counts, Count(spread.name_spread(len(frame)), "to try things out", "[catalog] limit", len(frame)))
    if search.num_refusals:
        asking.notes.append(
            "SkyServer's limit of queries a minute was reached, perhaps together with other programs of your network; "
            "what it refused was asked again"
        )
    if settings.release != _RELEASE_OF_THE_PAPER:
        asking.notes.append(
            f"{settings.release} lacks the galaxies whose primary spectrum there is from BOSS or eBOSS, which MPA-JHU "
            f"did not measure; the paper's sample is from {_RELEASE_OF_THE_PAPER}"
        )
    info = {column.name: column.info for column in SKY_SERVER_COLUMNS}
    return Selection(Table(frame, info), counts, tuple(dict.fromkeys(asking.notes)), repeated)


@dataclass
class _Asking:
    """The queries of one selection, and the answers that did not come in time."""

    answers: KeptAnswers
    settings: SkyServerSettings
    cuts: tuple[str, ...]
    url: str
    progress: Progress
    notes: list[str] = field(default_factory=list)

    @property
    def patience_s(self) -> float:
        """Time after which what can be done without is not asked for again: no query that runs out of time, once."""
        return self.settings.timeout_s / 2

    def count_each_cut(self) -> tuple[Count, ...]:
        """How many galaxies the database has, and how many each cut leaves; none if it takes too long to know."""
        why = "primary spectra with what MPA-JHU derived, of galaxies with photometry"
        source = f"SkyServer, {self.settings.release}"
        with self.progress("Counting galaxies", len(self.cuts) + 1) as advance:
            # That of all cuts first, the one that matters: by it the rows are checked.
            num_passing = self.count(self.cuts)
            advance(1)
            if num_passing is None:
                return ()
            numbers = []
            for num_cuts in range(len(self.cuts)):
                number = self.count(self.cuts[:num_cuts])
                if number is None:
                    return (Count("rows of the query", _NOT_COUNTED, source, num_passing),)
                numbers.append(number)
                advance(1)
        first, *others = (*numbers, num_passing)
        named = zip(map(require_named_cut, self.cuts), others, strict=True)
        return (
            Count("all rows", why, source, first),
            *(Count(cut.condition, cut.why, cut.source, number) for cut, number in named),
        )

    def count(self, cuts: Sequence[str], below: int = spread.NUM_RANKS, *, ask_again: bool = False) -> int | None:
        """How many galaxies of ranks below a number pass cuts; None if it takes too long to know."""
        query = build_count_query(cuts, ranks_below=below)
        try:
            frame = self.answers.ask(query, [COUNT_COLUMN], ask_again=ask_again, patience_s=self.patience_s).frame
        except SlowQueryError:
            self.notes.append("SkyServer was too slow to count all of the galaxies that each cut leaves")
            return None
        if frame.shape != (1, 1) or not pd.api.types.is_integer_dtype(frame.dtypes.iloc[0]):
            raise TableError(f"{self.url} was asked for a number of galaxies, and answers with another table.")
        return int(frame.iloc[:, 0].to_numpy(dtype=np.int64)[0])

    def fetch_spread(self, limit: int, num_all: int | None) -> tuple[pd.DataFrame, int]:
        """At least so many galaxies, all those of ranks below a number, and that number."""
        # So many that there are hardly ever too few.
        wanted = limit + 4 * math.isqrt(limit) + 4
        below = math.ceil(spread.NUM_RANKS * wanted / (num_all or _NUM_OF_THE_PAPER))
        is_counted = True
        while below < spread.NUM_RANKS:
            number = self.count(self.cuts, below) if is_counted else None
            is_counted = number is not None
            if number is None or number >= limit:
                frame = self.fetch(below, number)
                number = len(frame)
                if number >= limit:
                    return frame, below
            below = math.ceil(below * max(2, wanted / max(1, number)))
        return self.fetch(spread.NUM_RANKS, num_all), spread.NUM_RANKS

    def fetch(self, below: int, number: int | None) -> pd.DataFrame:
        """All galaxies of ranks below a number that pass the cuts.

        Args:
            below: The number.
            number: How many they are, if that is known.
        """

        def build(num_rows: int, after: Key | None) -> str:
            return build_page_query(self.cuts, num_rows, after, ranks_below=below)

        about = math.ceil(_NUM_OF_THE_PAPER * below / spread.NUM_RANKS) if number is None else number
        with self.progress("Fetching galaxies", about) as advance:
            frame = self._fetch_pages(build, SKY_SERVER_COLUMNS, number, advance)
        if number is not None and len(frame) != number:
            again = self.count(self.cuts, below, ask_again=True)
            now = "" if again is None else f", and counts {again:,} now"
            raise TableError(f"{self.url} gave {len(frame):,} galaxies, and had counted {number:,}{now}.")
        return frame

    def fetch_repeats(self, below: int) -> pd.DataFrame | None:
        """Other spectra of galaxies of ranks below a number; None if the service does not give them."""

        def build(num_rows: int, after: Key | None) -> str:
            return build_repeats_query(num_rows, after, ranks_below=below)

        try:
            with self.progress("Fetching repeated spectra", 1) as advance:
                repeated = self._fetch_pages(build, REPEATED_COLUMNS, None, lambda num: None, self.patience_s)
                advance(1)
                return repeated
        except ServiceError as error:
            # The selection does not need them, and nobody has seen the real service answer this query.
            self.notes.append(f"which galaxies were measured again is not known: {error}")
            return None

    def _fetch_pages(
        self,
        build: Callable[[int, Key | None], str],
        columns: Sequence[SkyServerColumn],
        number: int | None,
        advance: Callable[[int], None],
        patience_s: float = math.inf,
    ) -> pd.DataFrame:
        """Pages until there are as many rows as there should be, or an empty one.

        A page that is shorter than asked for need not be the last: a service may have a limit of rows that it does not
        tell.
        """
        names = [column.name for column in columns]
        pages: list[pd.DataFrame] = []
        num_rows = 0
        after: Key | None = None
        while number is None or num_rows < number:
            most = self.settings.page_size if number is None else min(self.settings.page_size, number - num_rows)
            answer = self.answers.ask(build(most, after), names, patience_s=patience_s)
            page = _read(answer, columns, self.url).iloc[:most]
            _check_order(page, after, self.url)
            pages.append(page)
            if page.empty:
                break
            num_rows += len(page)
            after = int(page["objID"].iloc[-1]), int(page["specObjID"].iloc[-1])
            advance(len(page))
        return _join(pages, columns)


def _check_order(page: pd.DataFrame, after: Key | None, url: str) -> None:
    keys = list(zip(page["objID"].tolist(), page["specObjID"].tolist(), strict=True))
    if after is not None:
        keys.insert(0, after)
    if any(first >= second for first, second in itertools.pairwise(keys)):
        raise TableError(f"{url} answers with galaxies that are not in the order asked for.")


def _read(table: Table, columns: Sequence[SkyServerColumn], url: str) -> pd.DataFrame:
    """The columns of a page, of the types that they have in every page."""
    read = {}
    for column in columns:
        found = find_column(table, column.name, path=url, role="the query")
        read[column.name] = _read_column(table, found, column, url)
    return pd.DataFrame(read)


def _read_column(table: Table, name: str, column: SkyServerColumn, url: str) -> Any:
    if column.kind == "id":
        # Never through floats, which cannot tell neighbouring identifiers of 19 digits apart.
        return require_object_ids(table, name, path=url, may_repeat=True)
    values = table.frame[name]
    if column.kind == "text":
        words = [value.strip() if isinstance(value, str) else "" for value in values.tolist()]
        return build_text([None if word.casefold() in ("", "null") else word for word in words])
    if column.kind == "number":
        return require_numbers(table, name, path=url)
    if pd.api.types.is_integer_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("Int64")
    numbers = require_numbers(table, name, path=url)
    if not (np.isnan(numbers) | (numbers == np.round(numbers))).all():
        raise TableError(f"Column '{name}' of {url} does not hold integers.")
    return pd.Series(numbers).astype("Int64")


def _join(pages: list[pd.DataFrame], columns: Sequence[SkyServerColumn]) -> pd.DataFrame:
    if not pages:
        return pd.DataFrame({column.name: [] for column in columns})
    joined = pd.concat(pages, ignore_index=True)
    for name in joined.columns:
        if joined[name].dtype == "Int64" and not joined[name].hasnans:
            joined[name] = joined[name].astype(np.int64)
    return joined
