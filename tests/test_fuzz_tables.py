"""Promises of tables: whatever a file holds, it is read or refused in one sentence, and nothing else happens.

The files are read in a process that may take 1 GiB.
"""

import gzip
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn
from astropy.table import Table as OthersTable

from bounded import Feed, count_outcomes
from make_tables import BIG, make_table
from metalight.errors import TableError
from metalight.tables import ColumnInfo, Table, describe_reading, load_table, save_table
from mutate import mutations, noise

FEW = 100
MANY = 11_500
"""Damaged files of each suffix: in every test run, and where there is time."""

KINDS = (".csv", ".ecsv", ".vot", ".fits", ".parquet", ".csv.gz", ".ecsv.gz", ".vot.gz", ".fits.gz", ".dat")
BINARY_ROWS = (
    '<VOTABLE><RESOURCE><TABLE><FIELD name="id" datatype="long"/><FIELD name="t" datatype="char" arraysize="*"/>'
    '<FIELD name="x" datatype="double"><VALUES null="0"/></FIELD><DATA><{0}>'
    '<STREAM encoding="base64">{1}</STREAM></{0}>'
    "</DATA></TABLE></RESOURCE></VOTABLE>"
)
WANTED = ("id", "oh")
counts = pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])


def make_originals(folder: Path, suffix: str) -> list[bytes]:
    """Files that are right: small ones, so that damage hits what matters."""
    info = {"oh": ColumnInfo("dex", "12 + log10(O/H)"), "id": ColumnInfo("", 'an "id", of SDSS')}
    tables = [
        make_table(
            info,
            id=[BIG, BIG + 1, 7],
            oh=[8.5, np.nan, -9999.0],
            name=["a", None, "b c"],
            flag=pd.array([True, None, False], dtype="boolean"),
            large=np.array([0, 2**63, 2**64 - 1], dtype=np.uint64),
            n=pd.array([1, None, -5], dtype="Int64"),
            single=np.array([0.5, 1, np.inf], dtype=np.float32),
        ),
        make_table(x=[1.5]),
    ]
    originals = make_originals_of_others(folder, suffix.removesuffix(".gz"))
    if suffix.endswith(".gz"):
        originals = [gzip.compress(original) for original in originals]
    for table in tables if suffix != ".dat" else []:
        path = folder / f"original{suffix}"
        save_table(table, path)
        originals.append(path.read_bytes())
        path.unlink()
    if suffix == ".vot":
        import base64
        import struct

        row = struct.pack(">qI2sd", BIG, 2, b"ab", 0.5)
        listed = BINARY_ROWS.replace('name="x" datatype="double"', 'name="x" datatype="bit" arraysize="*"')
        content = base64.b64encode(struct.pack(">qI2sI2x", BIG, 2, b"ab", 9)).decode()
        originals.append(listed.format("BINARY", content).encode())
        originals += [
            BINARY_ROWS.format(form, base64.b64encode(rows).decode()).encode()
            for form, rows in (("BINARY", row * 2), ("BINARY2", (b"\0" + row) + (b"\x40" + row)))
        ]
    return originals


def make_originals_of_others(folder: Path, suffix: str) -> list[bytes]:
    """Files as others write them: dialects, several tables, masks, and columns that are left out."""
    csv = f"id,oh,name\n{BIG},8.5,a\n{BIG + 1},8.25,b c\n"
    if suffix == ".csv":
        return [
            csv.encode("utf-16"),
            csv.replace("\n", "\r").encode(),
            f"sep=;\n{csv}".replace(",", ";").replace("8.", "8,").encode(),
            f"# by hand\n# {csv}# end\n".replace(",", "\t").encode(),
        ]
    if suffix == ".dat":
        return [f"# {csv}".replace("b c", "b").replace(",", "  ").encode(), csv.replace(",", "|").encode()]
    path = folder / f"others{suffix}"
    pair = np.ones((2, 2))
    if suffix == ".parquet":
        columns = {"oh": [8.5, 8.6], "oh.mask": [True, False], "list": [[1.0], []], "record": [{"a": 1}] * 2}
        pd.DataFrame(columns, index=pd.RangeIndex(BIG, BIG + 2, name="id")).to_parquet(path)
    elif suffix == ".fits":
        kinds = {"id": ("I20", [BIG, 5]), "oh": ("E9.3", [1, 2])}
        texts = [fits.Column(name, kind, ascii=True, array=array) for name, (kind, array) in kinds.items()]
        plain = [fits.Column("id", "K", array=[BIG, 5]), fits.Column("pair", "2E", array=pair)]
        tables = [fits.BinTableHDU.from_columns(plain), fits.TableHDU.from_columns(texts)]
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    elif suffix == ".ecsv":
        masked = MaskedColumn([8.5, 8.6], mask=[True, False])
        OthersTable({"id": [BIG, 5], "pair": pair, "oh": masked}).write(path, serialize_method="data_mask")
    else:
        OthersTable({"id": [BIG, 5], "pair": pair}).write(path, format="votable", tabledata_format="binary2")
        two = b"<TABLE><FIELD name='ID' datatype='long'/><FIELD name='oh' datatype='float'/></TABLE></RESOURCE>"
        path.write_bytes(path.read_bytes().replace(b"</RESOURCE>", two))
    content = path.read_bytes()
    path.unlink()
    return [content]


