"""Units and descriptions of a CSV file, in a small file beside it, so that any program can read the CSV itself.

`NAME.csv-metadata.json`, where the W3C's "Metadata Vocabulary for Tabular Data" (CSV on the Web, 2015) looks for it.
The unit is in `unit`, which that vocabulary leaves to its users.
"""

import json
from pathlib import Path

from metalight.atomic import save_json
from metalight.errors import TableError
from metalight.small_files import read_small_file
from metalight.tables.table import ColumnInfo, Table

_MOST_BYTES = 20_000_000
"""Of the metadata: a kilobyte for each of as many columns as a table may have."""

_CONTEXT = "http://www.w3.org/ns/csvw"


def name_metadata(path: Path) -> Path:
    """Where the metadata of a CSV file lies."""
    return path.with_name(f"{path.name}-metadata.json")


def load_csv_metadata(path: Path) -> dict[str, ColumnInfo]:
    """Metadata of the columns of a CSV file; empty if there are none.

    Raises:
        TableError: The file with the metadata cannot be understood.
    """
    metadata = name_metadata(path)
    if not metadata.is_file():
        return {}
    try:
        columns = json.loads(read_small_file(metadata, most_bytes=_MOST_BYTES))["tableSchema"]["columns"]
        return {
            str(column["name"]): ColumnInfo(str(column.get("unit", "")), str(column.get("dc:description", "")))
            for column in columns
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TableError(
            f"{metadata} cannot be read as the metadata of {path.name}: {error!r}. Correct or delete it."
        ) from error


def save_csv_metadata(table: Table, path: Path) -> None:
    """Write the metadata of a CSV file; without a unit or a description there is none, and an older one is removed."""
    of_columns = [(name, table.info.get(name, ColumnInfo())) for name in table.frame.columns]
    known = [(name, info) for name, info in of_columns if info != ColumnInfo()]
    metadata = name_metadata(path)
    if not known:
        metadata.unlink(missing_ok=True)
        return
    columns = [
        {"name": name}
        | ({"unit": info.unit} if info.unit else {})
        | ({"dc:description": info.description} if info.description else {})
        for name, info in known
    ]
    save_json({"@context": _CONTEXT, "url": path.name, "tableSchema": {"columns": columns}}, metadata)
