"""Columns of a table: found by name, and taken as numbers or refused with the reason.

Rows in messages count from 1, the first row below the column names.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError, name_nearest
from metalight.tables.table import Table

MOST_COLUMNS = 20_000
"""Columns a table may have; each takes about a millisecond and a kilobyte, however few bytes it has in a file."""


def find_column(table: Table, name: str, *, path: Path | str, role: str) -> str:
    """The name of a column as the table spells it: the very same, or else the one that differs only in case.

    Args:
        table: The table to look in.
        name: Name of the column; case, and blanks around it, need not be those of the file.
        path: File of the table, or where else it comes from, for the message.
        role: The setting that names the column, such as `[catalog] object_id`, for the message.

    Raises:
        TableError: There is no such column, and the message suggests the nearest name; or there are several that
            differ from it only in case.
    """
    names = list(table.frame.columns)
    alike = match_columns(table, name)
    if len(alike) > 1:
        listed = " and ".join(f"'{known}'" for known in alike)
        raise TableError(f"{path} has the columns {listed}, and {role} names '{name}'; write one of them exactly.")
    if not alike:
        raise TableError(f"{path} has no column '{name}', which {role} names.{name_nearest(name, names)}")
    return alike[0]


def match_columns(table: Table, name: str) -> list[str]:
    """The columns that a name may mean: the very same alone, or else all that differ from it only in case."""
    names = list(table.frame.columns)
    return [name] if name in names else [known for known in names if _fold(known) == _fold(name)]


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
            f"{row + 1}. Correct it, leave it empty, or save the column as numbers."
        )
    if not is_number:
        return np.full(len(values), np.nan)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def check_names(names: list[str], path: Path) -> None:
    """Refuse a file in which two columns have one name, or with more columns than a table has.

    Raises:
        TableError: They have, or there are more.
    """
    if len(names) > MOST_COLUMNS:
        raise TableError(f"{path} has {len(names)} columns; metalight reads up to {MOST_COLUMNS}, so remove some.")
    repeated = pd.Series(names, dtype=object)
    twice = repeated[repeated.duplicated()].tolist()
    if twice:
        raise TableError(f"{path} has several columns named '{twice[0]}'; rename or remove all but one.")


def refuse_columns(names: list[str], path: Path) -> None:
    """Refuse a file if any columns are named: those that hold lists, arrays or records.

    Raises:
        TableError: `names` is not empty.
    """
    if names:
        listed = ", ".join(f"'{name}'" for name in names[:8]) + (", …" if len(names) > 8 else "")
        raise TableError(
            f"{path} has columns that do not hold one plain value a row: {listed}. Remove them, or make a column of "
            "each part."
        )


def _reads_as_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
