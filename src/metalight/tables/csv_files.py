"""CSV files: a line of column names, and rows of text; `csv_dialect` finds out how they are kept.

Lines that start with `#` are passed over, such as SkyServer's `#Table1`, wherever they cannot be a row. A field that is
empty or reads NaN, NA, N/A, null, none or `--` is missing; in columns of text only an empty field is. A column is read
as integers if every value is one, else as floats, else as booleans, else as text. Integers never pass through floats.
Numbers with leading zeros are text. Where fields are not between commas, a number may have a decimal comma. Text that a
spreadsheet would run as a formula is written with an apostrophe before it, which is taken off again when it is read.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from metalight.errors import TableError, quote_flaw, shorten
from metalight.safe_text import guard_formulas, unguard_formulas
from metalight.tables.arrow import blank_out_missing, build_arrow_table, build_column, join_rows
from metalight.tables.csv_dialect import BLANKS, decode, open_text, read_dialect
from metalight.tables.csv_metadata import load_csv_metadata
from metalight.tables.table import ColumnInfo, Table
from metalight.tables.usable import UsableColumns

_LARGEST_ROW = 1 << 24
_ROWS_AT_ONCE = 65536
_WRITTEN_AS_FLOAT = r"[.]|[eE][+]"
"""How programs write numbers that are not integers; `1e5` is rather a name, if it is in a column of identifiers."""
_NUMBERS_ONLY = re.compile(r"[\s\d.,eE+-]*\d[\s\d.,eE+-]*")
_DECIMAL_COMMAS = r"^[+-]?[0-9]*(,[0-9]+)?([eE][+-]?[0-9]+)?$"


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
        with open_text(file, path) as (text, of_text):
            dialect = read_dialect(text, path)
            usable = UsableColumns(dialect.names, path)
            read = _read_rows_between_blanks if dialect.delimiter == BLANKS else read_rows
            rows, num_comments = read(text, len(dialect.names), dialect.delimiter)
        notes = [*of_text, *dialect.notes]
        if num_comments:
            notes.append(f"passed over {num_comments} lines that start with #")
        has_commas = dialect.delimiter != "," and any(_has_decimal_commas(fields) for fields in rows)
        if has_commas:
            notes.append("read with decimal commas")
        fields = dict(zip(dialect.names, rows, strict=True))
        for name, of_name in fields.items():
            usable.add(name, lambda of_name=of_name: infer_column(of_name, has_commas=has_commas), (pa.ArrowException,))  # type: ignore[misc]
    except (pa.ArrowException, ValueError, csv.Error) as error:
        raise TableError(
            f"{path} cannot be read as CSV: {quote_flaw(error)}. Correct it, or export it again."
        ) from error
    table = usable.build_table({}, notes)
    frame = unguard_formulas(table.frame)
    spelled = {
        name: build_column(fields[stored])
        for name, stored in zip(frame.columns, table.frame.columns, strict=True)
        if frame[name].dtype.kind in "fb" and not _has(fields[stored], _WRITTEN_AS_FLOAT)
    }
    info = {name: known for name, known in load_csv_metadata(path).items() if name in frame and known != ColumnInfo()}
    return replace(table, frame=frame, info=info, spelled=spelled)


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


def read_rows(file: BinaryIO, num_columns: int, delimiter: str) -> tuple[list[pa.ChunkedArray], int]:
    """The fields of each column as text, missing where nothing, not even quotes, stands; and the number of comments.

    Between blanks nothing can stand, so that there quotes without content are a missing value too. A line that starts
    with `#` is a comment where it does not have as many fields as a row.

    Raises:
        ValueError: A row has too few or too many fields, or is not UTF-8.
    """
    text = {str(place): pa.string() for place in range(num_columns)}
    if not file.peek(1):  # type: ignore[attr-defined]
        return [pa.chunked_array([], pa.string())] * num_columns, 0
    comments: list[pa_csv.InvalidRow] = []
    flaws: list[pa_csv.InvalidRow] = []

    def judge(row: pa_csv.InvalidRow) -> str:
        (comments if row.text.startswith("#") else flaws).append(row)
        return "error" if flaws else "skip"

    try:
        rows = pa_csv.read_csv(
            file,
            read_options=pa_csv.ReadOptions(column_names=list(text), block_size=_LARGEST_ROW),
            # In a file of one column an empty line is a missing value.
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=num_columns > 1,
                invalid_row_handler=judge,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=text,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=delimiter == " ",
            ),
        )
    except pa.ArrowInvalid as error:
        if flaws:
            raise _build_row_error(flaws[0].text, flaws[0].actual_columns, num_columns) from error
        if "UTF8" in str(error):
            raise ValueError("it has rows that are not UTF-8, but perhaps Latin-1; save it as UTF-8") from error
        raise
    return list(rows.columns), len(comments)


def infer_column(fields: pa.ChunkedArray, *, has_commas: bool = False) -> "pd.Series[Any]":
    """A column of the narrowest type that all its fields have.

    Args:
        fields: Text; missing where nothing stands.
        has_commas: Whether `8,5` is a number.
    """
    trimmed = pc.utf8_trim_whitespace(fields)
    values = blank_out_missing(trimmed)
    if values.null_count == len(values):
        return build_column(values.cast(pa.float64()))
    if has_commas and _has_decimal_commas(values):
        values = pc.replace_substring(values, ",", ".")
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


def _read_rows_between_blanks(file: BinaryIO, num_columns: int, delimiter: str) -> tuple[list[pa.ChunkedArray], int]:
    """As `read_rows`, of fields with any number of blanks between them; each line that starts with `#` is a comment."""
    chunks: list[list[pa.Array]] = [[] for _ in range(num_columns)]
    rows: list[list[str]] = []
    num_comments = 0

    def hand_over() -> None:
        for chunk, fields in zip(chunks, zip(*rows, strict=True), strict=True):
            chunk.append(pa.array([field or None for field in fields], pa.string()))
        rows.clear()

    def list_lines() -> Iterator[str]:
        nonlocal num_comments
        for line in map(decode, file):
            if line.startswith("#"):
                num_comments += 1
            elif text := line.replace("\t", BLANKS).strip():
                yield text

    for row in csv.reader(list_lines(), delimiter=delimiter, strict=True, skipinitialspace=True):
        if len(row) != num_columns:
            raise _build_row_error(BLANKS.join(row), len(row), num_columns)
        rows.append(row)
        if len(rows) == _ROWS_AT_ONCE:
            hand_over()
    if rows:
        hand_over()
    return [pa.chunked_array(chunk, pa.string()) for chunk in chunks], num_comments


def _build_row_error(text: str, num_fields: int, num_columns: int) -> ValueError:
    return ValueError(f"a row has {num_fields} fields for {num_columns} columns: '{shorten(text)}'")


def _has_decimal_commas(fields: pa.ChunkedArray) -> bool:
    """Whether all values are numbers with a decimal comma, or integers, and at least one has a comma."""
    values = blank_out_missing(pc.utf8_trim_whitespace(fields))
    return _has(values, ",") and bool(pc.all(pc.match_substring_regex(values, _DECIMAL_COMMAS)).as_py())


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
    # A name that reads as a number is quoted, so that the line of names is not taken for the first row; and one with
    # what stands between the fields of other dialects, so that it is not taken for several.
    needs_quotes = re.search(r'[",;|\s]|^#', name) or _NUMBERS_ONLY.fullmatch(name)
    return '"' + name.replace('"', '""') + '"' if needs_quotes else name
