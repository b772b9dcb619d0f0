"""Promises of ECSV, VOTable, gzip and Parquet parts: files of others are read, ours are read by others."""

import base64
import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn
from astropy.table import Table as OthersTable

from make_tables import BIG, PACKED, make_table, round_trip, values
from metalight.errors import TableError
from metalight.tables import ColumnInfo, Table, find_column, list_table_files, load_table, save_table


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refuse(path: Path, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_table(path)


OURS = make_table(
    {"oh": ColumnInfo("dex", "12 + log10(O/H)")},
    id=[BIG, BIG + 1],
    oh=[8.5, np.nan],
    n=pd.array([None, 2**53 + 1], dtype="Int64"),
    flag=[True, False],
    name=["a < b & 'c'", "é"],
)

# ECSV and VOTable


@pytest.mark.parametrize(("suffix", "form"), [(".ecsv", "ascii.ecsv"), (".vot", "votable")])
def test_others_read_what_we_write(tmp_path: Path, suffix: str, form: str) -> None:
    save_table(OURS, tmp_path / f"a{suffix}")
    read = OthersTable.read(tmp_path / f"a{suffix}", format=form)
    assert read["id"].dtype == np.int64
    assert list(read["id"]) == [BIG, BIG + 1]
    assert read["n"].mask.tolist() == [True, False]
    assert int(read["n"][1]) == 2**53 + 1
    assert str(read["oh"].unit) == "dex"
    assert read["oh"].description == "12 + log10(O/H)"
    assert [bool(flag) for flag in read["flag"]] == [True, False]
    assert [str(name) for name in read["name"]] == OURS.frame["name"].tolist()


def test_others_read_large_unsigned_integers_of_a_votable_as_their_digits(tmp_path: Path) -> None:
    save_table(make_table(id=np.array([7, 2**64 - 1], dtype=np.uint64)), tmp_path / "a.vot")
    read = OthersTable.read(tmp_path / "a.vot", format="votable")
    assert [str(digits) for digits in read["id"]] == ["7", "18446744073709551615"]


@pytest.mark.parametrize(
    ("suffix", "write_table"),
    [
        (".ecsv", lambda table, path: table.write(path, format="ascii.ecsv")),
        (".ecsv", lambda table, path: table.write(path, format="ascii.ecsv", delimiter=",")),
        *[
            (".xml", lambda table, path, rows=rows: table.write(path, format="votable", tabledata_format=rows))
            for rows in ("tabledata", "binary2")
        ],
    ],
)
def test_we_read_what_others_write(
    tmp_path: Path, suffix: str, write_table: Callable[[OthersTable, Path], None]
) -> None:
    table = OthersTable(
        {
            "id": np.array([BIG, BIG + 1, 5]),
            "n": MaskedColumn(np.array([1, 2, 3], dtype=np.int16), mask=[False, True, False]),
            "oh": MaskedColumn([8.5, 0.1, np.inf], mask=[False, True, False], unit="dex", description="an abundance"),
            "single": np.array([0.1, -np.inf, np.nan], dtype=np.float32),
            "flag": [True, False, True],
            "name": ["a b", "é", "c"],
        }
    )
    write_table(table, tmp_path / f"a{suffix}")
    loaded = load_table(tmp_path / f"a{suffix}")
    assert loaded.frame["id"].tolist() == [BIG, BIG + 1, 5]
    assert values(loaded, "n") == [1, None, 3]
    assert values(loaded, "oh") == [8.5, None, np.inf]
    assert loaded.frame["single"].dtype == np.float32
    np.testing.assert_array_equal(loaded.frame["single"], table["single"])
    assert loaded.frame["flag"].tolist() == [True, False, True]
    assert loaded.frame["name"].tolist() == ["a b", "é", "c"]
    assert loaded.info["oh"] == ColumnInfo("dex", "an abundance")


def make_votable(fields: str, rows: str) -> str:
    return f"<VOTABLE><RESOURCE><TABLE>{fields}<DATA>{rows}</DATA></TABLE></RESOURCE></VOTABLE>"


ID = '<FIELD name="id" datatype="long"/>'


def test_the_first_of_several_votables_is_read(tmp_path: Path) -> None:
    one, two = (f"<TABLE>{ID}<DATA><TABLEDATA><TR><TD>{n}</TD></TR></TABLEDATA></DATA></TABLE>" for n in (1, 2))
    path = write(tmp_path / "a.xml", f"<VOTABLE><RESOURCE>{one}</RESOURCE><RESOURCE>{two}</RESOURCE></VOTABLE>")
    assert load_table(path).frame["id"].tolist() == [1]


def test_a_votable_of_others_is_read_with_its_prefixes_signs_and_nulls(tmp_path: Path) -> None:
    text = (
        '<v:VOTABLE xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"><v:RESOURCE><v:TABLE>'
        '<v:PARAM name="p" datatype="int" value="1"><v:DESCRIPTION>no column</v:DESCRIPTION></v:PARAM>'
        '<v:FIELD ID="n" datatype="int" unit=" m "><v:DESCRIPTION> N\n</v:DESCRIPTION><v:VALUES null="-9"/></v:FIELD>'
        '<v:FIELD name="x" datatype="float"/><v:FIELD name="b" datatype="boolean"/><v:FIELD name="c" datatype="char"/>'
        "<v:DATA><v:TABLEDATA><v:TR><v:TD> +5 </v:TD><v:TD>+Inf</v:TD><v:TD>?</v:TD><v:TD>q</v:TD></v:TR>"
        "<v:TR><v:TD>-9</v:TD><v:TD/><v:TD>1</v:TD><v:TD/></v:TR></v:TABLEDATA></v:DATA>"
        "</v:TABLE></v:RESOURCE></v:VOTABLE>"
    )
    loaded = load_table(write(tmp_path / "a.xml", text))
    assert [values(loaded, name) for name in "nxbc"] == [[5, None], [np.inf, None], [None, True], ["q", None]]
    assert loaded.info == {"n": ColumnInfo("m", "N")}


@pytest.mark.parametrize("version", ["", 'version="1.1"', 'version="1.4"'])
def test_an_empty_cell_of_a_votable_is_missing_and_no_number_in_any_version(tmp_path: Path, version: str) -> None:
    text = make_votable(ID, "<TABLEDATA><TR><TD/></TR><TR><TD>5</TD></TR></TABLEDATA>")
    path = write(tmp_path / "a.vot", text.replace("<VOTABLE", f"<VOTABLE {version}"))
    assert values(load_table(path), "id") == [None, 5]


def test_text_of_a_votable_keeps_its_blanks_and_any_language(tmp_path: Path) -> None:
    texts = [" NGC  7 ", "\t", "é 😀\r\n."]
    cells = "".join(f"<TR><TD>{text}</TD></TR>" for text in texts).replace("\r", "&#13;")
    field = '<FIELD name="t" datatype="unicodeChar" arraysize="*"/>'
    path = write(tmp_path / "a.vot", make_votable(field, f"<TABLEDATA>{cells}</TABLEDATA>"))
    assert values(load_table(path), "t") == texts
    assert values(round_trip(load_table(path), tmp_path, ".vot"), "t") == texts


def pack(field: str, rows: bytes) -> str:
    return make_votable(field, f'<BINARY><STREAM encoding="base64">{base64.b64encode(rows).decode()}</STREAM></BINARY>')


def test_a_bit_of_a_binary_votable_is_read_where_the_standard_and_where_astropy_puts_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vot", pack('<FIELD name="b" datatype="bit"/>', b"\x80\x08\0"))
    assert values(load_table(path), "b") == [True, True, False]


@pytest.mark.parametrize("suffix", [".vot", ".ecsv"])
def test_units_are_kept_as_they_are_spelt_and_not_worked_out(tmp_path: Path, suffix: str) -> None:
    units = ["10**-17 erg/s/cm2", "10**999999999", "log(Msun)", "m.m", "(((m)))"]
    info = {f"x{place}": ColumnInfo(unit) for place, unit in enumerate(units)}
    assert round_trip(make_table(info, **{name: [1] for name in info}), tmp_path, suffix).info == info


BOMB = '<!DOCTYPE v [<!ENTITY a "aaaaaaaa">' + "".join(
    f'<!ENTITY {after} "{f"&{name};" * 10}">' for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><body/></html>", "cannot be read as VOTable: its first element is 'html'"),
        ("<VOTABLE></RESOURCE>", "cannot be read as VOTable: mismatched tag"),
        (f"{BOMB}]><VOTABLE>&i;</VOTABLE>", "entities of its own.* without a DOCTYPE"),
        ('<!DOCTYPE v [<!ENTITY a SYSTEM "a">]><VOTABLE>&a;</VOTABLE>', "entities of its own"),
        ("<VOTABLE/>", "holds no table"),
        ("<VOTABLE><RESOURCE><TABLE/></RESOURCE></VOTABLE>", "holds no table"),
        (make_votable(ID, "<TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA>"), "row 1 has 2 values for 1 col"),
        (make_votable(ID, '<BINARY><STREAM href="http://example.org/x"/></BINARY>'), "another file.* in TABLEDATA"),
        (make_votable(ID, "<BINARY><STREAM>AAA</STREAM></BINARY>"), "not base64"),
        (make_votable(ID, "<BINARY><STREAM>AAAA</STREAM></BINARY>"), "its rows are cut short"),
        (pack(ID, struct.pack(">qq", 1, 2)[:-3]), "its rows are cut short"),
        (pack(ID, struct.pack(">q", 1)).replace("AAAA", "AA!!AA"), "not base64"),
        (pack('<FIELD name="t" datatype="char" arraysize="0"/>', b"ab"), "text without any width"),
        (pack('<FIELD name="a" datatype="decimal"/>', b"12"), "type 'decimal', whose width is not known"),
        (pack('<FIELD name="a" datatype="char" arraysize="2x*"/>', b"12"), "size '2x[*]'"),
        ("<VOTABLE>" + "<RESOURCE>" * 100, "nested more than 100 deep"),
        (make_votable(ID, "<FITS><STREAM>AAAA</STREAM></FITS>"), "a FITS file inside the XML"),
        (
            make_votable(
                '<FIELD name="t" datatype="char" arraysize="*"/>',
                f"<BINARY><STREAM>{base64.b64encode(struct.pack('>I', 2**32 - 1)).decode()}</STREAM></BINARY>",
            ),
            "its rows are cut short",
        ),
    ],
)
def test_a_votable_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    refuse(write(tmp_path / "a.vot", text), message)


