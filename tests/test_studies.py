"""Promises of studies: what is shared is made once, what is done stays, what fails is told, the numbers are right."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from call import call, change_catalog, ctrl_c_in, refuse, succeed
from metalight.atomic import replace_file
from metalight.images import load_pixels, resize_area
from metalight.locks import hold_lock
from metalight.metrics import Interval, compute_metrics, compute_paired_metrics
from metalight.pipeline import run_recipe
from metalight.recipe import load_recipe
from metalight.run_folder import RunFolder
from metalight.studies import load_study, plan_study
from metalight.studies.cost import StudyCost, estimate_study
from metalight.studies.results import Result, find_extremes, summarise

pytestmark = pytest.mark.usefixtures("unrendered")

TABLE = """
purpose = "Try."
reference = "one"
[variants.one]
training.first_cycle_epochs = 1
[variants.two]
training.first_cycle_epochs = 2
[variants.unseen]
training.first_cycle_epochs = 2
prediction.views = "none"
"""


@pytest.fixture
def whole() -> None:
    """For tests that want figures and the estimate too, which take most of the time."""


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is told of trainings that worked: those of these tests are too short to learn anything."""
    monkeypatch.setattr("metalight.studies.results.find_failure", lambda run_dirs, target: "")


@pytest.fixture(autouse=True)
def _bare(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "whole" not in request.fixturenames:
        monkeypatch.setattr("metalight.studies.perform.draw_study", lambda *arguments: [])
        monkeypatch.setattr(
            "metalight.studies.perform.estimate_study", lambda *arguments, **how: StudyCost(0, 0, 0.0, 0.0)
        )


def write(folder: Path, table: str = TABLE) -> Path:
    (folder / "mine.toml").write_text(table)
    return folder / "study"


def study(folder: Path, *arguments: object, table: str = TABLE) -> str:
    output = write(folder, table)
    return succeed("study", folder / "mine.toml", folder / "recipe.toml", "-o", output, *arguments)


def load(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "study/results.csv").set_index("variant")


def predictions(folder: Path, run: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "study/runs" / run / "predictions/test.parquet").set_index("object_id")


def stages(folder: Path, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "study/runs" / run / "stages.json").read_text())
    return found


def ended(output: str) -> list[str]:
    """Runs that were done now."""
    return [line.split()[2].rstrip(":") for line in output.splitlines() if line.startswith(("✓ [", "! ["))]


def test_what_runs_share_is_made_once_and_what_is_done_stays(sample: Path, images_read: list[int], whole: None) -> None:
    output = study(sample)
    assert ended(output) == ["one", "two", "unseen"]
    assert "Ahead: 3 of 3 runs with 2 trainings" in output
    # Of 40 images each was decoded once; the trial of the estimate is beside it.
    assert len(images_read) == 40
    runs = sample / "study/runs"
    weights = [(runs / name / "model/model.safetensors").stat().st_ino for name in ("one", "two", "unseen")]
    assert weights[1] == weights[2] != weights[0]
    assert stages(sample, "unseen")["training"]["seconds"] == 0
    assert stages(sample, "unseen")["training"]["line"].endswith("done in two")
    assert not predictions(sample, "two").equals(predictions(sample, "unseen"))
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.*") if path.suffix != ".lock"}
    again = study(sample)
    assert "All 3 runs are finished" in again
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.partition("oh_p50 (")[2] == output.partition("oh_p50 (")[2] != ""
    # A run of a study is a run: nothing of it is done again, and its figures can be had.
    recipe = runs / "unseen/recipe.toml"
    told = succeed("run", recipe, "--run-dir", runs / "unseen")
    assert [line.split()[1] for line in told.splitlines() if line.startswith("✓")] == ["figures", "results"]


