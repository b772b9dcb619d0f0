"""Units and descriptions as one line of ASCII, for formats whose own fields cannot hold them."""

import json

from metalight.tables.table import ColumnInfo


def dump_info(name: str, info: ColumnInfo) -> str:
    """JSON of a column's name, unit and description."""
    return json.dumps([name, info.unit, info.description])


def parse_info(text: object) -> tuple[str, ColumnInfo]:
    """A column's name, and what it means; no name if the text is not what `dump_info` writes."""
    try:
        name, unit, description = map(str, json.loads(str(text)))
    except (ValueError, TypeError, RecursionError):
        return "", ColumnInfo()  # another program's text in the same place
    return name, ColumnInfo(unit, description)
