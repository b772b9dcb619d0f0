"""Promises of training: batches, schedule, loss, phases, repeats, and what it refuses."""

import contextlib
import dataclasses
import math
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from make import FIRST_ID, TINY, make_blobs
from metalight.errors import TrainingError
from metalight.recipe import AugmentationSettings, ModelSettings, TrainingSettings, load_recipe
from metalight.training import (
    CheckpointPlace,
    EpochBatches,
    FittedModel,
    TrainingData,
    compute_loss,
    compute_rate_factor,
    divide_into_batches,
    fit_network,
    load_last_checkpoint,
)
from metalight.training.checkpoints import save_checkpoint
from metalight.training.task import TrainingTask

CPU = torch.device("cpu")
QUICK = TrainingSettings(
    batch_size=8,
    original_view=False,
    augmented_views=1,
    optimizer="adamw",
    frozen_epochs=1,
    frozen_learning_rate=0.01,
    constant_epochs=1,
    cycles=1,
    learning_rates=(0.003, 0.003, 0.003),
    precision="float32",
)


def make_data(num_galaxies: int = 20, side: int = 16, seed: int = 0) -> TrainingData:
    pixels, metallicity = make_blobs(num_galaxies, side, seed)
    # Rows in another order than galaxies, as in a run where the training set is drawn from all.
    rows = np.random.default_rng(seed).permutation(num_galaxies)
    shuffled = np.empty_like(pixels)
    shuffled[rows] = pixels
    return TrainingData(FIRST_ID + np.arange(num_galaxies), metallicity[:, None], shuffled, rows)


def fit(
    training: TrainingData,
    validation: TrainingData | None = None,
    settings: TrainingSettings = QUICK,
    model: ModelSettings = TINY,
    history_path: Path | None = None,
) -> FittedModel:
    return fit_network(training, validation, model, settings, device=CPU, history_path=history_path)


def change(**changed: object) -> TrainingSettings:
    return TrainingSettings.model_validate(QUICK.model_dump() | changed)


@given(st.integers(2, 3000), st.integers(2, 300))
def test_batches_hold_every_galaxy_and_none_is_too_small(num_galaxies: int, batch_size: int) -> None:
    sizes = divide_into_batches(num_galaxies, batch_size)
    assert sum(sizes) == num_galaxies
    assert min(sizes) >= 2
    assert min(sizes) >= min(num_galaxies, batch_size / 4)
    assert max(sizes) <= 1.5 * batch_size + 1
    if num_galaxies % batch_size == 0:
        assert set(sizes) == {batch_size}


def test_a_last_batch_of_one_is_shared_out() -> None:
    assert divide_into_batches(65, 16) == [17, 16, 16, 16]
    assert divide_into_batches(17, 16) == [17]
    assert divide_into_batches(24, 16) == [16, 8]
    assert divide_into_batches(3, 16) == [3]


@given(st.integers(2, 200), st.integers(2, 50), st.integers(0, 5), st.integers(0, 9))
def test_an_epoch_has_each_galaxy_once_in_an_order_of_seed_and_epoch(n: int, size: int, seed: int, epoch: int) -> None:
    batches = EpochBatches(n, size, seed=seed)
    batches.set_epoch(epoch)
    order = np.concatenate(list(batches))
    assert sorted(order.tolist()) == list(range(n))
    assert len(list(batches)) == len(batches)
    # A phase that starts later counts its epochs from its start, and draws what one long phase would draw.
    later = EpochBatches(n, size, seed=seed, first_epoch=epoch)
    assert np.array_equal(np.concatenate(list(later)), order)
    if n > 20:
        batches.set_epoch(epoch + 1)
        assert not np.array_equal(np.concatenate(list(batches)), order)


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_the_cycles_are_torch_s_warm_restarts_counted_from_where_they_start(steps: int, multiplier: int) -> None:
    settings = change(constant_epochs=1, cycles=3, first_cycle_epochs=2, cycle_multiplier=multiplier)
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = CosineAnnealingWarmRestarts(optimizer, T_0=2 * steps, T_mult=multiplier)
    assert [compute_rate_factor(step, steps, settings) for step in range(steps)] == [1.0] * steps
    for step in range(sum(settings.cycle_epochs) * steps):
        assert compute_rate_factor(steps + step, steps, settings) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_the_paper_s_schedule_is_that_of_its_words() -> None:
    settings = load_recipe("paper").training
    assert settings.cycle_epochs == (1, 2, 4)
    assert settings.epochs == 10
    factors = [compute_rate_factor(step, 10, settings) for step in range(80)]
    assert factors[:10] == [1.0] * 10
    assert [step for step, factor in enumerate(factors) if factor == 1.0] == [*range(11), 20, 40]
    assert factors[30] == pytest.approx(0.5)


