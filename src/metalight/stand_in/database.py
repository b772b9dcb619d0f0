"""The tables of SDSS that the paper's query joins, in memory, and the one kind of statement that they answer.

Queries are T-SQL at SkyServer and SQLite here; `translate` brings one to the other. Whatever a query says, it takes a
bounded time and space: it may call the functions of a list, gives no more rows than the limit and no long values, pairs
no table's rows with all of another's, and is ended at a deadline.
"""

import contextlib
import itertools
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from metalight.stand_in.sky import Sky
from metalight.stand_in.survey_tables import build_tables
from metalight.stand_in.t_sql import QueryRefusedError, translate

_LONGEST_QUERY_S = 60.0
"""SkyServer takes up to 600 s; no sensible query takes the stand-in nearly as long."""

_STEPS_BETWEEN_CHECKS = 10_000

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 8_000,  # bytes of a value and of a row; one of all tables has 3,000
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 5_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 1,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 0,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

_FUNCTIONS = frozenset(
    (
        *("avg", "count", "max", "min", "sum"),
        *("abs", "ceiling", "exp", "floor", "log", "log10", "pi", "power", "round", "sign", "sqrt"),
        *("acos", "asin", "atan", "cos", "degrees", "radians", "sin", "tan"),
        *("coalesce", "ifnull", "nullif"),
        *("lower", "ltrim", "rtrim", "substring", "trim", "upper"),
    )
)
"""That queries may call: none makes a long text of a short one, or takes long over one value."""

_VIEWS = {
    "PhotoObj": "Galaxy",
    "PhotoObjAll": "Galaxy",
    "PhotoPrimary": "Galaxy",
    "SpecObj": "SpecObjAll WHERE sciencePrimary = 1",
}


class Database:
    """The tables; may be shared by threads, which wait for each other."""

    def __init__(self, sky: Sky) -> None:
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._is_closed = False
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        tables = build_tables(sky)
        for name, table in tables.items():
            _fill(self._connection, name, table)
        # As at SkyServer: spectra of an object are found without looking at all of them.
        self._connection.execute("CREATE INDEX spectra_of_objects ON SpecObjAll (bestObjID)")
        for view, rows in _VIEWS.items():
            self._connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {rows}")
        # What a query sorts or tells apart may lie on disk.
        self._connection.execute("PRAGMA temp_store = FILE")
        self._connection.execute("PRAGMA query_only = ON")
        for limit, value in _LIMITS.items():
            self._connection.setlimit(limit, value)
        self._readable = frozenset(name.casefold() for name in (*tables, *_VIEWS))
        self._connection.set_authorizer(self._authorize)
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
            QueryRefusedError: It is not such a query.
            sqlite3.Error: It cannot be answered; also while rows are asked for.
        """
        translated = translate(query, row_limit)
        if not self._lock.acquire(timeout=_LONGEST_QUERY_S):
            raise sqlite3.OperationalError("interrupted")
        try:
            self._deadline = time.monotonic() + _LONGEST_QUERY_S
            self._refuse_pairs(translated)
            with contextlib.closing(self._connection.execute(translated)) as cursor:
                yield [column[0] for column in cursor.description], itertools.islice(cursor, row_limit)
        finally:
            self._lock.release()

    def _refuse_pairs(self, translated: str) -> None:
        """Refuse a query that pairs all rows of a table with all, or many, of another: it has no end.

        Raises:
            QueryRefusedError: It is such a query.
        """
        wide: Counter[int] = Counter()
        for _, parent, _, detail in self._connection.execute(f"EXPLAIN QUERY PLAN {translated}"):
            is_loop = detail.startswith(("SCAN", "SEARCH", "MULTI-INDEX OR"))
            is_narrow = detail.startswith("SEARCH") and "=?" in detail and "AUTOMATIC" not in detail
            wide[parent] += is_loop and not is_narrow
        if max(wide.values(), default=0) > 1:
            raise QueryRefusedError("error: tables must be joined by objID or specObjID: ")

    def _authorize(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        is_allowed = (
            action == sqlite3.SQLITE_SELECT
            or (action == sqlite3.SQLITE_READ and (first or "").casefold() in self._readable)
            or (action == sqlite3.SQLITE_FUNCTION and (second or "").casefold() in _FUNCTIONS)
        )
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY

    def _is_too_late(self) -> int:
        return int(self._is_closed or time.monotonic() > self._deadline)


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
