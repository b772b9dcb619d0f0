"""Checkpoints: all that a training needs to go on after an epoch as if it had never stopped.

One file an epoch, `epoch-0007-89abcdef-0123456789abcdef.pt`: the epochs done, the first digits of the training's
identity, and the first of the sha256 of the file's content, by which a damaged one is known. The last two of a training
are kept, and reading one never runs code. Those of another training, with other settings or galaxies, are left alone
until this one has ended: who changes a setting by mistake can go back.

A checkpoint holds no random state, because nothing draws from one: every draw is a function of (seed, epoch, batch).
"""

import hashlib
import io
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from metalight.atomic import replace_file
from metalight.errors import TrainingError, explain_system

FORMAT_VERSION = 1
"""Raised whenever the content of a checkpoint changes: training does not resume from another version."""

NUM_KEPT = 2
"""Checkpoints that are kept: if the last one is damaged, there is the one before."""

_NAME = re.compile(r"epoch-(\d{4,})-([0-9a-f]{8})-([0-9a-f]{16})\.pt")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after an epoch."""

    identity: str
    """Of the training: settings and data, as a digest."""

    environment: str
    """What the last bits of the numbers depend on beside: processor, precision, threads, versions."""

    epochs_done: int
    network: dict[str, Any]
    """State of the network: weights, and statistics of batch norms."""

    optimizer: dict[str, Any]
    """State of the optimizer: momenta, and the rates of the next step."""

    schedule: dict[str, Any]
    """State of the schedule of rates: how many steps it has made in its phase."""

    history: list[dict[str, Any]]
    """Rows of the history so far."""

    validation_rmse: list[float]
    """Of each target after this epoch, in its unit; empty without validation galaxies."""


@dataclass(frozen=True)
class CheckpointFile:
    """Information in the name of a checkpoint file."""

    epochs_done: int
    identity: str
    """The first digits."""

    digest: str
    """The first digits of the sha256 of the content."""

    path: Path


@dataclass(frozen=True)
class FoundCheckpoint:
    """The checkpoint that a training resumed from."""

    checkpoint: Checkpoint | None
    """The last whole one of this training; None if there is none."""

    num_damaged: int
    """Later ones that are damaged."""


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint in one step, and delete all but the last two.

    Raises:
        TrainingError: It cannot be written; the one before it is still there.
    """
    content = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **_shallow(checkpoint)}, content)
    data = content.getbuffer()
    digest = hashlib.sha256(data).hexdigest()
    name = f"epoch-{checkpoint.epochs_done:04}-{checkpoint.identity[:8]}-{digest[:16]}.pt"
    try:
        with replace_file(folder / name) as temporary:
            temporary.write_bytes(data)
        others = [file for file in list_checkpoints(folder, checkpoint.identity) if file.path.name != name]
        earlier = [file for file in others if file.epochs_done < checkpoint.epochs_done]
        for file in others:
            # Damaged ones that were passed over may be as late as this one, or later.
            if file not in earlier[: NUM_KEPT - 1]:
                file.path.unlink()
    except OSError as error:
        raise TrainingError(
            f"The checkpoint of epoch {checkpoint.epochs_done} cannot be written to {folder}: "
            f"{explain_system(error)}. Fix that and run the same command again: training resumes from the epoch before."
        ) from error


def load_last_checkpoint(folder: Path, identity: str) -> FoundCheckpoint:
    """The last whole checkpoint of a training; damaged ones are passed over."""
    num_damaged = 0
    for file in list_checkpoints(folder, identity):
        checkpoint = _load(file)
        if checkpoint is not None and checkpoint.identity == identity:
            return FoundCheckpoint(checkpoint, num_damaged)
        num_damaged += 1
    return FoundCheckpoint(None, num_damaged)


def list_checkpoints(folder: Path, identity: str = "") -> list[CheckpointFile]:
    """The checkpoints of a training, or of every one, the last one first."""
    if not folder.is_dir():
        return []
    matches = ((_NAME.fullmatch(entry.name), entry) for entry in folder.iterdir())
    files = [CheckpointFile(int(match[1]), match[2], match[3], entry) for match, entry in matches if match]
    wanted = [file for file in files if not identity or file.identity == identity[:8]]
    return sorted(wanted, key=lambda file: file.epochs_done, reverse=True)


def keep_only(folder: Path, identity: str) -> None:
    """Delete the checkpoints of other trainings than this one."""
    for file in list_checkpoints(folder):
        if file.identity != identity[:8]:
            file.path.unlink(missing_ok=True)


def _shallow(checkpoint: Checkpoint) -> dict[str, Any]:
    # `asdict` would copy every tensor.
    return {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}


def _load(file: CheckpointFile) -> Checkpoint | None:
    """The checkpoint of a file; None if it is damaged or of another version."""
    try:
        data = file.path.read_bytes()
        if not hashlib.sha256(data).hexdigest().startswith(file.digest):
            return None
        stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return Checkpoint(**stored) if stored.pop("format_version") == FORMAT_VERSION else None
    except Exception:
        # torch raises errors of many types for files that are none of its own.
        return None
