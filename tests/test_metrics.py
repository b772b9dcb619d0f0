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

from metalight import intervals
from metalight.intervals import Interval
from metalight.metrics import compute_baseline, compute_metrics, compute_nmad, compute_rmse

FloatArray = npt.NDArray[np.float64]

NAMES = [
    *("rmse", "nmad", "mean_bias", "median_bias", "mae", "r2"),
    *("fraction_over_3_nmad", "fraction_over_5_nmad", "fraction_over_0.2", "fraction_over_0.3"),
    *("std", "fraction_within_0.1", "max_abs_residual", "nmad_over_rmse", "rmse_over_sigma"),
    *("pearson_r", "slope_predicted_on_true", "intercept_predicted_on_true", "slope_true_on_predicted"),
    *("intercept_true_on_predicted", "rmse_calibrated", "predicted_std", "predicted_min", "predicted_max"),
]
IN_THE_UNIT = {
    *("rmse", "nmad", "mean_bias", "median_bias", "mae", "std", "max_abs_residual", "rmse_calibrated", "predicted_std")
}
WITHOUT_UNIT = {
    *("r2", "fraction_over_3_nmad", "fraction_over_5_nmad", "nmad_over_rmse", "rmse_over_sigma", "pearson_r"),
    *("slope_predicted_on_true", "slope_true_on_predicted"),
}
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
        "std": math.sqrt(0.045 - 0.1**2),
        "fraction_within_0.1": 0.75,  # 8.1 − 8.0 is a little less in floating point
        "max_abs_residual": 0.4,
        "nmad_over_rmse": 0.14826 / math.sqrt(0.045),
        "rmse_over_sigma": math.sqrt(0.045 / 0.3125),
        # Products of deviations: −0.75 × −0.75, −0.25 × −0.45, 0.25 × 0.15 and 0.75 × 1.05.
        "pearson_r": 0.375 / math.sqrt(0.3125 * 0.4725),
        "slope_predicted_on_true": 0.375 / 0.3125,
        "intercept_predicted_on_true": 8.85 - 1.2 * 8.75,
        "slope_true_on_predicted": 0.375 / 0.4725,
        "intercept_true_on_predicted": 8.75 - 8.85 * 0.375 / 0.4725,
        "rmse_calibrated": math.sqrt(0.3125 - 0.375**2 / 0.4725),
        "predicted_std": math.sqrt(0.4725),
        "predicted_min": 8.1,
        "predicted_max": 9.9,
    }
    assert metrics == pytest.approx(expected, abs=1e-12)


def test_outliers_are_counted_in_units_of_nmad() -> None:
    residuals = np.array([-1.0, -0.1, -0.1, 0.0, 0.1, 0.1, 0.6])
    metrics = values_of(compute_metrics(np.arange(7.0), np.arange(7.0) + residuals, num_bootstrap=0))
    assert metrics["nmad"] == pytest.approx(0.14826)
    assert metrics["fraction_over_3_nmad"] == pytest.approx(2 / 7)  # over 0.445
    assert metrics["fraction_over_5_nmad"] == pytest.approx(1 / 7)  # over 0.741


def test_outliers_and_good_predictions_are_counted_in_the_unit_of_the_target() -> None:
    residuals = np.array([0.05, -0.09, 0.15, -0.25, 0.35])
    metrics = values_of(compute_metrics(np.zeros(5), residuals, num_bootstrap=0))
    found = [metrics[name] for name in ("fraction_within_0.1", "fraction_over_0.2", "fraction_over_0.3")]
    assert found == pytest.approx([0.4, 0.4, 0.2])


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
    for name in (name for name in NAMES if not name.startswith("fraction")):
        assert second[name] == pytest.approx(first[name], rel=1e-6, abs=1e-9, nan_ok=True), name


@given(st.integers(2, 60), st.integers(0, 99), st.floats(-5, 5), st.floats(0.1, 9))
def test_metrics_follow_a_change_of_unit(num: int, seed: int, shift: float, scale: float) -> None:
    truth, predicted = make_galaxies(num, seed)
    first = values_of(compute_metrics(truth, predicted, num_bootstrap=0))
    second = values_of(compute_metrics(scale * truth + shift, scale * predicted + shift, num_bootstrap=0))
    for name in NAMES:
        if name in IN_THE_UNIT:
            assert second[name] == pytest.approx(scale * first[name], abs=1e-7), name
        elif name in WITHOUT_UNIT:
            assert second[name] == pytest.approx(first[name], rel=1e-6, abs=1e-6), name
    for name in ("predicted_min", "predicted_max"):
        assert second[name] == pytest.approx(scale * first[name] + shift, abs=1e-7)
    for x, y in (("true", "predicted"), ("predicted", "true")):
        slope, intercept = (second[f"{part}_{y}_on_{x}"] for part in ("slope", "intercept"))
        assert slope * shift + intercept == pytest.approx(shift + scale * first[f"intercept_{y}_on_{x}"], abs=1e-6)


