"""Meanings of SkyServer's answers: a table, a throttle that passes within a minute, or an error that stays.

From the public source of SkyServerWS and of its stored procedure spExecuteSQLMax, and from what its clients report:

- A table in CSV begins with a line `#Table1`, missing values are empty, and text is quoted only where it has a comma.
- The throttle, and a query that the procedure does not let through, give status 200 and a table of one column
  `error_message`. Its text holds the query, with quotes that are not escaped.
- An error of the database gives status 500 and JSON with an `ErrorMessage`, whether the query is wrong or the database
  is down: only the words tell which.
- What stands before the service (IIS, a proxy, a page for maintenance) answers in HTML, also with status 200.
"""

import codecs
import contextlib
import csv
import html
import io
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from metalight.web import Answer

Kind = Literal["table", "unended", "quota", "slow", "again", "final"]

MOST_BYTES = 2**29
"""Of an answer: 500,000 rows, the most that SkyServer gives, are about 350 MB."""

_TITLE = "#Table1\n"
_IS_TITLE = re.compile(r"#\s*table", re.IGNORECASE)
_NOTHING_FOUND = re.compile(r"no (objects|entries|rows) have been found", re.IGNORECASE)
"""The answer of older releases instead of a table without rows."""

_OF_QUOTA = re.compile(r"\bqueries allowed per minute\b", re.IGNORECASE)

_OF_TIME = re.compile(r"\btimed?[ -]?out\b", re.IGNORECASE)
"""Messages of services about a query that took too long."""

_OF_THE_QUERY = re.compile(
    r"incorrect syntax|syntax error|invalid (column|object)|no such (column|table|function)|could not be bound"
    r"|ambiguous column|must be a select statement|error: limit is",
    re.IGNORECASE,
)
"""Messages of databases about a query that will always fail."""

_THAT_PASSES = re.compile(
    r"deadlock|network-related|transport-level|connection|login failed|cannot open database|shut ?(ting )?down"
    r"|recover|restor|restart|insufficient (system )?(memory|disk)|out ?of ?memory|is full|busy|overload|unavailable"
    r"|too many|try again|temporar|maintenance|offline|object reference",
    re.IGNORECASE,
)
"""Messages of SkyServer about a fault of the database, not of the query."""

_LOGIN = re.compile(r"type\s*=\s*[\"']?password", re.IGNORECASE)
_BUSY_STATUSES = (408, 425, 429)
_GATEWAY_TIMEOUT = 504
_NEVER_STATUSES = (501, 505)
_LONGEST_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of one answer."""

    kind: Kind
    """`unended`: a table without a line break at its end, which may be cut off within its last number; `quota`: too
    many queries in a minute; `slow`: the query took too long; `again`: another try may help; `final`: none will."""

    reason: str = ""
    """Why it is not a table, as words that stand after a colon."""

    words: str = ""
    """The service's own."""

    table: bytes = b""
    """Of the first two kinds: CSV below a line `#Table1`, in UTF-8, without blank lines."""

    most_tries: int = 100
    """Of `again`: after so many tries it is taken for the last word."""


def read_answer(answer: Answer, columns: Sequence[str]) -> Reading:
    """The meaning of an answer to a query.

    Args:
        answer: Whole, as far as HTTP can tell.
        columns: Names that a table must have to be taken for one if it has no line `#Table1`.
    """
    text, is_damaged = _decode(answer.body)
    first, _, below = text.partition("\n")
    lines = below.lstrip() if first.startswith("#") else text
    header, _, rows = lines.partition("\n")
    names = [name.casefold() for name in _split(header)]
    if names == ["error_message"]:
        return _read_error_row(rows, answer.status)
    is_table = _IS_TITLE.match(first) is not None or set(names) >= {name.casefold() for name in columns}
    if answer.status == 200 and is_table:
        return _read_table(lines, is_damaged=is_damaged)
    if answer.status == 200 and len(text) < _LONGEST_PAGE and _NOTHING_FOUND.search(_read_words(text)):
        return Reading("table", table=(_TITLE + ",".join(columns) + "\n").encode())
    return _read_error(text, answer)


