"""The user's own table as the catalogue."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metalight.catalog.galaxies import Catalog, build_catalog
from metalight.catalog.selection import Count
from metalight.catalog.sky_columns import SkyColumns
from metalight.errors import CatalogError, TableError
from metalight.tables import SENTINELS, load_table, take_rows


def load_catalog(
    path: Path,
    *,
    object_id: str,
    targets: Sequence[str],
    file_name: str = "",
    split: str = "",
    sky: SkyColumns | None = None,
    cuts: Sequence[str] = (),
    limit: int = 0,
    missing_values: Sequence[float] = SENTINELS,
    properties: Mapping[str, str] | None = None,
    roles: tuple[str, str] = ("[catalog] object_id", "[catalog] file_name"),
) -> Catalog:
    """The galaxies of a table in any format of `load_table`.

    A galaxy is refused for the first of the cuts that it fails, then if its target, or each of several, is missing or
    infinite, and then for the first of its places on the sky that is missing or impossible.

    Args:
        path: The table, one row a galaxy.
        object_id: Column of the galaxies' identifiers: integers or text.
        targets: Columns to learn to predict. A name may differ from the table's in case.
        file_name: Column of image file names; it becomes `file_name`. Empty: there is none.
        split: Column of the user's own sets; it becomes `split_name`. Empty: there is none.
        sky: Columns of the galaxies' places on the sky, where they are needed; they stay as they are in the table.
        cuts: Names of cuts, in order.
        limit: Take only so many rows, from the first on; 0 takes all.
        missing_values: Numbers that stand for "not measured".
        properties: The user's column of a property, by the property's name: its values have limits.
        roles: What names the columns of identifiers and of file names, for messages.

    Raises:
        CatalogError: The table has no rows, no galaxy is left, two settings name the same column, or the table cannot
            be read, lacks a column or has a wrong one.
    """
    named = [object_id, *targets, file_name, split, *([] if sky is None else sky.list_by_setting().values())]
    try:
        table = load_table(path, wanted=[name for name in named if name], missing_values=missing_values)
    except TableError as error:
        raise CatalogError(str(error)) from error
    counted: list[Count] = []
    if 0 < limit < len(table.frame):
        counted = [
            Count("all rows", "rows of the catalogue", "[catalog] path", len(table.frame)),
            Count(f"the first {limit}", "to try things out", "[catalog] limit", limit),
        ]
        table = take_rows(table, np.arange(limit))
    return build_catalog(
        table,
        path,
        object_id=object_id,
        targets=targets,
        file_name=file_name,
        split=split,
        sky=sky,
        cuts=cuts,
        counted=counted,
        properties=properties,
        roles=roles,
    )
