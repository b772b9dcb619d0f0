"""CSV files: text in UTF-8, fields between commas, a line of column names.

Lines that start with `#` before the column names are passed over, such as SkyServer's `#Table1`. A field that is empty
or reads NaN, NA, N/A, null, none or `--` is missing; in columns of text only an empty field is. A column is read as
integers if every value is one, else as floats, else as booleans, else as text. Integers never pass through floats.
Numbers with leading zeros are text. Text that a spreadsheet would run as a formula is written with an apostrophe before
it, which is taken off again when it is read.
"""

import csv
import io
import re
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from metalight.errors import TableError, quote_flaw
from metalight.safe_text import guard_formulas, unguard_formulas
from metalight.tables.arrow import build_arrow_table, build_column, join_rows
from metalight.tables.columns import check_names
from metalight.tables.csv_metadata import load_csv_metadata
from metalight.tables.table import Table

_MISSING_WORDS = ["", "nan", "na", "n/a", "null", "none", "--"]
_LARGEST_ROW = 1 << 24
_LARGEST_LINE_OF_NAMES = 1 << 20
_WRITTEN_AS_FLOAT = r"[.]|[eE][+]"
"""How programs write numbers that are not integers; `1e5` is rather a name, if it is in a column of identifiers."""
_NUMBERS_ONLY = re.compile(r"[\s\d.,eE+-]*\d[\s\d.,eE+-]*")


def load_csv(file: BinaryIO, path: Path) -> Table:
    """Table of a CSV file.

    Args:
        file: The open file.
        path: Where it lies, for the messages and for the metadata beside it.

    Raises:
        TableError: The file is empty, is not text, lacks the line of column names, or a row has too few or too many
            fields.
    """
    try:
        names = _read_names(file, path)
        check_names(names, path)
        rows = read_rows(file, len(names), ",")
        columns = {name: _infer_column(rows[place]) for place, name in enumerate(names)}
    except (pa.ArrowException, ValueError, csv.Error) as error:
        raise TableError(
            f"{path} cannot be read as CSV: {quote_flaw(error)}. Correct it, or export it again."
        ) from error
    info = load_csv_metadata(path)
    frame = unguard_formulas(pd.DataFrame(columns))
    spelled = {
        name: build_column(rows[place])
        for place, name in enumerate(frame.columns)
        if frame[name].dtype.kind in "fb" and not _has(rows[place], _WRITTEN_AS_FLOAT)
    }
    return Table(frame, {name: info[name] for name in frame.columns if name in info}, spelled)


def save_csv(table: Table, file: BinaryIO) -> None:
    """Write a CSV file without its units and descriptions, which `save_csv_metadata` puts beside it.

    Raises:
        TableError: A column holds values that CSV cannot express.
    """
    try:
        write_rows(build_arrow_table(guard_formulas(table.frame)), file)
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise TableError(f"CSV cannot hold it: {quote_flaw(error)}") from error


def write_rows(rows: pa.Table, file: BinaryIO) -> None:
    """Write the line of column names and the rows.

    Raises:
        pyarrow.ArrowException: A column cannot be written as text.
        UnicodeEncodeError: A name cannot be written as UTF-8.
    """
    written = [_write_column(rows[name]) for name in rows.column_names]
    file.write((",".join(_quote_name(name) for name in rows.column_names) + "\n").encode())
    file.writelines(row + b"\n" for row in join_rows(written, ","))


def read_line(file: BinaryIO, start: bytes = b"") -> bytes:
    """The next line; what is in quotes may hold line breaks, but not in a line that starts with `#`.

    Args:
        file: The open file.
        start: The line up to its first break, if that has been read already.

    Returns:
        The line with its break; empty at the end of the file.

    Raises:
        ValueError: The line is longer than any line of column names is.
    """
    pieces = [start or file.readline(_LARGEST_LINE_OF_NAMES)]
    num_bytes = len(pieces[0])
    in_quotes = not pieces[0].startswith(b"#") and pieces[0].count(b'"') % 2
    while in_quotes and num_bytes < _LARGEST_LINE_OF_NAMES and (more := file.readline(_LARGEST_LINE_OF_NAMES)):
        pieces.append(more)
        num_bytes += len(more)
        in_quotes ^= more.count(b'"') % 2
    if num_bytes >= _LARGEST_LINE_OF_NAMES:
        raise ValueError(f"it has a line of more than {_LARGEST_LINE_OF_NAMES} bytes where the column names should be")
    return b"".join(pieces)


