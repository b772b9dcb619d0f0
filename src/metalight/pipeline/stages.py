"""The stages in order, and which of them are to be done."""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metalight.errors import RunError, name_nearest
from metalight.pipeline.baselines_stage import BASELINES_STAGE
from metalight.pipeline.data_stages import DATA_STAGES
from metalight.pipeline.learning_stages import LEARNING_STAGES
from metalight.pipeline.stage import Job, Stage
from metalight.run_folder import (
    RunFolder,
    StageRecord,
    are_outputs_there,
    compute_digest,
    describe_changes,
    list_outputs,
)

STAGES = (*DATA_STAGES, BASELINES_STAGE, *LEARNING_STAGES)
"""catalog → cutouts → pixels → splits → baselines → training → prediction → evaluation → figures."""


def find_stage(name: str) -> Stage:
    """The stage of that name.

    Raises:
        RunError: There is none.
    """
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise RunError(f"There is no stage '{name}'.{name_nearest(name, [stage.name for stage in STAGES])}")


def compute_fingerprint(
    stage: Stage, job: Job, records: Mapping[str, StageRecord], *, inputs: Any = None
) -> dict[str, Any]:
    """All that the outcome of a stage depends on; it compares equal after a round trip through JSON.

    Args:
        stage: Which.
        job: What is wanted.
        records: Of the stages that are done.
        inputs: What the stage reads from outside the run, where that is not to be looked at.
    """
    return {
        "settings": stage.settings(job.recipe),
        "inputs": stage.inputs(job.recipe) if inputs is None else inputs,
        "after": {name: records[name].digest for name in stage.after if name in records},
    }


def is_done(stage: Stage, job: Job, records: Mapping[str, StageRecord], fingerprint: Mapping[str, Any]) -> bool:
    """Whether a stage was done from the same settings and inputs, what it made is there, and no cache was touched."""
    return has_results(stage, job, records, fingerprint) and not is_cache_touched(stage, job.run, records[stage.name])


def is_current(stage: Stage, job: Job, records: Mapping[str, StageRecord], fingerprint: Mapping[str, Any]) -> bool:
    """Whether a stage is done, and would not find more outside the run than it found then."""
    return is_done(stage, job, records, fingerprint) and not stage.has_more(job.run, job.recipe)


def has_results(stage: Stage, job: Job, records: Mapping[str, StageRecord], fingerprint: Mapping[str, Any]) -> bool:
    """Whether a stage was done from the same settings and inputs, and its outputs are there; whatever of its cache."""
    record = records.get(stage.name)
    return record is not None and record.fingerprint == fingerprint and are_outputs_there(job.run, record.outputs)


def is_cache_touched(stage: Stage, run: RunFolder, record: StageRecord) -> bool:
    """Whether the files of a cache are not those that were last known to be whole."""
    return record.cache != describe_changes(run, stage.cache(run))


def approve_caches(run: RunFolder, records: dict[str, StageRecord]) -> None:
    """Take caches that were touched but are whole, such as those of a copied run, for what they are.

    A cache is read in full for it, so that is done only where the times of its files have changed.
    """
    for stage in STAGES:
        record = records.get(stage.name)
        if record is not None and is_cache_touched(stage, run, record) and stage.is_cache_whole(run):
            records[stage.name] = replace(record, cache=describe_changes(run, stage.cache(run)))
            run.save_records(records)


def identify(job: Job, fingerprint: Mapping[str, Any]) -> Job:
    """The job of the stage that has this fingerprint."""
    return replace(job, identity=hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest())


def perform_stage(stage: Stage, job: Job, fingerprint: dict[str, Any]) -> StageRecord:
    """Do a stage, and say what it made."""
    started = time.monotonic()
    line = stage.perform(identify(job, fingerprint))
    outputs = list_outputs(job.run, stage.outputs(job.run))
    return StageRecord(
        fingerprint=fingerprint,
        outputs=outputs,
        digest=compute_digest([job.run.path / name for name in outputs]),
        line=line,
        seconds=round(time.monotonic() - started, 2),
        cache=describe_changes(job.run, stage.cache(job.run)),
    )


def forget_stage(stage: Stage, job: Job) -> None:
    """Delete what a stage has done so far, so that it starts over."""
    for folder in stage.unfinished(job.run):
        shutil.rmtree(folder, ignore_errors=True)
