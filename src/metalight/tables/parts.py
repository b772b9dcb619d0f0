"""A table in parts: Parquet files that a pattern or a folder names, which together are one table.

The folder may be one of Hive, whose folders `key=value` below it hold the value of a column, or a HATS catalogue, whose
files are `dataset/Norder=1/Dir=0/Npix=44.parquet`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from metalight.errors import TableError
from metalight.tables.missing import build_integers
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import UsableColumns

_SUFFIXES = (".parquet", ".pq")
_NO_PARTS = re.compile(r"[._].*|data_thumbnail\.parquet")
"""Names of what lies beside parts: hidden files, such as one that is being written; `_metadata`; some rows of a HATS
catalogue, again."""
_COLLECTION = "collection.properties"
"""Of HATS: names the folder of the catalogue, among those of its margins and indices, which have its rows again."""


def list_parts(path: Path) -> list[Path]:
    """The Parquet files that a path with `*` or `?` in its name, or a folder, stands for, sorted; none for any other.

    Raises:
        TableError: Nothing matches, what matches is not Parquet, or a folder has no Parquet files in it or below it.
    """
    if path.is_dir():
        parts = _list_below(_find_primary(path))
        if not parts:
            raise TableError(f"{path} is a folder without .parquet parts, not a table; name a file in it.")
        return parts
    if not re.search(r"[*?]", path.name) or path.exists():
        return []
    parts = sorted(
        part for part in path.parent.glob(path.name.replace("[", "[[]")) if not _NO_PARTS.fullmatch(part.name)
    )
    if not parts:
        raise TableError(f"There is no file that matches {path}; check its path.")
    other = next((part for part in parts if part.suffix.lower() not in _SUFFIXES), None)
    if other is not None:
        raise TableError(f"{path} matches {other.name} too, but only .parquet files can be parts; narrow the pattern.")
    return parts


def read_partition_columns(path: Path, parts: Sequence[Path]) -> "list[dict[str, pd.Series[Any]]]":
    """The values that the folders `key=value` between a folder and each of its parts give; nothing for a pattern.

    They are read like those of a CSV file: as integers if all are, as text if one has leading zeros.
    """
    from metalight.tables.csv_files import infer_column

    if not path.is_dir():
        return [{} for _ in parts]
    texts = [_split_keys(part.parent.relative_to(path)) for part in parts]
    keys = list(dict.fromkeys(key for of_part in texts for key in of_part))
    fields = {key: pa.array([of_part.get(key) for of_part in texts], pa.string()) for key in keys}
    columns = {key: infer_column(pa.chunked_array([of_key])) for key, of_key in fields.items()}
    return [{key: columns[key][[row]] for key in of_part} for row, of_part in enumerate(texts)]


def add_partition_columns(table: Table, columns: Mapping[str, "pd.Series[Any]"]) -> Table:
    """The same rows with one value for all in each of the columns that the table has not."""
    num = len(table.frame)
    added = {
        key: value.repeat(num).set_axis(table.frame.index) for key, value in columns.items() if key not in table.frame
    }
    return replace(table, frame=table.frame.assign(**added)) if added else table


def join_parts(tables: Sequence[Table], parts: Sequence[Path]) -> Table:
    """The rows of tables one after another, the columns in the order in which they come up.

    A column that a part lacks, or in which it has another type or unit, is left out, with the reason.

    Args:
        tables: At least one.
        parts: Their files, for the reasons.
    """
    every = list(dict.fromkeys(name for table in tables for name in [*table.frame.columns, *table.left_out]))
    usable = UsableColumns(every, parts[0])
    for name in every:
        for table, part in zip(tables, parts, strict=True):
            if name in table.left_out:
                usable.leave_out(name, f"{table.left_out[name]} in {part.name}")
            elif name not in table.frame:
                usable.leave_out(name, f"is not in {part.name}, as in other parts")
    info: dict[str, ColumnInfo] = {}

    def join(name: str) -> "pd.Series[Any]":
        info[name] = _join_info([table.info.get(name, ColumnInfo()) for table in tables], parts)
        return _join_column([table.frame[name] for table in tables], parts)

    for name in every:
        usable.add(name, lambda name=name: join(name), (TableError,))  # type: ignore[misc]
    return usable.build_table(info, tuple(dict.fromkeys(note for table in tables for note in table.notes)))


def _find_primary(folder: Path) -> Path:
    """The folder of the catalogue, where the folder is a collection of HATS; else the folder itself."""
    collection = folder / _COLLECTION
    if not collection.is_file():
        return folder
    named = re.search(
        r"^hats_primary_table_url\s*=\s*([\w.-]+)\s*$", collection.read_text(errors="replace"), re.MULTILINE
    )
    return folder / named[1] if named is not None and (folder / named[1]).is_dir() else folder


def _list_below(folder: Path) -> list[Path]:
    """The parts in a folder and below it, in sub-folders that links lead to as well, sorted."""
    parts: list[Path] = []
    seen: set[str] = set()
    for directory, names, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        names[:] = [] if real in seen else [name for name in names if not _NO_PARTS.fullmatch(name)]
        if real not in seen:
            parts += [Path(directory, name) for name in files if _is_part(name)]
        seen.add(real)
    return sorted(parts)


def _is_part(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not _NO_PARTS.fullmatch(name)


def _split_keys(folder: Path) -> dict[str, str | None]:
    """The values that folders named `key=value` give, as text; None where Hive writes that there is none."""
    import pyarrow.dataset as ds

    keys = [part.partition("=")[0] for part in folder.parts if "=" in part]
    schema = pa.schema([(key, pa.string()) for key in dict.fromkeys(keys) if key])
    found = ds.get_partition_keys(ds.partitioning(schema, flavor="hive").parse(f"{folder.as_posix()}/x"))
    return {key: found[key] for key in schema.names if key in found}


def _join_column(columns: list["pd.Series[Any]"], parts: Sequence[Path]) -> "pd.Series[Any]":
    # A part in which the column has no value fits every type.
    kinds = [_name_kind(column) if column.notna().any() else "" for column in columns]
    known = next((row for row, kind in enumerate(kinds) if kind), 0)
    for kind, part in zip(kinds, parts, strict=True):
        if kind not in ("", kinds[known]):
            raise TableError(f"{part.name} has {kind} where {parts[known].name} has {kinds[known]}")
    if kinds[known] == "integers":
        return _join_integers(columns, parts)
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


def _join_integers(columns: list["pd.Series[Any]"], parts: Sequence[Path]) -> "pd.Series[Any]":
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
            raise TableError(f"{part.name} has negative integers, and another part some above 63 bits")
        values.append(exact.astype(width))
    return build_integers(np.concatenate(values), is_missing)


def _join_info(infos: list[ColumnInfo], parts: Sequence[Path]) -> ColumnInfo:
    units = [(info.unit, part) for info, part in zip(infos, parts, strict=True) if info.unit]
    for unit, part in units[1:]:
        if unit != units[0][0]:
            raise TableError(f"{part.name} has the unit '{unit}' where {units[0][1].name} has '{units[0][0]}'")
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