def split_names(line: bytes, delimiter: str) -> list[str]:
    """Column names of a line.

    Raises:
        UnicodeDecodeError: The line is not UTF-8.
        csv.Error: Its quotes do not fit.
    """
    text = io.StringIO(line.decode(), newline="")
    names = next(csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True), [])
    # pandas leaves the name of its index empty.
    return [name.strip() or f"unnamed_{place}" for place, name in enumerate(names, start=1)]


def _read_names(file: BinaryIO, path: Path) -> list[str]:
    """Column names; the file is left at the first row."""
    line = read_line(file).removeprefix(b"\xef\xbb\xbf")
    while line.startswith(b"#") or line.isspace():
        line = read_line(file)
    header = line.decode()
    if not header:
        raise TableError(f"{path} is empty; a CSV file starts with a line of column names.")
    if _NUMBERS_ONLY.fullmatch(header):
        raise TableError(
            f"{path} lacks a line of column names: its first line is '{header.strip()[:60]}'. Write the names there, "
            "without # before them."
        )
    return split_names(line, ",")


def read_rows(file: BinaryIO, num_columns: int, delimiter: str) -> list[pa.ChunkedArray]:
    """The fields of each column as text; missing where nothing, not even quotes, stands.

    Between blanks nothing can stand, so that there quotes without content are a missing value too.

    Raises:
        pyarrow.ArrowException: A row has too few or too many fields, or is not UTF-8.
    """
    text = {str(place): pa.string() for place in range(num_columns)}
    if not file.peek(1):  # type: ignore[attr-defined]
        return [pa.chunked_array([], pa.string())] * num_columns
    rows = pa_csv.read_csv(
        file,
        read_options=pa_csv.ReadOptions(column_names=list(text), block_size=_LARGEST_ROW),
        # In a file of one column an empty line is a missing value.
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=num_columns > 1
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=text,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=delimiter == " ",
        ),
    )
    return list(rows.columns)


def _infer_column(fields: pa.ChunkedArray) -> "pd.Series[Any]":
    trimmed = pc.utf8_trim_whitespace(fields)
    is_missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(_MISSING_WORDS))
    values = pc.if_else(is_missing, pa.scalar(None, pa.string()), trimmed)
    if values.null_count == len(values):
        return build_column(values.cast(pa.float64()))
    for kind in (pa.int64(), pa.uint64(), pa.float64(), pa.bool_()):
        try:
            numbers = values.cast(kind)
        except pa.ArrowInvalid:
            continue
        # Arrow reads 007 and 0x1F as integers too; and integers above 64 bits are text rather than rounded.
        if pa.types.is_integer(kind) and _has(values, "^-?0[0-9xX]"):
            break
        if pa.types.is_floating(kind) and not _has(values, "[^0-9-]"):
            break
        return build_column(numbers)
    return build_column(fields)


def _has(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _write_column(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    text = values.cast(pa.string())
    if pa.types.is_floating(kind):
        # 1.0 must not come back as an integer, nor a rounded identifier as one that looks exact.
        is_whole = pc.match_substring_regex(text, "^-?[0-9]+$")
        text = pc.if_else(is_whole, pc.binary_join_element_wise(text, pa.scalar(".0"), ""), text)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        quoted = pc.binary_join_element_wise(pa.scalar('"'), pc.replace_substring(text, '"', '""'), pa.scalar('"'), "")
        text = pc.if_else(pc.match_substring_regex(text, r'[",\r\n]|^#|^\s|\s$|^$'), quoted, text)
    return pc.fill_null(text, "")


def _quote_name(name: str) -> str:
    # A name that reads as a number is quoted, so that the line of names is not taken for the first row.
    needs_quotes = re.search(r'[",\r\n]|^#', name) or _NUMBERS_ONLY.fullmatch(name)
    return '"' + name.replace('"', '""') + '"' if needs_quotes else name