HEAD = "# %ECSV 1.0\n# ---\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "cannot be read as ECSV: it does not start with '# %ECSV 1.0'"),
        (HEAD + "a\n1\n", "does not describe columns"),
        (HEAD + "# datatype: [{datatype: int64}]\na\n1\n", "name and type of column 1"),
        (HEAD + "# datatype: [{name: a, datatype: int64\na\n1\n", "cannot be read as ECSV: while parsing"),
        (HEAD + "# datatype: " + "[" * 5000 + "\na\n1\n", "cannot be read as ECSV"),
        (HEAD + "# x\n" * 300_000 + "a\n1\n", "longer than 1 MiB"),
        (HEAD + "# datatype: [{name: a, datatype: int64}]\nb\n1\n", "line of column names is not what its header"),
        (HEAD + "# datatype: [{name: a, datatype: int64}]\na\n1 2\n", "cannot be read as ECSV"),
        (HEAD + "# delimiter: ;\n# datatype: [{name: a, datatype: int64}]\na\n1\n", "delimiter is neither"),
        (HEAD + "# a: &a [x, x]\n# datatype: [{name: [*a, *a], datatype: int64}]\na\n1\n", "name and type of column 1"),
    ],
)
def test_an_ecsv_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    refuse(write(tmp_path / "a.ecsv", text), message)