def test_the_authors_code_starts_its_first_cycle_slowly() -> None:
    settings = load_recipe("paper-code").training
    factors = [compute_rate_factor(step, 100, settings) for step in range(100, 202)]
    assert factors[:5] == [0.01] * 5
    assert factors[5] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.05)))
    assert factors[100] == 1.0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_the_rmse_loss_is_the_root_of_the_mean_square_with_a_floor(residuals: list[float]) -> None:
    predicted = torch.tensor(residuals, dtype=torch.float64)[:, None].requires_grad_()
    loss = compute_loss(predicted, torch.zeros_like(predicted), change(loss="rmse", loss_floor=0.01))
    assert float(loss.detach()) == pytest.approx(math.sqrt(np.mean(np.square(residuals)) + 0.01**2))
    loss.backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_a_network_overfits_16_galaxies() -> None:
    settings = change(
        frozen_epochs=0,
        constant_epochs=0,
        first_cycle_epochs=60,
        batch_size=16,
        original_view=True,
        augmented_views=0,
        learning_rates=(0.01, 0.01, 0.01),
    )
    training = make_data(16)
    fitted = fit(training, training, settings, TINY.model_copy(update={"dropout": (0.0, 0.0)}))
    # Of scaled targets, whose variance is 1.
    assert fitted.history["train_loss"].iloc[-1] < 0.005
    # In evaluation, batch norms scale by the unbiased variance: with 16 galaxies that leaves a little.
    assert fitted.validation_rmse[0] < 0.2 * training.targets.std()


def test_a_float32_run_repeats_bit_for_bit_and_leaves_the_random_generator_alone() -> None:
    settings = change(original_view=True, augmented_views=2)
    torch.manual_seed(11)
    first = fit(make_data(), make_data(6, seed=1), settings)
    after = torch.rand(1)
    torch.rand(7)  # whatever was drawn before must not matter
    second = fit(make_data(), make_data(6, seed=1), settings)
    pd.testing.assert_frame_equal(first.history, second.history, check_exact=True)
    state = second.network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in first.network.state_dict().items())
    torch.manual_seed(11)
    assert torch.equal(after, torch.rand(1))
    other = fit(make_data(), None, settings.model_copy(update={"seed": 1}))
    assert not np.array_equal(other.history["train_loss"], first.history["train_loss"])


def test_the_history_tells_of_every_mini_batch(tmp_path: Path) -> None:
    settings = change(learning_rates=(0.001, 0.002, 0.003), frozen_learning_rate=0.05)
    fitted = fit(make_data(20), make_data(6, seed=1), settings, history_path=tmp_path / "training/history.csv")
    history = fitted.history
    # 20 galaxies by 8: two and a half batches, of which the half is large enough.
    assert history["epoch"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert history["step"].tolist() == list(range(9))
    assert history["phase"].tolist() == ["frozen"] * 3 + ["unfrozen"] * 6
    assert history["learning_rate_early"].isna().tolist() == [True] * 3 + [False] * 6
    assert history["learning_rate_head"].tolist()[:6] == [0.05] * 3 + [0.003] * 3
    assert history["learning_rate_early"].tolist()[3:7] == [0.001] * 4
    assert history["learning_rate_late"].iloc[8] == pytest.approx(0.002 * 0.5 * (1 + math.cos(math.pi * 2 / 3)))
    assert history["validation_rmse"].notna().tolist() == [False, False, True] * 3
    assert history["validation_rmse"].iloc[-1] == fitted.validation_rmse[0]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "training/history.csv"), history)


