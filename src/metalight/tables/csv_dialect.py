"""How a file of text keeps a table: its encoding, line ends, what stands between fields, and where the names are.

CSV is written in many ways. The text is brought to UTF-8 with line feeds. What stands between fields is what divides
the first lines into equally many: a comma, a tab, a semicolon, a bar, or else blanks. The names are in the first line
that is not a comment, or in the comment right above the first row.
"""

import codecs
import contextlib
import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from metalight.errors import TableError

BLANKS = " "
"""The delimiter of tables whose fields have any number of blanks and tabs between them."""

_DELIMITERS = (",", "\t", ";", "|")
_IN_WORDS = {"\t": "tabs", ";": "semicolons", "|": "bars", BLANKS: "blanks"}
_LINES_LOOKED_AT = 20
_LARGEST_LINE_OF_NAMES = 1 << 20
_AT_ONCE = 1 << 20
_NUMBERS_ONLY = re.compile(r"[\s\d.,;|eE+-]*\d[\s\d.,;|eE+-]*")
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
_BYTE_ORDER_MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FORMATS = (
    (re.compile(rb"^Byte-by-byte Description of file", re.MULTILINE), "a machine-readable table of the CDS", "mrt"),
    (re.compile(rb"\A#\s*1\s+[A-Za-z_].*\n#\s*\d+\s+[A-Za-z_]"), "a catalogue of SExtractor", "sextractor"),
    (re.compile(rb"\A(\\.*\n)*\|.*\|\s*\n\|.*\|\s*\n"), "an IPAC table", "ipac"),
)
"""Formats of text that astropy reads, and its names for them."""


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are to be read."""

    names: list[str]
    delimiter: str
    notes: tuple[str, ...]


@contextlib.contextmanager
def open_text(file: BinaryIO, path: Path) -> Iterator[tuple[BinaryIO, tuple[str, ...]]]:
    """The content as UTF-8 with line feeds, and notes on what it was: the file itself wherever it is so already.

    Args:
        file: The open file, at its start.
        path: Where it lies, for the message.

    Raises:
        TableError: It holds something else than a table of text.
        ValueError: It is not text in its encoding.
    """
    start = file.read(_AT_ONCE)
    file.seek(0)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if start.startswith(mark)), _guess_encoding(start))
    if encoding == "utf-8":
        _refuse_other_formats(start, path)
        has_old_line_ends = b"\r" in start and b"\n" not in start
    else:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
        has_old_line_ends = "\r" in text and "\n" not in text
    if encoding == "utf-8" and not has_old_line_ends:
        yield file, ()
        return
    with tempfile.TemporaryFile() as content:
        decoder = codecs.getincrementaldecoder(encoding)()
        while chunk := file.read(_AT_ONCE):
            text = decoder.decode(chunk)
            content.write((text.replace("\r", "\n") if has_old_line_ends else text).encode())
        content.write(decoder.decode(b"", True).encode())
        content.seek(0)
        notes = [f"read as {encoding.upper()}"] if encoding not in ("utf-8", "utf-8-sig") else []
        notes += ["read with CR as line ends"] if has_old_line_ends else []
        yield content, tuple(notes)


def read_dialect(file: BinaryIO, path: Path) -> Dialect:
    """How the rows are to be read; the file is left at the first of them.

    Args:
        file: The text, at its start.
        path: Where it lies, for the message.

    Raises:
        TableError: The file is empty or has no names of columns.
        ValueError: It is not UTF-8, or a line is longer than any line of column names.
    """
    comments, stated, place = [], "", file.tell()
    while (line := read_line(file)) and (line.startswith(b"#") or line.isspace() or _read_statement(line)):
        comments += [decode(line)] if line.startswith(b"#") else []
        stated = _read_statement(line) or stated
        place = file.tell()
    first = decode(line)
    if not first:
        raise TableError(f"{path} is empty; a CSV file starts with a line of column names.")
    after = file.tell()
    rows = _peek_rows(file)
    above = comments[-1].lstrip("#").strip() if comments else ""
    delimiter = stated or _choose_delimiter([above, first, *rows] if above else [first, *rows])
    if above and _is_header(above, first, delimiter):
        file.seek(place)
        return Dialect(split_names(above.encode(), delimiter), delimiter, _list_notes(delimiter))
    if _NUMBERS_ONLY.fullmatch(first):
        raise TableError(
            f"{path} lacks a line of column names: its first line is '{first.strip()[:60]}'. Write the names above it."
        )
    delimiter = stated or _choose_delimiter([first, *rows])
    file.seek(after)
    return Dialect(split_names(line, delimiter), delimiter, _list_notes(delimiter))


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
        ValueError: The line is not UTF-8.
        csv.Error: Its quotes do not fit.
    """
    fields = split_line(decode(line), delimiter)
    # pandas leaves the name of its index empty.
    return [name.strip() or f"unnamed_{place}" for place, name in enumerate(fields, start=1)]