def _decode(body: bytes) -> tuple[str, bool]:
    """The text of an answer, from its first letter on and with plain line breaks, and whether bytes of it are wrong."""
    is_damaged = False
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            body = unpacker.decompress(body, MOST_BYTES)
        except zlib.error:
            body = b""
        is_damaged = not unpacker.eof
    encoding = "utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        text, is_damaged = body.decode("cp1252", errors="replace"), True
    return text.lstrip().replace("\r\n", "\n"), is_damaged


def _split(line: str) -> list[str]:
    """The fields of a line of CSV, without an empty one at the end."""
    with contextlib.suppress(csv.Error, StopIteration):
        fields = [field.strip() for field in next(csv.reader([line]))]
        return fields[:-1] if fields and not fields[-1] else fields
    return []


def _read_table(lines: str, *, is_damaged: bool) -> Reading:
    has_end = lines.endswith("\n")
    lines = re.sub(r"\n\s*\n", "\n", lines.rstrip() + "\n")
    header, _, rows = lines.partition("\n")
    num_columns = len(_split(header))
    if header.rstrip().endswith(",") or len(next(csv.reader([rows.partition("\n")[0]]), ())) == num_columns + 1:
        # A service that ends each line with a comma.
        lines = re.sub(r",[ \t]*$", "", lines, flags=re.MULTILINE)
    if is_damaged or not _is_even(lines, num_columns):
        return Reading("again", "the table that it answered with is cut off")
    reason = "the table that it answered with has no line break at its end, and may be cut off"
    return Reading("table" if has_end else "unended", "" if has_end else reason, table=(_TITLE + lines).encode())


def _is_even(lines: str, num_columns: int) -> bool:
    """Whether every line of CSV has so many fields: an answer that is cut off mostly ends within a line."""
    try:
        rows = csv.reader(io.StringIO(lines, newline=""), strict=True)
        return num_columns > 0 and all(len(row) == num_columns for row in rows)
    except csv.Error:
        return False


def _read_error_row(row: str, status: int) -> Reading:
    """The meaning of the text below `error_message`, which is not proper CSV."""
    words = " ".join(row[:_LONGEST_PAGE].split()).strip('"').strip()
    if _OF_QUOTA.search(words):
        return Reading("quota", "it allows no more queries for now", words)
    if status == _GATEWAY_TIMEOUT or _OF_TIME.search(words):
        return Reading("slow", "the query took it too long", words)
    return Reading("final", "it refuses the query", words)


def _read_error(text: str, answer: Answer) -> Reading:
    """The meaning of an answer that is not a table."""
    status = answer.status
    words, own_words = _read_words(text), _read_error_message(text)
    reason = f"it answered with status {status}" + (f" ({answer.reason})" if answer.reason else "")
    if status == 200:
        reason = "it answered with something else than a table" if text else "it answered with nothing"
    if _OF_QUOTA.search(words):
        return Reading("quota", "it allows no more queries for now", words)
    if status == _GATEWAY_TIMEOUT or _OF_TIME.search(words):
        return Reading("slow", reason, words)
    if _OF_THE_QUERY.search(words) or (own_words and not _THAT_PASSES.search(words)):
        return Reading("final", reason, words)
    if _LOGIN.search(text[:_LONGEST_PAGE]):
        return Reading("final", "it answered with a page that asks for a password", words)
    if status == 200 and not own_words and text.startswith(("[", "{", "<?xml")):
        return Reading("final", "it answered in another format than CSV", words)
    may_pass = status == 200 or status in _BUSY_STATUSES or (status >= 500 and status not in _NEVER_STATUSES)
    return Reading("again" if may_pass else "final", reason, words)


def _read_words(text: str) -> str:
    """The text of a page, a plain text or JSON, without its markup."""
    text = text[:_LONGEST_PAGE]
    own_words = _read_error_message(text)
    if own_words:
        return own_words
    text = re.sub(r"(?is)<(script|style|head)\b.*?(</\1>|$)", " ", text)
    return " ".join(html.unescape(re.sub(r"<[^<>]*>?", " ", text)).split())


def _read_error_message(text: str) -> str:
    """The `ErrorMessage` of SkyServer's JSON, or the `Error Message` of CasJobs'; empty if there is none."""
    if not text.startswith("{"):
        return ""
    with contextlib.suppress(ValueError, RecursionError):
        for name, value in json.loads(text[:_LONGEST_PAGE]).items():
            if name.replace(" ", "").casefold() == "errormessage":
                return " ".join(str(value).split())
    return ""