def test_text_of_an_ecsv_keeps_blanks_breaks_and_what_is_empty(tmp_path: Path) -> None:
    texts = [" a ", "\r\n", "\u2028", "\x0c", "", None, "#", "nan"]
    table = make_table(t=pd.Series(texts, dtype="str"), row=range(len(texts)))
    assert values(round_trip(table, tmp_path, ".ecsv"), "t") == texts


@pytest.mark.parametrize("suffix", [".ecsv", ".csv"])
def test_a_column_name_may_have_line_breaks_and_a_comment_an_odd_quote(tmp_path: Path, suffix: str) -> None:
    columns = {"two\nlines": [1, 2], 'and "three"\n\nlines': [3, 4], "c": [5, 6]}
    path = tmp_path / f"a{suffix}"
    save_table(Table(pd.DataFrame(columns)), path)
    if suffix == ".csv":
        write(path, b'# 5" wide\n' + path.read_bytes())
    assert load_table(path).frame.to_dict("list") == columns


@pytest.mark.parametrize("suffix", [".ecsv", ".vot"])
def test_dates_are_refused_by_formats_without_them(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TableError, match=r"column 'date', of type timestamp.*as \.parquet"):
        save_table(make_table(date=pd.to_datetime(["2020-01-01"])), tmp_path / f"a{suffix}")


