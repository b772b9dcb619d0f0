"""A table: rows and columns, with the unit and description of each column."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

SENTINELS = (-9999.0, -999.0, -99.0)
"""Numbers that stand for "not measured" in the catalogues of SDSS and others."""

_COLUMNS_SHOWN = 4


@dataclass(frozen=True)
class ColumnInfo:
    """Unit and description of a column."""

    unit: str = ""
    """Unit as the file spells it, such as `dex`; empty if it has none."""

    description: str = ""
    """Description of the column; empty if there is none."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and columns, and what the columns mean."""

    frame: pd.DataFrame
    """The rows. Integers are int64, or nullable Int64 where one is missing (uint64 and UInt64 where int64 is too
    small); missing floats are NaN; booleans with missing values are nullable."""

    info: dict[str, ColumnInfo] = field(default_factory=dict)
    """Units and descriptions by column name; columns that have neither may be left out."""

    left_out: dict[str, str] = field(default_factory=dict)
    """Columns of the file that are not in `frame`, by name, and why not: `holds 5 values a row`. A setting that names
    one of them is refused by `find_column`; otherwise they do not matter."""

    notes: tuple[str, ...] = ()
    """How the file was read, where its reader had a choice: `read the table 'LDAC_OBJECTS'`."""

    spelled: "dict[str, pd.Series[Any]]" = field(default_factory=dict)
    """The text of columns of numbers or booleans that may be names, such as `1e5`, where a file does not say what it
    has."""


def take_rows(table: Table, rows: npt.NDArray[np.intp]) -> Table:
    """Some rows of a table, in the order given, with all that is known of it."""
    spelled = {name: texts.iloc[rows].reset_index(drop=True) for name, texts in table.spelled.items()}
    return replace(table, frame=table.frame.iloc[rows].reset_index(drop=True), spelled=spelled)


def describe_reading(table: Table) -> str:
    """One line on how the file of a table was read and which of its columns are left out; empty if all is plain."""
    notes = list(table.notes)
    if table.left_out:
        shown = [f"'{name}' ({why})" for name, why in list(table.left_out.items())[:_COLUMNS_SHOWN]]
        num = len(table.left_out)
        listed = ", ".join(shown) + (", …" if num > len(shown) else "")
        notes.append(f"left out {f'{num} columns' if num > 1 else 'the column'} {listed}")
    return "; ".join(notes)