def test_a_frozen_phase_leaves_the_body_as_it_was() -> None:
    frozen = fit(make_data(), None, change(frozen_epochs=2, constant_epochs=0, cycles=0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(QUICK.seed)
        from metalight.model import build_network

        fresh = build_network(TINY, 1)
    state = frozen.network.state_dict()
    for name, tensor in fresh.state_dict().items():
        if name.startswith("body."):
            assert torch.equal(tensor, state[name])
    assert not torch.equal(fresh.state_dict()["head.2.weight"], state["head.2.weight"])
    assert all(parameter.requires_grad for parameter in frozen.network.parameters())
    assert not frozen.network.training


def test_groups_with_a_tiny_rate_hardly_move() -> None:
    settings = change(frozen_epochs=0, optimizer="sgd", momentum=0.0, learning_rates=(1e-12, 1e-12, 0.01), cycles=0)
    fitted = fit(make_data(), None, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        from metalight.model import build_network

        fresh = build_network(TINY, 1)
    for group, parameters in fitted.network.layer_groups().items():
        moved = max(
            float((after - before).abs().max().detach())
            for after, before in zip(parameters, fresh.layer_groups()[group], strict=True)
        )
        assert (moved > 1e-5) == (group == "head")


def test_two_targets_are_learnt_together_and_validated_in_their_units() -> None:
    one = make_data(16)
    both = TrainingData(one.object_ids, np.hstack([one.targets, 10 * one.targets]), one.pixels, one.rows)
    fitted = fit(both, both)
    assert len(fitted.validation_rmse) == 2
    assert fitted.scaling.scales[1] == pytest.approx(10 * fitted.scaling.scales[0])


def test_without_validation_galaxies_there_is_no_validation() -> None:
    fitted = fit(make_data(8))
    assert fitted.validation_rmse == []
    assert fitted.history["validation_rmse"].isna().all()


def test_a_batch_of_two_galaxies_trains() -> None:
    assert fit(make_data(2), None, change(batch_size=2)).history["train_loss"].notna().all()


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_bf16_trains_too(scaling: str) -> None:
    model = TINY.model_copy(update={"target_scaling": scaling})
    fitted = fit(make_data(), None, change(precision="bf16"), model)
    assert fitted.precision == "bf16"
    assert {parameter.dtype for parameter in fitted.network.parameters()} == {torch.float32}


def test_a_loss_that_is_not_finite_stops_the_run_and_names_its_galaxies() -> None:
    settings = change(optimizer="sgd", frozen_epochs=0, learning_rates=(1e18, 1e18, 1e18))
    with pytest.raises(TrainingError, match=r"The loss became (nan|inf) in epoch \d, with the galaxies \d{19}"):
        fit(make_data(), None, settings)


def test_a_label_that_is_not_finite_is_found_by_its_batch() -> None:
    data = make_data(16)
    data.targets[5] = np.inf
    with pytest.raises(TrainingError, match="The loss became inf in epoch 1") as caught:
        fit(data, None, change(batch_size=4), TINY.model_copy(update={"target_scaling": "none"}))
    assert str(FIRST_ID + 5) in str(caught.value)


@contextlib.contextmanager
def press_ctrl_c(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar whose reader has had enough in the second epoch."""

    def advance(steps: int) -> None:
        if label.startswith("Epoch 2"):
            raise KeyboardInterrupt

    yield advance


def test_ctrl_c_is_passed_on_and_the_history_so_far_is_kept(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    path = tmp_path / "history.csv"
    with pytest.raises(KeyboardInterrupt):
        fit_network(make_data(), None, TINY, QUICK, device=CPU, history_path=path, progress=press_ctrl_c)
    assert signal.getsignal(signal.SIGINT) is handler
    assert pd.read_csv(path)["epoch"].tolist() == [0, 0, 0]


def test_a_checkpoint_of_a_network_with_other_layers_is_refused_with_a_way_out(tmp_path: Path) -> None:
    place = CheckpointPlace(tmp_path / "checkpoints", "a" * 64)

    def fit_on() -> FittedModel:
        return fit_network(make_data(8), None, TINY, QUICK, device=CPU, checkpoints=place)

    fit_on()
    checkpoint = load_last_checkpoint(place.folder, place.identity).checkpoint
    assert checkpoint is not None
    # As another version of timm may name its layers.
    renamed = {name.replace("layer1", "stage1"): tensor for name, tensor in checkpoint.network.items()}
    other = dataclasses.replace(checkpoint, network=renamed, environment="cpu, float32, torch 2.0, timm 1.0")
    save_checkpoint(other, place.folder)
    with pytest.raises(TrainingError, match=r"with other layers, begun on cpu, .* timm 1\.0, and now .* delete that"):
        fit_on()
    shutil.rmtree(place.folder)
    assert not fit_on().resumed


def test_labels_that_are_all_the_same_are_refused() -> None:
    data = make_data(8)
    data.targets[:] = 8.9
    with pytest.raises(TrainingError, match="All 8 training galaxies have the same value"):
        fit(data)


def test_augmentation_can_be_switched_off_altogether() -> None:
    still = AugmentationSettings(
        zoom_probability=0, rotation_probability=0, max_brightness=0, max_contrast=0, dihedral=False
    )
    no_dropout = TINY.model_copy(update={"dropout": (0.0, 0.0)})
    as_views = fit(make_data(8), None, change(augmentation=still.model_dump()), no_dropout)
    as_they_are = fit(make_data(8), None, change(original_view=True, augmented_views=0), no_dropout)
    np.testing.assert_allclose(as_views.history["train_loss"], as_they_are.history["train_loss"], rtol=1e-3)


@pytest.mark.parametrize("is_last", [True, False])
def test_weights_that_stop_being_numbers_stop_the_run_and_are_not_kept(tmp_path: Path, is_last: bool) -> None:
    settings = change(frozen_epochs=0, constant_epochs=2, cycles=0)
    place = CheckpointPlace(tmp_path, "0" * 64)
    check = TrainingTask.check_weights

    def spoil(task: TrainingTask) -> None:
        if task.current_epoch == (1 if is_last else 0):
            next(task.network.head.parameters()).data.view(-1)[0] = np.nan if is_last else np.inf
        check(task)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainingTask, "check_weights", spoil)
        with pytest.raises(TrainingError, match=rf"In epoch {1 + is_last} weights of the network \('head\."):
            fit_network(make_data(16), None, TINY, settings, device=CPU, checkpoints=place)
    assert len(list(tmp_path.iterdir())) == is_last
    fitted = fit_network(make_data(16), None, TINY, settings, device=CPU, checkpoints=place)
    assert all(tensor.isfinite().all() for tensor in fitted.network.state_dict().values())


def test_a_last_step_that_breaks_the_weights_is_told() -> None:
    # One step: its loss was finite, and nothing comes after it that would show what it did.
    settings = change(optimizer="sgd", frozen_epochs=0, constant_epochs=1, cycles=0, learning_rates=(1e38, 1e38, 1e38))
    with pytest.raises(TrainingError, match="In epoch 1 weights of the network"):
        fit(make_data(8), None, settings)
