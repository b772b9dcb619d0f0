"""Promises of identifiers: any text stays as it was given, and its key is a function of that text alone."""

import csv
import hashlib
import unicodedata
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from make_tables import make_table, relaxed, write_fits
from metalight import identifiers
from metalight.errors import TableError
from metalight.identifiers import (
    LARGEST_KEY,
    compute_keys,
    compute_keys_of_integers,
    find_identifier_flaw,
    key_of,
    name_all,
    name_of,
)
from metalight.splits import load_test_ids
from metalight.tables import Table, load_galaxies, load_table, require_object_ids, save_galaxies

SUFFIXES = (".csv", ".csv.gz", ".ecsv", ".vot", ".fits", ".parquet")
AWKWARD = [
    "J000411.19+001122.3",
    "SDSS J000411.19+001122.3",
    "-5312345678912345678",
    "00123",
    "123",
    "1e5",
    "+5",
    "18446744073709551616",
    "9223372036854775808",
    "0x1F",
    "True",
    "inf",
    "e2f3a1b0-0000-4000-8000-1234567890ab",
    "field/7",
    'a "b", c',
    "#7",
    "=1+1",
    "'x'",
    "<b>&amp;",
]
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: text == text.strip() and not find_identifier_flaw(text)
)
ascii_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30).filter(
    lambda text: not find_identifier_flaw(text)
)


def texts(column: "pd.Series[Any]") -> list[str]:
    return [str(value) for value in column.tolist()]


def round_trip(given: list[str], path: Path) -> list[str]:
    """What stands in a file that identifiers were written to, once their keys have been read from it."""
    save_galaxies(Table(pd.DataFrame({"object_id": compute_keys(given)})), path)
    return [name_of(key) for key in load_galaxies(path).frame["object_id"]]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.integers(0, LARGEST_KEY))
def test_a_whole_number_is_its_own_key(number: int) -> None:
    assert key_of(str(number)) == number
    assert name_of(number) == str(number)


@given(names)
def test_a_key_is_a_function_of_the_text_alone(text: str) -> None:
    key = key_of(text)
    assert 0 <= key <= LARGEST_KEY
    if not (text.isascii() and text.isdigit()):
        assert key == int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    assert key == key_of(f"  {text} ")
    assert name_of(key) == text


def test_texts_that_look_alike_are_different_galaxies() -> None:
    alike = ["123", "00123", "+123", "123.0", "1e5", "100000", "a", "A", "é", unicodedata.normalize("NFD", "é")]
    assert len(set(compute_keys(alike).tolist())) == len(alike)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_awkward_texts_are_the_same_in_every_format(tmp_path: Path, suffix: str) -> None:
    assert round_trip(AWKWARD, tmp_path / f"table{suffix}") == AWKWARD
    for text in AWKWARD:  # alone, nothing else tells what kind of column it is
        assert round_trip([text], tmp_path / f"one{suffix}") == [text]


@given(st.lists(names, min_size=1, unique_by=lambda text: text))
@relaxed
@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".vot", ".parquet"])
def test_any_text_is_the_same_in_every_format(tmp_path: Path, suffix: str, given: list[str]) -> None:
    if suffix == ".vot":
        given = [text.replace("\ufffe", "").replace("\uffff", "") or "x" for text in given]
    if suffix == ".csv" and all(map(is_number, given)):
        given = [*given, "name"]  # a column of decimal numbers is refused, as it loses digits of identifiers
    assert round_trip(given, tmp_path / f"table{suffix}") == given


@given(st.lists(ascii_names, min_size=1, unique=True))
@relaxed
def test_ascii_is_the_same_in_fits(tmp_path: Path, given: list[str]) -> None:
    assert round_trip(given, tmp_path / "table.fits") == given


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=1))
@relaxed
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_integers_of_any_sign_are_the_same_as_their_text(tmp_path: Path, suffix: str, given: list[int]) -> None:
    keys = compute_keys_of_integers(np.array(given))
    assert keys.tolist() == compute_keys(list(map(str, given))).tolist()
    assert round_trip(list(map(str, given)), tmp_path / f"table{suffix}") == list(map(str, given))


