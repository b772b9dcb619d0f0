"""The user's own table as the catalogue."""

from collections.abc import Sequence
from pathlib import Path

from metalight.catalog.galaxies import Catalog, build_catalog
from metalight.catalog.selection import Count
from metalight.catalog.sky_columns import SkyColumns
from metalight.errors import CatalogError, TableError
from metalight.tables import SENTINELS, Table, load_table


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
        roles: What names the columns of identifiers and of file names, for messages.

    Raises:
        CatalogError: The table has no rows, no galaxy is left, two settings name the same column, or the table cannot
            be read, lacks a column or has a wrong one.
    """
    try:
        table = load_table(path, missing_values=missing_values)
    except TableError as error:
        raise CatalogError(str(error)) from error
    counted: list[Count] = []
    if 0 < limit < len(table.frame):
        counted = [
            Count("all rows", "rows of the catalogue", "[catalog] path", len(table.frame)),
            Count(f"the first {limit}", "to try things out", "[catalog] limit", limit),
        ]
        spelled = {name: texts.iloc[:limit] for name, texts in table.spelled.items()}
        table = Table(table.frame.iloc[:limit].reset_index(drop=True), table.info, spelled)
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
        roles=roles,
    )
