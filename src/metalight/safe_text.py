"""Text that is not ours, made safe for the place where it is shown.

Names of files and columns, a service's words and a stranger's `config.json` may hold anything: codes that drive a
terminal, HTML and links for a page, formulas for a spreadsheet. Every writer to such a place passes text through here.
Text for HTML goes through the standard library's `html.escape`.
"""

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_KEPT = "\n\t"
_MARKDOWN = re.compile(r"[\\`*\[\]|]|(?<!\w)_|_(?!\w)|<(?=[a-zA-Z/!?])|&(?=#?\w+;)")
_AS_HTML = {"<": "&lt;", "&": "&amp;"}

# A number is not a formula. Text that already looks guarded is guarded once more, so that reading undoes writing.
_FORMULA = r"'*[=+\-@\t\r](?!(?<=[+-])(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$)"
_FIRST_CHARACTERS = list("'=+-@\t\r")
_GUARDED = rf"'(?={_FORMULA})"


def for_terminal(text: str) -> str:
    r"""The text with every character that a terminal would obey, or not show, written as an escape such as `\x1b`.

    Line breaks and tabs stay, as do blanks of any width.
    """
    return text if text.isprintable() else "".join(map(_show_character, text))


def for_markdown(text: str) -> str:
    """The text on one line, such that Markdown shows it as it is: no emphasis, link, table cell or HTML begins in it.

    Underscores within words stay as they are, as Markdown reads them literally.
    """
    line = " ".join(for_terminal(text).split())
    return _MARKDOWN.sub(lambda found: _AS_HTML.get(found[0], f"\\{found[0]}"), line)


def as_code(text: str) -> str:
    """The text on one line as code of Markdown, in as many backticks as it takes."""
    line = " ".join(for_terminal(text).split())
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    # A table's cell ends at a bar even within code.
    return f"{ticks}{blank}{line}{blank}{ticks}".replace("|", "\\|")


def as_code_block(text: str) -> list[str]:
    """Lines of Markdown that show the text as it is, in a fixed-width font."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [fence, for_terminal(text).rstrip(), fence]


def guard_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table for a CSV file: text that a spreadsheet would run as a formula gets an apostrophe before it.

    These are texts that start with `=`, `+`, `-`, `@`, a tab or a carriage return, and are not numbers.
    `unguard_formulas` undoes it exactly.
    """
    changed = {name: "'" + values for name, values in _text_columns(frame, _FORMULA)}
    names = {name: f"'{name}" for name in frame.columns if re.match(_FORMULA, str(name))}
    return _replace_columns(frame, changed).rename(columns=names)


def unguard_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table of a CSV file without the apostrophes that `guard_formulas` has put there."""
    changed = {name: values.str[1:] for name, values in _text_columns(frame, _GUARDED)}
    names = {name: str(name)[1:] for name in frame.columns if re.match(_GUARDED, str(name))}
    return _replace_columns(frame, changed).rename(columns=names)


def _show_character(character: str) -> str:
    if character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def _text_columns(frame: "pd.DataFrame", pattern: str) -> "list[tuple[str, pd.Series[str]]]":
    """Of each column of text in which a value begins with the pattern, these values."""
    found = []
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object or column.dtype == "str":
            may_match = column[column.str[:1].isin(_FIRST_CHARACTERS)]
            matching = may_match[[re.match(pattern, text) is not None for text in may_match]]
            if len(matching):
                found.append((name, matching))
    return found


def _replace_columns(frame: "pd.DataFrame", changed: "dict[str, pd.Series[str]]") -> "pd.DataFrame":
    if not changed:
        return frame
    frame = frame.copy()
    for name, values in changed.items():
        frame.loc[values.index, name] = values
    return frame
