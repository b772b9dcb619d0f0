"""Missing values: integers that stay exact beside them, and numbers that stand for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING_WORDS = ("", "nan", "na", "n/a", "null", "none", "--")
"""Texts that programs write for a missing number, in small letters."""

MASK_SUFFIX = ".mask"
"""Ends the name of the column of booleans by which astropy says where the column of the name before it is masked."""

_LARGEST_INT64 = 2**63 - 1


def build_integers(values: npt.NDArray[Any], is_missing: npt.NDArray[np.bool_]) -> "pd.Series[Any]":
    """Column of exact integers: int64 where they fit, else uint64; nullable only if one is missing.

    Args:
        values: Integers of any width and byte order; what stands at a missing place does not matter.
        is_missing: Which of them are missing.
    """
    if is_missing.any():
        values = np.where(is_missing, values.dtype.type(0), values)
    fits_int64 = values.dtype.kind == "i" or values.size == 0 or int(values.max()) <= _LARGEST_INT64
    values = values.astype(np.int64 if fits_int64 else np.uint64)
    return pd.Series(pd.arrays.IntegerArray(values, is_missing) if is_missing.any() else values)


def build_text(texts: Sequence[str | None]) -> "pd.Series[Any]":
    """Column of text; None is missing."""
    # The type that pandas gives to text: "str" from version 3, object before.
    return pd.Series(texts, dtype=pd.Series(["text"]).dtype)


def apply_masks(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with values missing where astropy's companion column `NAME.mask` says so, without these companions.

    Where the companion itself lacks a value, it is not known that there is one: it is missing too.
    """
    masks = {
        name.removesuffix(MASK_SUFFIX): name
        for name in map(str, frame.columns)
        if name.endswith(MASK_SUFFIX)
        and name.removesuffix(MASK_SUFFIX) in frame
        and pd.api.types.is_bool_dtype(frame[name].dtype)
    }
    columns = {name: frame[name] for name in frame.columns if name not in masks.values()}
    for name, companion in masks.items():
        if name in columns:
            is_masked = frame[companion].to_numpy(dtype=bool, na_value=True)
            columns[name] = _mask(columns[name], is_masked)
    return pd.DataFrame(columns, index=frame.index) if masks else frame


def _mask(column: "pd.Series[Any]", is_masked: npt.NDArray[np.bool_]) -> "pd.Series[Any]":
    if not is_masked.any():
        return column
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("boolean").mask(is_masked)
    if pd.api.types.is_integer_dtype(column.dtype):
        width = np.uint64 if pd.api.types.is_unsigned_integer_dtype(column.dtype) else np.int64
        return build_integers(column.to_numpy(dtype=width, na_value=0), is_masked | column.isna().to_numpy())
    return column.mask(is_masked)


def replace_sentinels(frame: pd.DataFrame, missing_values: Sequence[float]) -> pd.DataFrame:
    """The same rows, with `missing_values` made missing in all columns of integers and floats."""
    columns = {name: _replace(frame[name], missing_values) for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index, columns=frame.columns)


def _replace(column: "pd.Series[Any]", missing_values: Sequence[float]) -> "pd.Series[Any]":
    if pd.api.types.is_integer_dtype(column.dtype):
        was_missing = column.isna().to_numpy()
        # Compared as integers: a comparison with a float would round identifiers above 2**53.
        width = np.uint64 if pd.api.types.is_unsigned_integer_dtype(column.dtype) else np.int64
        values = column.to_numpy(dtype=width, na_value=0)
        is_missing = was_missing | np.isin(values, _integers(missing_values, values.dtype))
        return column if (is_missing == was_missing).all() else build_integers(values, is_missing)
    if pd.api.types.is_float_dtype(column.dtype):
        is_missing = column.isin(_floats(missing_values, column.to_numpy().dtype)).to_numpy()
        return column.mask(is_missing) if is_missing.any() else column
    return column


def _integers(missing_values: Sequence[float], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Those of `missing_values` that an integer column can hold."""
    limits = np.iinfo(dtype)
    whole = [int(value) for value in missing_values if float(value).is_integer()]
    return np.array([value for value in whole if limits.min <= value <= limits.max], dtype=dtype)


def _floats(missing_values: Sequence[float], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """`missing_values` as a column of this width holds them: −99.9 is another number in 32 bits."""
    limit = float(np.finfo(dtype).max)
    return np.array([value for value in missing_values if np.isinf(value) or abs(value) <= limit], dtype=dtype)
