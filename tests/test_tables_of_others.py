"""Promises of tables as people have them: what nobody named does not spoil a table, and dialects are understood."""

import gzip
import resource
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn
from astropy.table import Table as OthersTable

from make_tables import BIG, SUFFIXES, make_table, values
from metalight.errors import TableError
from metalight.tables import describe_reading, find_column, load_rows, load_table, save_table

IDS = [BIG, BIG + 1, BIG + 7]


def refuse_column(path: Path, name: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        find_column(load_table(path), name, path=path, role="[catalog] targets")


# Columns that nobody named


def write_others(table: OthersTable, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".parquet":
            columns = {name: pa.array(table[name].tolist()) for name in table.colnames if name != "complex"}
            pq.write_table(pa.table(columns), path)
        elif path.suffix == ".vot":
            table.write(path, format="votable", tabledata_format="binary2")
        else:
            table.write(path)


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".vot", ".parquet"])
def test_columns_of_several_values_are_left_out_with_a_note_and_refused_only_when_they_are_named(
    tmp_path: Path, suffix: str
) -> None:
    table = OthersTable({"id": IDS, "pair": np.ones((3, 2)), "matrix": np.ones((3, 2, 2), "f4"), "oh": [8.5, 8.6, 8.7]})
    if suffix != ".parquet":
        table["complex"] = np.ones(3, complex)
    path = tmp_path / f"a{suffix}"
    write_others(table, path)
    loaded = load_table(path)
    assert list(loaded.frame.columns) == ["id", "oh"]
    assert loaded.frame["id"].tolist() == IDS
    assert loaded.frame["oh"].tolist() == [8.5, 8.6, 8.7]
    assert set(loaded.left_out) == set(table.colnames) - {"id", "oh"}
    assert all(name in describe_reading(loaded) for name in loaded.left_out)
    refuse_column(path, "pair", r"Column 'pair' of .*, which \[catalog\] targets names, holds .*values")


def test_types_that_no_column_holds_are_left_out_in_every_format(tmp_path: Path) -> None:
    field = '<FIELD name="{}" datatype="{}"/>'
    fields = "".join(field.format(*each) for each in (("id", "long"), ("odd", "decimal"), ("bad", "double")))
    rows = "<TABLEDATA><TR><TD>5</TD><TD>1</TD><TD>8,5</TD></TR></TABLEDATA>"
    (tmp_path / "a.vot").write_text(
        f"<VOTABLE><RESOURCE><TABLE>{fields}<DATA>{rows}</DATA></TABLE></RESOURCE></VOTABLE>"
    )
    described = "[{name: id, datatype: int64}, {name: odd, datatype: quad}, {name: bad, datatype: int64}]"
    (tmp_path / "a.ecsv").write_text(f"# %ECSV 1.0\n# ---\n# datatype: {described}\nid odd bad\n5 1 1.5\n")
    stored = {"id": [5], "odd": [{"bytes": b"\xff"}], "bad": [b"\xff\xfe"]}
    pq.write_table(pa.table(stored), tmp_path / "a.parquet")
    fits.BinTableHDU.from_columns(
        [
            fits.Column("id", "K", array=[5]),
            fits.Column("odd", "3X", array=[[True] * 3]),
            fits.Column("bad", "2J", array=[[1, 2]]),
        ]
    ).writeto(tmp_path / "a.fits")
    for path in tmp_path.iterdir():
        loaded = load_table(path)
        assert loaded.frame.to_dict("list") == {"id": [5]}, path
        assert set(loaded.left_out) == {"odd", "bad"}, path
    refuse_column(tmp_path / "a.vot", "bad", "'8,5'")
    refuse_column(tmp_path / "a.ecsv", "BAD", r"Column 'bad' .*'1\.5'")