def feed_table(content: bytes, path: Path) -> str:
    """Whether a file with this content is read or refused; anything but a table or one sentence fails the test."""
    path.write_bytes(content)
    try:
        table = load_table(path, wanted=WANTED)
    except TableError as error:
        sentence = str(error)
        assert str(path) in sentence
        assert "\n" not in sentence.replace(str(path), "")
        assert len(sentence) < 2000
        return "refused"
    assert isinstance(table, Table)
    assert set(table.info) <= set(table.frame.columns)
    assert not set(table.left_out) & set(table.frame.columns)
    assert "\n" not in describe_reading(table)
    return "read"


def prepare(folder: Path, suffix: str) -> Feed:
    originals = make_originals(folder, suffix)
    path = folder / f"damaged{suffix}"
    assert all(feed_table(original, path) == "read" for original in originals)
    packs = suffix.endswith(".gz")
    plain = [gzip.decompress(original) if packs else original for original in originals]

    def feed(seed: int) -> str:
        # Under gzip both the packed bytes and those inside are damaged: its checksum would hide the latter.
        inside = packs and seed % 2
        of = (plain if inside else originals)[seed % len(originals)]
        damaged = noise(seed) if seed % 5 == 4 else mutations(of, seed)
        return feed_table(gzip.compress(damaged, 1) if inside else damaged, path)

    return feed


@counts
@pytest.mark.parametrize("suffix", KINDS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path: Path, suffix: str, count: int) -> None:
    outcomes = count_outcomes(prepare, tmp_path, suffix, seeds=range(count))
    assert set(outcomes) <= {"read", "refused"}
    assert outcomes["refused"] > count / 8


def make_votable(fields: str, rows: str, attributes: str = "") -> str:
    return f"<VOTABLE><RESOURCE><TABLE {attributes}>{fields}<DATA>{rows}</DATA></TABLE></RESOURCE></VOTABLE>"


