"""Promises of tables: exact identifiers, missing values, units and descriptions through every format."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from make_tables import (
    BIG,
    LARGEST,
    PACKED,
    SUFFIXES,
    TYPED,
    assert_equal,
    every_suffix,
    expect_from,
    make_table,
    relaxed,
    round_trip,
    tables,
    values,
    write_fits,
    write_text,
)
from metalight.errors import TableError
from metalight.tables import (
    SENTINELS,
    ColumnInfo,
    Table,
    load_table,
    require_object_ids,
    save_table,
)

# Whole tables


@given(table=tables(), first=st.sampled_from([*SUFFIXES, *PACKED]), second=st.sampled_from([*SUFFIXES, *PACKED]))
@settings(relaxed, max_examples=100)
def test_everything_survives_two_formats_but_for_the_stated_exceptions(
    tmp_path: Path, table: Table, first: str, second: str
) -> None:
    once = round_trip(table, tmp_path, first)
    assert_equal(once, expect_from(table, first))
    assert_equal(round_trip(once, tmp_path, second), expect_from(expect_from(table, first), second))


# Identifiers


@every_suffix
@given(ids=st.lists(st.integers(-(2**63), LARGEST), min_size=1))
@relaxed
def test_integers_are_exact_in_every_format(tmp_path: Path, suffix: str, ids: list[int]) -> None:
    loaded = round_trip(make_table(id=np.array(ids, dtype=np.int64)), tmp_path, suffix)
    assert loaded.frame["id"].dtype == np.int64
    assert loaded.frame["id"].tolist() == ids


@every_suffix
@given(ids=st.lists(st.integers(-(2**63), LARGEST), min_size=1), more=st.integers(-(2**63), LARGEST))
@relaxed
def test_a_missing_integer_leaves_the_others_exact(tmp_path: Path, suffix: str, ids: list[int], more: int) -> None:
    table = make_table(id=pd.array([*ids, pd.NA, more], dtype="Int64"), other=np.arange(len(ids) + 2))
    loaded = round_trip(table, tmp_path, suffix)
    assert loaded.frame["id"].dtype == "Int64"
    assert values(loaded, "id") == [*ids, None, more]


@every_suffix
def test_unsigned_integers_that_fit_become_int64_and_others_stay_exact(tmp_path: Path, suffix: str) -> None:
    fitting = np.array([0, BIG, LARGEST], dtype=np.uint64)
    large = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    lacking = pd.array([None, 2**63, 5], dtype="UInt64")
    loaded = round_trip(make_table(fitting=fitting, large=large, lacking=lacking), tmp_path, suffix)
    assert loaded.frame["fitting"].dtype == np.int64
    assert loaded.frame["fitting"].tolist() == fitting.tolist()
    assert loaded.frame["large"].tolist() == large.tolist()
    assert values(loaded, "lacking") == [None, 2**63, 5]


@pytest.mark.parametrize("missing", ["", "nan", "NULL", " NA ", "--", '""'])
def test_a_missing_value_in_a_csv_does_not_turn_identifiers_into_floats(tmp_path: Path, missing: str) -> None:
    loaded = load_table(write_text(tmp_path, f"id,oh\n{BIG},8.5\n{missing},8.6\n{LARGEST},8.7\n"))
    assert loaded.frame["id"].dtype == "Int64"
    assert values(loaded, "id") == [BIG, None, LARGEST]


def test_csv_integers_above_64_bits_are_not_rounded(tmp_path: Path) -> None:
    loaded = load_table(write_text(tmp_path, "id\n99999999999999999999\n-1\n"))
    assert loaded.frame["id"].tolist() == ["99999999999999999999", "-1"]


def test_a_float_does_not_come_back_from_csv_as_an_integer(tmp_path: Path) -> None:
    floats = [1.0, -0.0, float(BIG), 1e15]
    loaded = round_trip(make_table(x=floats), tmp_path, ".csv")
    assert loaded.frame["x"].dtype == np.float64
    assert loaded.frame["x"].tolist() == floats
    assert math.copysign(1, loaded.frame["x"][1]) == -1


def test_big_decimals_of_databases_are_integers(tmp_path: Path) -> None:
    from decimal import Decimal

    pq.write_table(pa.table({"id": pa.array([Decimal(BIG), None], pa.decimal128(20, 0))}), tmp_path / "a.parquet")
    assert values(load_table(tmp_path / "a.parquet"), "id") == [BIG, None]


# Other values


@every_suffix
@given(floats=st.lists(st.floats(), min_size=1))
@relaxed
def test_floats_are_exact_and_nan_is_missing_in_every_format(tmp_path: Path, suffix: str, floats: list[float]) -> None:
    loaded = round_trip(make_table(x=np.array(floats), row=np.arange(len(floats))), tmp_path, suffix)
    assert loaded.frame["x"].dtype == np.float64
    np.testing.assert_array_equal(loaded.frame["x"].to_numpy(), floats)


@pytest.mark.parametrize("suffix", TYPED)
def test_floats_of_32_bits_stay_so(tmp_path: Path, suffix: str) -> None:
    floats = np.array([0.1, np.nan, np.inf], dtype=np.float32)
    loaded = round_trip(make_table(x=floats), tmp_path, suffix)
    assert loaded.frame["x"].dtype == np.float32
    np.testing.assert_array_equal(loaded.frame["x"].to_numpy(), floats)


any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
awkward_text = st.sampled_from(
    ["", ",", '"', 'say "a, b"', "a\nb", "\r\n", "#1", " a ", "nan", "NA", "12", "true", "é−"]
)


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".parquet"])
@given(texts=st.lists(any_text | awkward_text | st.none()))
@relaxed
def test_text_and_missing_text_are_exact_but_in_fits_and_votable(
    tmp_path: Path, suffix: str, texts: list[str | None]
) -> None:
    # The first keeps the column a column of text: CSV has no types.
    texts = ["text", *texts]
    table = make_table(row=np.arange(len(texts)), name=pd.Series(texts, dtype="str"))
    assert values(round_trip(table, tmp_path, suffix), "name") == texts


@given(texts=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.none(), min_size=1))
@relaxed
def test_ascii_text_is_exact_in_fits_but_for_blanks_at_its_end(tmp_path: Path, texts: list[str | None]) -> None:
    loaded = round_trip(make_table(name=pd.Series(texts, dtype="str")), tmp_path, ".fits")
    assert values(loaded, "name") == [(text or "").rstrip(" ") or None for text in texts]


@every_suffix
@given(flags=st.lists(st.sampled_from([True, False, None]), min_size=1))
@relaxed
def test_booleans_come_back_and_missing_ones_are_not_false(
    tmp_path: Path, suffix: str, flags: list[bool | None]
) -> None:
    flags = [True, *flags]
    dtype = "boolean" if None in flags else "bool"
    loaded = round_trip(make_table(flag=pd.Series(flags, dtype=dtype), row=1), tmp_path, suffix)
    assert loaded.frame["flag"].dtype == dtype
    assert values(loaded, "flag") == flags


@every_suffix
def test_a_table_without_rows_comes_back(tmp_path: Path, suffix: str) -> None:
    table = make_table(id=np.array([], dtype=np.int64), name=pd.Series([], dtype="str"), x=np.array([], dtype=float))
    loaded = round_trip(table, tmp_path, suffix)
    assert loaded.frame.shape == (0, 3)
    assert list(loaded.frame.columns) == ["id", "name", "x"]


@every_suffix
def test_order_of_columns_stays_and_the_index_is_not_written(tmp_path: Path, suffix: str) -> None:
    table = Table(pd.DataFrame({"b": [1, 2], "a": [0.5, 1.5]}, index=[7, 9]))
    loaded = round_trip(table, tmp_path, suffix)
    assert list(loaded.frame.columns) == ["b", "a"]
    assert loaded.frame.index.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".csv.gz", ".fits.gz"])
def test_the_same_table_is_the_same_file(tmp_path: Path, suffix: str) -> None:
    table = make_table({"x": ColumnInfo("dex")}, id=[1, 2], x=[0.5, np.nan], name=["a", "b"])
    save_table(table, tmp_path / f"a{suffix}")
    save_table(table, tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


# Sentinels


@every_suffix
def test_sentinels_become_missing_in_floats_and_integers(tmp_path: Path, suffix: str) -> None:
    table = make_table(
        x=[8.5, -9999.0, -999.0, -99.0, -98.0],
        n=[BIG, -9999, -999, -99, -98],
        whole=np.arange(5),
        name=["-9999", "a", "b", "c", "d"],
    )
    save_table(table, tmp_path / f"a{suffix}")
    loaded = load_table(tmp_path / f"a{suffix}")
    assert values(loaded, "x") == [8.5, None, None, None, -98.0]
    assert values(loaded, "n") == [BIG, None, None, None, -98]
    assert loaded.frame["n"].dtype == "Int64"
    assert loaded.frame["whole"].dtype == np.int64
    assert loaded.frame["name"].tolist()[0] == "-9999"
    assert SENTINELS == (-9999.0, -999.0, -99.0)


def test_sentinels_are_compared_in_the_width_of_the_column_and_never_round_integers(tmp_path: Path) -> None:
    table = make_table(
        narrow=np.array([-99.9, 1, np.inf], dtype=np.float32),
        n=np.array([2**53 + 1, 2**53, -1]),
        lacking=pd.array([None, 0, 2**64 - 1], dtype="UInt64"),
    )
    save_table(table, tmp_path / "a.parquet")
    loaded = load_table(tmp_path / "a.parquet", missing_values=[-99.9, float(2**53), 1e300, 0, math.nan])
    assert values(loaded, "narrow") == [None, 1, math.inf]
    assert values(loaded, "n") == [2**53 + 1, None, -1]
    assert values(loaded, "lacking") == [None, None, 2**64 - 1]


# Units and descriptions


INFO = {
    "oh": ColumnInfo("dex", "12 + log10(O/H), median"),
    "mass": ColumnInfo("", "only | a \\ description\nof two lines, α ≥ β, and " + "long " * 40 + "end"),
    "flux": ColumnInfo("10^-17 erg/s/cm^2/Å", ""),
    "ra, J2000": ColumnInfo("deg", 'it\'s "quoted" & more'),
}


@every_suffix
def test_units_and_descriptions_travel_with_their_columns(tmp_path: Path, suffix: str) -> None:
    columns = {name: [1.5, 2.5] for name in [*INFO, "plain"]}
    loaded = round_trip(make_table(INFO, **columns), tmp_path, suffix)
    assert loaded.info == INFO
    assert list(loaded.frame.columns) == [*INFO, "plain"]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).map(str.strip)


@every_suffix
@given(unit=text, description=text)
@relaxed
def test_any_unit_and_description_come_back(tmp_path: Path, suffix: str, unit: str, description: str) -> None:
    info = ColumnInfo(unit, description)
    loaded = round_trip(make_table({"x": info}, x=[1.0]), tmp_path, suffix)
    assert loaded.info.get("x", ColumnInfo()) == info


def test_dex_is_restored_where_another_program_dropped_it_from_fits(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    save_table(make_table({"oh": ColumnInfo("dex", "metallicity")}, first=[1], oh=[8.5]), path)
    with fits.open(path, mode="update") as units:
        assert units[1].header["TUNIT2"] == "dex"
        del units[1].header["TUNIT2"]
    assert load_table(path).info == {"oh": ColumnInfo("dex", "metallicity")}


def test_a_unit_that_another_program_changed_wins_over_our_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    save_table(make_table({"x": ColumnInfo("deg")}, x=[1.0]), path)
    with fits.open(path, mode="update") as units:
        units[1].header["TUNIT1"] = "rad"
        units[1].header["MLINFO7"] = "not ours"
    assert load_table(path).info == {"x": ColumnInfo("rad")}


def test_csv_stays_plain_and_what_columns_mean_lies_beside_it(tmp_path: Path) -> None:
    path, metadata = tmp_path / "a.csv", tmp_path / "a.csv-metadata.json"
    table = make_table({"oh": ColumnInfo("dex", "metallicity")}, id=[1, 2], oh=[8.5, np.nan], name=["a", "b"])
    save_table(table, path)
    assert path.read_text() == "id,oh,name\n1,8.5,a\n2,,b\n"
    assert json.loads(metadata.read_text())["tableSchema"]["columns"] == [
        {"name": "oh", "unit": "dex", "dc:description": "metallicity"}
    ]
    pd.testing.assert_frame_equal(pd.read_csv(path), table.frame)
    save_table(Table(table.frame), path)
    assert load_table(path).info == {}
    assert not metadata.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"tableSchema": 1}', '{"tableSchema": {"columns": [1]}}'])
def test_metadata_of_a_csv_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "a.csv-metadata.json").write_text(content)
    with pytest.raises(TableError, match=r"a\.csv-metadata\.json cannot be read .* Correct or delete it"):
        load_table(tmp_path / "a.csv")


def test_a_parquet_file_of_ours_is_plain_for_others(tmp_path: Path) -> None:
    save_table(make_table({"x": ColumnInfo("dex", "d")}, id=[BIG], x=[0.5]), tmp_path / "a.parquet")
    assert pq.read_schema(tmp_path / "a.parquet").field("x").metadata[b"unit"] == b"dex"
    assert pd.read_parquet(tmp_path / "a.parquet")["id"].tolist() == [BIG]


# Files of others


def test_a_csv_of_skyserver_is_read(tmp_path: Path) -> None:
    loaded = load_table(write_text(tmp_path, f"#Table1\r\nobjID,oh_p50\r\n{BIG},8.75\r\n{BIG + 1},-9999\r\n"))
    assert loaded.frame["objID"].tolist() == [BIG, BIG + 1]
    assert values(loaded, "oh_p50") == [8.75, None]


def test_a_csv_with_byte_order_mark_blanks_and_blank_lines_is_read(tmp_path: Path) -> None:
    loaded = load_table(write_text(tmp_path, '\ufeff\n id , "x, y", flag\n1, 2.5, True\n\n -2, .5, FALSE\n'))
    assert list(loaded.frame.columns) == ["id", "x, y", "flag"]
    assert loaded.frame.to_numpy().tolist() == [[1, 2.5, True], [-2, 0.5, False]]


def test_the_index_column_of_pandas_gets_a_name(tmp_path: Path) -> None:
    pd.DataFrame({"id": [5, 6], "x": [0.5, 1.5]}).to_csv(tmp_path / "a.csv")
    assert list(load_table(tmp_path / "a.csv").frame.columns) == ["unnamed_1", "id", "x"]


def test_leading_zeros_and_hexadecimals_are_text(tmp_path: Path) -> None:
    loaded = load_table(write_text(tmp_path, "plate,hex\n0266,0x1F\n0,7\n"))
    assert loaded.frame["plate"].tolist() == ["0266", "0"]
    assert loaded.frame["hex"].tolist() == ["0x1F", "7"]


def test_an_empty_line_in_a_csv_of_one_column_is_a_missing_value(tmp_path: Path) -> None:
    assert values(load_table(write_text(tmp_path, "id\n5\n\n6\n")), "id") == [5, None, 6]
    assert values(round_trip(make_table(x=[0.5, np.nan, 1.5, np.nan]), tmp_path, ".csv"), "x") == [0.5, None, 1.5, None]


def test_csv_columns_without_any_value_are_missing_numbers(tmp_path: Path) -> None:
    loaded = load_table(write_text(tmp_path, "id,x,y\n1,,null\n2,,\n"))
    assert loaded.frame[["x", "y"]].dtypes.tolist() == [np.float64] * 2
    assert loaded.frame[["x", "y"]].isna().all(axis=None)


def test_a_fits_table_of_others_is_read_in_native_byte_order(tmp_path: Path) -> None:
    path = write_fits(
        tmp_path / "a.FIT",
        fits.Column("SPECOBJID", "22A", array=np.array(["299489676975171584    ", " 7"])),
        fits.Column("SHORT", "I", null=-32768, array=np.array([5, -32768], dtype=np.int16)),
        fits.Column("BYTE", "B", array=np.array([0, 255], dtype=np.uint8)),
        fits.Column("OFFSET", "I", bzero=32768, array=np.array([0, 65535], dtype=np.uint16)),
        fits.Column("SCALED", "I", null=7, array=np.array([3, 7], dtype=np.int16)),
        fits.Column("SINGLE", "E", array=np.array([0.5, -9999], dtype=np.float32)),
        fits.Column("EMPTY", "A", array=np.array(["", ""])),
    )
    with fits.open(path, mode="update") as units:
        units[1].header.update({"TSCAL5": 0.5, "TZERO5": 10})
    loaded = load_table(path)
    assert values(loaded, "SPECOBJID") == ["299489676975171584", " 7"]
    assert values(loaded, "SHORT") == [5, None]
    assert loaded.frame["BYTE"].tolist() == [0, 255]
    assert loaded.frame["OFFSET"].tolist() == [0, 65535]
    assert values(loaded, "SCALED") == [11.5, None]
    assert values(loaded, "SINGLE") == [0.5, None]
    assert values(loaded, "EMPTY") == [None, None]
    assert all(column.to_numpy().dtype.isnative for _, column in loaded.frame.items())
    assert require_object_ids(loaded, "SPECOBJID", path=path).tolist() == [299489676975171584, 7]


def test_careless_fits_text_is_kept_visible(tmp_path: Path) -> None:
    path = write_fits(tmp_path / "a.fits", fits.Column("s", "4A", array=np.array([b"\xc3\xa9", b"\xff"], dtype="S4")))
    assert load_table(path).frame["s"].tolist() == ["é", "\\xff"]


def test_other_types_of_parquet_are_read(tmp_path: Path) -> None:
    stored = pa.table(
        {
            "kind": pa.array(["a", None, "a"]).dictionary_encode(),
            "half": pa.array(np.array([0.5, 1, 2], dtype=np.float16)),
            "date": pa.array([0, None, 1], pa.timestamp("ms")),
            "raw": pa.array([b"x", b"y", None]),
            "none": pa.nulls(3),
        }
    )
    folder = tmp_path / "year=2020"
    folder.mkdir()
    pq.write_table(stored, folder / "a.pq")
    loaded = load_table(folder / "a.pq")
    assert list(loaded.frame.columns) == stored.column_names
    assert values(loaded, "kind") == ["a", None, "a"]
    assert values(loaded, "half") == [0.5, 1, 2]
    assert values(loaded, "raw") == ["x", "y", None]
    assert loaded.frame["none"].isna().all()
    save_table(loaded, tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(load_table(tmp_path / "b.parquet").frame, loaded.frame)
