"""Queries in T-SQL brought into the words of SQLite, and errors of SQLite into those of SQL Server."""

import re
import sqlite3

_TOKENS = re.compile(
    r"('(?:[^']|'')*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|\[[^\]]*(?:\]|\Z))|(--[^\n]*|/\*.*?(?:\*/|\Z))", re.DOTALL
)
"""What is in quotes, and comments. What has no end goes to the end, so that nothing is looked at twice."""

_BLANKS = " \t\r\n"
_SELECT = re.compile(r"select\b", re.IGNORECASE)
_TOP = re.compile(r"select\s+(distinct\s+|all\s+)?top\s*(?:\(\s*(\d{1,9})\s*\)|(\d{1,9})\b)", re.IGNORECASE)
_FETCH = re.compile(
    r"\boffset\s+(\d{1,9})\s+rows?(?:\s+fetch\s+(?:next|first)\s+(\d{1,9})\s+rows?\s+only)?\Z", re.IGNORECASE
)

_LONGEST_QUERY = 4_000
"""Characters: SkyServer takes addresses of about 2,000. SQLite copies an expression to each place that uses its name,
so the space that it takes to prepare a query grows with the square of its length."""

_IN_WORDS_OF_SQL_SERVER = (
    (r"no such column: (.*)", r"Invalid column name '\1'."),
    (r"no such table: (.*)", r"Invalid object name '\1'."),
    (r"near \"(.*)\": syntax error", r"Incorrect syntax near '\1'."),
    (r"incomplete input|unrecognized token: (.*)", r"Incorrect syntax near the end of the query."),
    (r"ambiguous column name: (.*)", r"Ambiguous column name '\1'."),
    (
        r"(?:no such function: |not authorized to use function: )(\w+)(?:\(.*)?",
        r"'\1' is not a recognized built-in function name.",
    ),
    (
        r"access to (\S+) is prohibited|not authorized",
        r"The SELECT permission was denied on the object.",
    ),
    (
        r"interrupted",
        "Execution Timeout Expired.  The timeout period elapsed prior to completion of the operation or the server is "
        "not responding.",
    ),
)


class QueryRefusedError(Exception):
    """A query that SkyServer's procedure does not let through to the database; its text is what it says instead."""


def translate(query: str, row_limit: int) -> str:
    """A query in T-SQL as SQLite understands it, for so many rows at most; what is in quotes stays as it is.

    `TOP`, `OFFSET … FETCH`, `dbo.` and hints are translated.

    Raises:
        QueryRefusedError: It is too long, or no single SELECT.
    """
    if len(query) > _LONGEST_QUERY:
        raise QueryRefusedError(f"error: limit is {_LONGEST_QUERY:,} characters: ")
    pieces = _TOKENS.split(query)
    # Every third piece is free text, the second in quotes, the third a comment.
    texts, bare = [], ""
    for free, quoted, comment in zip(pieces[::3], [*pieces[1::3], None], [*pieces[2::3], None], strict=True):
        if comment and comment.startswith("/*") and not comment.endswith("*/"):
            raise QueryRefusedError("error: a comment has no end: ")
        free = re.sub(r"\bdbo\.", "", free, flags=re.IGNORECASE)
        free = re.sub(r"\bwith\s*\(\s*nolock\s*\)", "", free, flags=re.IGNORECASE)
        texts += [free, quoted or (" " if comment else "")]
        bare += f"{free} "
    translated = "".join(texts).strip(_BLANKS).rstrip(f";{_BLANKS}")
    if ";" in bare.rstrip(f";{_BLANKS}") or "\0" in query or not _SELECT.match(translated):
        raise QueryRefusedError("error: must be a select statement: ")
    if len(re.findall(r"\bselect\b", bare, re.IGNORECASE)) > 1:
        # SQLite writes a query within a query out at each place that uses it, which grows without bounds.
        raise QueryRefusedError("error: the stand-in answers no select within a select: ")
    top = _TOP.match(translated)
    if top:
        return f"SELECT {top[1] or ''}{translated[top.end() :]} LIMIT {min(int(top[2] or top[3]), row_limit)}"
    paging = _FETCH.search(translated)
    if paging:
        most = min(int(paging[2]), row_limit) if paging[2] else row_limit
        return f"{translated[: paging.start()]} LIMIT {most} OFFSET {paging[1]}"
    return f"{translated} LIMIT {row_limit}"


def explain(error: sqlite3.Error | sqlite3.Warning) -> str:
    """An error of SQLite as SQL Server would put it."""
    text = str(error)
    for pattern, words in _IN_WORDS_OF_SQL_SERVER:
        if found := re.fullmatch(pattern, text):
            return found.expand(words)
    return text