def test_text_that_xml_cannot_hold_is_refused_and_units_with_it_are_kept(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"VOTable cannot hold 'a\\x01' of column 'name', as XML cannot"):
        save_table(make_table(name=["a\x01"]), tmp_path / "a.vot")
    with pytest.raises(TableError, match=r"column name 'a\\x01'"):
        save_table(Table(pd.DataFrame({"a\x01": [1]})), tmp_path / "a.vot")
    info = {"x": ColumnInfo("\x01", "a\ufffe")}
    assert round_trip(make_table(info, x=[1]), tmp_path, ".vot").info == info


# Gzip


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_table_is_the_plain_one_without_name_and_time(tmp_path: Path, suffix: str) -> None:
    table = make_table(id=[BIG], oh=[8.5])
    save_table(table, tmp_path / f"a{suffix}")
    save_table(table, tmp_path / f"a{suffix[:-3]}")
    packed = (tmp_path / f"a{suffix}").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / f"a{suffix[:-3]}").read_bytes()
    assert packed[3:8] == b"\0" * 5


def test_units_lie_beside_a_compressed_csv_too(tmp_path: Path) -> None:
    table = make_table({"oh": ColumnInfo("dex")}, oh=[8.5])
    assert round_trip(table, tmp_path, ".CSV.GZ").info == table.info
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["table.CSV.GZ", "table.CSV.GZ-metadata.json"]
    assert list_table_files(tmp_path / "table.CSV.GZ") == [tmp_path / name for name in names]


def test_a_compressed_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"id\n" + b"".join(b"%d\n" % number for number in range(5000)))
    refuse(write(tmp_path / "a.csv.gz", packed[:-20]), "is cut short; copy or download")
    broken = packed[:200] + bytes(byte ^ 255 for byte in packed[200:240]) + packed[240:]
    refuse(write(tmp_path / "a.csv.gz", broken), "cannot be unpacked.*Copy or download it again")
    refuse(write(tmp_path / "a.csv.gz", "id\n1\n"), "is not compressed with gzip; rename it to end without")
    refuse(write(tmp_path / "a.csv", packed), r"is compressed with gzip; rename it to end with \.csv\.gz")
    refuse(write(tmp_path / "a.fits", packed), r"is compressed with gzip; rename it to end with \.fits\.gz")
    refuse(write(tmp_path / "a.csv.gz", gzip.compress(b"")), "is empty")
    refuse(write(tmp_path / "a.ecsv.gz", gzip.compress(b"<?xml ?>")), r"holds VOTable, not ECSV; .* with \.vot\.gz")
    refuse(write(tmp_path / "a.parquet.gz", packed), "Parquet is compressed in itself; leave .gz away")
    refuse(write(tmp_path / "a.xls.gz", packed), r"the suffix '\.xls', .* before \.gz")
    refuse(write(tmp_path / "a.gz", packed), "no suffix before .gz")


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metalight.tables import compressed

    # The bound is lowered from 256 MiB, so that the test need not write as much.
    monkeypatch.setattr(compressed, "_ALWAYS_READ", 1 << 20)
    refuse(write(tmp_path / "a.csv.gz", gzip.compress(b"x\n" + b"0\n" * (1 << 21))), "more than 100 times its size")
    assert len(load_table(write(tmp_path / "a.csv.gz", gzip.compress(b"x\n" + b"0\n" * (1 << 18)))).frame) == 1 << 18


# Parts


def write_part(path: Path, info: dict[str, ColumnInfo] | None = None, **columns: object) -> None:
    save_table(make_table(info, **columns), path)


