"""Answers of SkyServer on disk: an interrupted selection resumes, and a repeated one sends no requests."""

import gzip
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from metalight.atomic import replace_file
from metalight.catalog.sky_server.client import SqlSearch
from metalight.errors import TableError, is_of_the_place
from metalight.tables import Table, load_table


class KeptAnswers:
    """Asks a service, unless the answer is in a folder already.

    Each answer is a file of CSV, as it was served, below the query that it answers; it is whole or not there.
    """

    def __init__(self, search: SqlSearch, folder: Path, *, missing_values: Sequence[float]) -> None:
        """Answers of one service.

        Args:
            search: The service.
            folder: Where answers are kept.
            missing_values: Numbers that stand for "not measured".
        """
        self._search = search
        self._folder = folder
        self._missing_values = missing_values
        self._used: list[Path] = []

    def ask(self, sql: str, columns: Sequence[str], *, ask_again: bool = False, patience_s: float = math.inf) -> Table:
        """The table that answers a query.

        Args:
            sql: The query.
            columns: Names of the columns that it asks for.
            ask_again: Ask even if the answer is kept.
            patience_s: Time after which the service is not asked again.

        Raises:
            SlowQueryError: The service takes too long.
            ServiceError: The service does not answer with a table.
            TableError: What it answers with cannot be read as one.
        """
        asked = f"{self._search.url}\n{sql}"
        path = self._folder / f"{hashlib.sha256(asked.encode()).hexdigest()}.csv.gz"
        self._used.append(path)
        if path.is_file() and not ask_again:
            try:
                return load_table(path, missing_values=self._missing_values)
            except TableError as error:
                if isinstance(error.__cause__, OSError) and is_of_the_place(error.__cause__):
                    raise  # a full disk is no reason to ask again
                path.unlink()  # damaged since it was kept
        body = self._search.fetch_csv(sql, columns, patience_s=patience_s)
        told = "".join(f"# {line}\n" for line in asked.splitlines())
        with replace_file(path) as temporary:
            temporary.write_bytes(gzip.compress(told.encode() + body, compresslevel=4, mtime=0))
        return load_table(path, missing_values=self._missing_values)

    def forget(self) -> None:
        """Delete the answers that were used: they do not fit together."""
        for path in self._used:
            path.unlink(missing_ok=True)