def make_greedy() -> dict[str, tuple[str, bool]]:
    """Files that ask for more memory or time than they are worth, by suffix and flaw; and whether they are read.

    astropy 8.0 takes gigabytes for the wide text, and does not come back from the unit and the text without width.
    """
    number = '<FIELD name="a" datatype="long"/>'
    row = "<TABLEDATA><TR><TD>1</TD></TR></TABLEDATA>"
    stream = f'<BINARY><STREAM encoding="base64">{"AAAA" * 100_000}</STREAM></BINARY>'
    no_width = "".join(f'<FIELD name="t{place}" datatype="char" arraysize="0"/>' for place in range(1000))
    bit = '<FIELD name="a" datatype="bit"/>'
    ecsv, described = "# %ECSV 1.0\n# ---\n# delimiter: ','\n", "# datatype: [{name: a, datatype: %s}]\na\n"
    names = "abcdefghijkl"
    merges = "# a: &a {x: 1}\n" + "".join(
        f"# {after}: &{after} {{<<: [{', '.join([f'*{name}'] * 9)}]}}\n" for name, after in itertools.pairwise(names)
    )
    attributes = " ".join(f"a{place}=''" for place in range(2_000_000))
    return {
        "rows that are not there.vot": (make_votable(number, row, 'nrows="1000000000000"'), True),
        "width of text.vot": (make_votable('<FIELD name="a" datatype="char" arraysize="999999999"/>', row), True),
        "unit.vot": (make_votable('<FIELD name="a" datatype="long" unit="10**999999999"/>', row), True),
        "no width.vot": (make_votable(no_width, stream), False),
        "no width beside a bit.vot": (make_votable(no_width + bit, stream), False),
        "nested.vot": ("<VOTABLE>" + "<a>" * 10_000_000, False),
        "nested groups.vot": ("<VOTABLE><RESOURCE><TABLE>" + "<GROUP>" * 3_000_000, False),
        "columns.vot": ("<VOTABLE><TABLE>" + '<FIELD datatype="int"/>' * 1_000_000, False),
        "values.vot": (make_votable(number, f"<TABLEDATA><TR>{'<TD/>' * 3_000_000}</TR></TABLEDATA>"), False),
        "attributes.vot": (f"<VOTABLE {attributes}/>", False),
        "columns.csv": ("," * 10_000_000 + "\n1\n", False),
        "numbered columns.csv": (",".join(f"c{place}" for place in range(30_000)) + "\n", False),
        "open quotes.csv": ('"' + "\n" * 10_000_000, False),
        "open quotes.ecsv": (ecsv + (described % "int64").replace("\na", '\n"') + "\n" * 10_000_000, False),
        "merged names.ecsv": (ecsv + merges + described % "int64" + "1\n", True),
        "nested.ecsv": (ecsv + "# x: " + "[" * 900_000 + "\n" + described % "int64" + "1\n", False),
        "width of type.ecsv": (ecsv + described % "U100000000" + "1\n", True),
        "wide text.ecsv": (ecsv + described % "string" + "x" * 20_000 + "\n" + "y\n" * 20_000, True),
    }


def prepare_greedy(folder: Path) -> Feed:
    files = [(folder / name, content.encode(), is_read) for name, (content, is_read) in make_greedy().items()]

    def feed(number: int) -> str:
        path, content, is_read = files[number]
        assert feed_table(content, path) == ("read" if is_read else "refused"), path.name
        return "as it should be"

    return feed


def test_a_file_that_asks_for_more_than_it_is_worth_is_read_within_bounds_or_refused(tmp_path: Path) -> None:
    num_files = len(make_greedy())
    assert count_outcomes(prepare_greedy, tmp_path, seeds=range(num_files)) == {"as it should be": num_files}


def test_damage_is_the_same_for_the_same_seed_and_differs_between_seeds() -> None:
    data = bytes(range(256)) * 4
    assert [mutations(data, seed) for seed in range(50)] == [mutations(data, seed) for seed in range(50)]
    assert len({mutations(data, seed) for seed in range(50)}) > 40
    assert isinstance(mutations(b"", 3), bytes)


def test_reading_a_damaged_file_opens_no_other_file_and_no_connection(tmp_path: Path) -> None:
    # An audit hook cannot be taken away again; this one listens only while the files are read.
    (tmp_path / "secret.txt").write_text("secret")
    opened: list[tuple[str, Any]] = []
    is_listening = [False]

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if is_listening[0] and event in (
            "open",
            "socket.connect",
            "socket.getaddrinfo",
            "subprocess.Popen",
            "urllib.Request",
        ):
            opened.append((event, arguments[0]))

    secret = (tmp_path / "secret.txt").as_uri()
    bodies = {
        "a.vot": BINARY_ROWS.format("BINARY", "").replace("<STREAM", f'<STREAM href="{secret}"'),
        "b.vot": f'<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "{secret}">]><VOTABLE>&x;</VOTABLE>',
        "c.vot": f'<!DOCTYPE VOTABLE SYSTEM "{secret}"><VOTABLE><TABLE>&x;</TABLE></VOTABLE>',
        "d.ecsv": "# %ECSV 1.0\n# ---\n# datatype: [{name: !!python/name:os.system [a], datatype: int64}]\na\n1\n",
    }
    for name, body in bodies.items():
        (tmp_path / name).write_text(body)
        with pytest.raises(TableError):  # what is imported lazily is imported now
            load_table(tmp_path / name)
    sys.addaudithook(listen)
    is_listening[0] = True
    for name in bodies:
        with pytest.raises(TableError):
            load_table(tmp_path / name)
    is_listening[0] = False
    assert {os.fspath(path) for event, path in opened if event == "open"} == {str(tmp_path / name) for name in bodies}
    assert all(event == "open" for event, _ in opened)
