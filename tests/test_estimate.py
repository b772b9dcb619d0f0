"""Promises of the estimate that a run and a prediction begin with."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from call import QUICK, call, ctrl_c_in, refuse_run, run, succeed
from make import make_sample
from metalight.pipeline import Cost, Estimate, format_seconds, run_recipe
from metalight.recipe import load_recipe
from metalight.training.cost import TrainingCost, measure_training_cost

GIB = 2**30


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    make_sample(tmp_path, 30)
    (tmp_path / "recipe.toml").write_text(QUICK)
    return tmp_path


def measure(**changes: object) -> TrainingCost:
    import torch

    recipe = load_recipe("demo", ["model.backbone=test_resnet", "model.hidden_features=16"])
    settings = recipe.training.model_copy(update={"precision": "float32", **changes})
    return measure_training_cost(
        recipe.model, settings, num_targets=1, image_shape=(16, 16, 3), dtype="uint8", device=torch.device("cpu")
    )


def test_a_run_begins_with_what_is_ahead_and_a_finished_one_does_not(sample: Path) -> None:
    output = run(sample)
    ahead = next(line for line in output.splitlines() if "Ahead:" in line)
    assert "decoding 30 images, about 1 s; " in ahead
    assert "epochs of 18 galaxies" in ahead
    assert "predicting 12 galaxies × 8 views, about 1 s." in ahead
    assert output.index("Ahead:") < output.index("✓ pixels")
    assert "of memory" in output
    assert "Ahead:" not in run(sample)


def test_only_what_is_to_be_done_is_ahead(sample: Path) -> None:
    run(sample)
    again = run(sample, "--set", "prediction.views=none")
    assert "Ahead: predicting 12 galaxies, about 1 s." in again
    assert "decoding" not in again
    assert "of memory" not in again


def test_what_follows_from_a_change_is_ahead_too_and_what_does_not_is_not(sample: Path) -> None:
    run(sample)
    again = run(sample, "--set", "training.seed=1")
    assert "epochs of 18 galaxies" in again
    assert "predicting 12 galaxies × 8 views" in again
    assert "GiB free) and" in again  # of memory
    images = sorted((sample / "images").iterdir())
    for image in images[20:]:
        image.unlink()
    again = run(sample, "--set", "training.seed=1")
    assert "Ahead: decoding 20 images" in again
    assert "epochs of 12 galaxies" in again
    (sample / "run/pixels/pixels.npy").unlink()
    again = run(sample, "--set", "training.seed=1")
    assert "Ahead: decoding 20 images, about 1 s." in again


def test_epochs_that_an_interrupted_training_has_behind_it_are_not_ahead(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("run", sample / "recipe.toml", "--run-dir", sample / "run", "--set", "training.first_cycle_epochs=5")
    with ctrl_c_in("Epoch 4", monkeypatch):
        assert "Ahead: decoding 30 images, about 1 s; 5 epochs of" in call(*arguments).output
    assert "Ahead: 2 epochs of" in succeed(*arguments)
    assert "Ahead: 5 epochs of" in succeed(*arguments, "--from", "training")


def test_a_prediction_begins_with_what_is_ahead(sample: Path) -> None:
    run(sample)
    result = call("predict", sample / "run", "--images", sample / "images", "-o", sample / "p.csv", "--views", "eight")
    assert "Ahead: predicting 30 galaxies × 8 views, about 1 s." in result.stderr


def test_the_decoded_images_and_the_model_are_as_large_as_estimated(sample: Path) -> None:
    estimates: list[Estimate] = []
    run_recipe(load_recipe(str(sample / "recipe.toml")), sample / "run", foretell=estimates.append)
    decoding, training, _ = estimates[0].costs
    pixels = (sample / "run/pixels/pixels.npy").stat().st_size
    assert decoding.disk_bytes == pytest.approx(pixels, abs=256)
    weights = (sample / "run/model/model.safetensors").stat().st_size
    checkpoints = [path.stat().st_size for path in (sample / "run/training/checkpoints").iterdir()]
    assert len(checkpoints) == 2
    assert 0.8 < training.disk_bytes / (weights + 1.5 * sum(checkpoints)) < 1.2


def test_the_trial_leaves_no_trace_in_what_is_trained(sample: Path) -> None:
    recipe = load_recipe(str(sample / "recipe.toml"))
    run_recipe(recipe, sample / "with", foretell=lambda estimate: None)
    run_recipe(recipe, sample / "without")
    ours, others = (load_file(sample / name / "model/model.safetensors") for name in ("with", "without"))
    assert all((ours[name] == others[name]).all() for name in ours)


def test_the_memory_of_a_step_grows_with_its_views() -> None:
    recipe = load_recipe("demo")
    cost = measure()
    small, large = (recipe.training.model_copy(update={"batch_size": size}) for size in (10, 30))
    per_galaxy = (cost.estimate_bytes(large) - cost.estimate_bytes(small)) / 20
    assert per_galaxy == recipe.training.num_views * cost.step_bytes
    # A view of 16 × 16 × 3 float32 is 3 kB; the maps of features that the first layers keep are larger.
    assert 3 * 1024 < cost.step_bytes < 1024**2


def test_adamw_keeps_two_numbers_a_weight_and_sgd_one() -> None:
    adamw, sgd = measure(optimizer="adamw"), measure(optimizer="sgd")
    assert adamw.weight_bytes == sgd.weight_bytes
    assert adamw.state_bytes == 2 * sgd.state_bytes


def test_a_disk_without_room_is_refused_before_anything_long(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    # No test can fill the disk; what the system says of it is all that is replaced.
    usage = shutil.disk_usage(sample)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    message = refuse_run(sample)
    assert "needs about" in message
    assert f"of disk in {sample / 'run'}, where 1 MiB are free; make room, or choose another --run-dir." in message
    assert not (sample / "run/pixels").exists()


def test_memory_that_does_not_suffice_is_told_with_a_way_out() -> None:
    cost = Cost("1 epoch", 60, memory_bytes=9 * GIB)
    assert any("lower [training] batch_size" in line for line in Estimate((cost,), 8 * GIB, GIB).describe())
    assert not any("lower" in line for line in Estimate((cost,), 10 * GIB, GIB).describe())
    assert not any("lower" in line for line in Estimate((cost,), None, GIB).describe())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.01, "1 s"), (40.2, "40 s"), (99.4, "99 s"), (100, "2 min"), (5000, "83 min"), (9000, "2.5 h")],
)
def test_times_are_told_in_the_unit_that_suits_them(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


def test_rates_that_break_a_training_do_not_break_its_trial() -> None:
    cost = measure(optimizer="sgd", learning_rates=(1e30, 1e30, 1e30), frozen_learning_rate=1e30)
    assert cost.seconds > 0
