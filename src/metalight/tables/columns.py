"""Columns of a table: found by name, and taken as identifiers or numbers or refused with the reason.

Rows in messages count from 1, the first row below the column names.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError, name_nearest, shorten
from metalight.tables.table import Table

_TABLES_SHOWN = 4
_LARGEST_OBJECT_ID = 2**63 - 1
_INTEGER = re.compile(r"[+-]?[0-9]+")


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


def choose_table(tables: Sequence[Sequence[str]], wanted: Sequence[str]) -> int:
    """Which of several tables of a file is meant: the first of those that have the most of the wanted columns.

    Args:
        tables: The column names of each.
        wanted: In any case.
    """
    asked = {_fold(name) for name in wanted}
    num_found = [len(asked & {_fold(name) for name in names}) for names in tables]
    return num_found.index(max(num_found))


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


def require_object_ids(
    table: Table, column: str, *, path: Path | str, may_repeat: bool = False
) -> npt.NDArray[np.int64]:
    """Identifiers of galaxies, exact, each once, in the order of the rows.

    Args:
        table: The table.
        column: Column of integers, or of text that spells integers.
        path: File of the table, or where else it comes from, for the messages.
        may_repeat: Whether one may be there twice, as in a list that only says which galaxies are meant.

    Raises:
        TableError: The column holds decimal numbers, an identifier is missing, is not an integer from 0 to 2**63 − 1,
            or is there twice.
    """
    values = table.frame[column]
    where = f"Column '{column}' of {path}"
    if pd.api.types.is_float_dtype(values.dtype) and values.notna().any():
        raise TableError(
            f"{where} holds decimal numbers ({values.dtype}), which above 2**53 cannot tell neighbouring integers "
            "apart, so that two galaxies may become one; save the identifiers as integers or as text."
        )
    _refuse_missing(values, where)
    if pd.api.types.is_integer_dtype(values.dtype):
        ids = [int(value) for value in values.tolist()]
    else:
        ids = [_parse_id(value, where, row) for row, value in enumerate(values.tolist(), start=1)]
    for row, object_id in enumerate(ids, start=1):
        if not 0 <= object_id <= _LARGEST_OBJECT_ID:
            flaw = "is negative" if object_id < 0 else "is larger than 64 bits hold"
            raise TableError(f"{where} cannot identify galaxies: {object_id} in row {row} {flaw}. Correct that row.")
    if not may_repeat:
        _refuse_repeated(ids, where)
    return np.array(ids, dtype=np.int64)


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


def _refuse_missing(values: "pd.Series[Any]", where: str) -> None:
    is_missing = values.isna().to_numpy()
    if is_missing.any():
        raise TableError(
            f"{where} lacks {is_missing.sum()} of {len(values)} identifiers, first in row "
            f"{int(np.argmax(is_missing)) + 1}. Fill them in, or remove these rows."
        )


def _refuse_repeated(ids: list[int], where: str) -> None:
    first_rows: dict[int, int] = {}
    again = []
    for row, object_id in enumerate(ids, start=1):
        if first_rows.setdefault(object_id, row) != row:
            again.append(row)
    if again:
        object_id = ids[again[0] - 1]
        raise TableError(
            f"{where} has identifiers twice, in {len(again)} of {len(ids)} rows: {object_id} is in row "
            f"{first_rows[object_id]} and in row {again[0]}. Keep one row for each galaxy."
        )


def _parse_id(value: object, where: str, row: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not _INTEGER.fullmatch(text) or len(text) > 40:
        raise TableError(
            f"{where} cannot identify galaxies: '{text[:60]}' in row {row} is not an integer. Identifiers are whole "
            "numbers such as 1237648720693755918."
        )
    return int(text)


def _reads_as_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
