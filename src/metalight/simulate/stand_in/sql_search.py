"""SearchTools/SqlSearch: the rows of a query, as SkyServer answers for it.

What is known of the service is from the SDSS documentation, as collected: CSV begins with a line `#Table1`, a query
gives at most 500,000 rows and takes at most 600 s, and errors come as a page of HTML, with status 200 or 500.
"""

import io
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal

from metalight.simulate.stand_in.answer import Answer, build_page
from metalight.simulate.stand_in.database import Database
from metalight.simulate.stand_in.sky import Sky

ROW_LIMIT = 500_000
"""Rows that SkyServer gives at most."""


class SqlSearch:
    """Answers for queries; may be shared by threads."""

    def __init__(self, sky: Sky, *, row_limit: int = ROW_LIMIT, error_status: int = 500) -> None:
        self._database = Database(sky)
        self._row_limit = row_limit
        self._error_status = error_status

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
            return self._refuse(f"The stand-in gives format=csv alone, not {form}.")
        try:
            with self._database.select(parameters.get("cmd", ""), self._row_limit) as (names, rows):
                table = _write_csv(names, rows)
        except sqlite3.Error as error:
            return self._refuse(f"SQL error: {error}")
        return Answer("query", 200, "text/plain; charset=utf-8", table)

    def _refuse(self, text: str) -> Answer:
        return build_page("query error", self._error_status, "SkyServer: your query could not be answered", text)


def _write_csv(names: list[str], rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    text.write("#Table1\n")
    text.write(",".join(names) + "\n")
    text.writelines(",".join(map(_write_value, row)) + "\n" for row in rows)
    return text.getvalue().encode()


def _write_value(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if any(sign in value for sign in ',"\n\r') else value
    if value is None:
        return "null"
    text = str(value)
    # Of floats, so that no reader needs to know of powers of ten.
    return f"{Decimal(text):f}" if "e" in text else text