def test_columns_of_one_name_are_left_out_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,id,a\n1,5,2\n")
    pq.write_table(pa.Table.from_arrays([pa.array([n]) for n in (1, 5, 2)], ["a", "id", "a"]), tmp_path / "a.parquet")
    (tmp_path / "a.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - &x {name: a, datatype: int64}\n# - {name: id, datatype: int64}\n# - *x\n"
        "a id a\n1 5 2\n"
    )
    field = '<FIELD name="{}" datatype="int"/>'
    row = "<TR><TD>1</TD><TD>5</TD><TD>2</TD></TR>"
    (tmp_path / "a.vot").write_text(
        f"<VOTABLE><TABLE>{''.join(map(field.format, ('a', 'id', 'a')))}<DATA><TABLEDATA>{row}</TABLEDATA></DATA>"
        "</TABLE></VOTABLE>"
    )
    unit = fits.BinTableHDU.from_columns([fits.Column(name, "K", array=[5]) for name in ("a", "id", "b")])
    unit.writeto(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(content.replace(b"TTYPE3  = 'b", b"TTYPE3  = 'a"))
    for path in tmp_path.iterdir():
        assert load_table(path).frame.to_dict("list") == {"id": [5]}, path
        refuse_column(path, "a", "more than once")


def test_lists_in_parquet_are_left_out_of_every_piece(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": IDS, "list": [[1.0]] * 3}), tmp_path / "a.parquet")
    rows = load_rows(tmp_path / "a.parquet", lambda piece: piece.frame["id"] > BIG)
    assert rows.frame.to_dict("list") == {"id": IDS[1:]}
    assert "list" in rows.left_out


# Masks


@pytest.mark.parametrize(
    ("suffix", "how"),
    [(".parquet", {}), (".ecsv", {"serialize_method": "data_mask"}), (".fits", {"serialize_method": "data_mask"})],
)
def test_a_value_is_missing_where_the_mask_beside_it_says_so(tmp_path: Path, suffix: str, how: dict[str, Any]) -> None:
    mask = [False, True, False]
    table = OthersTable({"id": IDS})
    for name, column in {"oh": [8.5, 8.6, 8.7], "n": IDS, "flag": [True, False, True], "name": ["a", "b", "c"]}.items():
        table[name] = MaskedColumn(column, mask=mask)
    path = tmp_path / f"a{suffix}"
    table.write(path, **how)
    loaded = load_table(path)
    assert list(loaded.frame.columns) == ["id", "oh", "n", "flag", "name"]
    for name in ("oh", "n", "flag", "name"):
        assert loaded.frame[name].isna().tolist() == mask, name
    assert values(loaded, "n") == [IDS[0], None, IDS[2]]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_mask_counts_in_every_format_and_alone_it_is_a_column(tmp_path: Path, suffix: str) -> None:
    columns: dict[str, Any] = {
        "oh": [8.5, 8.6],
        "oh.mask": [True, False],
        "x.mask": [True, False],
        "id": IDS[:2],
        "id.mask": [0, 1],
    }
    save_table(make_table(**columns), tmp_path / f"a{suffix}")
    loaded = load_table(tmp_path / f"a{suffix}")
    assert list(loaded.frame.columns) == ["oh", "x.mask", "id", "id.mask"]
    assert values(loaded, "oh") == [None, 8.6]
    assert values(loaded, "id") == IDS[:2]


def test_parts_of_which_only_one_has_a_mask_are_one_table(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"oh": [8.5, 8.6], "oh.mask": [True, False]}
    save_table(make_table(**columns), tmp_path / "1.parquet")
    save_table(make_table(oh=[8.7]), tmp_path / "2.parquet")
    for loaded in (load_table(tmp_path), load_rows(tmp_path, lambda piece: np.ones(len(piece.frame), bool))):
        assert values(loaded, "oh") == [None, 8.6, 8.7]
        assert not loaded.left_out


# Several tables in a file


def write_ldac(path: Path) -> None:
    card = fits.Column("Field Header Card", "80A", array=["SIMPLE"])
    head = fits.BinTableHDU.from_columns([card], name="LDAC_IMHEAD")
    rows = [fits.Column("objID", "K", array=IDS), fits.Column("oh", "D", array=[8.5, 8.6, 8.7])]
    objects = fits.BinTableHDU.from_columns(rows, name="LDAC_OBJECTS")
    fits.HDUList([fits.PrimaryHDU(), head, objects]).writeto(path)


def write_votables(path: Path) -> None:
    fields = {"head": ("card",), "objects": ("objID", "oh")}
    cells = {"card": ["9"] * 3, "objID": list(map(str, IDS)), "oh": ["8.5", "8.6", "8.7"]}
    tables = []
    for table, names in fields.items():
        kinds = {name: "double" if name == "oh" else "long" for name in names}
        of_table = "".join(f'<FIELD name="{name}" datatype="{kind}"/>' for name, kind in kinds.items())
        rows = "".join(f"<TR>{''.join(f'<TD>{cells[name][row]}</TD>' for name in names)}</TR>" for row in range(3))
        tables.append(f'<TABLE name="{table}">{of_table}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>')
    path.write_text(f"<VOTABLE><RESOURCE>{''.join(tables)}</RESOURCE></VOTABLE>")


@pytest.mark.parametrize(
    ("name", "write", "others"),
    [("a.fits", write_ldac, ("LDAC_IMHEAD", "LDAC_OBJECTS")), ("a.vot", write_votables, ("head", "objects"))],
)
def test_of_several_tables_that_with_the_wanted_columns_is_read_and_the_others_are_named(
    tmp_path: Path, name: str, write: Callable[[Path], None], others: tuple[str, str]
) -> None:
    path = tmp_path / name
    write(path)
    loaded = load_table(path, wanted=["OBJID", "oh"])
    assert loaded.frame["objID"].tolist() == IDS
    assert all(other in describe_reading(loaded) for other in others)
    # Where no column is wanted, the longest table of FITS, and the first of VOTable, is read.
    assert load_table(path).frame.shape == ((3, 2) if name == "a.fits" else (3, 1))
    # None has both: the one that has more of them is read, and the message names the other.
    loaded = load_table(path, wanted=["objID", "mass"])
    with pytest.raises(TableError, match=f"no column 'mass'.*{others[1]}.*{others[0]}"):
        find_column(loaded, "mass", path=path, role="[catalog] targets")


def test_a_fits_table_of_text_is_read_with_exact_integers(tmp_path: Path) -> None:
    columns = [
        fits.Column("id", "I20", ascii=True, array=np.array(IDS)),
        fits.Column("oh", "F8.3", ascii=True, array=np.array([8.5, 8.6, 8.7])),
        fits.Column("mass", "D15.7", ascii=True, array=np.array([1e10, 1e11, 2.5])),
        fits.Column("n", "I5", null="-9", ascii=True, array=np.array([1, 2, -9])),
        fits.Column("name", "A4", ascii=True, array=np.array(["a b", "", "00123"])),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(columns)]).writeto(tmp_path / "a.fits")
    loaded = load_table(tmp_path / "a.fits")
    assert values(loaded, "id") == IDS
    assert values(loaded, "oh") == [8.5, 8.6, 8.7]
    assert values(loaded, "mass") == [1e10, 1e11, 2.5]
    assert values(loaded, "n") == [1, 2, None]
    assert values(loaded, "name") == ["a b", None, "0012"]


# Words for missing numbers


@pytest.mark.parametrize("word", ["null", "NULL", "nan", "NaN", "--", "N/A", "none", ""])
def test_words_for_a_missing_number_are_missing_in_every_format_of_text(tmp_path: Path, word: str) -> None:
    fields = '<FIELD name="id" datatype="long"/><FIELD name="x" datatype="double"/><FIELD name="b" datatype="boolean"/>'
    rows = f"<TR><TD>5</TD><TD>{word}</TD><TD>{word}</TD></TR><TR><TD>{word}</TD><TD>0.5</TD><TD>T</TD></TR>"
    (tmp_path / "a.vot").write_text(
        f"<VOTABLE><TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></VOTABLE>"
    )
    described = "[{name: id, datatype: int64}, {name: x, datatype: float64}, {name: b, datatype: bool}]"
    (tmp_path / "a.ecsv").write_text(
        f"# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype: {described}\nid,x,b\n5,{word},{word}\n{word},0.5,True\n"
    )
    (tmp_path / "a.csv").write_text(f"id,x,b\n5,{word},{word}\n{word},0.5,true\n")
    for path in tmp_path.iterdir():
        loaded = load_table(path)
        assert [values(loaded, name) for name in ("id", "x", "b")] == [[5, None], [None, 0.5], [None, True]], path


# Dialects of CSV

PLAIN = f"id,oh,name\n{BIG},8.5,a\n{BIG + 1},8.25,b c\n{BIG + 7},,00123\n"
EXPECTED = [[BIG, BIG + 1, BIG + 7], [8.5, 8.25, None], ["a", "b c", "00123"]]


def semicolons(text: str) -> str:
    return text.replace(",", ";")


DIALECTS: dict[str, tuple[bytes, str]] = {
    "plain": (PLAIN.encode(), ""),
    "CR LF": (PLAIN.replace("\n", "\r\n").encode(), ""),
    "CR": (PLAIN.replace("\n", "\r").encode(), "CR"),
    "UTF-8 with a mark": (PLAIN.encode("utf-8-sig"), ""),
    "UTF-16": (PLAIN.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), "UTF-16"),
    "UTF-16 with CR": (PLAIN.replace("\n", "\r").encode("utf-16"), "UTF-16"),
    "UTF-32": (PLAIN.encode("utf-32"), "UTF-32"),
    "semicolons": (semicolons(PLAIN).encode(), "semicolons"),
    "decimal commas": (semicolons(PLAIN).replace("8.", "8,").encode(), "decimal commas"),
    "tabs": (PLAIN.replace(",", "\t").encode(), "tabs"),
    "bars": (PLAIN.replace(",", "|").encode(), "bars"),
    "Excel": (b"sep=;\r\n" + semicolons(PLAIN).encode(), "semicolons"),
    "names in a comment": (b"# " + PLAIN.encode(), ""),
    "names in a comment below others": (b"# from a database\n#" + PLAIN.encode(), ""),
    "names in a comment, semicolons": (b"#" + semicolons(PLAIN).encode(), "semicolons"),
    "comments before and after": (b"#Table1\n" + PLAIN.encode() + b"# end\n#\n", "2 lines that start with #"),
    "quotes": (b'"id","oh","name"\n' + PLAIN.split("\n", 1)[1].replace("b c", '"b c"').encode(), ""),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("suffix", [".csv", ".txt.gz"])
def test_a_csv_of_any_dialect_is_the_same_table_and_its_dialect_is_noted(
    tmp_path: Path, dialect: str, suffix: str
) -> None:
    content, note = DIALECTS[dialect]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    loaded = load_table(path)
    assert list(loaded.frame.columns) == ["id", "oh", "name"]
    assert [values(loaded, name) for name in ("id", "oh", "name")] == EXPECTED
    assert loaded.frame["id"].dtype == np.int64
    assert note in describe_reading(loaded)
    assert note or not describe_reading(loaded)


@pytest.mark.parametrize(
    "text",
    [
        f" id   oh\tname\n{BIG}  8.5 a\n  {BIG + 1} 8.25  'b'\n\n",
        f"# id oh name\n{BIG} 8.5 a\n{BIG + 1}\t8.25 'b'\n# the end\n",
        f'# by hand\n# id oh "name"\n{BIG} 8.5 a\n{BIG + 1} 8.25 "\'b\'"\n',
    ],
)
def test_columns_between_blanks_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.dat").write_text(text)
    loaded = load_table(tmp_path / "a.dat")
    assert [values(loaded, name) for name in ("id", "oh", "name")] == [[BIG, BIG + 1], [8.5, 8.25], ["a", "'b'"]]


def test_a_row_that_starts_with_a_number_sign_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("colour,x\n#ff0000,1\n#00ff00,2\n# two, of them, all\n")
    assert load_table(tmp_path / "a.csv").frame["colour"].tolist() == ["#ff0000", "#00ff00"]


def test_names_and_texts_with_signs_of_other_dialects_stay_what_they_are(tmp_path: Path) -> None:
    for name in ("a;b", "a\tb", "a|b", "two words", "# c", "sep=;"):
        for others in ({}, {"c": [1, 2]}):
            columns: dict[str, Any] = {name: ["x;y", "z w"], **others}
            table = make_table(**columns)
            save_table(table, tmp_path / "a.csv")
            pd.testing.assert_frame_equal(load_table(tmp_path / "a.csv").frame, table.frame)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,name\n1,\xe9\n", "UTF-8.*Latin-1"),
        (b"id,nam\xe9\n1,x\n", "UTF-8.*Latin-1"),
        (b"id,x\n1,2\n3,4,5\n", "3 fields for 2 columns: '3,4,5'"),
        (b"id x\n" + b"6 7\n" * 30 + b"3 4 5\n", "3 fields for 2 columns: '3 4 5'"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"#   1 NUMBER   Running object number\n#   2 X_IMAGE  position [pixel]\n 1 2.5\n", "SExtractor.*ascii.sextr"),
        (b"Title: x\n====\nByte-by-byte Description of file: a\n----\n", "machine-readable.*ascii.mrt"),
        (b"\\fixlen = T\n|  ra  | dec  |\n|double|double|\n  1.0    2.0 \n", "IPAC.*ascii.ipac"),
    ],
)
def test_a_file_of_text_that_cannot_be_read_is_refused_with_what_it_is(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        load_table(tmp_path / "a.csv")


# Parquet of pandas, Hive and HATS


def test_identifiers_that_are_an_index_of_pandas_are_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"oh": np.arange(70_000) / 7})
    for name, index in {"steps": range(BIG, BIG + 140_000, 2), "plain": np.arange(70_000)[::-1]}.items():
        path = tmp_path / f"{name}.parquet"
        frame.set_axis(pd.Index(index, name="objID")).to_parquet(path)
        assert load_table(path).frame["objID"].tolist() == list(index)
        rows = load_rows(path, lambda piece: piece.frame["oh"] >= 69_998 / 7)
        assert rows.frame["objID"].tolist() == list(index)[-2:]
    frame.to_parquet(tmp_path / "unnamed.parquet")
    assert list(load_table(tmp_path / "unnamed.parquet").frame.columns) == ["oh"]


