"""The command line, called as a user would; and small samples for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from metalight.cli.app import app

QUICK = """
preset = "demo"
catalog.path = "catalog.csv"
cutouts.folder = "images"
baselines.kinds = []
pixels.side = 16
model.backbone = "test_resnet"
model.hidden_features = 16
training.first_cycle_epochs = 2
training.batch_size = 16
training.precision = "float32"
evaluation.bootstrap_samples = 20
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refuse(*arguments: object, status: int = 1) -> str:
    """The one sentence that a command ends with; never a traceback."""
    result = call(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1
    return lines[0]


def run(folder: Path, *arguments: object) -> str:
    return succeed("run", folder / "recipe.toml", "--run-dir", folder / "run", *arguments)


def refuse_run(folder: Path, *arguments: object, status: int = 1) -> str:
    return refuse("run", folder / "recipe.toml", "--run-dir", folder / "run", *arguments, status=status)


def list_performed(output: str) -> list[str]:
    """Stages that were done now; those with a model that failed are marked otherwise."""
    return [line.split()[1] for line in output.splitlines() if line.startswith(("✓", "!"))]


def change_catalog(folder: Path, **columns: Any) -> None:
    catalog = pd.read_csv(folder / "catalog.csv")
    for name, values in columns.items():
        catalog[name] = values
    catalog.to_csv(folder / "catalog.csv", index=False)


@contextmanager
def ctrl_c_in(label: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A block in which Ctrl-C is pressed as soon as a bar with this label appears."""

    @contextmanager
    def progress(shown: str, total: int) -> Iterator[Callable[[int], None]]:
        if shown.startswith(label):
            raise KeyboardInterrupt
        yield lambda steps: None

    with monkeypatch.context() as patched:
        patched.setattr("metalight.progress.bar_progress", progress)
        yield
