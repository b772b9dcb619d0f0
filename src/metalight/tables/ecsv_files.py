r"""ECSV files: CSV under a header in YAML that says the types, units and descriptions of the columns.

"Enhanced Character-Separated Values", version 1.0, of the Astropy Proposal for Enhancement 6. The header is read as
plain text: nothing that it names is built or run, and what it says besides the columns is passed over. A missing value
is an empty field; an empty text is `""` here, which astropy takes for a missing one.

PyYAML reads the header and Arrow the rows, without astropy between them, which was tried (8.0.2):

- It drops blanks at the ends of text when it writes, and with its engine `io.ascii` when it reads, which also turns
  `\r\n` and other breaks in text into `\n`.
- It takes an empty text for a missing one, and respells the unit `10**-17 erg/s/cm2` as `1e-17 erg / (s cm2)`.
- Text is of one width in all rows: 20,000 rows, one of them of 20,000 characters, make a file of 100 kB that takes
  4.7 GB or more, with any engine; a file of 70 bytes with a column of the type `U100000000` takes 1.5 GB, and one of
  450 bytes whose header merges names (`<<`) nine at a time more than half a minute, nine times as long with each line.

The header would have to be read here in any case, for its units, types and bounds; and its engine `pyarrow`, the one
that keeps text, reads the rows by the same function as `read_rows`. It writes 100,000 rows in 6.2 s, this in 0.1 s.
"""

import csv
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from metalight.errors import TableError, quote_flaw, shorten
from metalight.tables.arrow import blank_out_missing, build_arrow_table, build_column
from metalight.tables.csv_dialect import read_line, split_names
from metalight.tables.csv_files import read_rows, write_rows
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import UsableColumns

_FIRST_LINE = "# %ECSV 1.0"
_LARGEST_HEADER = 1 << 20  # YAML is read at 100 kB/s; a thousand columns need 100 kB
_KINDS = {
    "bool": pa.bool_(),
    **{f"{sign}int{bits}": pa.uint64() if sign else pa.int64() for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float16": pa.float32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "float128": pa.float64(),
    "string": pa.string(),
}
_NAMES = {pa.bool_(): "bool", pa.float16(): "float16", pa.float32(): "float32", pa.float64(): "float64"}


def load_ecsv(file: BinaryIO, path: Path) -> Table:
    """Table of an ECSV file.

    Args:
        file: The open file.
        path: Where it lies, for the messages.

    Raises:
        TableError: The header or a row cannot be understood.
    """
    try:
        header, line = _read_header(file)
        described = _list_columns(header)
        names = [column["name"] for column in described]
        usable = UsableColumns(names, path)
        delimiter = header.get("delimiter", " ")
        if delimiter not in (" ", ","):
            raise ValueError("its delimiter is neither a comma nor a blank")
        if split_names(line, delimiter) != [name.strip() for name in names]:
            raise ValueError("the line of column names is not what its header says")
        rows, _ = read_rows(file, len(names), delimiter)
        for column, fields in zip(described, rows, strict=True):
            flaw = _find_flaw(column)
            if flaw:
                usable.leave_out(column["name"], flaw)
            usable.add(column["name"], lambda column=column, fields=fields: _cast(fields, column), (pa.ArrowException,))  # type: ignore[misc]
    except (pa.ArrowException, ValueError, RecursionError, csv.Error, yaml.YAMLError) as error:
        raise TableError(
            f"{path} cannot be read as ECSV: {quote_flaw(error)}. Correct it, or export it again."
        ) from error
    info = {column["name"]: ColumnInfo(column["unit"], column["description"]) for column in described}
    return usable.build_table(info)


def save_ecsv(table: Table, file: BinaryIO) -> None:
    """Write an ECSV file.

    Raises:
        TableError: A column is not numbers, booleans or text.
    """
    try:
        rows = build_arrow_table(table.frame)
        described = [_describe(field, table.info.get(field.name, ColumnInfo())) for field in rows.schema]
        for place, field in enumerate(rows.schema):
            if pa.types.is_boolean(field.type):
                words = pc.if_else(rows[field.name], "True", "False")
                rows = rows.set_column(place, field.name, words)
        header = yaml.safe_dump(
            {"delimiter": ",", "datatype": described},
            sort_keys=False,
            allow_unicode=False,
            default_flow_style=None,
            width=float("inf"),
        )
        lines = [_FIRST_LINE, "# ---", *(f"# {line}" for line in header.rstrip("\n").split("\n"))]
        file.write(("\n".join(lines) + "\n").encode())
        write_rows(rows, file)
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise TableError(f"ECSV cannot hold it: {quote_flaw(error)}") from error


def _read_header(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """The content of the header, and the line of column names after it; the file is left at the first row."""
    if not file.readline(_LARGEST_HEADER).removeprefix(b"\xef\xbb\xbf").startswith(b"# %ECSV "):
        raise ValueError(f"it does not start with '{_FIRST_LINE}'")
    lines = []
    num_left = _LARGEST_HEADER
    while (line := file.readline(_LARGEST_HEADER)).startswith(b"#"):
        num_left -= len(line)
        if num_left < 0:
            raise ValueError("its header is longer than 1 MiB")
        lines.append(line.decode().removeprefix("#").removeprefix(" ").rstrip("\r\n"))
    line = read_line(file, line)
    # Every value is taken as text: no types are guessed, no objects built, no aliases merged. The loader of libyaml is
    # ten times as fast, but a header of opening brackets only ends the process (PyYAML 6.0.3).
    header = yaml.load("\n".join(lines), Loader=yaml.BaseLoader)
    if not isinstance(header, dict):
        raise ValueError("its header does not describe columns")
    return header, line


def _list_columns(header: dict[str, Any]) -> list[dict[str, str]]:
    """Name, datatype, subtype, unit and description of each column."""
    described = header.get("datatype")
    if not isinstance(described, list) or not described:
        raise ValueError("its header does not describe columns")
    columns = []
    for place, column in enumerate(described, start=1):
        texts = {"name": "", "datatype": "", "subtype": "", "unit": "", "description": ""}
        texts |= {key: value for key, value in column.items() if key in texts} if isinstance(column, dict) else {}
        if not all(isinstance(text, str) for text in texts.values()) or not texts["name"]:
            raise ValueError(f"its header does not give the name and type of column {place}")
        columns.append(texts)
    return columns


def _find_flaw(column: dict[str, str]) -> str:
    """Why a column cannot be used, by its type alone; empty if it can."""
    if column["subtype"]:
        return f"holds several values a row ({shorten(column['subtype'])})"
    if column["datatype"].startswith("complex"):
        return "holds complex numbers"
    return "" if column["datatype"] in _KINDS else f"is of the type '{shorten(column['datatype'])}'"


def _cast(fields: pa.ChunkedArray, column: dict[str, str]) -> "pd.Series[Any]":
    """The text of a column as what its header says that it is."""
    kind = _KINDS[column["datatype"]]
    if pa.types.is_string(kind):
        return build_column(fields)
    return build_column(blank_out_missing(pc.utf8_trim_whitespace(fields)).cast(kind))


def _describe(field: pa.Field, info: ColumnInfo) -> dict[str, str]:
    kind = field.type
    if pa.types.is_integer(kind):
        name = str(kind)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        name = "string"
    elif kind in _NAMES:
        name = _NAMES[kind]
    else:
        raise TableError(f"ECSV cannot hold the column '{field.name}', of type {kind}; save the table as .parquet.")
    described = {"name": field.name, "unit": info.unit, "datatype": name, "description": info.description}
    return {key: text for key, text in described.items() if text}
