"""Parquet files; units and descriptions are metadata of the fields."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from metalight.errors import TableError, quote_flaw
from metalight.tables.arrow import build_arrow_table, build_column, is_one_value_a_row
from metalight.tables.columns import check_names, refuse_columns
from metalight.tables.table import ColumnInfo, Table, build_table

_ROWS_AT_ONCE = 65536


def load_parquet(file: BinaryIO, path: Path) -> Table:
    """Table of a Parquet file.

    Args:
        file: The open file.
        path: Where it lies, for the messages.

    Raises:
        TableError: The file is damaged, or a column holds lists or records, or has the name of another.
    """
    try:
        # Read as one file, not as a data set: that would add a column for each folder named like `year=2020`.
        with pq.ParquetFile(file, page_checksum_verification=True) as parts:
            stored = parts.read()
        check_names(stored.column_names, path)
        refuse_columns([field.name for field in stored.schema if not is_one_value_a_row(field.type)], path)
        columns = {field.name: build_column(stored[field.name]) for field in stored.schema}
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {quote_flaw(error)}. Make the file again.") from error
    return build_table(columns, {field.name: _read_info(field) for field in stored.schema})


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
            check_names(schema.names, path)
            refuse_columns([field.name for field in schema if not is_one_value_a_row(field.type)], path)
            info = {field.name: _read_info(field) for field in schema}
            num_pieces = 0
            for batch in parts.iter_batches(_ROWS_AT_ONCE):
                num_pieces += 1
                stored = pa.Table.from_batches([batch])
                yield build_table({name: build_column(stored[name]) for name in schema.names}, info)
            if num_pieces == 0:
                stored = schema.empty_table()
                yield build_table({name: build_column(stored[name]) for name in schema.names}, info)
    except (pa.ArrowException, ValueError, OSError) as error:
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


def _read_info(field: pa.Field) -> ColumnInfo:
    metadata = field.metadata or {}
    unit, description = (metadata.get(key, b"").decode(errors="replace") for key in (b"unit", b"description"))
    return ColumnInfo(unit, description)


def _build_metadata(info: ColumnInfo | None) -> dict[str, str] | None:
    if info is None:
        return None
    metadata = {"unit": info.unit, "description": info.description}
    return {key: text for key, text in metadata.items() if text} or None