def test_integers_stay_integers_in_files(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    save_galaxies(Table(pd.DataFrame({"object_id": np.array([7, LARGEST_KEY])})), path)
    assert load_table(path).frame["object_id"].dtype == np.int64


def test_a_csv_keeps_text_that_other_programs_take_for_numbers(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,x\n00123,1\n 12 ,2\n1e5,3\n")
    assert [name_of(key) for key in require_object_ids(load_table(path), "id", path=path)] == ["00123", "12", "1e5"]
    path.write_text("id,x\n1e5,3\n2e7,4\n")
    assert [name_of(key) for key in require_object_ids(load_table(path), "id", path=path)] == ["1e5", "2e7"]


@pytest.mark.parametrize("cells", ["1.5\n2.5", "1.2376487206937559e+18\n5", "1.23765E+18\n1.23766E+18", "12.0\n"])
def test_decimal_numbers_in_csv_are_refused(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"id\n{cells}\n")
    with pytest.raises(TableError, match="decimal numbers"):
        require_object_ids(load_table(path), "id", path=path)


@pytest.mark.parametrize("word", ["NaN", "NA", "null", "None", "--", "<NA>", " "])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_word_for_a_missing_value_is_no_identifier_in_any_format(tmp_path: Path, suffix: str, word: str) -> None:
    path = tmp_path / f"table{suffix}"
    from metalight.tables import save_table

    save_table(make_table(id=["J1", word], x=[1.0, 2.0]), path)
    with pytest.raises(TableError, match="lacks 1 of 2 identifiers, first in row 2"):
        require_object_ids(load_table(path), "id", path=path)


def test_blanks_around_an_identifier_and_bytes_and_categories_play_no_part(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "padded": pa.array(["J1 ", " J2"]),
        "bytes": pa.array([b"J1", b"J2\0\0"], pa.binary()),
        "fixed": pa.array([b"J1", b"J2"], pa.binary(2)),
        "large": pa.array(["J1", "J2"], pa.large_string()),
        "categories": pa.array(["J1", "J2"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    table = load_table(tmp_path / "table.parquet")
    for name in columns:
        keys = require_object_ids(table, name, path="table.parquet")
        assert keys.tolist() == compute_keys(["J1", "J2"]).tolist(), name


def test_uuids_of_parquet_are_their_text(tmp_path: Path) -> None:
    ids = [uuid.UUID(int=number) for number in (1, 2**127)]
    pq.write_table(pa.table({"id": pa.array([each.bytes for each in ids], pa.uuid())}), tmp_path / "table.parquet")
    keys = require_object_ids(load_table(tmp_path / "table.parquet"), "id", path="table.parquet")
    assert [name_of(key) for key in keys] == [str(each) for each in ids]


def test_fits_text_has_no_blanks_at_its_end(tmp_path: Path) -> None:
    path = write_fits(tmp_path / "table.fits", fits.Column("id", "9A", array=np.array(["J1", "J2 7"])))
    assert require_object_ids(load_table(path), "id", path=path).tolist() == compute_keys(["J1", "J2 7"]).tolist()


@pytest.mark.parametrize("order", [1, -1])
def test_texts_with_one_key_are_refused(monkeypatch: pytest.MonkeyPatch, order: int) -> None:
    monkeypatch.setattr(identifiers, "_HASH_BITS", 4)
    monkeypatch.setattr(identifiers, "_TEXTS", {})
    monkeypatch.setattr(identifiers, "_KEYS", {})
    with pytest.raises(TableError, match=r"'J\d+' and 'J\d+' have the same key"):
        compute_keys([f"J{number}" for number in range(17)][::order])


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_that_is_the_key_of_a_text_is_refused(monkeypatch: pytest.MonkeyPatch, order: int) -> None:
    monkeypatch.setattr(identifiers, "_TEXTS", {})
    monkeypatch.setattr(identifiers, "_KEYS", {})
    number = str(int.from_bytes(hashlib.sha256(b"J1").digest()[:8], "big") >> 1)
    with pytest.raises(TableError, match="have the same key"):
        compute_keys(["J1", number][::order])
    with pytest.raises(TableError, match="have the same key"):
        compute_keys_of_integers(np.array([5, int(number)]))


def test_names_of_missing_keys_are_missing() -> None:
    keys = pd.Series(pd.array([key_of("J1"), None, 7], dtype="Int64"))
    assert name_all(keys).isna().tolist() == [False, True, False]
    assert name_all(keys).dropna().tolist() == ["J1", "7"]


def test_a_list_of_test_galaxies_has_any_text(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    path.write_text("# the test set\nJ1#a  # a remark\n00123\r\n NGC 7 \n\n-5\n")
    assert set(load_test_ids(path, object_id="x")) == set(compute_keys(["J1#a", "00123", "NGC 7", "-5"]).tolist())


def test_the_only_column_of_a_list_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("galaxy\n1e5\n2e7\n")
    assert set(load_test_ids(path, object_id="x")) == set(compute_keys(["1e5", "2e7"]).tolist())


def test_csv_readers_of_others_see_the_text(tmp_path: Path) -> None:
    save_galaxies(Table(pd.DataFrame({"object_id": compute_keys(AWKWARD)})), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [row["object_id"] for row in csv.DictReader(file)] == AWKWARD
