"""Small tables and files of tables that several tests need."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, settings

from metalight.tables import (
    ColumnInfo,
    Table,
    load_table,
    save_table,
)

SUFFIXES = (".csv", ".ecsv", ".vot", ".fits", ".parquet")
TYPED = SUFFIXES[1:]
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
