"""Where the results of a run come from: code, environment, inputs, seeds, times."""

import contextlib
import hashlib
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from metalight import __version__
from metalight.atomic import save_json
from metalight.errors import TableError
from metalight.pipeline.catalog_stage import describe_selection
from metalight.pipeline.stage import Job, describe_table
from metalight.run_folder import StageRecord
from metalight.small_files import load_json
from metalight.tables import list_table_files

_LIBRARIES = (
    *("torch", "timm", "lightning", "numpy", "pandas", "pillow", "simplejpeg", "pyarrow", "astropy", "scipy"),
    *("matplotlib", "scikit-learn"),
)
_CATALOG_HASH = "catalog_sha256"


def save_provenance(job: Job, records: Mapping[str, StageRecord]) -> None:
    """Write what is needed to tell how the artefacts of a run were made."""
    recipe = job.recipe
    values = {
        "metalight": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "device_asked_for": job.device,
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        **(_hash_catalog(job, records) if recipe.catalog.is_table else {"selection": describe_selection(recipe)}),
        "seeds": {
            "splits": recipe.splits.seed,
            "baselines": recipe.baselines.seed,
            "training": recipe.training.seed,
            "prediction": recipe.prediction.seed,
            "evaluation": recipe.evaluation.seed,
        },
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "stages": {name: {"seconds": record.seconds, "digest": record.digest} for name, record in records.items()},
    }
    save_json(values, job.run.provenance)


def _hash_catalog(job: Job, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """The hash of the catalogue that the run was made from; nothing if it is not known any more."""
    path = Path(job.recipe.catalog.path)
    with contextlib.suppress(OSError, TableError):
        files = list_table_files(path)
        if records["catalog"].fingerprint["inputs"] == {"catalog": describe_table(path)}:
            return {_CATALOG_HASH: _hash_files(path, files)}
    # A later stage was done alone, where the catalogue has changed since or is not at hand.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return {_CATALOG_HASH: load_json(job.run.provenance)[_CATALOG_HASH]}
    return {}


def _hash_files(path: Path, files: list[Path]) -> str | dict[str, str]:
    """The hash of a catalogue in one file; of several files, or one with metadata beside it, that of each."""
    return _hash_file(path) if files == [path] else {file.name: _hash_file(file) for file in files}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
