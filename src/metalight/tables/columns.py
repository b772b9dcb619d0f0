"""Columns of a table: found by name, and taken as numbers or refused with the reason.

Rows in messages count from 1, the first row below the column names.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError, name_nearest, shorten
from metalight.tables.table import Table

_TABLES_SHOWN = 4
_MOST_CLASSES = 20


def find_column(table: Table, name: str, *, path: Path | str, role: str) -> str:
    """The name of a column as the table spells it: the very same, or else the one that differs only in case.

    Args:
        table: The table to look in.
        name: Name of the column; case, and blanks around it, need not be those of the file.
        path: File of the table, or where else it comes from, for the message.
        role: The setting that names the column, such as `[catalog] object_id`, for the message.

    Raises:
        TableError: There is no such column, and the message suggests the nearest name; or there are several that
            differ from it only in case; or it is one that cannot be used, and the message says why.
    """
    names = list(table.frame.columns)
    alike = match_columns(table, name)
    for known, why in table.left_out.items():
        if known == name or (not alike and _fold(known) == _fold(name)):
            raise TableError(
                f"Column '{known}' of {path}, which {role} names, {why}. Fix that column, or name another one."
            )
    if len(alike) > 1:
        listed = " and ".join(f"'{known}'" for known in alike)
        raise TableError(f"{path} has the columns {listed}, and {role} names '{name}'; write one of them exactly.")
    if not alike:
        read = f" ({'; '.join(table.notes)})" if table.notes else ""
        raise TableError(f"{path} has no column '{name}', which {role} names{read}.{name_nearest(name, names)}")
    return alike[0]


def match_columns(table: Table, name: str) -> list[str]:
    """The columns that a name may mean: the very same alone, or else all that differ from it only in case."""
    names = list(table.frame.columns)
    return [name] if name in names else [known for known in names if _fold(known) == _fold(name)]


def choose_table(tables: Sequence[Sequence[str]], wanted: Sequence[str], lengths: Sequence[int] = ()) -> int:
    """Which of several tables of a file is meant: the first of those that have the most of the wanted columns.

    Args:
        tables: The column names of each.
        wanted: In any case.
        lengths: The rows of each, if known: the longest table is meant where none has a wanted column.
    """
    asked = {_fold(name) for name in wanted}
    num_found = [len(asked & {_fold(name) for name in names}) for names in tables]
    ranks = num_found if any(num_found) or not lengths else list(lengths)
    return ranks.index(max(ranks))


def describe_choice(tables: list[str], place: int) -> tuple[str, ...]:
    """A note on which of the tables of a file was read, by their names; none if there is only one."""
    if len(tables) < 2:
        return ()
    others = [shorten(name, 40) for name in tables[:place] + tables[place + 1 :]]
    listed = ", ".join(f"'{name}'" for name in others[:_TABLES_SHOWN]) + (", …" if len(others) > _TABLES_SHOWN else "")
    return (f"read the table '{shorten(tables[place], 40)}' of {len(tables)}, not {listed}",)


def has_columns(names: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a table with these columns has all that are wanted, in any case."""
    return {_fold(name) for name in wanted} <= {_fold(name) for name in names}


def _fold(name: str) -> str:
    return name.strip().casefold()


def require_numbers(table: Table, column: str, *, path: Path | str) -> npt.NDArray[np.float64]:
    """Numbers of a column; NaN where one is missing.

    Args:
        table: The table.
        column: Column of floats or integers.
        path: File of the table, or where else it comes from, for the message.

    Raises:
        TableError: The column holds text, booleans or dates.
    """
    values = table.frame[column]
    is_number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    present = values.notna().to_numpy()
    if not is_number and present.any():
        bad = [row for row in np.flatnonzero(present) if not _reads_as_number(values.iloc[row])]
        row = int(bad[0] if bad else np.flatnonzero(present)[0])
        raise TableError(
            f"Column '{column}' of {path} does not hold numbers, but {values.dtype}: '{values.iloc[row]}' in row "
            f"{row + 1}. {_explain_fix(values, len(bad))}"
        )
    if not is_number:
        return np.full(len(values), np.nan)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _explain_fix(values: "pd.Series[Any]", num_bad: int) -> str:
    """What to do about a column that does not hold numbers; classes can be learnt as zeros and ones."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return "metalight predicts numbers: save the column as 0 and 1, and the prediction is about the chance of 1."
    num_present, num_kinds = int(values.notna().sum()), int(values.astype("str").nunique())
    if num_bad == num_present and num_kinds <= min(_MOST_CLASSES, num_present - 1):
        return (
            "metalight predicts numbers. If these are classes, make a column of 0 and 1 for each class, and name these "
            "columns: each prediction is about the chance of its class."
        )
    return "Correct it, leave it empty, or save the column as numbers."


def _reads_as_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
