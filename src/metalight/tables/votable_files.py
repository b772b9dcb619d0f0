r"""VOTable files; of several tables in a file the first that has the wanted columns.

"VOTable Format Definition", version 1.4 (IVOA, 2019). The XML is read as a stream of elements; a file that declares
entities is refused, and nothing that it refers to is opened or fetched. VOTable has no unsigned 64-bit integers: a
column that needs them is written as text of digits with `xtype="uint64"`, which other programs show as it is. Units and
descriptions with characters that XML cannot hold are in an INFO of the table, as JSON with the column's name.

The elements are taken from expat and not from astropy, which was tried (8.0.2):

- It drops blanks at the ends of text in TABLEDATA: ` 7 ` becomes `7`.
- By default without a word, it takes 2**63 in a column of `long` for 2**63 − 1, an empty cell for 0 if the file says
  version 1.1, and `8,5` in a column of `double` for a missing value.
- It drops the last row where BINARY is cut short, passes over what is not base64, and reads a bit that is set where the
  standard puts it (0x80) as false; text of the type `char` that is UTF-8 it refuses in BINARY, though not in TABLEDATA.
- It works out units: `unit="10**999999999"` does not end, nor does BINARY with a text of `arraysize="0"`. It takes
  memory for the rows that `nrows` promises, and 2 GB for 300 rows of one letter under `arraysize="1000000"`.
- It writes control characters as they are, which no reader of XML accepts, and `\r` so that it comes back as `\n`;
  it respells units, knows no unsigned 64-bit integers, and takes 3.0 s for 100,000 rows, this 0.2 s.

A check of the attributes before it would leave the blanks, the units and the rows that are cut short as they are; to
fix these too it would have to rewrite the file, which is most of reading it. Both read 100,000 rows of six columns in
1.1 s.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from metalight.errors import TableError, quote_flaw
from metalight.tables.arrow import build_arrow_table, build_column, join_rows
from metalight.tables.columns import describe_choice
from metalight.tables.described import dump_info
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import UsableColumns
from metalight.tables.votable_elements import INFO_NAME, LARGE_INTEGERS, Field, read_elements

_NOT_XML = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
_TYPES = {pa.bool_(): "boolean", pa.uint8(): "unsignedByte", pa.int16(): "short", pa.int32(): "int"} | {
    pa.float32(): "float",
    pa.float64(): "double",
}


def load_votable(file: BinaryIO, path: Path, wanted: Sequence[str] = ()) -> Table:
    """The first table of a VOTable file that has the wanted columns, or else the one that has the most of them.

    Args:
        file: The open file.
        path: Where it lies, for the messages.
        wanted: Names of columns, in any case.

    Raises:
        TableError: The file is damaged, declares entities, keeps its rows elsewhere or has no table.
    """
    try:
        found = read_elements(file, wanted)
        if not found.fields:
            raise TableError(f"{path} holds no table; metalight reads the first one of a VOTable.")
        usable = UsableColumns([field.name for field in found.fields], path)
        for field in found.fields:
            if field.flaw:
                usable.leave_out(field.name, field.flaw)
            usable.add(field.name, lambda field=field: _read_column(field), (pa.ArrowException, ValueError))  # type: ignore[misc]
    except (pa.ArrowException, ValueError) as error:
        raise TableError(
            f"{path} cannot be read as VOTable: {quote_flaw(error)}. Correct it, or export it again."
        ) from error
    info = {
        field.name: found.info.get(field.name, ColumnInfo(field.unit, field.description.strip()))
        for field in found.fields
    }
    return usable.build_table(info, describe_choice(found.tables, found.place))


def save_votable(table: Table, file: BinaryIO) -> None:
    """Write a VOTable file with one table, its rows as text.

    Raises:
        TableError: VOTable cannot hold a column: XML has no place for a character of its name or text, or its type is
            not numbers, booleans or text.
    """
    try:
        rows = build_arrow_table(table.frame)
        fields = [_build_field(field, rows[field.name], table.info.get(field.name)) for field in rows.schema]
        infos = [
            f"<INFO name={quoteattr(INFO_NAME)} value={_quote(dump_info(name, info))}/>"
            for name, info in table.info.items()
            if name in table.frame and _is_not_xml(info.unit + info.description)
        ]
        cells = [_write_cells(rows[name], name) for name in rows.column_names]
        head = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n<TABLE>\n'
        )
        file.write((head + "\n".join([*fields, *infos, "<DATA>", "<TABLEDATA>"]) + "\n").encode())
        file.writelines(b"<TR>" + row + b"</TR>\n" for row in join_rows(cells, ""))
        file.write(b"</TABLEDATA>\n</DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n")
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise TableError(f"VOTable cannot hold it: {quote_flaw(error)}") from error


def _read_column(field: Field) -> "pd.Series[Any]":
    values = pa.chunked_array(field.chunks, field.kind)
    if pa.types.is_integer(field.kind) and field.null:
        try:
            null = pa.scalar(int(field.null, 0), field.kind)
        except (ValueError, pa.ArrowException, OverflowError):
            raise ValueError(f"its null is not an integer: '{field.null[:60]}'") from None
        values = pc.if_else(pc.equal(values, null), pa.scalar(None, field.kind), values)
    return build_column(values)


def _build_field(field: pa.Field, values: pa.ChunkedArray, info: ColumnInfo | None) -> str:
    if _is_not_xml(field.name):
        raise TableError(f"VOTable cannot hold the column name {field.name!r}; give it a name of letters.")
    kind = field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        is_ascii = not pc.any(pc.match_substring_regex(values.cast(pa.string()), "[^\\x00-\\x7f]")).as_py()
        datatype = f'"{"char" if is_ascii else "unicodeChar"}" arraysize="*"'
    elif pa.types.is_uint64(kind):
        datatype = f'"char" arraysize="*" xtype="{LARGE_INTEGERS}"'
    elif kind in _TYPES or pa.types.is_integer(kind):
        datatype = f'"{_TYPES.get(kind, "long")}"'
    elif pa.types.is_float16(kind):
        datatype = '"float"'
    else:
        raise TableError(f"VOTable cannot hold the column '{field.name}', of type {kind}; save the table as .parquet.")
    start = f"<FIELD name={_quote(field.name)} datatype={datatype}"
    if info is None or _is_not_xml(info.unit + info.description):
        return f"{start}/>"
    unit = f" unit={_quote(info.unit)}" if info.unit else ""
    described = f"<DESCRIPTION>{_escape(info.description)}</DESCRIPTION>" if info.description else ""
    return f"{start}{unit}>{described}</FIELD>"


def _write_cells(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_boolean(kind):
        text = pc.if_else(values, "T", "F")
    elif pa.types.is_floating(kind):
        text = pc.fill_null(values.cast(pa.string()), "NaN")
    else:
        text = values.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        foreign = pc.match_substring_regex(text, _NOT_XML)
        if pc.any(foreign).as_py():
            first = text.filter(foreign)[0].as_py()
            raise TableError(f"VOTable cannot hold {first!r} of column '{name}', as XML cannot; save it as .parquet.")
        for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
            text = pc.replace_substring(text, character, written)
    elif pa.types.is_floating(kind):
        text = pc.replace_substring_regex(text, "^inf$", "+Inf")
        text = pc.replace_substring_regex(text, "^-inf$", "-Inf")
    return pc.binary_join_element_wise("<TD>", pc.fill_null(text, ""), "</TD>", "")


def _is_not_xml(text: str) -> bool:
    return re.search(_NOT_XML, text) is not None


def _quote(text: str) -> str:
    return quoteattr(text, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def _escape(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