@pytest.mark.parametrize("pattern", ["part-*.parquet", "part-?.parquet", "p*", ""])
def test_parts_follow_one_another_sorted_by_name(tmp_path: Path, pattern: str) -> None:
    folder = tmp_path / "parts [1]"
    write_part(folder / "part-2.parquet", oh=[8.7], id=pd.array([None], dtype="Int64"), name=["c"])
    write_part(folder / "part-1.parquet", {"oh": ColumnInfo("dex", "d")}, id=[BIG, 2], oh=[8.5, 8.6], name=["a", "b"])
    write(folder / ".part-0.parquet", "being written")
    loaded = load_table(folder / pattern)
    assert list(loaded.frame.columns) == ["id", "oh", "name"]
    assert values(loaded, "id") == [BIG, 2, None]
    assert loaded.frame["oh"].tolist() == [8.5, 8.6, 8.7]
    assert loaded.frame["name"].tolist() == ["a", "b", "c"]
    assert loaded.info == {"oh": ColumnInfo("dex", "d")}
    assert [path.name for path in list_table_files(folder / pattern)] == ["part-1.parquet", "part-2.parquet"]


def test_a_table_cut_into_parts_is_the_table(tmp_path: Path) -> None:
    whole = make_table(
        id=np.array([2**63, 5, 7, 2**64 - 1], dtype=np.uint64),
        n=pd.array([1, 2, None, None], dtype="Int64"),
        flag=pd.array([True, False, None, True], dtype="boolean"),
        x=[0.5, 1.5, np.nan, np.nan],
        single=np.array([0.5, 1, 2, 3], dtype=np.float32),
        name=pd.Series(["a", "b", None, None], dtype="str"),
    )
    for part in range(2):
        rows = whole.frame.iloc[2 * part : 2 * part + 2].reset_index(drop=True)
        save_table(Table(rows), tmp_path / f"{part}.parquet")
    (tmp_path / "7.parquet").write_bytes((tmp_path / "0.parquet").read_bytes())
    save_table(Table(whole.frame.iloc[:0]), tmp_path / "7.parquet")
    pq.write_table(
        pa.table({name: pa.nulls(1) for name in whole.frame.columns}), tmp_path / "8.parquet"
    )  # a part that lacks every value has no types
    loaded = load_table(tmp_path)
    pd.testing.assert_frame_equal(loaded.frame.iloc[:4], whole.frame.astype({"id": "UInt64"}))
    assert loaded.frame.iloc[4].isna().all()


@pytest.mark.parametrize(
    ("info", "columns", "message"),
    [
        ({}, {"id": [3]}, r"'oh' .* not in 2\.parquet"),
        ({}, {"id": [3], "oh": [8.5], "x": [1]}, r"'x' .* not in 1\.parquet"),
        ({}, {"id": [3.0], "oh": [8.5]}, r"'id' .* 2\.parquet has decimal numbers where 1\.parquet has integers"),
        ({}, {"id": ["3"], "oh": [8.5]}, r"'id' .* 2\.parquet has text"),
        ({}, {"id": np.array([2**63], dtype=np.uint64), "oh": [1.5]}, r"'id' .* 1\.parquet has negative integers"),
        ({"oh": ColumnInfo("mag")}, {"id": [3], "oh": [8.5]}, r"'oh' .* 2\.parquet .* 'mag' .* 1\.parquet .* 'dex'"),
    ],
)
def test_a_column_in_which_a_part_differs_is_left_out_and_refused_when_it_is_named(
    tmp_path: Path, info: dict[str, ColumnInfo], columns: dict[str, object], message: str
) -> None:
    write_part(tmp_path / "1.parquet", {"oh": ColumnInfo("dex")}, id=[-1], oh=[8.5])
    write_part(tmp_path / "2.parquet", info, **columns)
    loaded = load_table(tmp_path)
    (name,) = loaded.left_out
    assert len(loaded.frame) == 2
    with pytest.raises(TableError, match=message):
        find_column(loaded, name, path=tmp_path, role="[catalog] targets")


def test_patterns_and_folders_without_parts_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path / "*.parquet", r"no file that matches .*\*\.parquet")
    refuse(tmp_path, "is a folder without .parquet parts")
    write(tmp_path / "a.csv", "id\n1\n")
    refuse(tmp_path / "*", r"matches a\.csv too, but only \.parquet files can be parts")
    write(tmp_path / "b*.csv", "id\n5\n")
    assert load_table(tmp_path / "b*.csv").frame["id"].tolist() == [5]


def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    refuse(tmp_path / "a.csv", "is not a file that can be read from its start")
