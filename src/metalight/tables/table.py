"""What a table is: rows and columns, and the unit and description of each column."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

SENTINELS = (-9999.0, -999.0, -99.0)
"""Numbers that stand for "not measured" in the catalogues of SDSS and others."""


@dataclass(frozen=True)
class ColumnInfo:
    """What the numbers of a column mean."""

    unit: str = ""
    """Unit as the file spells it, such as `dex`; empty if it has none."""

    description: str = ""
    """What the column holds; empty if nobody said."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and columns, and what the columns mean."""

    frame: pd.DataFrame
    """The rows. Integers are int64, or nullable Int64 where one is missing (uint64 and UInt64 where int64 is too
    small); missing floats are NaN; booleans with missing values are nullable."""

    info: dict[str, ColumnInfo] = field(default_factory=dict)
    """Units and descriptions by column name; columns that have neither may be left out."""

    spelled: "dict[str, pd.Series[Any]]" = field(default_factory=dict)
    """The text of columns of numbers or booleans that may be names, such as `1e5`, where a file does not say what it
    has."""


def build_table(columns: "Mapping[str, pd.Series[Any]]", info: Mapping[str, ColumnInfo]) -> Table:
    """A table of these columns, in this order; of those that have neither unit nor description nothing is said."""
    return Table(pd.DataFrame(columns), {name: known for name, known in info.items() if known != ColumnInfo()})
