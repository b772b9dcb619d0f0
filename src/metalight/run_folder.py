"""A run folder: where each artefact lives, which stages are done, with what settings and inputs.

RUN/
│   In every table a galaxy's object_id is its identifier as the user gave it, integer or text. Only the caches, pixels/
│   and the parts of cutouts/ and first_looks/, have the key that stands for it; see `metalight.identifiers`.
├── recipe.toml              the settings of every stage, resolved
├── catalog.parquet          one row a galaxy; cuts.csv: how many were left after each cut
├── repeats.parquet          all spectra of galaxies that have several, where they were selected from SDSS
├── query.sql                what a database was asked for; queries/: its answers, safe to delete
├── cutouts.parquet          the image file of each galaxy
├── cutouts/                 where a service is asked: its images in parts, and refusals; nothing is deleted there
├── sizes.parquet            where sizes are measured: radii of each galaxy, or why it has none
├── first_looks/             the wide images that they are measured on: parts like those of cutouts/
├── pixels/                  decoded images, memory-mapped: a cache, safe to delete
├── splits.parquet           object_id → train, validation or test; of the method `sky` also its group
├── model/                   model.safetensors, config.json, README.md
├── training/                history.csv: one row a mini-batch; checkpoints/: after each of the last two epochs;
│                            first_filters.npy: what images meet first, before and after the training
├── aperture_numbers.parquet numbers of each image that baselines learn from, if any do
├── predictions/             test.parquet and validation.parquet: object_id, true and predicted; by baselines
│                            baselines_test.parquet, …; baselines_fits.json: what these learnt from
├── results.md              the numbers beside the paper's, ready to quote; results.csv
├── baselines.json           scores of the baselines beside the network's, of the test galaxies
├── metrics.json             of the test galaxies, with intervals; metrics_validation.json
├── metrics_by_truth.csv     bin by bin, with errors; metrics_by_prediction.csv; selection.csv: purity and completeness;
│                            each also with _validation
├── figures/                 each as PNG and PDF, with the numbers drawn as CSV
├── refused/                 a table for each stage that leaves galaxies out: object_id and reason
├── stages.json              which stages are done, and from what
├── redo.json                stages that an interrupted `--from` has still to rerun
├── run.lock                 held by the process that works here
└── provenance.json          code, environment, inputs, seeds, times
"""

import contextlib
import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metalight.atomic import save_json
from metalight.errors import RunError, explain_absence, explain_system
from metalight.locks import hold_lock
from metalight.small_files import load_json

_STAGES_FILE, _REDO_FILE, _LOCK_FILE = "stages.json", "redo.json", "run.lock"


