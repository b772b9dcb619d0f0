"""The galaxies of SkyServer that pass cuts: counted at each, fetched in pages, and none lost between them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.catalog.galaxies import Count
from metalight.catalog.sdss_cuts import require_named_cut
from metalight.catalog.sky_server.client import SqlSearch
from metalight.catalog.sky_server.kept import KeptAnswers
from metalight.catalog.sky_server.query import (
    SKY_SERVER_COLUMNS,
    SkyServerColumn,
    build_count_query,
    build_page_query,
)
from metalight.errors import ServiceError, TableError
from metalight.progress import Progress, no_progress
from metalight.recipe import NetworkSettings, SkyServerSettings
from metalight.tables import SENTINELS, Table, build_text, find_column, require_numbers, require_object_ids


@dataclass(frozen=True, eq=False)
class Selection:
    """Galaxies that were selected from SDSS, before what can only be looked at on all of them."""

    table: Table
    """Columns as SDSS spells them."""

    counts: tuple[Count, ...]
    """How many the database left at each cut."""

    notes: tuple[str, ...] = ()
    """What a person should know of it."""


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

    Args:
        settings: Which service, and how fast.
        network: How to ask any service.
        cuts: Names of cuts, in order.
        folder: Where answers are kept.
        limit: Take only so many, the first by objID, which lie together on the sky; 0 takes all.
        missing_values: Numbers that stand for "not measured".
        progress: Shows how far it is.

    Raises:
        ServiceError: The service does not answer, or its answers do not fit together.
    """
    with SqlSearch(settings, network) as search:
        answers = KeptAnswers(search, folder, missing_values=missing_values)
        try:
            counts = _count(answers, cuts, settings.release, search.url, progress)
            wanted = min(limit, counts[-1].num_left) if limit else counts[-1].num_left
            pages = _fetch_pages(answers, cuts, settings.page_size, wanted, search.url, progress)
            num_rows = sum(len(page) for page in pages)
            if num_rows != wanted:
                _check_count(answers, cuts, num_rows, wanted, search.url)
        except TableError as error:
            answers.forget()
            raise ServiceError(f"{error} Give the same command to ask again.") from error
    if limit and limit < counts[-1].num_left:
        counts = (*counts, Count(f"the first {limit} by objID", "to try things out", "[catalog] limit", wanted))
    info = {column.name: column.info for column in SKY_SERVER_COLUMNS}
    return Selection(Table(_join(pages), info), counts)


def _count(answers: KeptAnswers, cuts: Sequence[str], release: str, url: str, progress: Progress) -> tuple[Count, ...]:
    """How many galaxies the database has, and how many each cut leaves."""
    why = "primary spectra with what MPA-JHU derived, of galaxies with photometry"
    with progress("Counting galaxies", len(cuts) + 1) as advance:
        counts = [Count("all rows", why, f"SkyServer, {release}", _ask_count(answers, (), url))]
        advance(1)
        for number, name in enumerate(cuts, start=1):
            cut = require_named_cut(name)
            counts.append(Count(cut.condition, cut.why, cut.source, _ask_count(answers, cuts[:number], url)))
            advance(1)
    return tuple(counts)


def _ask_count(answers: KeptAnswers, cuts: Sequence[str], url: str, *, anew: bool = False) -> int:
    frame = answers.ask(build_count_query(cuts), anew=anew).frame
    if frame.shape != (1, 1) or not pd.api.types.is_integer_dtype(frame.dtypes.iloc[0]):
        raise TableError(f"{url} was asked for a number of galaxies, and answers with another table.")
    return int(frame.iloc[:, 0].to_numpy(dtype=np.int64)[0])


def _fetch_pages(
    answers: KeptAnswers, cuts: Sequence[str], page_size: int, wanted: int, url: str, progress: Progress
) -> list[pd.DataFrame]:
    """Pages until there are as many galaxies as wanted, or an empty one.

    A page that is shorter than asked for need not be the last: a service may have a limit of rows that it does not
    tell.
    """
    pages: list[pd.DataFrame] = []
    num_rows = 0
    after: tuple[int, int] | None = None
    with progress("Fetching galaxies", wanted) as advance:
        while num_rows < wanted:
            most = min(page_size, wanted - num_rows)
            page = _read(answers.ask(build_page_query(cuts, most, after)), url).iloc[:most]
            _check_order(page, after, url)
            pages.append(page)
            if page.empty:
                break
            num_rows += len(page)
            after = int(page["objID"].iloc[-1]), int(page["specObjID"].iloc[-1])
            advance(len(page))
    return pages


def _check_order(page: pd.DataFrame, after: tuple[int, int] | None, url: str) -> None:
    keys = list(zip(page["objID"].tolist(), page["specObjID"].tolist(), strict=True))
    if after is not None:
        keys.insert(0, after)
    if any(first >= second for first, second in itertools.pairwise(keys)):
        raise TableError(f"{url} answers with galaxies that are not in the order asked for.")


def _check_count(answers: KeptAnswers, cuts: Sequence[str], num_rows: int, wanted: int, url: str) -> None:
    """Refuse fewer galaxies than the database says that it has.

    Raises:
        TableError: Always: the answers do not fit together.
    """
    again = _ask_count(answers, cuts, url, anew=True)
    raise TableError(f"{url} gave {num_rows:,} galaxies, and had counted {wanted:,}, and counts {again:,} now.")


def _read(table: Table, url: str) -> pd.DataFrame:
    """The columns of a page, of the types that they have in every page."""
    columns = {}
    for column in SKY_SERVER_COLUMNS:
        found = find_column(table, column.name, path=url, role="the query")
        columns[column.name] = _read_column(table, found, column, url)
    return pd.DataFrame(columns)


def _read_column(table: Table, name: str, column: SkyServerColumn, url: str) -> Any:
    if column.kind == "id":
        # Never through floats, which cannot tell neighbouring identifiers of 19 digits apart.
        return require_object_ids(table, name, path=url, may_repeat=True)
    values = table.frame[name]
    if column.kind == "text":
        return build_text([value if isinstance(value, str) else None for value in values.tolist()])
    if column.kind == "number":
        return require_numbers(table, name, path=url)
    if pd.api.types.is_integer_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("Int64")
    numbers = require_numbers(table, name, path=url)
    if not (np.isnan(numbers) | (numbers == np.round(numbers))).all():
        raise TableError(f"Column '{name}' of {url} does not hold integers.")
    return pd.Series(numbers).astype("Int64")


def _join(pages: list[pd.DataFrame]) -> pd.DataFrame:
    if not pages:
        columns = Table(pd.DataFrame({column.name: [] for column in SKY_SERVER_COLUMNS}))
        return columns.frame
    joined = pd.concat(pages, ignore_index=True)
    for name in joined.columns:
        if joined[name].dtype == "Int64" and not joined[name].hasnans:
            joined[name] = joined[name].astype(np.int64)
    return joined
