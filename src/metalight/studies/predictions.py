"""The test galaxies of a study's runs, as their folders have them: truth, prediction, and what the mean would be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from metalight.errors import EvaluationError
from metalight.evaluation import load_scores
from metalight.identifiers import name_of
from metalight.model_files import find_failed, load_config
from metalight.run_folder import RunFolder, name_predicted
from metalight.tables import ColumnInfo, load_galaxies


@dataclass(frozen=True, eq=False)
class TestedGalaxies:
    """The test galaxies of one run, or of several that are scored together, with a true value of one target."""

    __test__ = False  # pytest would take it for a test

    frame: pd.DataFrame
    """Columns truth, predicted, and mean (that of the training set); by object_id."""

    info: ColumnInfo
    """Unit and description of the target."""


def load_tested(run_dirs: Sequence[Path], target: str) -> TestedGalaxies:
    """The test galaxies of runs that are scored together.

    Raises:
        TableError: A table is not there.
        EvaluationError: The scores or the target are not there, or galaxies are tested by several of the runs.
    """
    frames = []
    info = ColumnInfo()
    for run_dir in run_dirs:
        run = RunFolder(run_dir)
        table = load_galaxies(run.predictions("test"))
        if target not in table.frame:
            raise EvaluationError(
                f"{run_dir.name} has not learnt {target}; name it in [catalog] targets of the variant."
            )
        info = table.info.get(target, ColumnInfo())
        frame = table.frame.set_index("object_id")[[target, name_predicted(target)]].astype("float64")
        frame.columns = pd.Index(["truth", "predicted"])
        scores = load_scores(run.metrics("test"))
        frame["mean"] = scores[target].baseline_mean if target in scores else np.nan
        frames.append(frame)
    frame = pd.concat(frames)
    if not frame.index.is_unique:
        raise EvaluationError(
            f"Galaxies such as {name_of(frame.index[frame.index.duplicated()][0])} are tested by several of the runs "
            "that are scored together; pool over a setting by which each is tested once, such as splits.fold."
        )
    return TestedGalaxies(frame[np.isfinite(frame["truth"]) & np.isfinite(frame["predicted"])], info)


def find_enlargement(run_dir: Path) -> int:
    """Side in pixels that a run's network enlarges images to; 0 if it takes them as they are."""
    return load_config(RunFolder(run_dir).model).images.enlarged_to


def find_failure(run_dirs: Sequence[Path], target: str) -> str:
    """How the training of one of the runs failed for a target, as of `Outcome`; empty if none did."""
    for run_dir in run_dirs:
        failed = find_failed(load_config(RunFolder(run_dir).model).training.verdict)
        if target in failed:
            return failed[target].outcome
    return ""


def load_seconds(run_dir: Path) -> tuple[float, float]:
    """Seconds of a run's training and of all its stages; stages taken from other runs count 0."""
    records = RunFolder(run_dir).load_records()
    training = records["training"].seconds if "training" in records else 0.0
    return training, sum(record.seconds for record in records.values())
