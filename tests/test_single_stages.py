"""Promises of `--from` and `--only`: what is rerun, what is not, and that an interruption loses nothing of it."""

import shutil
from pathlib import Path

import pytest

from call import call, ctrl_c_in, list_performed, refuse_run, run

pytestmark = pytest.mark.usefixtures("unrendered")

LEARNING = ["training", "prediction", "evaluation", "figures", "results"]


def interrupt(folder: Path, label: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    with ctrl_c_in(label, monkeypatch):
        result = call("run", folder / "recipe.toml", "--run-dir", folder / "run", *arguments)
    assert result.exit_code == 130


def test_what_was_done_anew_before_an_interruption_is_not_done_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(copy)
    interrupt(copy, "Predicting", monkeypatch, "--from", "training")
    assert list_performed(run(copy, "--from", "training")) == LEARNING[1:]
    # The request is fulfilled: given once more, it is another one.
    assert list_performed(run(copy, "--from", "training")) == LEARNING


def test_another_request_after_an_interruption_is_done_in_full(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(copy)
    interrupt(copy, "Predicting", monkeypatch, "--from", "training")
    assert list_performed(run(copy, "--from", "prediction")) == LEARNING[1:]
    interrupt(copy, "Predicting", monkeypatch, "--from", "training")
    assert list_performed(run(copy)) == ["prediction"]  # which was begun, and comes out as it was
    assert list_performed(run(copy, "--from", "training")) == LEARNING


def test_a_single_stage_leaves_the_recipe_alone_if_it_is_refused(copy: Path) -> None:
    run(copy)
    before = (copy / "run/recipe.toml").read_bytes()
    # Neither of them reads the training itself, but what was made of it.
    for stage in ("evaluation", "figures"):
        message = refuse_run(copy, "--only", stage, "--set", "training.seed=9")
        assert f"The stage '{stage}' builds on what 'training' makes, which is not there or not up to date" in message
    assert "has no model 'resnet35'" in refuse_run(copy, "--set", "model.backbone=resnet35")
    assert (copy / "run/recipe.toml").read_bytes() == before
    assert list_performed(run(copy)) == []


def test_a_single_stage_needs_nothing_from_outside_the_run_folder(copy: Path) -> None:
    run(copy)
    (copy / "catalog.csv").rename(copy / "moved.csv")
    (copy / "images").rename(copy / "moved")
    output = run(copy, "--only", "evaluation", "--set", "evaluation.seed=5")
    assert list_performed(output) == ["evaluation"]
    assert "Not up to date: catalog, cutouts" in output


def test_stages_that_a_single_one_leaves_behind_are_named_and_no_old_scores_shown(copy: Path) -> None:
    run(copy)
    output = run(copy, "--only", "prediction", "--set", "prediction.views=none")
    assert "Not up to date: evaluation, figures, results; run without --only to do them too." in output
    assert "oh_p50: RMSE" not in output
    output = run(copy, "--set", "prediction.views=none")
    assert list_performed(output) == ["evaluation", "figures", "results"]
    assert "oh_p50: RMSE" in output


def test_a_stage_alone_in_a_copy_of_a_run_is_done(copy: Path, tmp_path: Path) -> None:
    run(copy)
    shutil.copytree(copy / "run", tmp_path / "elsewhere")
    arguments = ("run", copy / "recipe.toml", "--run-dir", tmp_path / "elsewhere", "--only", "prediction")
    assert list_performed(call(*arguments).output) == ["prediction"]
