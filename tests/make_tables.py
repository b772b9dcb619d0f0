"""Small tables and files of tables that several tests need."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from metalight.tables import (
    ColumnInfo,
    Table,
    load_table,
    save_table,
)

SUFFIXES = (".csv", ".ecsv", ".vot", ".fits", ".parquet")
TYPED = SUFFIXES[1:]
PACKED = (".csv.gz", ".ecsv.gz", ".vot.gz", ".fits.gz")
BIG = 1237648720693755918
LARGEST = 2**63 - 1
every_suffix = pytest.mark.parametrize("suffix", SUFFIXES)
relaxed = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def make_table(info: dict[str, ColumnInfo] | None = None, **columns: Any) -> Table:
    return Table(pd.DataFrame(columns), info or {})


def write_text(folder: Path, text: str) -> Path:
    path = folder / "galaxies.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def round_trip(table: Table, folder: Path, suffix: str) -> Table:
    path = folder / f"table{suffix}"
    save_table(table, path)
    return load_table(path, missing_values=())


def values(table: Table, name: str) -> list[Any]:
    """Values of a column, None where one is missing."""
    column = table.frame[name]
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def write_fits(path: Path, *columns: fits.Column) -> Path:
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


NAMES = ("objID", "oh_p50", "OH_P50", "x, y", "two words", 'the "best"', "1", "#c", "a<b>&c", "null")
UNITS = (
    "",
    "dex",
    "log(Msun)",
    "mag(AB)",
    "1e-17 erg/s/cm2",
    "Å",
    "no such unit!",
    "10**-17 \\ 'x' \"y\"",
    "\x01",
    "a\u2028b",
)
DESCRIPTIONS = ("", "12 + log10(O/H), median", "a: b # c", "two\nlines", "<b> & 'c' \"d\"", "é ≥ β 😀", "~", "- x")
_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6).map(str.rstrip)


def _missing(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, st.none())


@st.composite
def columns_of_a_type(draw: st.DrawFn, num_rows: int) -> Any:
    """A column of any type that all formats hold. Its first value is there, and no number if it is text."""
    kind = draw(
        st.sampled_from(["int64", "Int64", "uint64", "UInt64", "float32", "float64", "bool", "boolean", "text"])
    )

    def draw_rows(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=num_rows - 1, max_size=num_rows - 1))

    ids = st.sampled_from([BIG, LARGEST, -1, 0]) | st.integers(-(2**63), LARGEST)
    if kind == "int64":
        return np.array([BIG, *draw_rows(ids)], dtype=kind)
    if kind == "uint64":
        return np.array([2**64 - 1, *draw_rows(st.integers(0, 2**64 - 1))], dtype=kind)
    if kind in ("Int64", "UInt64"):
        first, among = (BIG, ids) if kind == "Int64" else (2**64 - 1, st.integers(0, 2**64 - 1))
        rows = [first, *draw_rows(_missing(among))]
        # A column that lacks nothing is loaded as one that cannot lack anything.
        return pd.Series(rows, dtype=kind) if None in rows else np.array(rows, dtype=kind.lower())
    if kind in ("float32", "float64"):
        return np.array([0.5, *draw_rows(st.floats(width=32 if kind == "float32" else 64))], dtype=kind)
    if kind in ("bool", "boolean"):
        rows = [True, *draw_rows(st.booleans() if kind == "bool" else st.sampled_from([True, False, None]))]
        return pd.Series(rows, dtype="boolean" if None in rows else "bool")
    return pd.Series(["a", *draw_rows(_missing(_texts))], dtype="str")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of all types, with missing values, units and descriptions."""
    num_rows = draw(st.integers(1, 4))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    columns = {name: draw(columns_of_a_type(num_rows)) for name in names}
    info = {name: ColumnInfo(draw(st.sampled_from(UNITS)), draw(st.sampled_from(DESCRIPTIONS))) for name in names}
    return Table(pd.DataFrame(columns), {name: known for name, known in info.items() if known != ColumnInfo()})


def expect_from(table: Table, suffix: str) -> Table:
    """What a format gives back of one of `tables`: all of it but for the exceptions that metalight.tables states."""
    columns = {}
    for name, column in table.frame.items():
        columns[name] = column
        if column.dtype == np.float32 and suffix.startswith(".csv"):
            # The shortest text of the number, read again in 64 bits.
            columns[name] = pd.Series([float(str(value)) for value in column.to_numpy()])
        if isinstance(column.dtype, pd.StringDtype) and suffix.startswith((".fits", ".vot")):
            columns[name] = column.mask(column == "")
    return Table(pd.DataFrame(columns), table.info)


def assert_equal(found: Table, expected: Table) -> None:
    """Names, order, types, values and what is said of the columns are the same."""
    pd.testing.assert_frame_equal(found.frame, expected.frame, check_exact=True)
    assert found.info == expected.info
