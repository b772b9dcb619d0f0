"""Promises of the schedules beside the paper's: one cosine, and steps down on a plateau."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from make import TINY
from metalight.errors import TrainingError
from metalight.recipe import TrainingSettings
from metalight.training import (
    CheckpointPlace,
    FittedModel,
    compute_plateau_factor,
    compute_rate_factor,
    fit_network,
)
from test_training import CPU, change, make_data

ON_PLATEAUS = change(
    schedule="plateau",
    plateau_patience=1,
    frozen_epochs=1,
    constant_epochs=3,
    cycles=1,
    first_cycle_epochs=4,
    learning_rates=(0.05, 0.05, 0.05),
)
"""Rates so high that the validation RMSE goes up and down."""


def test_one_cosine_takes_as_many_epochs_as_the_cycles_and_falls_all_the_way() -> None:
    settings = change(schedule="cosine", constant_epochs=1, cycles=3, first_cycle_epochs=1, cycle_multiplier=2)
    assert settings.epochs == change(constant_epochs=1, cycles=3, first_cycle_epochs=1, cycle_multiplier=2).epochs
    factors = [compute_rate_factor(step, 10, settings) for step in range(80)]
    assert factors[:11] == [1.0] * 11
    assert all(later < earlier for earlier, later in itertools.pairwise(factors[10:]))
    assert factors[45] == pytest.approx(0.5)
    assert factors[-1] < 0.001


@given(st.lists(st.floats(0.1, 1), max_size=30), st.integers(1, 5))
def test_a_plateau_is_so_many_epochs_without_a_lower_rmse(rmses: list[float], patience: int) -> None:
    settings = change(schedule="plateau", plateau_patience=patience, plateau_factor=0.5)
    factors = [compute_plateau_factor(rmses[:end], settings) for end in range(len(rmses) + 1)]
    assert factors[0] == 1.0
    steps = [end for end in range(1, len(factors)) if factors[end] != factors[end - 1]]
    for before, after in itertools.pairwise(factors):
        assert after in (before, before * 0.5)
    for end in steps:
        lowest = min(rmses[: end - patience])
        assert min(rmses[end - patience : end]) >= lowest
    assert all(later - earlier >= patience for earlier, later in itertools.pairwise(steps))
    falling = sorted(set(rmses), reverse=True)
    assert compute_plateau_factor(falling, settings) == 1.0
    assert compute_plateau_factor([1.0] * (1 + 2 * patience), settings) == 0.25


def fit(settings: TrainingSettings, place: CheckpointPlace | None = None, **how: object) -> FittedModel:
    data, validation = make_data(20), make_data(6, seed=1)
    return fit_network(data, validation, TINY, settings, device=CPU, checkpoints=place, **how)  # type: ignore[arg-type]


def test_rates_step_down_with_the_epoch_after_a_plateau() -> None:
    history = fit(ON_PLATEAUS).history
    unfrozen = history[history["phase"] == "unfrozen"]
    validated = unfrozen["validation_rmse"].dropna().tolist()
    expected = [0.05 * compute_plateau_factor(validated[:epoch], ON_PLATEAUS) for epoch in range(7)]
    assert len(set(expected)) > 1, "the RMSE never rose, so that nothing was tried"
    for epoch, rate in enumerate(expected):
        rates = unfrozen.loc[unfrozen["epoch"] == 1 + epoch, "learning_rate_late"]
        assert rates.tolist() == pytest.approx([rate] * 3)
    assert history.loc[history["phase"] == "frozen", "learning_rate_head"].tolist() == [0.01] * 3


def test_a_training_on_plateaus_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = fit(ON_PLATEAUS)
    place = CheckpointPlace(tmp_path / "checkpoints", "a" * 64)

    def stop_in(epoch: int) -> Callable[[str, int], object]:
        @contextmanager
        def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
            if label.startswith(f"Epoch {epoch} "):
                raise KeyboardInterrupt
            yield lambda steps: None

        return progress

    for epoch in range(3, 9):
        with pytest.raises(KeyboardInterrupt):
            fit(ON_PLATEAUS, place, progress=stop_in(epoch))
    resumed = fit(ON_PLATEAUS, place)
    assert resumed.resumed == "went on after epoch 7"
    assert resumed.history.equals(whole.history)
    state = resumed.network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in whole.network.state_dict().items())
    assert np.isfinite(whole.history["train_loss"]).all()


def test_plateaus_are_refused_without_validation_galaxies() -> None:
    with pytest.raises(TrainingError, match="follows the validation RMSE, and there are no validation galaxies"):
        fit_network(make_data(8), None, TINY, ON_PLATEAUS, device=CPU)


def test_plateaus_are_refused_where_no_validation_galaxy_has_the_first_target() -> None:
    validation = make_data(4)
    validation.targets[:] = np.nan
    with pytest.raises(TrainingError, match="none of the 4 validation galaxies has the first target"):
        fit_network(make_data(8), validation, TINY, ON_PLATEAUS, device=CPU)
