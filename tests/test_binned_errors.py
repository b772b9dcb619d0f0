"""Promises of bins of truth and of prediction, and of the errors of their numbers."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.evaluation import (
    choose_bin_centres,
    compute_binned_errors,
    compute_binned_metrics,
    compute_binned_statistics,
    find_bins,
)
from metalight.evaluation.binned import STATISTICS, Binning

FloatArray = npt.NDArray[np.float64]


def make_galaxies(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    return truth, truth + generator.normal(0, 0.08, num)


@given(st.lists(st.floats(8, 9.5), min_size=1, max_size=60))
def test_bins_divide_the_galaxies_among_them_and_no_galaxy_is_in_two(values: list[float]) -> None:
    numbers = np.array(values)
    centres, half_width = choose_bin_centres(numbers)
    rows = np.concatenate(find_bins(numbers, centres, half_width))
    assert len(rows) == len(set(rows.tolist()))
    edges = np.append(centres - half_width, centres[-1] + half_width)
    is_inside = (numbers > edges[0]) & (numbers < edges[-1]) & (np.abs(numbers[:, None] - edges).min(axis=1) > 1e-9)
    assert set(np.flatnonzero(is_inside)) <= set(rows.tolist())


def test_a_value_exactly_on_an_edge_is_in_neither_bin() -> None:
    assert [rows.tolist() for rows in find_bins([0.5, 1.5, 1.0, 2.25], [0.0, 1.0, 2.0], 0.5)] == [[], [2], [3]]


def test_bins_of_prediction_are_bins_of_the_truth_with_the_two_exchanged() -> None:
    truth, predicted = make_galaxies(500)
    bins = choose_bin_centres(truth)
    one = compute_binned_statistics(truth, predicted, *bins, by="prediction")
    other = compute_binned_statistics(predicted, truth, *bins)
    for name in ("num", "median", "mean", "std", "rmse", "nmad", "residual_std"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-12)
    for name in ("mean_bias", "median_bias"):
        np.testing.assert_allclose(one[name], -other[name], atol=1e-12)


def test_every_number_is_followed_by_its_error_and_bins_by_their_edges() -> None:
    table = compute_binned_metrics(*make_galaxies(300), [8.9, 9.0], num_bootstrap=20)
    assert table.columns.tolist() == [
        *("centre", "low", "high", "num"),
        *(column for name in STATISTICS for column in (name, f"{name}_error")),
    ]
    assert table[["low", "high"]].to_numpy().tolist() == [[8.85, 8.95], [8.95, 9.05]]
    assert (table.filter(like="_error") > 0).all(axis=None)


@pytest.mark.parametrize("by", ["truth", "prediction"])
@pytest.mark.parametrize("num", [12, 300])
def test_errors_are_those_of_a_plain_bootstrap_of_the_bin(by: Binning, num: int) -> None:
    truth, predicted = make_galaxies(num, seed=num)
    (found,) = compute_binned_errors(truth, predicted, [8.9], 5.0, by=by, num_bootstrap=400).to_dict("records")
    generator = np.random.default_rng(99)
    drawn = []
    for _ in range(600):
        rows = generator.integers(0, num, num)
        drawn.append(compute_binned_statistics(truth[rows], predicted[rows], [8.9], 5.0, by=by).iloc[0])
    spread = pd.DataFrame(drawn).std() * math.sqrt(num / (num - 1))
    for name in STATISTICS:
        # Each side is known to 3.5 % and 2.9 %, for Gaussian numbers.
        assert found[f"{name}_error"] == pytest.approx(spread[name], rel=0.18), name


def test_the_spread_of_the_samples_is_enlarged_as_that_of_a_sample_about_its_mean() -> None:
    truth, predicted = make_galaxies(6)
    (found,) = compute_binned_errors(truth, predicted, [8.9], 5.0, num_bootstrap=40, seed=3).to_dict("records")
    rows = np.random.default_rng(3).integers(0, 6, size=(40, 6))
    medians = np.median(predicted[rows] - truth[rows], axis=1)
    assert found["median_bias_error"] == pytest.approx(medians.std(ddof=1) * math.sqrt(6 / 5))


def test_errors_of_gaussian_residuals_are_those_of_theory() -> None:
    generator = np.random.default_rng(1)
    truth = generator.uniform(-1, 1, 4000)
    errors = compute_binned_errors(truth, truth + generator.normal(0, 0.1, 4000), [0.0], 2.0).iloc[0]
    expected = {
        "mean_bias": 1.0,
        "median_bias": math.sqrt(math.pi / 2),
        "residual_std": math.sqrt(0.5),
        "rmse": math.sqrt(0.5),
        "nmad": 1.1664,  # the median absolute deviation has an efficiency of 36.75 % against the standard deviation
    }
    for name, factor in expected.items():
        assert errors[f"{name}_error"] == pytest.approx(factor * 0.1 / math.sqrt(4000), rel=0.17), name


def test_a_bin_of_one_galaxy_has_a_value_but_neither_a_width_nor_an_error() -> None:
    table = compute_binned_metrics([8.9, 9.2, 9.21], [8.8, 9.1, 9.3], [8.9, 9.0, 9.2], num_bootstrap=50)
    one, none, two = table.to_dict("records")
    assert (one["num"], none["num"], two["num"]) == (1, 0, 2)
    assert one["median"] == one["mean"] == 8.8
    assert one["rmse"] == pytest.approx(0.1)
    assert one["mean_bias"] == pytest.approx(-0.1)
    assert all(math.isnan(one[name]) for name in ("nmad", "std", "residual_std"))
    assert all(math.isnan(one[f"{name}_error"]) for name in STATISTICS)
    assert all(math.isnan(none[name]) and math.isnan(none[f"{name}_error"]) for name in STATISTICS)
    assert two["mean_bias_error"] == pytest.approx(np.std([-0.1, 0.09], ddof=1) / math.sqrt(2))
    assert math.isnan(two["nmad_error"])  # a bootstrap of two says nothing


@settings(max_examples=25)
@given(st.integers(5, 80), st.integers(0, 99), st.sampled_from(["truth", "prediction"]))
def test_the_order_of_galaxies_changes_no_number_of_a_bin_and_its_errors_hardly(
    num: int, seed: int, by: Binning
) -> None:
    truth, predicted = make_galaxies(num, seed)
    order = np.random.default_rng(seed).permutation(num)
    bins = choose_bin_centres(truth)
    first = compute_binned_statistics(truth, predicted, *bins, by=by)
    pd.testing.assert_frame_equal(first, compute_binned_statistics(truth[order], predicted[order], *bins, by=by))
    errors, others = (
        compute_binned_errors(*pair, *bins, by=by, num_bootstrap=10)["mean_bias_error"]
        for pair in ((truth, predicted), (truth[order], predicted[order]))
    )
    np.testing.assert_allclose(errors, others, atol=1e-12)


@given(st.integers(5, 60), st.integers(0, 99), st.floats(0.5, 4))
def test_bins_follow_a_change_of_unit(num: int, seed: int, scale: float) -> None:
    truth, predicted = make_galaxies(num, seed)
    first = compute_binned_metrics(truth, predicted, [8.8, 9.0], 0.1, num_bootstrap=5)
    second = compute_binned_metrics(
        scale * truth, scale * predicted, [scale * 8.8, scale * 9.0], scale * 0.1, num_bootstrap=5
    )
    if (first["num"] == second["num"]).all():  # but for a galaxy on an edge
        for name in (*STATISTICS, *(f"{name}_error" for name in STATISTICS)):
            np.testing.assert_allclose(second[name], scale * first[name], rtol=1e-6, atol=1e-9)


def test_errors_of_a_bin_depend_on_its_own_galaxies_only() -> None:
    truth, predicted = make_galaxies(400)
    whole = compute_binned_errors(truth, predicted, [8.8, 9.0], num_bootstrap=20)
    alone = truth < 8.86
    part = compute_binned_errors(truth[alone], predicted[alone], [8.8, 9.0], num_bootstrap=20)
    pd.testing.assert_series_equal(whole.iloc[0], part.iloc[0])
    assert part.iloc[1].isna().all()
