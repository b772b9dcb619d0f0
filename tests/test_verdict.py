"""Promises of the verdict on a training: failures are told wherever the model is used, and success is left alone."""

import json
import shlex
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from call import QUICK, call, succeed
from make import make_sample
from metalight.errors import TrainingError
from metalight.model import load_model
from metalight.model_files import describe_failure, load_config
from metalight.pipeline.judge import Evidence, find_trusted_predictions, judge_target
from metalight.pipeline.judge_model import judge_model
from metalight.pipeline.learning_stages import load_training_data
from metalight.pipeline.stage import Job
from metalight.recipe import ModelSettings, TrainingSettings, list_concerns, load_recipe, suggest_settings
from metalight.run_folder import RunFolder

TOO_HIGH = ("training.learning_rates=[10.0,10.0,10.0]",)
TOLD = "Do not use this model"

_SPREAD = 0.2


def evidence(residuals: float, *, num: int = 50, constant: bool = False, shift: float = 0.0) -> Evidence:
    """Predictions of validation and training galaxies with Gaussian residuals."""
    generator = np.random.default_rng(0)
    labels = generator.normal(8.9, _SPREAD, 200)
    truth = generator.normal(8.9, _SPREAD, num)
    predicted = np.full(num, 8.9) if constant else truth + generator.normal(shift, residuals, num)
    of_training = np.full(200, 8.9) if constant else labels + generator.normal(shift, residuals, 200)
    return Evidence(truth, predicted, labels, of_training, labels=labels, losses=np.linspace(1, 0.5, 400))


def judge(found: Evidence, num_training: int = 200) -> tuple[str, str]:
    verdict = judge_target(found, ModelSettings(), TrainingSettings(batch_size=16), num_training)
    return verdict.outcome, verdict.judged_by


def test_the_outcome_is_that_of_the_predictions() -> None:
    assert judge(evidence(0.1)) == ("ok", "validation")
    assert judge(evidence(0.25)) == ("learned nothing", "validation")
    assert judge(evidence(0.0, constant=True)) == ("learned nothing", "validation")
    assert judge(evidence(0.1, shift=2.0)) == ("diverged", "validation")
    assert judge(evidence(1.0)) == ("diverged", "validation")


@pytest.mark.parametrize("num", [0, 1, 3, 9])
def test_with_too_few_validation_galaxies_the_training_galaxies_judge(num: int) -> None:
    assert judge(evidence(0.1, num=num)) == ("ok", "training")
    assert judge(evidence(1.0, num=num)) == ("diverged", "training")
    assert find_trusted_predictions(evidence(0.1, num=num)) is None


def test_the_trusted_range_is_that_of_the_validation_galaxies() -> None:
    trusted = find_trusted_predictions(evidence(0.05, num=2000))
    assert trusted is not None
    assert 8.0 < trusted[0] < 8.9 < trusted[1] < 9.5


def test_a_failure_has_a_cause_and_settings_or_advice() -> None:
    too_high = judge_target(evidence(1.0), ModelSettings(), TrainingSettings(batch_size=16), 200)
    assert "rates" in too_high.cause
    assert any(setting.startswith("training.learning_rates=") for setting in too_high.remedy)
    slow = TrainingSettings(batch_size=16, frozen_learning_rate=0.01, learning_rates=(0.001, 0.003, 0.01))
    without_relation = judge_target(evidence(0.25), ModelSettings(), slow, 200)
    assert without_relation.cause
    assert without_relation.advice or without_relation.remedy
    told = describe_failure({"a": too_high, "b": judge_target(evidence(0.1), ModelSettings(), slow, 200)}, {"a": "dex"})
    assert "--set" in told
    assert " for a" in told  # the other target can be used
    assert describe_failure({"b": judge_target(evidence(0.1), ModelSettings(), slow, 200)}, {}) == ""


@given(preset=st.sampled_from(["paper", "paper-code", "demo"]), num_training=st.integers(16, 200_000))
def test_the_suggested_settings_can_be_given_and_nothing_is_known_against_them(preset: str, num_training: int) -> None:
    recipe = load_recipe(preset)
    suggested = suggest_settings(recipe.model, recipe.training, num_training)
    better = load_recipe(preset, list(suggested))
    assert list_concerns(better.model, better.training, num_training) == []


def test_the_paper_is_warned_of_on_a_few_hundred_galaxies_and_not_on_its_own_sample() -> None:
    paper = load_recipe("paper")
    assert list_concerns(paper.model, paper.training, 240)
    assert not list_concerns(paper.model, paper.training, 77_000)
    assert load_recipe("paper", list(suggest_settings(paper.model, paper.training, 240))).training.batch_size == 16


