"""SearchTools/SqlSearch: the rows of a query, as SkyServer answers for it.

From the SDSS documentation and the service's source, as collected: CSV begins with a line `#Table1`, a missing value is
empty, and a query gives at most 500,000 rows. A query that is not let through gives status 200 and a table of one
column `error_message`; an error of the database gives status 500 and JSON with an `ErrorMessage`, and in older releases
a page with status 200.
"""

import io
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal

from metalight.stand_in.answer import Answer, build_error, build_error_row
from metalight.stand_in.database import Database
from metalight.stand_in.sky import Sky
from metalight.stand_in.t_sql import QueryRefusedError, explain

ROW_LIMIT = 500_000
"""Rows that SkyServer gives at most."""

CSV = "text/plain; charset=utf-8"

_MOST_BYTES = 2**29
"""Of an answer: the most rows of the paper's query are about 350 MB."""


class SqlSearch:
    """Answers for queries; may be shared by threads."""

    def __init__(self, sky: Sky, *, row_limit: int = ROW_LIMIT, is_old_release: bool = False) -> None:
        self._database = Database(sky)
        self._row_limit = row_limit
        self._is_old_release = is_old_release

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()

    def answer(self, parameters: Mapping[str, str]) -> Answer:
        """The answer to a request.

        Args:
            parameters: Of the query string, names in small letters.
        """
        form = parameters.get("format", "") or "csv"
        if form.lower() != "csv":
            return self._refuse("The stand-in gives format=csv alone.")
        query = parameters.get("cmd", "")
        try:
            with self._database.select(query, self._row_limit) as (names, rows):
                table = _write_csv(names, rows)
        except QueryRefusedError as refusal:
            return build_error_row("query error", f"{refusal}{query}")
        except (sqlite3.Error, sqlite3.Warning) as error:
            return self._refuse(explain(error))
        except MemoryError:  # so SQLite says that a statement is too long when it is prepared
            return self._refuse("Query too complex.")
        return Answer("query", 200, CSV, table)

    def _refuse(self, text: str) -> Answer:
        return build_error("query error", text, is_old_release=self._is_old_release)


def _write_csv(names: list[str], rows: Iterable[tuple[object, ...]]) -> bytes:
    written = io.BytesIO()
    written.write(b"#Table1\n" + ",".join(names).encode() + b"\n")
    for row in rows:
        written.write((",".join(map(_write_value, row)) + "\n").encode())
        if written.tell() > _MOST_BYTES:
            raise sqlite3.OperationalError("There is insufficient memory for all rows of the answer.")
    return written.getvalue()


def _write_value(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if any(sign in value for sign in ',"\n\r') else value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    text = str(value)
    # Of floats, so that no reader needs to know of powers of ten.
    return f"{Decimal(text):f}" if "e" in text else text
