"""Tables of galaxies: identifiers become keys when one is loaded, and keys identifiers when it is saved.

Rows in messages count from 1, the first row below the column names.
"""

from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError, shorten
from metalight.identifiers import (
    compute_keys,
    compute_keys_of_integers,
    find_identifier_flaw,
    is_missing,
    name_all,
    name_of,
)
from metalight.tables.files import load_table, save_table
from metalight.tables.table import Table


def load_galaxies(path: Path) -> Table:
    """A table that `save_galaxies` wrote, with keys in `object_id`.

    Raises:
        TableError: It cannot be read.
    """
    table = load_table(path, missing_values=())
    keys = require_object_ids(table, "object_id", path=path, may_repeat=True)
    return Table(table.frame.assign(object_id=keys), table.info)


def save_galaxies(table: Table, path: Path) -> None:
    """Write a table whose column `object_id` has keys, with the identifiers in their place.

    Raises:
        TableError: As `save_table`.
    """
    save_table(name_galaxies(table), path)


def name_galaxies(table: Table) -> Table:
    """The same table with identifiers in place of the keys in its column `object_id`."""
    frame = table.frame.reset_index(drop=True)
    return Table(frame.assign(object_id=name_all(frame["object_id"])), table.info)


def require_object_ids(
    table: Table, column: str, *, path: Path | str, may_repeat: bool = False
) -> npt.NDArray[np.int64]:
    """Keys of the identifiers of galaxies, each once, in the order of the rows.

    Args:
        table: The table.
        column: Column of integers or of text.
        path: File of the table, or where else it comes from, for the messages.
        may_repeat: Whether one may be there twice, as in a list that only says which galaxies are meant.

    Raises:
        TableError: The column holds decimal numbers, booleans or dates, an identifier is missing, has a line break or
            is too long, is there twice, or has the key of another.
    """
    values = table.spelled.get(column, table.frame[column])
    where = f"Column '{column}' of {path}"
    if pd.api.types.is_float_dtype(values.dtype) and values.notna().any():
        raise TableError(
            f"{where} holds decimal numbers ({values.dtype}), which above 2**53 cannot tell neighbouring integers "
            "apart, so that two galaxies may become one; save the identifiers as integers or as text."
        )
    if pd.api.types.is_integer_dtype(values.dtype):
        _refuse_missing(values.isna().to_numpy(), where)
        is_unsigned = pd.api.types.is_unsigned_integer_dtype(values.dtype)
        keys = compute_keys_of_integers(values.to_numpy(dtype=np.uint64 if is_unsigned else np.int64))
    else:
        keys = compute_keys(_require_texts(values, where))
    if not may_repeat:
        _refuse_repeated(keys, where)
    return keys


def _require_texts(values: "pd.Series[Any]", where: str) -> list[str]:
    """Identifiers of a column of text, each fit to be one."""
    is_lacking = values.isna().to_numpy()
    texts = ["" if lacking else _read_text(value) for value, lacking in zip(values.tolist(), is_lacking, strict=True)]
    if None in texts:
        row = texts.index(None)
        raise TableError(
            f"{where} cannot identify galaxies: '{values.iloc[row]}' in row {row + 1} is neither text nor an integer. "
            "Save the identifiers as text."
        )
    read = [text or "" for text in texts]
    flaws = {row: flaw for row, text in enumerate(read) if (flaw := find_identifier_flaw(text))}
    _refuse_missing(np.array([row in flaws and is_missing(text) for row, text in enumerate(read)], dtype=bool), where)
    if flaws:
        row, flaw = next(iter(flaws.items()))
        raise TableError(
            f"{where} cannot identify galaxies: '{shorten(read[row])}' in row {row + 1} {flaw}. Correct that row."
        )
    return read


def _read_text(value: object) -> str | None:
    """The text of a value of a column without a type of its own; None if it is not text."""
    if isinstance(value, str):
        # Arrays of C fill texts up with zeros.
        return value.rstrip("\0")
    if isinstance(value, bytes):
        try:
            return value.decode().rstrip("\0")
        except UnicodeDecodeError:
            return None
    return str(value) if isinstance(value, (int, UUID)) and not isinstance(value, bool) else None


def _refuse_missing(is_lacking: npt.NDArray[np.bool_], where: str) -> None:
    if is_lacking.any():
        raise TableError(
            f"{where} lacks {is_lacking.sum()} of {len(is_lacking)} identifiers, first in row "
            f"{int(np.argmax(is_lacking)) + 1}. Fill them in, or remove these rows."
        )


def _refuse_repeated(keys: npt.NDArray[np.int64], where: str) -> None:
    is_again = pd.Series(keys).duplicated().to_numpy()
    if is_again.any():
        again = int(np.argmax(is_again))
        first = int(np.argmax(keys == keys[again]))
        raise TableError(
            f"{where} has identifiers twice, in {is_again.sum()} of {len(keys)} rows: {shorten(name_of(keys[again]))} "
            f"is in row {first + 1} and in row {again + 1}. Keep one row for each galaxy."
        )