def test_an_interrupted_study_goes_on_and_ends_as_it_would_have(
    sample: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(sample)
    arguments = ("study", sample / "mine.toml", sample / "recipe.toml", "-o")
    whole = tmp_path_factory.mktemp("whole") / "study"
    succeed(*arguments, whole)
    for label in ("Decoding", "Predicting test", "Epoch 2 of 2"):
        with ctrl_c_in(label, monkeypatch):
            assert call(*arguments, sample / "study").exit_code == 130
    output = succeed(*arguments, sample / "study")
    assert "· [1/3] one" in output
    assert ended(output) == ["two", "unseen"]
    times = [name for name in load(sample).columns if "seconds" in name]
    of_whole = pd.read_csv(whole / "results.csv").set_index("variant")
    pd.testing.assert_frame_equal(load(sample).drop(columns=times), of_whole.drop(columns=times), check_exact=True)


def test_only_what_changed_in_a_table_is_done_again(sample: Path) -> None:
    study(sample)
    changed = TABLE.replace("first_cycle_epochs = 1", "first_cycle_epochs = 3") + "[variants.new]\npixels.side = 8\n"
    assert ended(study(sample, table=changed)) == ["one", "new"]
    assert ended(study(sample, "--only", "new", table=changed)) == []


def test_numbers_are_those_of_the_predictions(sample: Path) -> None:
    study(sample, table="extremes = true\n" + TABLE)
    results = load(sample)
    one, two = predictions(sample, "one"), predictions(sample, "two")
    truth, a, b = (
        np.asarray(values, dtype=np.float64)
        for values in (one["oh_p50"], one["oh_p50_predicted"], two["oh_p50_predicted"])
    )
    scores = compute_metrics(truth, b)
    paired = compute_paired_metrics(truth, a, b)
    row = results.loc["two"]
    for name in ("rmse", "nmad"):
        assert row[name] == pytest.approx(scores[name].value)
        assert row[f"{name}_difference"] == pytest.approx(paired[name].difference.value)
    # Bootstrap samples are of galaxies by increasing identifier.
    by_id = one.index.argsort()
    paired = compute_paired_metrics(truth[by_id], a[by_id], b[by_id])
    assert row["rmse_difference_low_95"] == pytest.approx(paired["rmse"].difference_95.low)
    extremes = find_extremes(truth)
    assert sorted(truth[extremes]) == [truth.min(), truth.max()]
    assert row["rmse_extremes"] == pytest.approx(float(np.sqrt(np.mean((b - truth)[extremes] ** 2))))
    assert results["rmse_difference"].isna().tolist() == [True, False, False]
    metrics = json.loads((sample / "study/runs/two/metrics.json").read_text())["oh_p50"]
    assert row["rmse_of_mean"] == pytest.approx(metrics["baseline"]["rmse"]["value"])
    assert row["rmse_over_sigma"] == pytest.approx(row["rmse"] / row["rmse_of_mean"])


def test_a_variant_that_fails_is_told_and_the_others_go_on(sample: Path) -> None:
    table = TABLE + '[variants.lost]\nmodel.weights = "nowhere.safetensors"\n'
    output = write(sample, table)
    result = call("study", sample / "mine.toml", sample / "recipe.toml", "-o", output)
    assert result.exit_code == 1
    assert ended(result.output) == ["one", "two", "unseen"]
    assert "'lost' failed: " in " ".join(result.output.split())
    assert "nowhere.safetensors" in load(sample)["flaw"].dropna().item()
    assert load(sample)["flaw"].isna().sum() == 3


def test_a_variant_that_diverged_is_named_and_its_differences_are_not_told(sample: Path, whole: None) -> None:
    wild = "[variants.wild]\ntraining.learning_rates = [10.0, 10.0, 10.0]\n"
    told = study(sample, "--only", "one", "--only", "wild", table=TABLE + wild)
    assert load(sample).loc["wild", "failure"] == "diverged"
    assert "! [2/2] wild" in told
    text = (sample / "study/results.txt").read_text()
    (row,) = (line for line in text.splitlines() if line.startswith("wild "))
    assert "*" not in row
    assert "'wild': the training of oh_p50 diverged" in " ".join(text.split())
    drawn = pd.read_csv(sample / "study/variants.csv")
    assert drawn["variant"].tolist() == ["one"]  # it would leave the other no room


def test_without_its_reference_a_study_still_tells_its_numbers(sample: Path) -> None:
    output = study(sample, "--only", "two", "--only", "unseen")
    assert "Δ" not in output
    assert load(sample)["rmse_difference"].isna().all()


def test_repetitions_give_means_and_their_standard_errors(sample: Path, whole: None, working: None) -> None:
    output = study(sample, "--seeds", 2, "--only", "one", "--only", "two")
    results = load(sample)
    assert results.loc[results.index == "one", "repetition"].tolist() == [0, 1]
    differences = results.loc[results.index == "two", "rmse_difference"].to_numpy()
    rows = pd.read_csv(sample / "study/variants.csv").set_index("variant")
    assert rows.loc["two", "rmse_difference"] == pytest.approx(differences.mean())
    half_width = differences.std(ddof=1) / np.sqrt(2)
    assert rows.loc["two", "rmse_difference_high"] == pytest.approx(differences.mean() + half_width)
    assert "Mean of 2 repetitions ± its standard error" in output


def test_folds_are_scored_together(sample: Path) -> None:
    table = """purpose = "Folds."
    pooled_over = { "splits.fold" = [0, 1, 2] }
    [variants.three]
    splits = { method = "folds", folds = 3 }
    """
    output = study(sample, "--set", "training.first_cycle_epochs=1", table=table)
    results = load(sample)
    assert results.loc["three", "num_galaxies"] == 40
    runs = [predictions(sample, f"three-part{part}") for part in (1, 2, 3)]
    everything = pd.concat(runs)
    assert everything.index.is_unique
    residuals = everything["oh_p50_predicted"] - everything["oh_p50"]
    assert results.loc["three", "rmse"] == pytest.approx(float(np.sqrt((residuals**2).mean())))
    assert ended(output) == ["three-part1", "three-part2", "three-part3"]


def test_two_studies_in_one_folder_at_a_time_are_refused_and_so_are_other_folders(sample: Path) -> None:
    output = write(sample)
    arguments = ("study", sample / "mine.toml", sample / "recipe.toml", "-o")
    output.mkdir()
    (output / "study.lock").touch()
    with hold_lock(output / "study.lock", place=output, way_out=""):
        assert "Another process of metalight is working on" in refuse(*arguments, output)
    assert "is something else than the folder of a study" in refuse(*arguments, sample / "images")
    (output / "study.json").write_text('{"study": "other", "recipe_name": "recipe"}')
    assert "holds the study 'other' of the recipe 'recipe', not 'mine' of 'recipe'" in refuse(*arguments, output)


def test_a_part_of_the_training_set_is_learnt_from_and_the_other_sets_stay(sample: Path) -> None:
    output = study(sample, table='purpose = "Half."\n[variants.half]\ntraining.fraction = 0.5\n[variants.all]\n')
    lines = {name: stages(sample, name)["training"]["line"] for name in ("half", "all")}
    assert lines["half"].startswith("2 epochs of 12 galaxies")
    assert lines["all"].startswith("2 epochs of 24 galaxies")
    assert predictions(sample, "half").index.equals(predictions(sample, "all").index)
    assert ended(output) == ["half", "all"]


def test_images_of_every_size_are_the_area_averages_of_the_full_ones(sample: Path, whole: None, working: None) -> None:
    one_epoch = ["--set", "training.first_cycle_epochs=1"]
    succeed("study", "resolution", sample / "recipe.toml", "-o", sample / "study", *one_epoch)
    runs = sample / "study/runs"
    full = load_pixels(runs / "16-px/pixels")
    for side in (8, 4, 3, 2, 1):
        pixels = load_pixels(runs / f"{side}-px/pixels")
        assert pixels.side == side
        for image, small in zip(full.array, pixels.array[pixels.rows_of(full.object_ids)], strict=True):
            np.testing.assert_array_equal(resize_area(np.asarray(image), side), small)
    text = (sample / "study/results.txt").read_text()
    assert "'128 px' was left out: the recipe has pixels.side = 16" in text
    assert "forest, 1 × 1" in text
    assert (sample / "study/resolution.pdf").is_file()
    drawn = pd.read_csv(sample / "study/resolution.csv")
    assert drawn["kind"].tolist() == ["network"] * 6 + ["forest", "mean"]
    of_forest, of_mean = (drawn.loc[drawn["kind"] == kind, "rmse"].item() for kind in ("forest", "mean"))
    # The colour of these galaxies tells their metallicity, and three numbers have it.
    assert of_forest < 0.8 * of_mean
    assert RunFolder(runs / "1-px").load_records()["training"].seconds > 0
    # Each step of size is of pairs of the same galaxies.
    assert "2 → 3 px" in text


def test_what_a_killed_process_took_up_by_half_is_taken_up_anew(sample: Path) -> None:
    study(sample, "--only", "two")
    place = sample / "study/runs/unseen"
    (place / "pixels").mkdir(parents=True)
    (place / "run.lock").touch()
    (place / "pixels/pixels.npy").write_bytes(b"half")
    (place / "catalog.parquet").write_bytes(b"half")
    assert ended(study(sample)) == ["one", "unseen"]
    assert RunFolder(place).load_records()["pixels"].seconds == 0
    assert (place / "pixels/pixels.npy").is_symlink()


def test_a_run_whose_images_were_elsewhere_makes_them_anew_when_they_are_gone(sample: Path) -> None:
    study(sample)
    shutil.rmtree(sample / "study/runs/one")
    assert ended(study(sample, "--only", "unseen")) == ["unseen"]
    assert not (sample / "study/runs/unseen/pixels/pixels.npy").is_symlink()


def test_a_part_that_leaves_nothing_to_learn_is_refused_by_name(sample: Path) -> None:
    change_catalog(sample, lgm=[9.0 + 0.01 * k if k % 13 == 0 else np.nan for k in range(40)])
    table = 'purpose = "Part."\n[variants.all]\n[variants.little]\ntraining.fraction = 0.05\n'
    result = call(
        *("study", write(sample, table).parent / "mine.toml", sample / "recipe.toml", "-o", sample / "study"),
        *("--set", 'catalog.targets=["oh_p50", "lgm"]', "--set", "model.target_scaling=none"),
    )
    assert ended(result.output) == ["all"]
    assert "None of the 2 galaxies of the training set that [training] fraction = 0.05 leaves has lgm" in result.output


def test_repetitions_of_which_one_is_left_have_no_standard_error() -> None:
    flawed = Result("one", 1, "oh_p50", flaw="it failed")
    there = Result("one", 0, "oh_p50", 5, {name: Interval(0.2, 0.1, 0.3) for name in ("rmse", "nmad")})
    (summary,) = summarise([there, flawed])
    assert summary.describe("rmse").value == 0.2
    assert np.isnan(summary.describe("rmse").high)
    (alone,) = summarise([there])
    assert alone.describe("rmse") == Interval(0.2, 0.1, 0.3)


def test_what_cannot_be_scored_together_is_told_and_the_others_are(sample: Path) -> None:
    change_catalog(sample, lgm=np.linspace(9, 11, 40))
    table = """purpose = "Targets."
    [variants.one]
    training.first_cycle_epochs = 1
    [variants.mass]
    catalog.targets = ["lgm"]
    training.first_cycle_epochs = 1
    """
    write(sample, table)
    arguments = ("study", sample / "mine.toml", sample / "recipe.toml", "-o", sample / "study")
    output = " ".join(call(*arguments).output.split())
    assert "'mass' failed: mass has not learnt oh_p50" in output
    table = 'purpose = "Seeds."\npooled_over = { "training.seed" = [0, 1] }\n[variants.pooled]\n'
    shutil.rmtree(sample / "study")
    write(sample, table)
    output = " ".join(call(*arguments, "--set", "training.first_cycle_epochs=1").output.split())
    assert "are tested by several of the runs that are scored together" in output


def test_a_run_that_somebody_else_works_on_is_left_alone(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(sample, "--only", "one")
    run = sample / "study/runs/one"
    ours = sample / "study/.results.metalight-01234567.csv"
    ours.touch()
    monkeypatch.setattr("metalight.atomic._swept", set())
    with RunFolder(run).hold(), replace_file(run / "metrics.json") as theirs:
        result = call("study", sample / "mine.toml", sample / "recipe.toml", "-o", sample / "study", "--only", "one")
        assert result.exit_code == 0
        assert theirs.exists()
        assert not ours.exists()
        again = call(
            "study", sample / "mine.toml", sample / "recipe.toml", "-o", sample / "study", "--set=pixels.side=8"
        )
    assert "Another process of metalight is working on" in again.output
    assert ended(again.output) == ["two", "unseen"]


def test_a_disk_without_room_for_the_whole_study_is_refused_before_its_first_training(
    sample: Path, whole: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = 'purpose = "Sizes."\n[variants]\n"16" = {}\n"8" = { pixels.side = 8 }\n"16 again" = '
    table += '{ prediction.views = "none" }\n'
    write(sample, table)
    recipe = load_recipe(str(sample / "recipe.toml"))
    planned = plan_study(load_study(str(sample / "mine.toml")), recipe)
    runs = sample / "study/runs"
    run_recipe(planned.runs[0].recipe, runs / "16", last="cutouts")
    costs = {
        seeds: estimate_study(plan_study(planned.study, recipe, seeds=seeds), runs, runs / "16", device="auto")
        for seeds in (1, 2)
    }
    # Decoded images count once a size, whatever shares them; weights and checkpoints count for every training.
    images = 40 * 3 * (16**2 + 8**2)
    assert costs[1].num_trainings == 2
    assert 2 * (costs[1].disk_bytes - images) == costs[2].disk_bytes - images > 0
    usage = shutil.disk_usage(sample)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=costs[1].disk_bytes - 1))
    shutil.rmtree(sample / "study")
    message = refuse("study", sample / "mine.toml", sample / "recipe.toml", "-o", sample / "study")
    assert "The study needs about" in message
    assert "take fewer variants with --only" in message
    assert not list(runs.glob("*/training"))


def test_differences_of_the_galaxies_that_both_sides_test_are_told_for_what_they_are(sample: Path) -> None:
    table = 'purpose = "Sets."\n[variants.few]\n[variants.many]\nsplits.fractions = [0.5, 0.1, 0.4]\n'
    output = " ".join(study(sample, "--set", "training.first_cycle_epochs=1", table=table).split())
    common = len(predictions(sample, "few").index.intersection(predictions(sample, "many").index))
    assert f"'many' tests other galaxies than 'few': its differences are of the {common} galaxies that both" in output
    assert 0 < common < 16
    assert load(sample)["num_common"].tolist() == [0, common]
    output = " ".join(
        study(sample, "--set", "training.first_cycle_epochs=1", table=f'reference = "many"\n{table}').split()
    )
    assert f"'few' tests other galaxies than 'many': its differences are of the {common} galaxies that both" in output
