"""Changes since a run was last brought up to date, reported before any result is replaced."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from metalight.errors import TableError
from metalight.pipeline.run_differences import find_changed_settings
from metalight.pipeline.stage import Job, Stage
from metalight.pipeline.stages import compute_fingerprint, is_done
from metalight.recipe import Recipe
from metalight.run_folder import StageRecord
from metalight.tables import load_table

_COLUMNS_SHOWN = 5


def describe_changes(
    chosen: Sequence[Stage], forced: set[str], ahead: Sequence[str], job: Job, records: Mapping[str, StageRecord]
) -> list[str]:
    """Sentences on what has changed and what is redone for it; nothing if no finished stage is outdated.

    Args:
        chosen: The stages that are asked for.
        forced: Those of them that are redone because the user says so.
        ahead: Those that are to be done, or may be.
        job: What is wanted; the run still has the recipe of the last time.
        records: Of the stages that are done.
    """
    settings = find_changed_settings(job.run, job.recipe)
    causes: list[str] = []
    outdated: list[str] = []
    lost: list[str] = []
    for stage in chosen:
        record = records.get(stage.name)
        if record is None or stage.name in forced:
            continue
        fingerprint = compute_fingerprint(stage, job, records)
        if any(record.fingerprint.get(name) != fingerprint[name] for name in ("settings", "inputs")):
            outdated.append(stage.name)
            own = _find_causes(stage, record.fingerprint, fingerprint, job.recipe, is_explained=bool(settings))
            causes += [cause for cause in own if cause not in causes]
        elif record.fingerprint == fingerprint and not is_done(stage, job, records, fingerprint):
            lost.append(stage.name)
    lines = [f"Files of {', '.join(lost)} are missing or were altered: they are made again."] if lost else []
    if not outdated:
        return lines
    dependent = [name for name in ahead if name not in outdated and name in records]
    then = f", then every stage whose input changes by that: {', '.join(dependent)}" if dependent else ""
    return [
        *lines,
        f"Changed since the last run: {'; '.join([*settings, *causes])}.",
        f"This redoes {', '.join(outdated)}{then}. To keep the earlier results, stop now and choose another --run-dir.",
    ]


def _find_causes(
    stage: Stage, before: Mapping[str, Any], now: Mapping[str, Any], recipe: Recipe, *, is_explained: bool
) -> list[str]:
    """Causes other than settings that make a finished stage outdated, from its fingerprints."""
    inputs = before.get("inputs") or {}
    causes = [
        _describe_input(name, inputs.get(name), value, recipe)
        for name, value in now["inputs"].items()
        if inputs.get(name) != value
    ]
    settings = before.get("settings") or {}
    has_new_code = any(settings.get(name) != now["settings"][name] for name in now["settings"] if "version" in name)
    if has_new_code or not (causes or is_explained):
        causes.append(f"this version of metalight does the stage '{stage.name}' differently")
    return causes


def _describe_input(name: str, before: Any, now: Any, recipe: Recipe) -> str:
    if isinstance(now, Mapping) and "path" in now:
        is_same_file = isinstance(before, Mapping) and before.get("path") == now["path"]
        return f"the content of {now['path']}" if is_same_file else f"the file {now['path']}"
    return f"the images in {recipe.cutouts.folder}" if name == "images" else name.replace("_", " ")


@contextlib.contextmanager
def telling_changed_galaxies(
    stage: Stage, job: Job, records: Mapping[str, StageRecord], tell: Callable[[str], None]
) -> Iterator[None]:
    """A block that does a stage; if it makes the catalogue again, tell how its galaxies differ from those of before."""
    before = _load_catalog(job.run.catalog) if stage.name == "catalog" and stage.name in records else None
    yield
    now = None if before is None else _load_catalog(job.run.catalog)
    if before is not None and now is not None:
        tell(f"Galaxies of the catalogue: {compare_galaxies(before, now)}.")


def _load_catalog(path: Path) -> pd.DataFrame | None:
    """The galaxies of a run by their identifiers; None if they cannot be told."""
    with contextlib.suppress(TableError, KeyError):
        return load_table(path, missing_values=()).frame.set_index("object_id")
    return None


def compare_galaxies(before: pd.DataFrame, now: pd.DataFrame) -> str:
    """How many galaxies were added, removed and changed, and in which columns: `3 added, 1 changed (oh_p50)`.

    Args:
        before: One row a galaxy, by its identifier.
        now: The same later.
    """
    common = now.index.intersection(before.index)
    names = [name for name in now if name in before]
    is_changed = pd.DataFrame(
        {name: _differ(before[name].reindex(common), now[name].reindex(common)) for name in names}, index=common
    )
    num_changed = int(is_changed.any(axis=1).sum())
    changed = [str(name) for name in names if is_changed[name].any()]
    shown = ", ".join(changed[:_COLUMNS_SHOWN]) + (", …" if len(changed) > _COLUMNS_SHOWN else "")
    parts = [
        f"{len(now.index.difference(before.index)):,} added",
        f"{len(before.index.difference(now.index)):,} removed",
        f"{num_changed:,} changed{f' ({shown})' if changed else ''}",
    ]
    for word, left, right in (("new", now, before), ("gone", before, now)):
        columns = [str(name) for name in left if name not in right]
        if columns:
            parts.append(f"{word} columns {', '.join(columns[:_COLUMNS_SHOWN])}")
    is_reordered = len(common) == len(now) == len(before) and not now.index.equals(before.index)
    return ", ".join([*parts, *(["in another order"] if is_reordered else [])])


def _differ(before: "pd.Series[Any]", now: "pd.Series[Any]") -> "pd.Series[bool]":
    """Where values differ; a missing one is the same as a missing one."""
    is_same = (before.astype(object) == now.astype(object)) | (before.isna() & now.isna())
    return ~is_same.fillna(False).astype(bool)
