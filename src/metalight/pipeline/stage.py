"""A stage: its inputs, its outputs and its work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metalight.progress import Progress, no_progress
from metalight.recipe import Recipe
from metalight.run_folder import RunFolder, describe_file
from metalight.tables import list_table_files


@dataclass(frozen=True)
class Job:
    """Everything a stage is given: the run folder, the recipe, and how to report progress."""

    run: RunFolder
    recipe: Recipe
    device: str = "auto"
    progress: Progress = no_progress
    tell: Callable[[str], None] = lambda line: None
    """Tells a person what is ahead."""

    identity: str = ""
    """Digest of everything that the output of the current stage depends on. Partial work resumes only if it matches."""


@dataclass(frozen=True)
class Stage:
    """One stage of a run. It reads and writes artefacts of the run folder, and keeps nothing in memory."""

    name: str
    after: tuple[str, ...]
    """Stages whose artefacts it reads."""

    perform: Callable[[Job], str]
    """Does the work; gives one line on what came out."""

    settings: Callable[[Recipe], dict[str, Any]]
    """Settings of the recipe that it depends on."""

    outputs: Callable[[RunFolder], list[Path]]
    """Files or folders that later stages read."""

    inputs: Callable[[Recipe], dict[str, Any]] = field(default=lambda recipe: {})
    """Files that it reads from outside the run, described by size and time."""

    cache: Callable[[RunFolder], list[Path]] = field(default=lambda run: [])
    """Large files whose content `outputs` tell, by their digests: so stages after it need not look at them."""

    is_cache_whole: Callable[[RunFolder], bool] = field(default=lambda run: True)
    """Reads the cache, and tells whether it is as it was made; asked when its files seem to have been touched."""

    beside: Callable[[RunFolder], list[Path]] = field(default=lambda run: [])
    """Files that it may write beside these, for people or to spare itself work: a stage is done without them too."""

    has_more: Callable[[RunFolder, Recipe], bool] = field(default=lambda run, recipe: False)
    """Whether something from outside the run is not as it was, or can be read now, that `inputs` cannot tell."""

    unfinished: Callable[[RunFolder], list[Path]] = field(default=lambda run: [])
    """Folders of partial work, from which it resumes after an interruption."""


def locate_images(run: RunFolder, recipe: Recipe) -> Path:
    """The folder that the paths in `run.cutouts` are relative to: the user's, or what a service gave."""
    return run.fetched if recipe.cutouts.is_fetched else Path(recipe.cutouts.folder)


def describe_table(path: Path) -> dict[str, Any]:
    """The files of a table from outside the run, by path, size and time, as inputs of a stage.

    Raises:
        TableError: The path is a pattern or a folder without Parquet files.
    """
    files = list_table_files(path)
    if files == [path]:
        return describe_file(path)
    return {"path": str(path.absolute()), "files": [describe_file(file) for file in files]}