def split_line(line: str, delimiter: str) -> list[str]:
    """The fields of a line.

    Raises:
        csv.Error: Its quotes do not fit.
    """
    text = io.StringIO(line.replace("\t", BLANKS).strip() if delimiter == BLANKS else line, newline="")
    return next(csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True), [])


def decode(line: bytes) -> str:
    """Text of bytes.

    Raises:
        ValueError: They are not UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not UTF-8 (byte {line[error.start]:#04x}), but perhaps Latin-1 or Windows-1252; save it as UTF-8"
        ) from None


def _guess_encoding(start: bytes) -> str:
    """UTF-16 without a mark has a zero in every other byte, as long as it is English."""
    looked_at = start[:200]
    for number, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(looked_at) >= 4 and not any(looked_at[number::2]) and all(looked_at[1 - number :: 2]):
            return name
    return "utf-8"


def _refuse_other_formats(start: bytes, path: Path) -> None:
    if re.match(rb"\s*<(!doctype html|html)", start[:1000], re.IGNORECASE):
        raise TableError(f"{path} holds a web page, not a table; download the table again.")
    for pattern, name, of_astropy in _OTHER_FORMATS:
        if pattern.search(start):
            raise TableError(
                f"{path} holds {name}, which metalight does not read. Convert it with astropy: "
                f"Table.read('{path.name}', format='ascii.{of_astropy}').write('{path.stem}.ecsv')."
            )


def _read_statement(line: bytes) -> str:
    """The delimiter of a line `sep=;`, as Excel writes and reads it before the names; empty if it is another line."""
    stated = re.fullmatch(rb"sep=([,;|\t])\s*", line.removeprefix(codecs.BOM_UTF8))
    return "" if stated is None else stated[1].decode()


def _peek_rows(file: BinaryIO) -> list[str]:
    """Some of the next lines that are not comments, as far as they can be read; the place in the file changes."""
    rows: list[str] = []
    with contextlib.suppress(ValueError):
        while len(rows) < _LINES_LOOKED_AT and (line := read_line(file)):
            if not line.startswith(b"#") and not line.isspace():
                rows.append(decode(line))
    return rows


def _choose_delimiter(lines: Sequence[str]) -> str:
    """What divides all lines into equally many fields, the most of them; else what divides the first into the most."""
    num_fields = {delimiter: [_count_fields(line, delimiter) for line in lines] for delimiter in _DELIMITERS}
    fitting = [delimiter for delimiter, nums in num_fields.items() if nums[0] > 1 and len(set(nums)) == 1]
    if fitting:
        return max(fitting, key=lambda delimiter: num_fields[delimiter][0])
    num_between_blanks = [_count_fields(line, BLANKS) for line in lines]
    if len(lines) > 1 and num_between_blanks[0] > 1 and len(set(num_between_blanks)) == 1:
        return BLANKS
    return max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", lines[0]).count)


def _count_fields(line: str, delimiter: str) -> int:
    try:
        return len(split_line(line, delimiter))
    except csv.Error:
        return 0


def _is_header(comment: str, first: str, delimiter: str) -> bool:
    """Whether a comment names the fields of the first row: as many, and the row has numbers, as names have not."""
    fields = first.split(None if delimiter == BLANKS else delimiter)  # quotes stay, so that "1" is a name
    is_as_long = _count_fields(comment, delimiter) == _count_fields(first, delimiter) > 0
    return is_as_long and any(_NUMBER.fullmatch(field) for field in fields)


def _list_notes(delimiter: str) -> tuple[str, ...]:
    return (f"read with {_IN_WORDS[delimiter]} between fields",) if delimiter in _IN_WORDS else ()