def test_words_on_an_index_that_do_not_fit_the_rows_are_passed_over(tmp_path: Path) -> None:
    pd.DataFrame({"oh": [8.5, 8.6, 8.7]}, index=pd.RangeIndex(3, name="id")).to_parquet(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(tmp_path / "a.parquet").slice(1), tmp_path / "b.parquet")
    assert list(load_table(tmp_path / "b.parquet").frame.columns) == ["oh"]


def write_tree(root: Path, parts: dict[str, dict[str, Any]]) -> None:
    for name, columns in parts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)


def test_a_hats_catalogue_is_read_from_each_of_its_folders_without_its_thumbnail_and_margins(tmp_path: Path) -> None:
    main = "main/dataset/Norder=1/Dir=0"
    write_tree(
        tmp_path,
        {
            f"{main}/Npix=44.parquet": {"id": IDS[:2], "oh": [8.5, 8.6]},
            f"{main}/Npix=45/part0.parquet": {"id": IDS[2:], "oh": [8.7]},
            "main/dataset/data_thumbnail.parquet": {"id": IDS[:1], "oh": [8.5]},
            "main/dataset/_metadata": {"id": IDS[:1]},
            "main/dataset/_common_metadata.parquet": {"id": IDS[:1]},
            "margin/dataset/Norder=1/Dir=0/Npix=44.parquet": {"id": IDS[2:], "oh": [8.7]},
        },
    )
    (tmp_path / "main/hats.properties").write_text("obs_collection=x\n")
    (tmp_path / "collection.properties").write_text("hats_primary_table_url=main\nall_margins=margin\n")
    for folder in (tmp_path, tmp_path / "main", tmp_path / "main/dataset"):
        assert load_table(folder).frame["id"].tolist() == IDS
    assert load_table(tmp_path / main).frame["id"].tolist() == IDS
    (tmp_path / main / "again").symlink_to(tmp_path / "main/dataset")
    assert load_table(tmp_path / main).frame["id"].tolist() == IDS


