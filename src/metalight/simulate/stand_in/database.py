"""The tables of SDSS that the paper's query joins, in memory, and the one kind of statement that they answer.

Queries are T-SQL at SkyServer and SQLite here; of what differs, `TOP`, `OFFSET … FETCH`, `dbo.` and hints are
translated.
"""

import contextlib
import itertools
import re
import sqlite3
import threading
import time
from collections.abc import Iterator

import pandas as pd

from metalight.simulate.stand_in.sky import Sky
from metalight.simulate.stand_in.survey_tables import build_tables

_LONGEST_QUERY_S = 600.0
"""As at SkyServer."""

_STEPS_BETWEEN_CHECKS = 100_000

_TOKENS = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\"|\[[^\]]*\])|(--[^\n]*|/\*.*?\*/)", re.DOTALL)
_TOP = re.compile(r"\A\s*select\s+(distinct\s+|all\s+)?top\s*(?:\(\s*(\d+)\s*\)|(\d+)\b)", re.IGNORECASE)
_FETCH = re.compile(
    r"\boffset\s+(\d+)\s+rows?(?:\s+fetch\s+(?:next|first)\s+(\d+)\s+rows?\s+only)?\s*\Z", re.IGNORECASE
)

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


class Database:
    """The tables; may be shared by threads, which wait for each other."""

    def __init__(self, sky: Sky) -> None:
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._is_closed = False
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        for name, table in build_tables(sky).items():
            _fill(self._connection, name, table)
        for view, rows in _VIEWS.items():
            self._connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {rows}")
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.set_authorizer(_authorize)
        self._connection.set_progress_handler(self._is_too_late, _STEPS_BETWEEN_CHECKS)

    def close(self) -> None:
        """Give the memory back, once the query in hand has ended."""
        self._is_closed = True
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def select(self, query: str, row_limit: int) -> Iterator[tuple[list[str], Iterator[tuple[object, ...]]]]:
        """A block with the names of the columns, and the first rows of a query, found as they are asked for.

        Args:
            query: A single SELECT.
            row_limit: How many rows there are at most.

        Raises:
            sqlite3.Error: It cannot be answered; also while rows are asked for.
        """
        translated = translate(query)
        if not re.match(r"\s*select\b", translated, re.IGNORECASE):
            raise sqlite3.OperationalError("only a single SELECT statement is answered")
        with self._lock:
            self._deadline = time.monotonic() + _LONGEST_QUERY_S
            with contextlib.closing(self._connection.execute(translated)) as cursor:
                yield [column[0] for column in cursor.description], itertools.islice(cursor, row_limit)

    def _is_too_late(self) -> int:
        return int(self._is_closed or time.monotonic() > self._deadline)


_VIEWS = {
    "PhotoObj": "Galaxy",
    "PhotoObjAll": "Galaxy",
    "PhotoPrimary": "Galaxy",
    "SpecObj": "SpecObjAll WHERE sciencePrimary = 1",
}


def translate(query: str) -> str:
    """A query in T-SQL as SQLite understands it; what is in quotes stays as it is."""
    pieces = _TOKENS.split(query)
    # Every third piece is free text, the second in quotes, the third a comment.
    texts = []
    for free, quoted, comment in zip(pieces[::3], [*pieces[1::3], None], [*pieces[2::3], None], strict=True):
        free = re.sub(r"\bdbo\.", "", free, flags=re.IGNORECASE)
        texts.append(re.sub(r"\bwith\s*\(\s*nolock\s*\)", "", free, flags=re.IGNORECASE))
        texts.append(quoted or (" " if comment else ""))
    translated = "".join(texts).strip().rstrip(";").rstrip()
    top = _TOP.match(translated)
    if top:
        return f"SELECT {top[1] or ''}{translated[top.end() :]} LIMIT {top[2] or top[3]}"
    paging = _FETCH.search(translated)
    if paging:
        return f"{translated[: paging.start()]} LIMIT {paging[2] or -1} OFFSET {paging[1]}"
    return translated


def _fill(connection: sqlite3.Connection, name: str, table: pd.DataFrame) -> None:
    key = table.columns[0]
    columns = ", ".join(
        f'"{column}" {_TYPES[table[column].dtype.kind]}{" PRIMARY KEY" if column == key else ""}' for column in table
    )
    connection.execute(f"CREATE TABLE {name} ({columns})")
    places = ", ".join("?" * len(table.columns))
    rows = zip(*(table[column].tolist() for column in table), strict=True)
    connection.execute("BEGIN")
    connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)
    connection.execute("COMMIT")


_TYPES = {"i": "INTEGER", "f": "REAL", "O": "TEXT", "U": "TEXT"}


def _authorize(action: int, table: str | None, *_: object) -> int:
    if action == sqlite3.SQLITE_READ and (table or "").lower().startswith("sqlite_"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
