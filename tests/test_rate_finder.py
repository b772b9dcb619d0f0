"""Promises of the learning-rate finder: the valley of a loss is found, a plain is told, nothing is changed by it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from call import refuse, succeed
from make import TINY
from metalight.training import RateRange, choose_part, find_learning_rate, judge_losses
from test_training import CPU, QUICK, make_data

pytestmark = pytest.mark.usefixtures("unrendered")


@given(st.floats(-4, -1), st.integers(0, 20))
def test_the_steepest_fall_is_found_between_standing_still_and_breaking(centre: float, seed: int) -> None:
    rates = np.logspace(-6, 1, 140)
    noise = np.random.default_rng(seed).normal(0, 0.03, len(rates))
    # Falls by half about the centre, and grows without bound a decade and a half above.
    losses = 1 - 0.5 / (1 + np.exp(-4 * (np.log10(rates) - centre))) + noise
    losses = losses + np.exp(6 * (np.log10(rates) - centre - 1.5))
    losses[losses > 20] = np.inf
    trial = judge_losses(rates, losses)
    assert trial.has_diverged
    # The running mean lags behind by some steps of a twentieth of a decade.
    assert abs(np.log10(trial.suggested) - centre) < 1.0
    assert trial.suggested < trial.at_lowest_loss < 10 ** (centre + 1.6)
    assert np.isfinite(trial.history["loss"]).all()


@given(st.integers(0, 20))
def test_nothing_is_suggested_where_the_loss_does_not_fall(seed: int) -> None:
    rates = np.logspace(-6, -3, 60)
    flat = judge_losses(rates, np.ones(60) + np.random.default_rng(seed).normal(0, 0.001, 60))
    rising = judge_losses(rates, np.linspace(1, 2, 60))
    for trial in (flat, rising):
        assert np.isnan(trial.suggested)
        assert not trial.has_diverged


def test_the_trial_repeats_and_its_rates_are_those_asked_for() -> None:
    data = make_data(20)
    rates = RateRange(1e-5, 1e3, 60)

    def find() -> object:
        torch.manual_seed(7)
        before = torch.get_rng_state()
        trial = find_learning_rate(data, TINY, QUICK, rates, is_body_frozen=False, device=CPU)
        assert torch.equal(before, torch.get_rng_state())
        return trial

    one, two = find(), find()
    assert one.history.equals(two.history)  # type: ignore[attr-defined]
    tried = one.history["learning_rate"].to_numpy()  # type: ignore[attr-defined]
    assert tried[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(tried[1:] / tried[:-1], 1e8 ** (1 / 59))
    assert one.has_diverged  # type: ignore[attr-defined]


def test_the_command_tells_and_draws(sample: Path) -> None:
    arguments = ("study", "learning-rate", sample / "recipe.toml", "-o", sample / "rates", "--steps", 40)
    output = " ".join(succeed(*arguments).split())
    assert "not which give the best predictions" in output
    told = json.loads((sample / "rates/learning_rate.json").read_text())
    assert told["num_steps"] <= 40
    assert (sample / "rates/learning_rate.pdf").is_file()
    frozen = json.loads((sample / "rates/learning_rate.json").read_text())
    assert frozen["is_body_frozen"] is False
    message = refuse(*arguments, "--lowest", 1, "--highest", 0.1, status=2)
    assert "Rates from 1 to 0.1 are not a range" in message
    assert "a --lowest above 0" in refuse(*arguments, "--lowest", 0, status=2)


@given(st.integers(2, 300), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 5))
def test_the_larger_part_of_a_training_set_has_all_of_the_smaller(n: int, a: float, b: float, seed: int) -> None:
    object_ids = np.random.default_rng(seed).permutation(10 * n)[:n].astype(np.int64)
    small, large = (set(object_ids[choose_part(object_ids, part, seed=seed)].tolist()) for part in sorted((a, b)))
    assert small <= large
    assert len(large) == min(n, max(2, round(max(a, b) * n)))
    backwards = object_ids[::-1]
    assert set(backwards[choose_part(backwards, max(a, b), seed=seed)].tolist()) == large
    assert choose_part(object_ids, 1.0, seed=seed).all()


@pytest.mark.parametrize("bounds", [(1e-300, 1e300), (1e-3, 1.0001e-3), (1e-30, 1.0), (1e-3, 1e30)])
def test_ranges_that_tell_nothing_are_refused(sample: Path, bounds: tuple[float, float]) -> None:
    low, high = (f"{bound:g}" for bound in bounds)
    arguments = ("study", "learning-rate", sample / "recipe.toml", "-o", sample / "rates")
    message = refuse(*arguments, "--lowest", low, "--highest", high, status=2)
    assert "tell nothing" in message
    assert not (sample / "rates").exists()
