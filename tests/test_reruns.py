"""Promises of what is not overwritten unasked, and of a rerun that says what has changed before it replaces results."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from call import change_catalog, list_performed, refuse, run, succeed
from metalight.pipeline import run_recipe
from metalight.pipeline.changes import compare_galaxies
from metalight.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("unrendered")

COLUMNS = ("--truth", "oh_p50", "--predicted", "oh_p50_predicted")


def list_changes(output: str) -> str:
    """What is told before the first stage that is done again."""
    lines = output.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("✓")), len(lines))
    return "\n".join(line for line in lines[:first] if not line.startswith("·"))


def test_a_first_run_and_a_finished_one_tell_of_no_change(sample: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        recipe = load_recipe(str(sample / "recipe.toml"))
        run_recipe(recipe, sample / "run", last="catalog", tell_change=told.append)
    assert told == []


def test_an_edited_catalogue_is_told_with_its_galaxies_before_the_results_are_replaced(copy: Path) -> None:
    table = pd.read_csv(copy / "catalog.csv").iloc[2:]
    table.loc[table.index[:3], "oh_p50"] += 0.01
    table.to_csv(copy / "catalog.csv", index=False)
    output = run(copy)
    told = list_changes(output)
    assert str(copy / "catalog.csv") in told
    assert all(stage in told for stage in ("training", "results"))
    assert "0 added, 2 removed, 3 changed (oh_p50)" in told
    assert "Changed since the last run" not in run(copy)


def test_a_catalogue_that_is_only_touched_costs_nothing_and_is_told_as_that(copy: Path) -> None:
    change_catalog(copy)
    output = run(copy)
    assert "0 added, 0 removed, 0 changed" in list_changes(output)
    assert "training" not in list_performed(output)


def test_changed_settings_images_and_lost_files_are_told(copy: Path) -> None:
    assert "evaluation.bootstrap_samples 20 → 30" in list_changes(run(copy, "--set", "evaluation.bootstrap_samples=30"))
    (copy / "run/metrics.json").unlink()
    told = list_changes(run(copy, "--set", "evaluation.bootstrap_samples=30"))
    assert "evaluation" in told
    assert "missing" in told
    assert "evaluation.bootstrap_samples" not in told
    next((copy / "images").iterdir()).unlink()
    assert str(copy / "images") in list_changes(run(copy))


def test_new_code_is_told_as_the_reason(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metalight.pipeline.data_stages.DECODING_VERSION", 999)
    told = list_changes(run(copy))
    assert "this version of metalight" in told
    assert "pixels" in told


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"a": [1.0, None]}, {"a": [1.0, None]}, "0 added, 0 removed, 0 changed"),
        ({"a": [1.0, None]}, {"a": [None, 2.0]}, "0 added, 0 removed, 2 changed (a)"),
        ({"a": ["x", "y"]}, {"a": ["x", "z"], "b": [1, 2]}, "1 changed (a), new columns b"),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, "1 added, 0 removed, 0 changed"),
    ],
)
def test_galaxies_are_compared_by_their_identifiers(before: Any, now: Any, told: str) -> None:
    old, new = (pd.DataFrame(values) for values in (before, now))
    assert told in compare_galaxies(old, new)
    assert "0 added, 0 removed, 0 changed, in another order" in compare_galaxies(old, old.iloc[::-1])


def test_no_command_writes_over_the_files_of_a_run(copy: Path) -> None:
    table = copy / "run/predictions/test.parquet"
    before = {path: path.read_bytes() for path in (copy / "run").rglob("*") if path.is_file()}
    for words in (
        ("evaluate", table, *COLUMNS, "-o", copy / "run"),
        ("evaluate", table, *COLUMNS, "-o", copy / "run/figures"),
        ("compare", table, table, "-o", copy / "run/model"),
        ("rank", copy / "run", "-o", table),
        ("predict", copy / "run", "--images", copy / "images", "-o", copy / "run/catalog.parquet"),
        ("simulate", "--galaxies", "1", "-o", copy / "run/figures/sky"),
    ):
        assert "belongs to the run" in refuse(*words)
    assert {path: path.read_bytes() for path in (copy / "run").rglob("*") if path.is_file()} == before
    succeed("rank", copy / "run", "-o", copy / "run/follow_up.csv")  # beside them does no harm


def test_nothing_is_written_into_the_folder_of_a_run_in_progress(copy: Path) -> None:
    code = (
        "import sys, pathlib, time; from metalight.run_folder import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).hold(): print('held', flush=True); time.sleep(60)"
    )
    table = shutil.copy(copy / "run/predictions/test.parquet", copy / "table.parquet")
    with subprocess.Popen([sys.executable, "-c", code, copy / "run"], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for words in (
            ("evaluate", table, *COLUMNS, "-o", copy / "run/scores"),
            ("rank", table, "--predicted", "oh_p50_predicted", "-o", copy / "run/follow_up.csv"),
            ("study", "mass-metallicity", copy / "run"),
        ):
            assert "Another process of metalight is working on" in refuse(*words)
        holder.kill()
    assert not (copy / "run/scores").exists()


def test_predictions_in_several_formats_have_a_table_of_refusals_each(copy: Path) -> None:
    (copy / "images/1.png").write_bytes(b"no image")
    for name in ("p.csv", "p.fits"):
        succeed("predict", copy / "run", "--images", copy / "images", "--views", "none", "-o", copy / name)
    assert {path.name for path in copy.glob("*refused*.csv")} == {"p.csv.refused.csv", "p.fits.refused.csv"}
