"""Promises of the metrics: the published numbers, what changes them and what does not, and honest intervals."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from astropy.stats import mad_std
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metalight import metrics as metrics_module
from metalight.metrics import Interval, compute_baseline, compute_metrics, compute_nmad, compute_rmse

FloatArray = npt.NDArray[np.float64]

NAMES = [
    *("rmse", "nmad", "mean_bias", "median_bias", "mae", "r2"),
    *("fraction_over_3_nmad", "fraction_over_5_nmad", "fraction_over_0.2", "fraction_over_0.3"),
]
VALUES = st.floats(-100, 100, allow_subnormal=False)
RESIDUALS = hnp.arrays(np.float64, st.integers(1, 60), elements=VALUES)
PAIRS = hnp.arrays(np.float64, st.tuples(st.integers(1, 60), st.just(2)), elements=VALUES)


def make_galaxies(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    return truth, truth + generator.standard_t(4, num) * 0.07


def values_of(metrics: dict[str, Interval]) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics.items()}


@pytest.mark.parametrize(
    ("size", "rmse", "nmad"),
    [(128, 0.084950, 0.065031), (64, 0.087968, 0.067804), (32, 0.093018, 0.070886), (16, 0.104380, 0.079980)],
)
def test_the_published_predictions_have_their_known_scatter(
    shared_folder: object, size: int, rmse: float, nmad: float
) -> None:
    table = pd.read_csv(f"{shared_folder}/published/predictions_{size}px.csv")
    metrics = compute_metrics(table["oh_p50"], table["prediction"], num_bootstrap=0)
    assert metrics["rmse"].value == pytest.approx(rmse, abs=5e-7)
    assert metrics["nmad"].value == pytest.approx(nmad, abs=5e-7)
    assert compute_rmse(table["oh_p50"], table["prediction"]) == metrics["rmse"].value
    assert compute_nmad(table["prediction"] - table["oh_p50"]) == pytest.approx(metrics["nmad"].value, abs=1e-12)


def test_the_published_predictions_have_the_other_known_numbers_and_intervals(shared_folder: object) -> None:
    table = pd.read_csv(f"{shared_folder}/published/predictions_128px.csv")
    metrics = compute_metrics(table["oh_p50"], table["prediction"], num_bootstrap=200)
    # The known numbers are of 100 galaxies more, hence the tolerance.
    known = {
        "mean_bias": -0.0046,
        "median_bias": -0.0104,
        "mae": 0.0611,
        "r2": 0.8202,
        "fraction_over_3_nmad": 0.0338,
        "fraction_over_5_nmad": 0.0054,
        "fraction_over_0.2": 0.0316,
        "fraction_over_0.3": 0.0075,
    }
    for name, value in known.items():
        assert metrics[name].value == pytest.approx(value, abs=2.5e-4), name
    assert metrics["rmse"].low == pytest.approx(0.0841, abs=3e-4)
    assert metrics["rmse"].high == pytest.approx(0.0856, abs=3e-4)
    assert metrics["nmad"].high - metrics["nmad"].low == pytest.approx(2 * 0.0006, abs=3e-4)


def test_predicting_the_mean_of_the_published_truths_has_its_known_scatter(shared_folder: object) -> None:
    truth = pd.read_csv(f"{shared_folder}/published/predictions_128px.csv")["oh_p50"]
    baseline = compute_baseline(truth, float(truth.mean()), num_bootstrap=0)
    assert baseline["rmse"].value == pytest.approx(0.2003, abs=5e-5)
    assert baseline["nmad"].value == pytest.approx(0.1709, abs=1e-4)
    assert baseline["r2"].value == pytest.approx(0, abs=1e-12)


def test_a_small_sample_scored_by_hand() -> None:
    metrics = values_of(compute_metrics([8.0, 8.5, 9.0, 9.5], [8.1, 8.4, 9.0, 9.9], num_bootstrap=0))
    assert list(metrics) == NAMES
    # Residuals +0.1, −0.1, 0, +0.4: median 0.05, deviations from it 0.05, 0.15, 0.05, 0.35.
    expected = {
        "rmse": math.sqrt(0.18 / 4),
        "nmad": 1.4826 * 0.1,
        "mean_bias": 0.1,
        "median_bias": 0.05,
        "mae": 0.15,
        "r2": 1 - 0.18 / 1.25,
        "fraction_over_3_nmad": 0.0,
        "fraction_over_5_nmad": 0.0,
        "fraction_over_0.2": 0.25,
        "fraction_over_0.3": 0.25,
    }
    assert metrics == pytest.approx(expected, abs=1e-12)


def test_outliers_are_counted_in_units_of_nmad() -> None:
    residuals = np.array([-1.0, -0.1, -0.1, 0.0, 0.1, 0.1, 0.6])
    metrics = values_of(compute_metrics(np.arange(7.0), np.arange(7.0) + residuals, num_bootstrap=0))
    assert metrics["nmad"] == pytest.approx(0.14826)
    assert metrics["fraction_over_3_nmad"] == pytest.approx(2 / 7)  # over 0.445
    assert metrics["fraction_over_5_nmad"] == pytest.approx(1 / 7)  # over 0.741


@given(RESIDUALS)
def test_nmad_agrees_with_astropy(residuals: FloatArray) -> None:
    # Its factor has more digits than the 1.4826 of the literature.
    assert compute_nmad(residuals) == pytest.approx(float(mad_std(residuals)), rel=1e-5, abs=1e-12)


@given(RESIDUALS, VALUES, st.floats(-10, 10))
def test_nmad_ignores_a_shift_and_follows_a_scale(residuals: FloatArray, shift: float, scale: float) -> None:
    assert compute_nmad(residuals + shift) == pytest.approx(compute_nmad(residuals), abs=1e-10)
    assert compute_nmad(residuals * scale) == pytest.approx(abs(scale) * compute_nmad(residuals), abs=1e-10)


@given(PAIRS)
def test_rmse_combines_bias_and_spread(pairs: FloatArray) -> None:
    truth, predicted = pairs.T
    residuals = predicted - truth
    assert compute_rmse(truth, predicted) == pytest.approx(np.hypot(residuals.mean(), residuals.std()), abs=1e-8)
    assert compute_rmse(truth, predicted) == compute_rmse(predicted, truth)


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_galaxies_changes_no_metric(pairs: FloatArray, random: object) -> None:
    order = list(range(len(pairs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = values_of(compute_metrics(*pairs.T, num_bootstrap=0))
    second = values_of(compute_metrics(*pairs[order].T, num_bootstrap=0))
    # A fraction may tip where a residual equals its limit to the last digit.
    for name in NAMES[:6]:
        assert second[name] == pytest.approx(first[name], rel=1e-6, abs=1e-9, nan_ok=True)


@given(st.integers(2, 60), st.integers(0, 99), st.floats(-5, 5), st.floats(0.1, 9))
def test_metrics_follow_a_change_of_unit(num: int, seed: int, shift: float, scale: float) -> None:
    truth, predicted = make_galaxies(num, seed)
    first = values_of(compute_metrics(truth, predicted, num_bootstrap=0))
    second = values_of(compute_metrics(scale * truth + shift, scale * predicted + shift, num_bootstrap=0))
    for name in ("rmse", "nmad", "mean_bias", "median_bias", "mae"):
        assert second[name] == pytest.approx(scale * first[name], abs=1e-9)
    assert second["r2"] == pytest.approx(first["r2"], rel=1e-6)


@given(PAIRS, VALUES)
def test_the_baseline_is_a_constant_prediction(pairs: FloatArray, mean: float) -> None:
    truth = pairs[:, 0]
    baseline = values_of(compute_baseline(truth, mean, num_bootstrap=0))
    constant = values_of(compute_metrics(truth, [mean] * len(truth), num_bootstrap=0))
    assert baseline == pytest.approx(constant, nan_ok=True)
    assert baseline["mean_bias"] == pytest.approx(mean - truth.mean(), abs=1e-9)


def test_no_constant_beats_the_mean() -> None:
    truth, _ = make_galaxies(100)
    means = [truth.mean() + shift for shift in (0, -0.01, 0.01, 0.3)]
    errors = [compute_baseline(truth, mean, num_bootstrap=0)["rmse"].value for mean in means]
    assert min(errors) == errors[0]


@pytest.mark.parametrize("value", [8.9, 0.1, 0.0])
def test_a_truth_that_does_not_vary_has_no_r2(value: float) -> None:
    metrics = compute_metrics([value] * 7, np.linspace(8, 9, 7), num_bootstrap=20)
    assert math.isnan(metrics["r2"].value)
    assert math.isnan(metrics["r2"].low)
    assert metrics["rmse"].low < metrics["rmse"].high


def test_perfect_predictions_have_no_scatter() -> None:
    metrics = values_of(compute_metrics([8.5, 9.0], [8.5, 9.0], num_bootstrap=5))
    assert metrics == {name: (1.0 if name == "r2" else 0.0) for name in NAMES}


def test_without_a_bootstrap_there_is_no_interval() -> None:
    metrics = compute_metrics(*make_galaxies(50), num_bootstrap=0)
    assert all(math.isnan(metric.low) and math.isnan(metric.high) for metric in metrics.values())


def test_the_bootstrap_is_the_plain_one_galaxies_drawn_together() -> None:
    truth, predicted = make_galaxies(40)
    metrics = compute_metrics(truth, predicted, num_bootstrap=60, seed=3)
    generator = np.random.default_rng(3)
    drawn = []
    for _ in range(60):
        rows = generator.integers(0, 40, size=40)
        drawn.append(values_of(compute_metrics(truth[rows], predicted[rows], num_bootstrap=0)))
    for name in NAMES:
        low, high = np.percentile([values[name] for values in drawn], [16, 84])
        assert (metrics[name].low, metrics[name].high) == pytest.approx((low, high), abs=1e-12), name


def test_chunks_of_any_size_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_metrics(*make_galaxies(101), num_bootstrap=37)
    for num_at_once in (1, 250, 10_000):
        monkeypatch.setattr(metrics_module, "NUM_DRAWN_AT_ONCE", num_at_once)
        assert compute_metrics(*make_galaxies(101), num_bootstrap=37) == whole


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    lows = [compute_metrics(*make_galaxies(30), num_bootstrap=50, seed=seed)["rmse"].low for seed in (0, 0, 1)]
    assert lows[0] == lows[1] != lows[2]


def test_the_interval_of_rmse_has_the_width_that_theory_gives() -> None:
    generator = np.random.default_rng(5)
    truth = generator.normal(8.9, 0.2, 2000)
    metric = compute_metrics(truth, truth + generator.normal(0, 0.1, 2000), num_bootstrap=400)["rmse"]
    # The standard error of the RMSE of Gaussian residuals is σ / sqrt(2 N).
    assert (metric.high - metric.low) / 2 == pytest.approx(0.1 / math.sqrt(4000), rel=0.2)
    assert metric.low < metric.value < metric.high


@settings(max_examples=30)
@given(PAIRS, st.integers(1, 20))
def test_intervals_are_ordered(pairs: FloatArray, num_bootstrap: int) -> None:
    for name, metric in compute_metrics(*pairs.T, num_bootstrap=num_bootstrap).items():
        assert metric.low <= metric.high or name == "r2"


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], "truth must be one-dimensional with at least one value"),
        ([1.0, 2.0], [1.0], "truth has 2 values and predicted 1"),
        ([1.0, float("nan")], [1.0, 2.0], "1 of 2 values of truth are not finite"),
        ([1.0, 2.0], [float("inf"), float("nan")], "2 of 2 values of predicted are not finite"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "one-dimensional"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth: list[float], predicted: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute_metrics(truth, predicted)
    with pytest.raises(ValueError, match=message):
        compute_rmse(truth, predicted)


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        compute_nmad([])
    with pytest.raises(ValueError, match="not finite"):
        compute_nmad([0.0, float("nan")])
    with pytest.raises(ValueError, match="num_bootstrap must be 0 or more"):
        compute_metrics([1.0], [1.0], num_bootstrap=-1)
    with pytest.raises(ValueError, match="not finite"):
        compute_baseline([1.0, 2.0], float("nan"))
