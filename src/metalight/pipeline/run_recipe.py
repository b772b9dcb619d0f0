"""A recipe run from beginning to end, leaving out what is done already."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalight.atomic import replace_file
from metalight.cutouts import build_service
from metalight.errors import MetalightError, RecipeError, RunError, explain_system, is_of_the_place
from metalight.pipeline.changes import describe_changes, telling_changed_galaxies
from metalight.pipeline.estimate import LONG_STAGES, Estimate, estimate_run
from metalight.pipeline.galaxy_sizes import check_measuring
from metalight.pipeline.learning_stages import check_learning, check_names
from metalight.pipeline.provenance import save_provenance
from metalight.pipeline.splits_stage import check_splits
from metalight.pipeline.stage import Job, Stage
from metalight.pipeline.stages import (
    STAGES,
    approve_caches,
    compute_fingerprint,
    find_stage,
    forget_stage,
    has_results,
    identify,
    is_current,
    is_done,
    perform_stage,
)
from metalight.progress import Progress, no_progress
from metalight.recipe import Recipe, dump_recipe, load_recipe
from metalight.run_folder import RunFolder, StageRecord


@dataclass(frozen=True)
class RunReport:
    """The stages that a run performed, and those it has."""

    run: RunFolder
    performed: tuple[str, ...]
    """Stages done now; the others were done before, or were not asked for."""

    records: dict[str, StageRecord]
    """Every stage that is done."""

    outdated: tuple[str, ...] = ()
    """Stages that are not up to date with the recipe and its inputs, where only one was asked for."""


def run_recipe(
    recipe: Recipe,
    run_dir: Path,
    *,
    first: str = "",
    only: str = "",
    last: str = "",
    device: str = "auto",
    progress: Progress = no_progress,
    foretell: Callable[[Estimate], None] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    tell_change: Callable[[str], None] = lambda line: None,
    announce: Callable[[str, StageRecord, bool], None] = lambda name, record, is_new: None,
) -> RunReport:
    """Bring a run folder up to date with a recipe.

    A stage is done again if its settings, its inputs from outside (by size and time) or the artefacts it reads (by
    content) have changed, or if its outputs are missing. A stage that was interrupted resumes.

    Args:
        recipe: What is wanted.
        run_dir: The run folder, made if need be.
        first: Rerun this stage and all later ones, even if they are done; an interrupted rerun resumes.
        only: Rerun this stage only, even if it is done; an interrupted rerun resumes.
        last: Stop after this stage; the later ones are neither done nor looked at.
        device: Name of the processor, or `auto`.
        progress: Shows long work.
        foretell: Told what is ahead, before the first long stage; without it, nothing is tried.
        tell: Told in words of what a stage is about to do that takes long.
        tell_change: Told in words what has changed since the last run, and what is redone for it, before it is.
        announce: Told of every stage as it ends: its name, its record, and whether it was done now.

    Raises:
        MetalightError: Something that the user can fix; artefacts of finished stages stay.
    """
    _check_recipe(recipe)
    chosen = [find_stage(only)] if only else _list_until(last)
    forced = {only} if only else _list_from(first)
    job = Job(RunFolder(run_dir), recipe, device, progress, tell)
    with job.run.hold(), _explain_place(job.run):
        _check_same_recipe(job)
        records = job.run.load_records()
        approve_caches(job.run, records)
        if only:
            _check_earlier_stages(chosen[0], job, records)
        left = job.run.load_redo(first) if first else None
        forced = forced if left is None else forced & left
        performed: list[str] = []
        is_long_begun = False
        for stage in chosen:
            fingerprint = compute_fingerprint(stage, job, records)
            is_new = stage.name in forced or not is_current(stage, job, records, fingerprint)
            if is_new:
                if not performed:
                    _check_settings(chosen, forced, job, records)
                    _tell_changes(chosen, forced, job, records, tell_change)
                    _save_recipe(job)
                if first:
                    job.run.save_redo(first, forced)
                if stage.name in LONG_STAGES and not is_long_begun:
                    is_resumed = not is_done(stage, job, records, fingerprint)  # else it starts over
                    of_stage = identify(job, fingerprint) if is_resumed else job
                    _prepare_long_work(chosen, forced, of_stage, records, foretell)
                    is_long_begun = True
                with telling_changed_galaxies(stage, job, records, tell_change):
                    _bring_up_to_date(stage, job, records, fingerprint)
                forced = forced - {stage.name}
                performed.append(stage.name)
            announce(stage.name, records[stage.name], is_new)
        _save_recipe(job)
        if only:
            return RunReport(job.run, tuple(performed), records, _list_outdated(job, records))
        job.run.forget_redo()
        return RunReport(job.run, tuple(performed), records)


@contextlib.contextmanager
def _explain_place(run: RunFolder) -> Iterator[None]:
    """Turn a full disk and the like into a sentence."""
    try:
        yield
    except OSError as error:
        if not is_of_the_place(error):
            raise
        where = error.filename or run.path
        raise RunError(
            f"The run cannot use {where}: {explain_system(error)}. Fix that and run the same command again to resume."
        ) from error


def _bring_up_to_date(stage: Stage, job: Job, records: dict[str, StageRecord], fingerprint: dict[str, Any]) -> None:
    """Do a stage, and keep its record; a stage that is done starts over."""
    if is_done(stage, job, records, fingerprint):
        forget_stage(stage, job)
        # If this stops halfway, the same command resumes it: without a record, it is not done.
        del records[stage.name]
        job.run.save_records(records)
    records[stage.name] = perform_stage(stage, job, fingerprint)
    job.run.save_records(records)
    save_provenance(job, records)


def _check_recipe(recipe: Recipe) -> None:
    for setting, value, what, is_needed in (
        ("catalog.path", recipe.catalog.path, "catalogue", recipe.catalog.is_table),
        ("cutouts.folder", recipe.cutouts.folder, "folder of images", not recipe.cutouts.is_fetched),
    ):
        if is_needed and not value:
            raise RecipeError(
                f"The recipe '{recipe.name}' names no {what}: add --set {setting}=PATH, or write a recipe of your own "
                f'that begins with  preset = "NAME"  and has  {setting} = "PATH".'
            )
    if recipe.cutouts.is_fetched and recipe.cutouts.service != "archive":
        build_service(recipe.cutouts, recipe.skyserver)


def _check_same_recipe(job: Job) -> None:
    """Refuse the run folder of another recipe: its model and predictions would be lost."""
    if not job.run.recipe.is_file():
        return
    try:
        name = load_recipe(str(job.run.recipe)).name
    except RecipeError:
        return  # of another version of metalight, or damaged: it is written again
    if name != job.recipe.name:
        raise RunError(
            f"{job.run.path} holds a run of the recipe '{name}', not of '{job.recipe.name}'; choose another --run-dir, "
            f'or continue that run by giving your recipe its name: name = "{name}".'
        )


def _save_recipe(job: Job) -> None:
    text = dump_recipe(job.recipe)
    # A finished run that is looked at again keeps its files as they are.
    if not job.run.recipe.is_file() or job.run.recipe.read_text(encoding="utf-8") != text:
        with replace_file(job.run.recipe) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _list_from(first: str) -> set[str]:
    if not first:
        return set()
    names = [stage.name for stage in STAGES]
    return set(names[names.index(find_stage(first).name) :])


def _list_until(last: str) -> list[Stage]:
    names = [stage.name for stage in STAGES]
    return list(STAGES[: names.index(find_stage(last).name) + 1 if last else len(STAGES)])


def _check_earlier_stages(stage: Stage, job: Job, records: Mapping[str, StageRecord]) -> None:
    """Refuse a single stage if any that it builds on is not done, or was done with other settings.

    What those read from outside the run is not looked at: a stage can be done alone where only the run folder is.
    """
    names = {stage.name}
    # Backwards, so that each stage has brought those it reads before their turn comes.
    for earlier in reversed(STAGES):
        if earlier.name in names:
            names.update(earlier.after)
    for earlier in STAGES:
        if earlier.name not in names - {stage.name}:
            continue
        record = records.get(earlier.name)
        inputs = record.fingerprint.get("inputs") if record else None
        is_ready = is_done if earlier.name in stage.after else has_results
        if not is_ready(earlier, job, records, compute_fingerprint(earlier, job, records, inputs=inputs)):
            raise RunError(
                f"The stage '{stage.name}' builds on what '{earlier.name}' makes, which is not there or not up to date "
                f"in {job.run.path}; run without --only."
            )


def _list_outdated(job: Job, records: Mapping[str, StageRecord]) -> tuple[str, ...]:
    """Stages that a run of all would do, and those after them, whose inputs may change then."""
    names: list[str] = []
    for stage in STAGES:
        try:
            is_current = has_results(stage, job, records, compute_fingerprint(stage, job, records))
        except MetalightError:  # its inputs from outside are not here
            is_current = False
        if not is_current or not set(names).isdisjoint(stage.after):
            names.append(stage.name)
    return tuple(names)


def _check_settings(chosen: list[Stage], forced: set[str], job: Job, records: Mapping[str, StageRecord]) -> None:
    """Refuse what is seen to be wrong at once, before anything is done."""
    names = [stage.name for stage in chosen]
    if "cutouts" in names:
        check_measuring(job.recipe)
    if "splits" in names:
        check_splits(job.recipe)
    if _has_network(chosen):
        check_names(job.recipe, job.device, is_trained=_is_trained(chosen, forced, job, records))


def _prepare_long_work(
    chosen: list[Stage],
    forced: set[str],
    job: Job,
    records: Mapping[str, StageRecord],
    foretell: Callable[[Estimate], None] | None,
) -> None:
    """Refuse what only torch can tell, and foretell what is ahead: after the short stages, which have refusals too."""
    if _has_network(chosen):
        check_learning(job.recipe, job.device, is_trained=_is_trained(chosen, forced, job, records))
    if foretell is not None:
        foretell(estimate_run(job, _list_ahead(chosen, forced, job, records)))


def _has_network(chosen: list[Stage]) -> bool:
    return any(stage.name in ("training", "prediction") for stage in chosen)


def _is_trained(chosen: list[Stage], forced: set[str], job: Job, records: Mapping[str, StageRecord]) -> bool:
    training = find_stage("training")
    return training not in chosen or (
        "training" not in forced and is_done(training, job, records, compute_fingerprint(training, job, records))
    )


def _tell_changes(
    chosen: list[Stage],
    forced: set[str],
    job: Job,
    records: Mapping[str, StageRecord],
    tell_change: Callable[[str], None],
) -> None:
    if records:  # else nothing is replaced; and to look ahead needs the images, which come after the catalogue
        ahead = _list_ahead(chosen, forced, job, records)
        for line in describe_changes(chosen, forced, ahead, job, records):
            tell_change(line)


def _list_ahead(chosen: list[Stage], forced: set[str], job: Job, records: Mapping[str, StageRecord]) -> list[str]:
    """Stages that are to be done, and those that read what will change by it."""
    ahead: list[str] = []
    changing: set[str] = set()
    for stage in chosen:
        fingerprint = compute_fingerprint(stage, job, records)
        record = records.get(stage.name)
        # What is only gone comes out as it was, and brings nothing after it.
        if record is None or record.fingerprint != fingerprint or not changing.isdisjoint(stage.after):
            changing.add(stage.name)
        if stage.name in changing or stage.name in forced or not is_current(stage, job, records, fingerprint):
            ahead.append(stage.name)
    return ahead
