"""The columns of a file: those that can be used, and why each of the others cannot.

Nobody may have asked for a column that cannot be used, so it does not spoil the table. `find_column` refuses it, with
the reason, when a setting names it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from metalight.errors import TableError, quote_flaw
from metalight.tables.table import ColumnInfo, Table

MOST_COLUMNS = 20_000
"""Columns a table may have; each takes about a millisecond and a kilobyte, however few bytes it has in a file."""


class UsableColumns:
    """Collects the columns of a file in its order."""

    def __init__(self, names: Sequence[str], path: Path) -> None:
        """Nothing yet; columns that share a name are left out.

        Args:
            names: Of all columns of the file.
            path: Of the file, for the message.

        Raises:
            TableError: There are more columns than a table has.
        """
        if len(names) > MOST_COLUMNS:
            raise TableError(f"{path} has {len(names)} columns; metalight reads up to {MOST_COLUMNS}, so remove some.")
        self.left_out: dict[str, str] = {}
        self._columns: dict[str, pd.Series[Any]] = {}
        known: set[str] = set()
        for name in names:
            if name in known:
                self.leave_out(name, "is there more than once: rename or remove all but one")
            known.add(name)

    def leave_out(self, name: str, why: str) -> None:
        """Say why a column cannot be used; the first reason stays."""
        self.left_out.setdefault(name, why)
        self._columns.pop(name, None)

    def add(self, name: str, build: "Callable[[], pd.Series[Any]]", errors: tuple[type[Exception], ...]) -> None:
        """Take a column, unless it is left out or `build` raises one of `errors`, whose text is then the reason."""
        if name in self.left_out:
            return
        try:
            self._columns[name] = build()
        except errors as error:
            self.leave_out(name, f"cannot be read: {quote_flaw(error)}")

    def build_table(self, info: Mapping[str, ColumnInfo], notes: Sequence[str] = ()) -> Table:
        """The table of the usable columns."""
        known = {name: of for name, of in info.items() if of != ColumnInfo() and name in self._columns}
        return Table(pd.DataFrame(self._columns), known, left_out=self.left_out, notes=tuple(notes))