@dataclass(frozen=True)
class RunFolder:
    """The places of a run's artefacts."""

    path: Path

    @property
    def recipe(self) -> Path:
        """TOML."""
        return self.path / "recipe.toml"

    @property
    def catalog(self) -> Path:
        """Parquet: object_id, targets, the user's other columns."""
        return self.path / "catalog.parquet"

    @property
    def cuts(self) -> Path:
        """CSV: cut, reason, source, num_left."""
        return self.path / "cuts.csv"

    @property
    def repeats(self) -> Path:
        """Parquet: all spectra of galaxies that have several, if the selection found such."""
        return self.path / "repeats.parquet"

    @property
    def query(self) -> Path:
        """SQL that a database was asked for, if one was."""
        return self.path / "query.sql"

    @property
    def queries(self) -> Path:
        """Folder, a cache: what a database answered."""
        return self.path / "queries"

    @property
    def cutouts(self) -> Path:
        """Parquet: object_id, path, num_bytes, modified_ns."""
        return self.path / "cutouts.parquet"

    @property
    def fetched(self) -> Path:
        """Folder of the images that a service gave: a store, in which nothing is deleted."""
        return self.path / "cutouts"

    @property
    def sizes(self) -> Path:
        """Parquet: object_id, image (a number that tells which one was measured), the columns of `PetrosianRadius`."""
        return self.path / "sizes.parquet"

    @property
    def first_looks(self) -> Path:
        """Folder of the wide images that sizes are measured on: a store."""
        return self.path / "first_looks"

    @property
    def pixels(self) -> Path:
        """Folder, a cache."""
        return self.path / "pixels"

    @property
    def splits(self) -> Path:
        """Parquet: object_id, split, and of the method `sky` the group: the smallest object_id in it."""
        return self.path / "splits.parquet"

    @property
    def model(self) -> Path:
        """Folder, the saved model."""
        return self.path / "model"

    @property
    def history(self) -> Path:
        """CSV."""
        return self.path / "training" / "history.csv"

    @property
    def first_filters(self) -> Path:
        """numpy: (2, filter, channel, side, side), before and after the training."""
        return self.path / "training" / "first_filters.npy"

    @property
    def checkpoints(self) -> Path:
        """Folder, from which an interrupted training resumes."""
        return self.path / "training" / "checkpoints"

    @property
    def figures(self) -> Path:
        """Folder."""
        return self.path / "figures"

    @property
    def results(self) -> Path:
        """Markdown: the numbers of the run beside the paper's."""
        return self.path / "results.md"

    @property
    def results_table(self) -> Path:
        """CSV: the same numbers."""
        return self.path / "results.csv"

    @property
    def provenance(self) -> Path:
        """JSON."""
        return self.path / "provenance.json"

    @property
    def aperture_numbers(self) -> Path:
        """Parquet: object_id, and the numbers that are measured on each image, if baselines learn from them."""
        return self.path / "aperture_numbers.parquet"

    @property
    def baseline_fits(self) -> Path:
        """JSON: of each target and baseline what it sees and learnt from, or why there is none."""
        return self.path / "predictions" / "baselines_fits.json"

    @property
    def baselines(self) -> Path:
        """JSON: the scores of the baselines of each target beside the network's, of the test galaxies."""
        return self.path / "baselines.json"

    def predictions(self, split: str) -> Path:
        """Parquet: object_id, and each target true and predicted."""
        return self.path / "predictions" / f"{split}.parquet"

    def metrics(self, split: str) -> Path:
        """JSON: the scores of each target."""
        return self.path / f"metrics{_end_name(split)}.json"

    def metrics_by_truth(self, split: str) -> Path:
        """CSV: target, and the scores in bins of its true value."""
        return self.path / f"metrics_by_truth{_end_name(split)}.csv"

    def metrics_by_prediction(self, split: str) -> Path:
        """CSV: target, and the scores in bins of its prediction."""
        return self.path / f"metrics_by_prediction{_end_name(split)}.csv"

    def selection(self, split: str) -> Path:
        """CSV: target, and purity and completeness of its lowest and highest predictions."""
        return self.path / f"selection{_end_name(split)}.csv"

    def refused(self, stage: str) -> Path:
        """CSV: object_id and reason of the galaxies that a stage left out."""
        return self.path / "refused" / f"{stage}.csv"

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """A block in which no other process can hold this run folder; the folder is made if need be.

        Raises:
            InUseError: Another process holds it.
            RunError: The path is a file, a folder of something else, or cannot be made; or a file stands in it where
                a folder should be, or the other way round.
        """
        self._prepare()
        way_out = "wait until it has ended, or choose another --run-dir"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(hold_lock(self.path / _LOCK_FILE, place=self.path, way_out=way_out))
            except OSError as error:
                raise RunError(
                    f"{self.path} cannot be written: {explain_system(error)}; choose another --run-dir."
                ) from error
            self._check_places()
            yield

    def _prepare(self) -> None:
        if self.path.is_dir() and any(self.path.iterdir()) and not self.is_run():
            raise RunError(f"{self.path} is a folder of something else, not of a run; choose another --run-dir.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if self.path.is_symlink() and not self.path.exists():
                raise RunError(f"{explain_absence(self.path, 'folder')}; choose another --run-dir.") from error
            raise RunError(
                f"The run folder {self.path} cannot be made: {explain_system(error)}; choose another --run-dir."
            ) from error

    def _check_places(self) -> None:
        """Refuse what stands in the way of an artefact now, and not after hours of work."""
        for folder in self.list_folders():
            if folder.is_symlink() and not folder.exists():
                raise RunError(
                    f"{explain_absence(folder, 'folder')}; the run needs a folder there: move the link away."
                )
            if folder.exists() and not folder.is_dir():
                raise RunError(f"{folder} is a file, where the run needs a folder; move it away.")
        for file in self.list_files():
            if file.is_dir():
                raise RunError(f"{file} is a folder, where the run needs a file; move it away.")

    def list_folders(self) -> list[Path]:
        """The folders that hold nothing but the run's own files, whether or not they are there."""
        folders = [self.queries, self.fetched, self.first_looks, self.pixels, self.model, self.history.parent]
        folders += [self.checkpoints, self.figures, self.predictions("test").parent, self.refused("catalog").parent]
        return folders

    def list_files(self) -> list[Path]:
        """The run's own files, whether or not they are there; not all of those in `list_folders`."""
        files = [self.recipe, self.catalog, self.cuts, self.cutouts, self.sizes, self.splits, self.history]
        files += [self.provenance, self.path / _STAGES_FILE, self.path / _REDO_FILE, self.query, self.repeats]
        scored = (self.predictions, self.metrics, self.metrics_by_truth, self.metrics_by_prediction, self.selection)
        files += [place(split) for place in scored for split in ("test", "validation")]
        files += [self.results, self.results_table]
        files += [self.aperture_numbers, self.baseline_fits, self.baselines]
        files += [self.predictions(f"baselines_{split}") for split in ("test", "validation")]
        files += [self.refused(stage) for stage in ("catalog", "cutouts", "pixels")]
        files += [self.model / name for name in ("config.json", "model.safetensors")]
        return files

    def has_begun(self) -> bool:
        """Whether a run has worked here; a recipe alone may be the user's own."""
        return any((self.path / name).is_file() for name in (_STAGES_FILE, _LOCK_FILE))

    def check_idle(self, *, way_out: str) -> None:
        """Refuse a run in progress.

        Raises:
            InUseError: A process holds it; the message ends with `way_out`.
        """
        # Without the file, or where it cannot be opened, no process holds it.
        if (self.path / _LOCK_FILE).is_file():
            with contextlib.suppress(OSError), hold_lock(self.path / _LOCK_FILE, place=self.path, way_out=way_out):
                pass

    @property
    def command(self) -> str:
        """The command that resumes the run or brings it up to date, to be pasted into a shell."""
        return f"metalight run {shlex.quote(str(self.recipe))} --run-dir {shlex.quote(str(self.path))}"

    def is_run(self) -> bool:
        """Whether a run has been started here."""
        return any((self.path / name).is_file() for name in (self.recipe.name, _STAGES_FILE, _LOCK_FILE))

    def load_records(self) -> dict[str, "StageRecord"]:
        """Records of the finished stages; empty if the file is missing or damaged, so that all stages run."""
        try:
            stored = load_json(self.path / _STAGES_FILE)
            return {stage: StageRecord(**record) for stage, record in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def save_records(self, records: Mapping[str, "StageRecord"]) -> None:
        """Keep what is known of the stages that are done."""
        stored = {stage: vars(record) for stage, record in records.items()}
        save_json(stored, self.path / _STAGES_FILE)

    def load_redo(self, first: str) -> set[str] | None:
        """The stages that are still to be rerun from `first` on; None if no such request was interrupted."""
        try:
            stored = load_json(self.path / _REDO_FILE)
            return {str(name) for name in stored["left"]} if stored["first"] == first else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_redo(self, first: str, left: Iterable[str]) -> None:
        """Record which stages are still to be rerun from `first` on, so that the same request can resume."""
        save_json({"first": first, "left": sorted(left)}, self.path / _REDO_FILE)

    def forget_redo(self) -> None:
        """Record that nothing is left to rerun."""
        (self.path / _REDO_FILE).unlink(missing_ok=True)


@dataclass(frozen=True)
class StageRecord:
    """A stage that is done."""

    fingerprint: dict[str, Any]
    """Its settings, inputs from outside, and digests of the stages before it."""

    outputs: dict[str, int]
    """Its files, relative to the run folder, with their sizes in bytes."""

    digest: str
    """Of the content of its outputs: stages after it run again only if this changes."""

    line: str
    """One line on the result, for people."""

    seconds: float
    """How long it took."""

    cache: dict[str, list[int]] = field(default_factory=dict)
    """Its caches, as `describe_changes` saw them when they were last known to be whole."""


def _end_name(split: str) -> str:
    """What the name of an artefact of a set ends with; the test galaxies are those that a run is judged by."""
    return "" if split == "test" else f"_{split}"


def name_predicted(target: str) -> str:
    """The column that holds predictions of a target."""
    return f"{target}_predicted"


def name_endings(targets: Sequence[str]) -> dict[str, str]:
    """What names of files that are of one target end with: nothing of a single target, and of several `_TARGET`.

    What not every system takes in a name of a file, such as `/`, becomes `_`; targets that are then alike, also in
    capital and small letters, are numbered.
    """
    if len(targets) == 1:
        return {targets[0]: ""}
    endings: dict[str, str] = {}
    taken: set[str] = set()
    for target in targets:
        plain = "_" + re.sub(r"[^\w.+=()-]", "_", target)
        ending, number = plain, 1
        while ending.casefold() in taken:
            number += 1
            ending = f"{plain}_{number}"
        endings[target] = ending
        taken.add(ending.casefold())
    return endings


def describe_file(path: Path) -> dict[str, Any]:
    """Path, size and time of a file from outside the run, as part of a fingerprint; of a missing file only the path.

    The path is absolute: a recipe names the same file by other words when it is run from another folder.
    """
    described = {"path": str(path.absolute())}
    try:
        status = path.stat()
    except OSError:
        return described
    return {**described, "num_bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def list_outputs(run: RunFolder, paths: Sequence[Path]) -> dict[str, int]:
    """Size in bytes of each file, and of each file in a folder, relative to the run folder."""
    files: list[Path] = []
    for path in paths:
        files += sorted(inner for inner in path.rglob("*") if _is_output(inner)) if path.is_dir() else [path]
    return {file.relative_to(run.path).as_posix(): file.stat().st_size for file in files}


def _is_output(path: Path) -> bool:
    # Hidden files are those that a process is about to write.
    return not path.name.startswith(".") and path.is_file()


def are_outputs_there(run: RunFolder, outputs: Mapping[str, int]) -> bool:
    """Whether all files are there with the sizes they had."""
    for name, num_bytes in outputs.items():
        try:
            if (run.path / name).stat().st_size != num_bytes:
                return False
        except OSError:
            return False
    return True


def describe_changes(run: RunFolder, paths: Sequence[Path]) -> dict[str, list[int]]:
    """Size and times of each file, relative to the run folder: whatever writes to a file or replaces it changes them.

    Files that are not there are left out.
    """
    described = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            # The time of change cannot be set by programs, as that of modification can; a copy has its own.
            described[path.relative_to(run.path).as_posix()] = [
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            ]
    return described


def compute_digest(paths: Sequence[Path]) -> str:
    """A digest of the content of files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