@given(st.integers(3, 60), st.integers(0, 99))
def test_lines_and_correlation_agree_with_numpy(num: int, seed: int) -> None:
    truth, predicted = make_galaxies(num, seed)
    metrics = values_of(compute_metrics(truth, predicted, num_bootstrap=0))
    for x, y, name in ((truth, predicted, "predicted_on_true"), (predicted, truth, "true_on_predicted")):
        line = np.polyfit(x - 8.9, y, 1)
        assert metrics[f"slope_{name}"] == pytest.approx(line[0], rel=1e-6, abs=1e-9)
        assert metrics[f"intercept_{name}"] == pytest.approx(line[1] - 8.9 * line[0], rel=1e-6, abs=1e-6)
        if name == "true_on_predicted":
            left = y - np.polyval(line, x - 8.9)
            assert metrics["rmse_calibrated"] == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-6, abs=1e-9)
    assert metrics["pearson_r"] == pytest.approx(np.corrcoef(truth, predicted)[0, 1], rel=1e-6, abs=1e-9)
    slopes = metrics["slope_predicted_on_true"] * metrics["slope_true_on_predicted"]
    assert slopes == pytest.approx(metrics["pearson_r"] ** 2, rel=1e-6)
    assert metrics["rmse_over_sigma"] == pytest.approx(math.sqrt(1 - metrics["r2"]), rel=1e-6)


def test_the_predictions_that_are_means_of_what_they_cannot_tell_apart_have_the_slopes_of_theory() -> None:
    generator = np.random.default_rng(2)
    seen, unseen = generator.normal(0, 0.18, 20_000), generator.normal(0, 0.09, 20_000)
    metrics = values_of(compute_metrics(8.9 + seen + unseen, 8.9 + seen, num_bootstrap=0))
    assert metrics["slope_true_on_predicted"] == pytest.approx(1, abs=0.01)
    assert metrics["slope_predicted_on_true"] == pytest.approx(0.8, abs=0.01)
    assert metrics["r2"] == pytest.approx(0.8, abs=0.01)


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
    assert math.isnan(metrics.pop("nmad_over_rmse"))
    ones = ("r2", "pearson_r", "slope_predicted_on_true", "slope_true_on_predicted", "fraction_within_0.1")
    own = {"predicted_std": 0.25, "predicted_min": 8.5, "predicted_max": 9.0}
    assert metrics == pytest.approx(
        {name: own.get(name, float(name in ones)) for name in NAMES if name != "nmad_over_rmse"}, abs=1e-12
    )


def test_predicting_one_value_has_neither_a_correlation_nor_a_line_through_the_truth() -> None:
    metrics = values_of(compute_metrics(make_galaxies(50)[0], [8.9] * 50, num_bootstrap=10))
    for name in ("pearson_r", "slope_true_on_predicted", "intercept_true_on_predicted"):
        assert math.isnan(metrics[name])
    assert metrics["rmse_calibrated"] == pytest.approx(make_galaxies(50)[0].std())
    assert metrics["slope_predicted_on_true"] == 0
    assert metrics["predicted_std"] == 0


def test_without_a_bootstrap_only_fractions_have_an_interval() -> None:
    metrics = compute_metrics(*make_galaxies(50), num_bootstrap=0)
    for name, metric in metrics.items():
        assert math.isnan(metric.low) == math.isnan(metric.high) == (not name.startswith("fraction_")), name


def test_extremes_have_no_interval_and_fractions_that_of_wilson_even_of_none() -> None:
    truth = np.linspace(8, 9, 300)
    metrics = compute_metrics(truth, truth + np.resize([-0.01, 0.01], 300), num_bootstrap=20)
    for name in ("max_abs_residual", "predicted_min", "predicted_max"):
        assert math.isnan(metrics[name].low), name
        assert math.isnan(metrics[name].high), name
    # Of 0 of n, Wilson's 68 % interval ends at 1 / (n + 1).
    none, every = metrics["fraction_over_0.2"], metrics["fraction_within_0.1"]
    assert [none.value, none.low, none.high] == pytest.approx([0, 0, 1 / 301])
    assert [every.value, every.low, every.high] == pytest.approx([1, 300 / 301, 1])


def test_the_bootstrap_is_the_plain_one_galaxies_drawn_together() -> None:
    truth, predicted = make_galaxies(40)
    metrics = compute_metrics(truth, predicted, num_bootstrap=60, seed=3)
    generator = np.random.default_rng(3)
    drawn = []
    for _ in range(60):
        rows = generator.integers(0, 40, size=40)
        drawn.append(values_of(compute_metrics(truth[rows], predicted[rows], num_bootstrap=0)))
    for name in NAMES:
        if name.startswith("fraction_") or name in ("max_abs_residual", "predicted_min", "predicted_max"):
            continue
        low, high = np.percentile([values[name] for values in drawn], [16, 84])
        assert (metrics[name].low, metrics[name].high) == pytest.approx((low, high), abs=1e-10), name


def test_chunks_of_any_size_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_metrics(*make_galaxies(101), num_bootstrap=37)
    for num_at_once in (1, 250, 10_000):
        monkeypatch.setattr(intervals, "NUM_DRAWN_AT_ONCE", num_at_once)
        assert repr(compute_metrics(*make_galaxies(101), num_bootstrap=37)) == repr(whole)


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
        assert metric.low <= metric.high or np.isnan(metric.low), name


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
