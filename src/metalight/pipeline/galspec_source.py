"""The source `galspec` of the catalogue's stage: the MPA-JHU files on disk, and a table of photometry."""

from pathlib import Path
from typing import Any

from metalight.catalog import Count, Selection, choose_spread, name_spread
from metalight.catalog.galspec import find_galspec_files, select_galspec
from metalight.errors import CatalogError
from metalight.pipeline.stage import Job, describe_table
from metalight.recipe import Recipe
from metalight.run_folder import describe_file
from metalight.tables import Table


def name_galspec(recipe: Recipe) -> str:
    """What the source is called in messages."""
    return f"the galSpec files in {recipe.catalog.path}"


def describe_galspec(recipe: Recipe) -> dict[str, Any]:
    """The files by path, size and time; of what is not there, the path only."""
    folder, photometry = Path(recipe.catalog.path), Path(recipe.catalog.photometry)
    try:
        files = [describe_file(path) for path in find_galspec_files(folder).list_by_role().values()]
        return {"galspec": files, "photometry": describe_table(photometry)}
    except CatalogError:
        # The stage itself says what is wrong; a later one may be done where the files are not.
        return {"galspec": [describe_file(folder)], "photometry": describe_file(photometry)}


def select_from_galspec(job: Job) -> Selection:
    """The galaxies and their repeats, spread over the sky where only some are wanted.

    Raises:
        TableError: A file cannot be used, or no galaxy is left.
    """
    settings = job.recipe.catalog
    found = select_galspec(
        Path(settings.path),
        Path(settings.photometry),
        targets=settings.targets,
        missing_values=settings.missing_values,
        progress=job.progress,
    )
    counts = [Count(*row) for row in found.counts.itertuples(index=False, name=None)]
    table = found.table
    if 0 < settings.limit < len(table.frame):
        rows = choose_spread(table.frame["objID"].to_numpy(), settings.limit)
        table = Table(table.frame.iloc[rows].reset_index(drop=True), table.info)
        name = name_spread(settings.limit)
        counts.append(Count(name, "to try things out", "[catalog] limit", settings.limit))
    return Selection(table, tuple(counts), found.notes, repeats=found.repeats)