@pytest.fixture(scope="module")
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run whose rates were far too high."""
    folder = tmp_path_factory.mktemp("diverged")
    make_sample(folder, 40)
    (folder / "recipe.toml").write_text(QUICK)
    settings = [option for setting in TOO_HIGH for option in ("--set", setting)]
    output = succeed("run", folder / "recipe.toml", "--run-dir", folder / "run", *settings)
    (folder / "output.txt").write_text(output)
    return folder


def test_a_training_that_predicts_infinite_numbers_is_refused_with_its_cause_and_a_command(diverged: Path) -> None:
    run = RunFolder(diverged / "run")
    job = Job(run, load_recipe(str(run.recipe)))
    model = load_model(run.model)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.fill_(float("inf"))
    sets = load_training_data(job, "train"), load_training_data(job, "validation")
    with pytest.raises(TrainingError, match=r"learning rates.*metalight run .* --set"):
        judge_model(job, model, Mock(), *sets)  # how the training went does not matter


def test_a_run_that_diverged_says_so_everywhere_and_how_to_do_better(diverged: Path, tmp_path: Path) -> None:
    run = diverged / "run"
    config = load_config(run / "model")
    assert config.training.verdict["oh_p50"].outcome == "diverged"
    assert config.training.verdict["oh_p50"].remedy
    assert config.targets[0].label_range is not None
    output = (diverged / "output.txt").read_text()
    assert output.count(TOLD) == 2  # at the end of the training, and in the lines that the run ends with
    assert output.index("is likely to fail") < output.index("! training") < output.index(TOLD)
    assert f"{RunFolder(run).command} --set" in output
    assert TOLD in (run / "results.md").read_text()
    assert TOLD in (run / "model/README.md").read_text()
    assert TOLD in succeed("run", diverged / "recipe.toml", "--run-dir", run, *as_options(TOO_HIGH))
    predicted = succeed("predict", run, "--images", diverged / "images", "-o", tmp_path / "p.csv")
    assert TOLD in predicted
    assert TOLD in succeed("rank", run, "-n", 2)
    assert TOLD in succeed("rank", tmp_path / "p.csv", "-n", 2, "--model", run)
    assert TOLD in succeed("compare", run, run)


def as_options(settings: tuple[str, ...]) -> list[str]:
    return [option for setting in settings for option in ("--set", setting)]


def test_the_command_that_is_told_trains_a_model_that_works(diverged: Path, tmp_path: Path) -> None:
    shutil.copytree(diverged, tmp_path / "again")
    run = tmp_path / "again/run"
    remedy = load_config(run / "model").training.verdict["oh_p50"].remedy
    succeed("run", run / "recipe.toml", "--run-dir", run, *as_options(remedy))
    assert load_config(run / "model").training.verdict["oh_p50"].outcome != "diverged"


def test_a_run_that_learned_is_told_of_without_a_warning(sample: Path) -> None:
    learning = ("training.first_cycle_epochs=60", "training.batch_size=8", "splits.fractions=[0.6,0.3,0.1]")
    output = succeed("run", sample / "recipe.toml", "--run-dir", sample / "run", *as_options(learning))
    assert load_config(sample / "run/model").training.verdict["oh_p50"].outcome == "ok"
    assert TOLD not in output
    assert "✓ training" in output
    assert TOLD not in (sample / "run/results.md").read_text()
    assert json.loads((sample / "run/model/config.json").read_text())["training"]["verdict"]["oh_p50"]["judged_by"]


def test_predictions_outside_the_training_labels_are_counted(finished: Path, tmp_path: Path) -> None:
    low, high = load_config(finished / "run/model").targets[0].label_range or (0.0, 0.0)
    frame = pd.DataFrame({"object_id": np.arange(10), "oh_p50_predicted": [*np.linspace(low, high, 8), 12.0, 13.0]})
    frame.to_csv(tmp_path / "p.csv", index=False)
    told = succeed("rank", tmp_path / "p.csv", "--highest", "-n", 3, "--model", finished / "run")
    assert "2 outside the training labels" in told
    assert "2 of the 3 listed" in told
    assert "of the 3 listed" not in succeed("rank", tmp_path / "p.csv", "-n", 3, "--model", finished / "run")
    assert call("rank", finished / "run", "--model", finished / "run").exit_code == 1


def test_predictions_worse_than_the_mean_are_told_of(tmp_path: Path) -> None:
    truth = np.linspace(8.0, 9.0, 30)
    frame = pd.DataFrame({"object_id": np.arange(30), "t": truth, "good": truth + 0.01, "bad": truth + 40})
    frame.to_csv(tmp_path / "t.csv", index=False)
    given = ["evaluate", tmp_path / "t.csv", "--truth", "t", "--bootstrap", 0]
    useless = "worse than predicting the mean"
    assert useless in succeed(*given, "--predicted", "bad", "-o", tmp_path / "bad")
    assert useless not in succeed(*given, "--predicted", "good", "-o", tmp_path / "good")
    columns = ["--truth", "t", "--predicted", "good", "--predicted-b", "bad"]
    assert useless in succeed("compare", tmp_path / "t.csv", tmp_path / "t.csv", *columns)


def test_the_command_of_a_run_can_be_pasted_where_its_folder_has_blanks(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "my run; $(date)")
    assert shlex.split(run.command)[-1] == str(run.path)
