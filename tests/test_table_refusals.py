"""Promises of tables: files and columns that cannot be used are refused in one sentence."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from make_tables import LARGEST, SUFFIXES, every_suffix, make_table, relaxed, round_trip, write_text
from metalight.errors import TableError
from metalight.tables import (
    Table,
    find_column,
    load_table,
    require_numbers,
    require_object_ids,
    save_table,
)

# Refusals


def test_a_file_that_is_not_there_or_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"There is no file .*gone\.csv"):
        load_table(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        load_table(tmp_path / "folder.csv")
    with pytest.raises(
        TableError, match=r"suffix '\.xlsx'.* end with \.csv, .*\.ecsv, \.parquet, \.pq, .*; \.gz may follow\.$"
    ):
        load_table(tmp_path / "a.xlsx")
    with pytest.raises(TableError, match="no suffix"):
        load_table(tmp_path / "table")


@every_suffix
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    with pytest.raises(TableError, match="is empty"):
        load_table(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("content", SUFFIXES)
@every_suffix
def test_a_file_with_the_suffix_of_another_format_is_refused(tmp_path: Path, content: str, suffix: str) -> None:
    save_table(make_table(id=[1, 2], x=[0.5, 1.5]), tmp_path / f"a{content}")
    (tmp_path / f"a{content}").rename(tmp_path / f"b{suffix}")
    if content == suffix:
        assert len(load_table(tmp_path / f"b{suffix}").frame) == 2
        return
    with pytest.raises(TableError, match=r"rename it to end with|cannot be read as|is not a FITS file"):
        load_table(tmp_path / f"b{suffix}")


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".vot", ".csv.gz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    save_table(make_table(id=np.arange(5000), x=np.arange(5000) / 7), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TableError, match=r"cannot be read as|cut short"):
        load_table(path)


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    save_table(make_table(id=np.arange(5000)), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        load_table(path)


def test_a_fits_file_without_a_table_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "a.fits")
    with pytest.raises(TableError, match="no table"):
        load_table(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n", "cannot be read as CSV"),
        ("a,b\n1,2,3\n", "cannot be read as CSV"),
        ('a,"b\n1,2\n', "cannot be read as CSV"),
        ("1,2.5\n3,4\n", "lacks a line of column names.*'1,2.5'"),
        ("# a note\n1,2.5\n3,4\n", "lacks a line of column names.*'1,2.5'"),
        ("# only a comment\n", "is empty"),
    ],
)
def test_a_csv_that_cannot_be_understood_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_table(write_text(tmp_path, content))


def test_a_csv_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    for content in (b"name\n\xe9\n", b"nam\xe9\nx\n"):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(TableError, match="cannot be read as CSV"):
            load_table(tmp_path / "a.csv")


def test_what_fits_cannot_hold_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    save_table(make_table(id=[1]), path)
    before = path.read_bytes()
    for table, message in [
        (make_table(name=["é"]), r"FITS cannot hold 'é' of column 'name'.* \.parquet"),
        (make_table(name=["a\0"]), r"FITS cannot hold 'a\\x00'"),
        (make_table(métallicité=[8.5]), "column name 'métallicité'"),
        (make_table(date=pd.to_datetime(["2020-01-01"])), "column 'date', of type datetime64"),
    ]:
        with pytest.raises(TableError, match=message):
            save_table(table, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@every_suffix
def test_a_column_of_mixed_values_cannot_be_written(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TableError, match="cannot be written"):
        save_table(make_table(x=pd.Series(["a", 1, object()], dtype=object)), tmp_path / f"a{suffix}")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match="cannot be written"):
        save_table(make_table(id=[1]), tmp_path / "file" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        save_table(make_table(id=[1]), tmp_path / "folder.csv")
    with pytest.raises(TableError, match="suffix"):
        save_table(make_table(id=[1]), tmp_path / "a.txt")


def test_tables_without_good_column_names_cannot_be_written(tmp_path: Path) -> None:
    for frame in (pd.DataFrame(), pd.DataFrame({"": [1]}), pd.DataFrame({" a": [1]}), pd.DataFrame({0: [1]})):
        with pytest.raises(TableError, match="each a name"):
            save_table(Table(frame), tmp_path / "a.csv")
    with pytest.raises(TableError, match="'a' is there twice"):
        save_table(Table(pd.DataFrame([[1, 2]], columns=["a", "a"])), tmp_path / "a.csv")


def test_awkward_column_names_come_back_from_csv(tmp_path: Path) -> None:
    names = ["1", "2.5", "#c", 'say "a, b"', "two\nlines", "é"]
    for chosen in (names, names[:2], names[2:]):
        frame = pd.DataFrame({name: [1, 2] for name in chosen})
        assert list(round_trip(Table(frame), tmp_path, ".csv").frame.columns) == chosen


# Columns


HERE = Path("galaxies.csv")


def test_a_column_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    table = make_table(objid=[1], oh_p50=[8.5])
    assert find_column(table, "oh_p50", path=HERE, role="[catalog] targets") == "oh_p50"
    message = r"galaxies\.csv has no column 'oh_50', which \[catalog\] targets names\. Did you mean 'oh_p50'\?"
    with pytest.raises(TableError, match=message):
        find_column(table, "oh_50", path=HERE, role="[catalog] targets")


@given(ids=st.lists(st.integers(0, LARGEST), unique=True))
@relaxed
def test_identifiers_are_taken_exactly_from_integers_and_from_text(ids: list[int]) -> None:
    integers = make_table(id=np.array(ids, dtype=np.int64))
    texts = make_table(id=pd.Series([f" {object_id} " for object_id in ids], dtype="str"))
    for table in (integers, texts):
        taken = require_object_ids(table, "id", path=HERE)
        assert taken.dtype == np.int64
        assert taken.tolist() == ids


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, 2.0], r"decimal numbers \(float64\), which above 2\*\*53 cannot tell .* as integers or as text"),
        ([math.nan, math.nan], "lacks 2 of 2 identifiers, first in row 1"),
        (pd.array([5, None, None], dtype="Int64"), "lacks 2 of 3 identifiers, first in row 2"),
        (["5", None], "lacks 1 of 2 identifiers, first in row 2"),
        (["5", " nan "], "lacks 1 of 2 identifiers, first in row 2"),
        (["5", ""], "lacks 1 of 2 identifiers, first in row 2"),
        (["5", "a\nb"], "'a b' in row 2 has a line break"),
        (["5", "x" * 2000], "in row 2 is longer than"),
        (["5", b"\xff"], "in row 2 is neither text nor an integer"),
        ([True, False], "'True' in row 1 is neither text nor an integer"),
        ([7, 5, 7, 5, 5], r"identifiers twice, in 3 of 5 rows: 7 is in row 1 and in row 3"),
        (["J1 ", "J1"], "J1 is in row 1 and in row 2"),
        ([-5, -5], "-5 is in row 1 and in row 2"),
    ],
)
def test_identifiers_that_may_confuse_galaxies_are_refused(column: Any, message: str) -> None:
    with pytest.raises(TableError, match=rf"Column 'id' of galaxies\.csv.*{message}"):
        require_object_ids(make_table(id=column), "id", path=HERE)


def test_numbers_are_floats_with_nan_where_missing() -> None:
    table = make_table(
        whole=[1, 2, 3],
        lacking=pd.array([1, None, 3], dtype="Int64"),
        single=np.array([0.5, np.nan, np.inf], dtype=np.float32),
        none=pd.Series([None] * 3, dtype="str"),
    )
    for name, expected in {
        "whole": [1, 2, 3],
        "lacking": [1, math.nan, 3],
        "single": [0.5, math.nan, math.inf],
        "none": [math.nan] * 3,
    }.items():
        numbers = require_numbers(table, name, path=HERE)
        assert numbers.dtype == np.float64
        np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["8.5", "8,6", "bad"], "'8,6' in row 2"),
        ([None, "8.5"], "'8.5' in row 2"),
        ([True, False], "bool: 'True' in row 1.*0 and 1"),
        (["spiral", "disc", "disc"], "'spiral' in row 1.*0 and 1"),
        (["8.5", "n.d.", "n.d."], "'n.d.' in row 2. Correct it"),
        (pd.to_datetime(["2020-01-01"]), "datetime64"),
    ],
)
def test_a_column_that_does_not_hold_numbers_is_refused_with_its_first_bad_value(column: Any, message: str) -> None:
    with pytest.raises(TableError, match=rf"Column 'x' of galaxies\.csv does not hold numbers.*{message}"):
        require_numbers(make_table(x=column), "x", path=HERE)


def test_importing_tables_does_not_import_astropy() -> None:
    import subprocess
    import sys

    code = "import sys, metalight.tables; sys.exit('astropy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
