"""Parquet files; units and descriptions are metadata of the fields."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from metalight.errors import TableError, quote_flaw
from metalight.tables.arrow import build_arrow_table, build_column
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import MOST_COLUMNS, UsableColumns

_ROWS_AT_ONCE = 65536
_ERRORS_OF_VALUES = (pa.ArrowException, ValueError, TypeError, OverflowError)
"""Errors that Arrow raises for values that pandas cannot hold."""


def load_parquet(file: BinaryIO, path: Path) -> Table:
    """Table of a Parquet file.

    Args:
        file: The open file.
        path: Where it lies, for the messages.

    Raises:
        TableError: The file is damaged.
    """
    try:
        # Read as one file, not as a data set: that would add a column for each folder named like `year=2020`.
        with pq.ParquetFile(file, page_checksum_verification=True) as parts:
            kept = _list_kept(parts.schema_arrow, path)
            stored = parts.read(columns=kept)
            return _build_table(stored, parts.schema_arrow, kept, _read_index(parts), 0, path)
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {quote_flaw(error)}. Make the file again.") from error


def load_parquet_pieces(file: BinaryIO, path: Path) -> Iterator[Table]:
    """The rows of a Parquet file one piece after another, without all of them in memory; at least one piece.

    Args:
        file: The open file.
        path: Where it lies, for the messages.

    Raises:
        TableError: As `load_parquet`.
    """
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parts:
            schema = parts.schema_arrow
            kept, index = _list_kept(schema, path), _read_index(parts)
            num_rows = 0
            for batch in parts.iter_batches(_ROWS_AT_ONCE, columns=kept):
                yield _build_table(pa.Table.from_batches([batch]), schema, kept, index, num_rows, path)
                num_rows += batch.num_rows
            if num_rows == 0:
                yield _build_table(schema.empty_table(), schema, kept, index, 0, path)
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {quote_flaw(error)}. Make the file again.") from error


def save_parquet(table: Table, file: BinaryIO) -> None:
    """Write a Parquet file.

    Raises:
        TableError: A column holds values of several types.
    """
    try:
        rows = build_arrow_table(table.frame)
        fields = [field.with_metadata(_build_metadata(table.info.get(field.name))) for field in rows.schema]
        pq.write_table(rows.cast(pa.schema(fields)), file, write_page_checksum=True)
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise TableError(f"Parquet cannot hold it: {quote_flaw(error)}") from error


def _list_kept(schema: pa.Schema, path: Path) -> list[str]:
    """The columns to read: not those of lists and records, which may be large."""
    if len(schema) > MOST_COLUMNS:
        UsableColumns(schema.names, path)  # which refuses it, before the rows are read
    return [field.name for field in schema if not _find_flaw(field.type)]


def _build_table(
    stored: pa.Table, schema: pa.Schema, kept: list[str], index: tuple[str, range] | None, first: int, path: Path
) -> Table:
    """The table of some rows.

    Args:
        stored: The rows, at least with the columns `kept`.
        schema: Of the file.
        kept: Names of columns that hold one value a row.
        index: Name and values of an index that the file only describes.
        first: Place of the first of the rows in the file.
        path: Of the file, for the message.
    """
    usable = UsableColumns(schema.names, path)
    if index is not None and index[0] not in schema.names:
        values = index[1][first : first + stored.num_rows]
        usable.add(index[0], lambda: pd.Series(np.array(values, dtype=np.int64)), ())
    for field in schema:
        if field.name not in kept:
            usable.leave_out(field.name, _find_flaw(field.type))
        usable.add(field.name, lambda name=field.name: build_column(stored[name]), _ERRORS_OF_VALUES)  # type: ignore[misc]
    return usable.build_table({field.name: _read_info(field) for field in schema})


def _find_flaw(kind: pa.DataType) -> str:
    """Why a column of this type cannot be used; empty if it can."""
    if isinstance(kind, pa.BaseExtensionType):
        return _find_flaw(kind.storage_type)
    if pa.types.is_struct(kind):
        return "holds records"
    return "holds several values a row" if pa.types.is_nested(kind) else ""


def _read_index(parts: pq.ParquetFile) -> tuple[str, range] | None:
    """Name and values of an index of equal steps, which pandas keeps only in words; None if there is none with a name.

    Another program may have changed the rows and left these words: then the numbers do not fit.
    """
    try:
        (described,) = json.loads((parts.schema_arrow.metadata or {})[b"pandas"])["index_columns"]
        name, values = described["name"], range(*(int(described[key]) for key in ("start", "stop", "step")))
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    fits = described.get("kind") == "range" and isinstance(name, str) and name.strip()
    num_rows = parts.metadata.num_rows
    limits = (-(2**63), 2**63 - 1)
    if not fits or (values.stop - values.start + values.step - 1) // values.step != num_rows or not num_rows:
        return None
    return (name, values) if all(limits[0] <= end <= limits[1] for end in (values[0], values[-1])) else None


def _read_info(field: pa.Field) -> ColumnInfo:
    metadata = field.metadata or {}
    unit, description = (metadata.get(key, b"").decode(errors="replace") for key in (b"unit", b"description"))
    return ColumnInfo(unit, description)


def _build_metadata(info: ColumnInfo | None) -> dict[str, str] | None:
    if info is None:
        return None
    metadata = {"unit": info.unit, "description": info.description}
    return {key: text for key, text in metadata.items() if text} or None
