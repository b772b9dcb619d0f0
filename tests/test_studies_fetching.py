"""Promises of studies whose images a service gives: each is asked for once, whatever the variants do with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from call import succeed
from cutout_server import CutoutServer, serve_cutouts
from metalight.studies.cost import StudyCost
from test_fetching_runs import make_catalog, write_recipe

TABLE = """
purpose = "Bands and frames."
needs = "fetching"
[variants]
"gri" = { cutouts.bands = ["i", "r", "g"] }
"r" = { cutouts.bands = ["r"], cutouts.picture_bands = ["i", "r", "g"] }
"gri at 8" = { pixels.side = 8 }
"fixed" = { cutouts.framing = "fixed" }
"""


@pytest.fixture
def service() -> Iterator[CutoutServer]:
    with serve_cutouts() as server:
        yield server


def test_images_of_a_frame_are_asked_for_once(
    tmp_path: Path, service: CutoutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metalight.studies.perform.draw_study", lambda *arguments: [])
    monkeypatch.setattr("metalight.studies.perform.estimate_study", lambda *a, **how: StudyCost(0, 0, 0.0, 0.0))
    make_catalog(tmp_path)
    (tmp_path / "recipe.toml").write_text(write_recipe(service.url))
    (tmp_path / "mine.toml").write_text(TABLE)
    quick = ["--set", "training.first_cycle_epochs=1", "--set", "evaluation.bootstrap_samples=0"]
    arguments = ("study", tmp_path / "mine.toml", tmp_path / "recipe.toml", "-o", tmp_path / "study", *quick)
    succeed(*arguments, "--only", "gri", "--only", "r", "--only", "gri at 8")
    assert len(service.requests) == 40
    succeed(*arguments)
    assert len(service.requests) == 80
    parts = sorted((tmp_path / "study/runs").glob("*/cutouts/part-*.parquet"))
    by_run = {run: {part.stat().st_ino for part in parts if part.parts[-3] == run} for run in ("gri", "r")}
    assert by_run["gri"] == by_run["r"]
