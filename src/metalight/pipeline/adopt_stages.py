"""What runs share: stages that one has done from the same settings and inputs need not be done again in another.

A study has many runs, which differ in little. What they have in common is made once, by whichever comes first, and the
others take it up: tables and models as hard links (files of a run are replaced, never written to), decoded images as
symbolic links to the one place where they are, and what people may edit as copies. A run whose images were made
elsewhere and are gone makes them again.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from metalight.atomic import replace_folder
from metalight.errors import MetalightError
from metalight.pipeline.provenance import save_provenance
from metalight.pipeline.stage import Job, Stage
from metalight.pipeline.stages import STAGES, compute_fingerprint, is_cache_touched, is_current
from metalight.recipe import Recipe
from metalight.run_folder import RunFolder, StageRecord, are_outputs_there, describe_changes
from metalight.store import gather_parts, has_parts_of, is_part

_NOT_ADOPTED = ("figures", "results")
"""Stages that cost little, and whose lines name files."""

_OF_A_PROCESS = (".lock", ".part", ".version")
"""Ends of names of files that are written in place: they are never shared."""


def adopt_stages(recipe: Recipe, run_dir: Path, donors: Sequence[Path]) -> tuple[str, ...]:
    """Take up, for a run folder, every stage that another has done as this recipe asks for it; gives their names.

    Stages that are done here stay. Of images from a service, those that another run has are taken up even where the
    stage is not: what is there is not fetched again.

    Args:
        recipe: What is wanted.
        run_dir: The run folder, made if need be.
        donors: Run folders to take from, the first that has a stage gives it; no other process may work there.

    Raises:
        InUseError: Another process holds the run folder.
        RunError: It cannot be used.
        MetalightError: What the recipe reads from outside cannot be looked at.
    """
    job = Job(RunFolder(run_dir), recipe)
    adopted: list[str] = []
    with job.run.hold():
        records = job.run.load_records()
        known = [(RunFolder(donor), RunFolder(donor).load_records()) for donor in donors if donor != run_dir]
        for stage in STAGES:
            if stage.name in _NOT_ADOPTED:
                continue
            fingerprint = compute_fingerprint(stage, job, records)
            if is_current(stage, job, records, fingerprint):
                continue
            donor = _find_donor(stage, fingerprint, known)
            if stage.name == "cutouts" and recipe.cutouts.is_fetched:
                _share_fetched(job.run, [*([donor[0]] if donor else []), *(other for other, _ in known)])
                if donor and not has_parts_of(job.run.fetched, donor[0].fetched):
                    donor = None  # its table names files of its own store; ours has others under these names
            if donor is None:
                break  # later ones read what this one is still to make
            if records.pop(stage.name, None):
                job.run.save_records(records)  # if this stops halfway, what was there is not done any more
            records[stage.name] = _take_up(stage, job.run, *donor)
            job.run.save_records(records)
            adopted.append(stage.name)
        if adopted:
            save_provenance(job, records)
    return tuple(adopted)


def list_ahead(recipe: Recipe, run_dir: Path) -> tuple[str, ...]:
    """Stages that a run of this recipe would do in a run folder, which is only looked at; all, if it is not there."""
    job = Job(RunFolder(run_dir), recipe)
    records = job.run.load_records()
    for place, stage in enumerate(STAGES):
        try:
            fingerprint = compute_fingerprint(stage, job, records)
        except MetalightError:  # its inputs from outside are not here; the run says so
            return tuple(later.name for later in STAGES[place:])
        if not is_current(stage, job, records, fingerprint):
            return tuple(later.name for later in STAGES[place:])
    return ()


_Known = tuple[RunFolder, dict[str, StageRecord]]


def _find_donor(
    stage: Stage, fingerprint: dict[str, object], known: Sequence[_Known]
) -> tuple[RunFolder, StageRecord] | None:
    for donor, records in known:
        record = records.get(stage.name)
        if record is None or record.fingerprint != fingerprint or not are_outputs_there(donor, record.outputs):
            continue
        if not is_cache_touched(stage, donor, record):
            return donor, record
    return None


def _take_up(stage: Stage, run: RunFolder, donor: RunFolder, record: StageRecord) -> StageRecord:
    """Bring the files of a stage from another run; the record that it has here."""
    caches = {path.relative_to(donor.path).as_posix() for path in stage.cache(donor)}
    for name in record.outputs:
        _link(donor.path / name, run.path / name, is_copied=name in caches)
    for name in caches - set(record.outputs):
        # A hard link would change the times of the file, by which a cache is known to be untouched.
        _link_symbolically(donor.path / name, run.path / name)
    for path in stage.beside(donor):
        target = run.path / path.relative_to(donor.path)
        if path.is_file():
            _link(path, target, is_copied=True)
        else:
            target.unlink(missing_ok=True)
    return replace(
        record,
        seconds=0.0,
        line=f"{record.line}; done in {donor.path.name}" if record.seconds else record.line,
        cache=describe_changes(run, stage.cache(run)),
    )


def _share_fetched(run: RunFolder, donors: Sequence[RunFolder]) -> None:
    """Let a run without images of a service begin with those of all the others, in one step; the first's keep names."""
    for own, others in (
        (run.fetched, [donor.fetched for donor in donors]),
        (run.first_looks, [donor.first_looks for donor in donors]),
    ):
        if own.is_dir() and any(_is_shared(file) for file in own.iterdir()):
            continue
        files = gather_parts(others)
        for file in (file for other in others if other.is_dir() for file in other.iterdir() if _is_shared(file)):
            if not is_part(file.name):
                files.setdefault(file.name, file)  # an archive
        if files:
            with replace_folder(own) as building:
                for name, file in files.items():
                    _link(file, building / name)


def _is_shared(file: Path) -> bool:
    return file.is_file() and file.suffix not in _OF_A_PROCESS and not file.name.startswith(".")


def _link(source: Path, target: Path, *, is_copied: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if not is_copied:
        with contextlib.suppress(OSError):  # a file system without links
            target.hardlink_to(source)
            return
    shutil.copy2(source, target)


def _link_symbolically(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # To where the file itself is: links to links would break with any run between.
    place, own = Path(os.path.realpath(source)), target.parent.resolve()
    if place == own / target.name:
        return  # the other run has it from here
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(place, own))
