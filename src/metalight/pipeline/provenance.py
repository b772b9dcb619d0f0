"""Where the results of a run come from: code, environment, inputs, seeds, times."""

import hashlib
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from metalight import __version__
from metalight.atomic import save_json
from metalight.pipeline.stage import Job
from metalight.run import StageRecord
from metalight.tables import list_table_files

_LIBRARIES = (
    *("torch", "timm", "lightning", "numpy", "pandas", "pillow", "simplejpeg", "pyarrow", "astropy", "scipy"),
    "matplotlib",
)


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
        "catalog_sha256": _hash_catalog(Path(recipe.catalog.path)),
        "seeds": {
            "splits": recipe.splits.seed,
            "training": recipe.training.seed,
            "prediction": recipe.prediction.seed,
            "evaluation": recipe.evaluation.seed,
        },
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "stages": {name: {"seconds": record.seconds, "digest": record.digest} for name, record in records.items()},
    }
    save_json(values, job.run.provenance)


def _hash_catalog(path: Path) -> str | dict[str, str]:
    """The hash of a catalogue in one file; of several files, or one with metadata beside it, that of each."""
    files = list_table_files(path)
    return _hash_file(path) if files == [path] else {file.name: _hash_file(file) for file in files}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
