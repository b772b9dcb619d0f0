"""A table in parts: Parquet files that a pattern or a folder names, with the same columns."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.errors import TableError
from metalight.tables.missing import build_integers
from metalight.tables.table import ColumnInfo, Table, build_table

_SUFFIXES = (".parquet", ".pq")


def list_parts(path: Path) -> list[Path]:
    """The Parquet files that a path with `*` or `?` in its name, or a folder, stands for, sorted; none for any other.

    Hidden files are passed over, such as one that is being written.

    Raises:
        TableError: Nothing matches, what matches is not Parquet, or a folder has no Parquet files.
    """
    if path.is_dir():
        parts = sorted(part for part in path.iterdir() if part.suffix.lower() in _SUFFIXES and not _is_hidden(part))
        if not parts:
            raise TableError(f"{path} is a folder without .parquet parts, not a table; name a file in it.")
        return parts
    if not re.search(r"[*?]", path.name) or path.exists():
        return []
    parts = sorted(part for part in path.parent.glob(path.name.replace("[", "[[]")) if not _is_hidden(part))
    if not parts:
        raise TableError(f"There is no file that matches {path}; check its path.")
    other = next((part for part in parts if part.suffix.lower() not in _SUFFIXES), None)
    if other is not None:
        raise TableError(f"{path} matches {other.name} too, but only .parquet files can be parts; narrow the pattern.")
    return parts


def join_parts(tables: Sequence[Table], parts: Sequence[Path]) -> Table:
    """The rows of tables one after another, the columns in the order of the first.

    Args:
        tables: At least one.
        parts: Their files, for the messages.

    Raises:
        TableError: A part lacks a column or has another one, or a column is of another type or unit there.
    """
    first = tables[0]
    names = list(first.frame.columns)
    for table, part in zip(tables[1:], parts[1:], strict=True):
        lacking = [name for name in names if name not in table.frame]
        foreign = [name for name in table.frame if name not in first.frame]
        if lacking or foreign:
            flaw = f"lacks the column '{lacking[0]}'" if lacking else f"has the column '{foreign[0]}'"
            raise TableError(f"{part} {flaw}, unlike {parts[0].name}; parts of a table need the same columns.")
    columns = {name: _join_column([table.frame[name] for table in tables], name, parts) for name in names}
    info = {name: _join_info([table.info.get(name, ColumnInfo()) for table in tables], name, parts) for name in names}
    return build_table(columns, info)


def _is_hidden(part: Path) -> bool:
    return part.name.startswith(".")


def _join_column(columns: list["pd.Series[Any]"], name: str, parts: Sequence[Path]) -> "pd.Series[Any]":
    # A part in which the column has no value fits every type.
    kinds = [_name_kind(column) if column.notna().any() else "" for column in columns]
    known = next((row for row, kind in enumerate(kinds) if kind), 0)
    for kind, part in zip(kinds, parts, strict=True):
        if kind not in ("", kinds[known]):
            raise TableError(
                f"{part} holds {kind} in the column '{name}', where {parts[known].name} has {kinds[known]}; parts of a "
                "table need the same types."
            )
    if kinds[known] == "integers":
        return _join_integers(columns, name, parts)
    dtypes: list[Any] = [column.dtype for column, kind in zip(columns, kinds, strict=True) if kind]
    dtypes = dtypes or [columns[0].dtype]
    if "boolean" in dtypes or (kinds[known] == "booleans" and "" in kinds and any(map(_lacks, columns))):
        dtypes = [pd.BooleanDtype()]
    elif all(isinstance(dtype, np.dtype) and dtype.kind == "f" for dtype in dtypes):
        dtypes = [max(dtypes, key=lambda dtype: dtype.itemsize)]
    filled = [
        column if kind else pd.Series([None] * len(column), dtype=dtypes[0])
        for column, kind in zip(columns, kinds, strict=True)
    ]
    return pd.concat([column.astype(dtypes[0]) for column in filled], ignore_index=True)


def _join_integers(columns: list["pd.Series[Any]"], name: str, parts: Sequence[Path]) -> "pd.Series[Any]":
    """Exact also where one part needs 64 unsigned bits and another is signed."""
    is_missing = np.concatenate([column.isna().to_numpy() for column in columns])
    is_unsigned = [pd.api.types.is_unsigned_integer_dtype(column.dtype) for column in columns]
    width = np.uint64 if any(is_unsigned) else np.int64
    values = []
    for column, unsigned, part in zip(columns, is_unsigned, parts, strict=True):
        if not pd.api.types.is_integer_dtype(column.dtype):
            values.append(np.zeros(len(column), dtype=width))
            continue
        exact = column.to_numpy(dtype=np.uint64 if unsigned else np.int64, na_value=0)
        if width is np.uint64 and not unsigned and exact.size and exact.min() < 0:
            raise TableError(
                f"{part} holds negative integers in the column '{name}', and another part some above 63 bits, which no "
                "integers of 64 bits hold together; correct one of them."
            )
        values.append(exact.astype(width))
    return build_integers(np.concatenate(values), is_missing)


def _join_info(infos: list[ColumnInfo], name: str, parts: Sequence[Path]) -> ColumnInfo:
    units = [(info.unit, part) for info, part in zip(infos, parts, strict=True) if info.unit]
    for unit, part in units[1:]:
        if unit != units[0][0]:
            raise TableError(
                f"{part} has the unit '{unit}' for the column '{name}', where {units[0][1].name} has "
                f"'{units[0][0]}'; parts of a table need the same units."
            )
    description = next((info.description for info in infos if info.description), "")
    return ColumnInfo(units[0][0] if units else "", description)


def _lacks(column: "pd.Series[Any]") -> bool:
    return bool(column.isna().any())


def _name_kind(column: "pd.Series[Any]") -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "booleans"
    if pd.api.types.is_integer_dtype(column.dtype):
        return "integers"
    if pd.api.types.is_float_dtype(column.dtype):
        return "decimal numbers"
    return "text" if isinstance(column.dtype, pd.StringDtype) or column.dtype == object else str(column.dtype)