def test_folders_of_hive_give_columns_that_the_files_lack(tmp_path: Path) -> None:
    rows = {"id": [5], "field": ["own"]}
    write_tree(
        tmp_path,
        {
            "split=train/code=007/field=x/a.parquet": {"id": [5], "field": ["own"]},
            "split=a%20b/code=010/field=x/b.parquet": {"id": [6], "field": ["own"]},
            "split=__HIVE_DEFAULT_PARTITION__/code=011/field=x/c.parquet": rows | {"id": [7]},
        },
    )
    loaded = load_table(tmp_path)
    by_id = {row["id"]: row for row in loaded.frame.to_dict("records")}
    assert [by_id[key]["split"] for key in (5, 6)] == ["train", "a b"]
    assert pd.isna(by_id[7]["split"])
    assert [by_id[key]["code"] for key in (5, 6, 7)] == ["007", "010", "011"]
    assert loaded.frame["field"].tolist() == ["own"] * 3
    assert load_rows(tmp_path, lambda piece: piece.frame["split"] == "train").frame["id"].tolist() == [5]


# A full disk


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files of more than 64 kB cannot be written: an error of the system like that of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("content", ["gzip", "utf-16"])
def test_a_full_disk_is_told_as_one_while_a_table_is_read(
    tmp_path: Path, content: str, request: pytest.FixtureRequest
) -> None:
    text = "id\n" + "".join(f"{number}\n" for number in range(50_000))
    path = tmp_path / ("a.csv.gz" if content == "gzip" else "a.csv")
    path.write_bytes(gzip.compress(text.encode()) if content == "gzip" else text.encode("utf-16"))
    request.getfixturevalue("little_room")
    with pytest.raises(TableError, match=r"cannot be unpacked in .*: File too large\. Free some space"):
        load_table(path)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".csv.gz", ".fits.gz"])
def test_a_full_disk_is_told_as_one_while_a_table_is_written_and_the_old_file_stays(
    tmp_path: Path, suffix: str, little_room: None
) -> None:
    path = tmp_path / f"a{suffix}"
    save_table(make_table(x=[1.5]), path)
    before = path.read_bytes()
    random = np.random.default_rng(0).normal(size=50_000)
    with pytest.raises(TableError, match=r"cannot be written: File too large\. "):
        save_table(make_table(x=random), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
