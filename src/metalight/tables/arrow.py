"""Columns of Arrow, in which all formats but FITS are read and written, to and from columns of pandas."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from metalight.tables.missing import MISSING_WORDS, build_integers

_ROWS_AT_ONCE = 65536


def build_column(values: pa.ChunkedArray) -> "pd.Series[Any]":
    """The same values as a column of pandas, integers exact.

    Raises:
        pyarrow.ArrowException: The values cannot be a column, such as text that is not UTF-8.
    """
    kind = values.type
    if kind == pa.uuid():
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return build_column(pa.chunked_array([pa.array(texts, pa.string())]))
    if isinstance(kind, pa.BaseExtensionType):
        return build_column(values.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return build_column(values.cast(kind.value_type))
    if pa.types.is_float16(kind):
        return build_column(values.cast(pa.float32()))
    if pa.types.is_decimal(kind):
        # Databases export big integers as decimals without places.
        return build_column(values.cast(pa.int64() if kind.scale == 0 else pa.float64()))
    if pa.types.is_integer(kind):
        is_missing = values.is_null().to_numpy()
        return build_integers(pc.fill_null(values, pa.scalar(0, kind)).to_numpy(), is_missing)
    if pa.types.is_null(kind):
        return pd.Series(np.full(len(values), np.nan))
    if pa.types.is_boolean(kind) and values.null_count:
        is_missing = values.is_null().to_numpy()
        return pd.Series(pd.arrays.BooleanArray(pc.fill_null(values, False).to_numpy(), is_missing))
    if pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        values = values.cast(pa.string())
    column: pd.Series[Any] = values.to_pandas()
    return column.rename(None)


def blank_out_missing(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Text of numbers, with null where it is a word for a missing one."""
    is_missing = pc.is_in(pc.utf8_lower(texts), pa.array(MISSING_WORDS))
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), texts)


def build_arrow_table(frame: pd.DataFrame) -> pa.Table:
    """The same rows in Arrow; NaN and other missing values become null.

    Raises:
        pyarrow.ArrowException: A column holds values of several types.
    """
    arrays = [pa.chunked_array([_build_array(frame[name])]) for name in frame.columns]
    return pa.table(arrays, names=list(frame.columns))


def join_rows(columns: Sequence[pa.ChunkedArray], separator: str) -> Iterator[bytes]:
    """Each row of columns of text, none of it missing, as one text."""
    for start in range(0, len(columns[0]), _ROWS_AT_ONCE):
        batch = [column[start : start + _ROWS_AT_ONCE].combine_chunks() for column in columns]
        yield from map(str.encode, pc.binary_join_element_wise(*batch, separator).to_pylist())


def _build_array(column: "pd.Series[Any]") -> pa.Array:
    array = pa.array(column, from_pandas=True)
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
