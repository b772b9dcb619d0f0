"""Promises of paired differences: intervals that hold what they say, and signs that follow the order of A and B."""

import json
import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metalight import intervals
from metalight.evaluation import (
    build_record,
    choose_bin_centres,
    compare_predictions,
    compute_binned_differences,
    describe_verdict,
    format_comparison,
)
from metalight.metrics import BETTER, compute_metrics, compute_paired_metrics

FloatArray = npt.NDArray[np.float64]

VALUES = st.floats(-100, 100, allow_subnormal=False)
TRIPLES = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=VALUES)


EXTREMES = {"max_abs_residual", "predicted_min", "predicted_max"}
MAY_LACK = EXTREMES | {
    *("r2", "rmse_over_sigma", "nmad_over_rmse", "pearson_r", "slope_predicted_on_true"),
    *("intercept_predicted_on_true", "slope_true_on_predicted", "intercept_true_on_predicted"),
}
"""Metrics that are not defined where something does not vary."""


def make_pair(
    num: int, seed: int = 0, *, sigma_a: float = 0.08, sigma_b: float = 0.09, correlation: float = 0.9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Truth and two predictions whose residuals are Gaussian, correlated, and of a known RMSE each."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    shared, own = generator.normal(size=(2, num))
    other = correlation * shared + math.sqrt(1 - correlation**2) * own
    return truth, truth + sigma_a * shared, truth + sigma_b * other


def test_intervals_of_a_difference_hold_the_true_one_as_often_as_they_should() -> None:
    num_samples, inside, inside_95 = 300, {"rmse": 0, "mae": 0}, 0
    true = {"rmse": 0.01, "mae": 0.01 * math.sqrt(2 / math.pi)}
    for seed in range(num_samples):
        metrics = compute_paired_metrics(*make_pair(150, seed), num_bootstrap=200, seed=seed)
        for name, difference in true.items():
            inside[name] += metrics[name].difference.low <= difference <= metrics[name].difference.high
        inside_95 += metrics["rmse"].difference_95.low <= true["rmse"] <= metrics["rmse"].difference_95.high
    # Within three standard errors of a binomial of 300, 8 % and 4.4 %, of what an independent bootstrap of the same
    # kind reaches in 4,000 simulations: 67 % and, with as few as 200 samples, 93 %. Unpaired intervals hold it in 94 %.
    assert 0.60 <= inside["rmse"] / num_samples <= 0.76
    assert 0.60 <= inside["mae"] / num_samples <= 0.76
    assert 0.886 <= inside_95 / num_samples <= 0.974


def test_what_makes_a_sample_hard_for_both_cancels_in_the_difference() -> None:
    rmse = compute_paired_metrics(*make_pair(1000, correlation=0.99), num_bootstrap=300)["rmse"]
    width = rmse.difference.high - rmse.difference.low
    assert width < 0.3 * math.hypot(rmse.a.high - rmse.a.low, rmse.b.high - rmse.b.low)
    assert rmse.difference_95.low < rmse.difference.low < 0.01 < rmse.difference.high < rmse.difference_95.high


@settings(max_examples=50)
@given(TRIPLES, st.integers(0, 99))
def test_exchanging_a_and_b_changes_every_sign_and_no_digit(triples: FloatArray, seed: int) -> None:
    truth, a, b = triples.T
    first = compute_paired_metrics(truth, a, b, num_bootstrap=17, seed=seed)
    second = compute_paired_metrics(truth, b, a, num_bootstrap=17, seed=seed)
    for name, metric in first.items():
        other = second[name]
        assert repr((metric.a, metric.b)) == repr((other.b, other.a))
        for one, two in ((metric.difference, other.difference), (metric.difference_95, other.difference_95)):
            np.testing.assert_array_equal([one.value, one.low, one.high], [-two.value, -two.high, -two.low])
        np.testing.assert_array_equal(metric.drawn, -other.drawn)
        assert metric.fraction_b_better == pytest.approx(1 - other.fraction_b_better, nan_ok=True)


@settings(max_examples=30)
@given(TRIPLES, st.integers(0, 99))
def test_each_by_itself_is_scored_as_alone_by_the_same_draws(triples: FloatArray, seed: int) -> None:
    truth, a, b = triples.T
    paired = compute_paired_metrics(truth, a, b, num_bootstrap=13, seed=seed)
    assert repr({name: metric.a for name, metric in paired.items()}) == repr(
        compute_metrics(truth, a, num_bootstrap=13, seed=seed)
    )
    assert repr({name: metric.b for name, metric in paired.items()}) == repr(
        compute_metrics(truth, b, num_bootstrap=13, seed=seed)
    )


def test_the_bootstrap_is_the_plain_one_the_same_galaxies_drawn_for_both() -> None:
    truth, a, b = make_pair(40)
    paired = compute_paired_metrics(truth, a, b, num_bootstrap=60, seed=3)
    generator = np.random.default_rng(3)
    drawn = []
    for _ in range(60):
        rows = generator.integers(0, 40, size=40)
        of_a, of_b = (compute_metrics(truth[rows], each[rows], num_bootstrap=0) for each in (a, b))
        drawn.append({name: of_b[name].value - of_a[name].value for name in of_a})
    for name, metric in paired.items():
        differences = [values[name] for values in drawn]
        np.testing.assert_allclose(metric.drawn, differences, atol=1e-12)
        for interval, percentiles in ((metric.difference, [16, 84]), (metric.difference_95, [2.5, 97.5])):
            bounds = (math.nan, math.nan) if name in EXTREMES else np.percentile(differences, percentiles)
            assert (interval.low, interval.high) == pytest.approx(bounds, abs=1e-12, nan_ok=True)
    assert paired["rmse"].fraction_b_better == np.mean([values["rmse"] < 0 for values in drawn])


def test_chunks_of_any_size_give_the_same_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_paired_metrics(*make_pair(101), num_bootstrap=37)
    for num_at_once in (1, 250, 10_000):
        monkeypatch.setattr(intervals, "NUM_DRAWN_AT_ONCE", num_at_once)
        again = compute_paired_metrics(*make_pair(101), num_bootstrap=37)
        for name, metric in whole.items():
            np.testing.assert_array_equal(again[name].drawn, metric.drawn)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 30), st.just(2)), elements=VALUES))
def test_predictions_compared_with_themselves_differ_by_exactly_nothing(pairs: FloatArray) -> None:
    truth, predicted = pairs.T
    comparison = compare_predictions(truth, predicted, predicted.copy(), num_bootstrap=5)
    assert comparison.is_identical
    assert comparison.rms_between == 0
    for name, metric in comparison.metrics.items():
        for interval in (metric.difference, metric.difference_95):
            numbers = [interval.value, interval.low, interval.high]
            assert numbers == [0, 0, 0] or (name in MAY_LACK and np.isnan(numbers).any()), name
    assert describe_verdict(comparison, "dex").startswith("A and B are identical predictions of these")
    assert "-0.0" not in json.dumps(build_record(comparison, "dex")["metrics"]["rmse"])


def test_better_is_smaller_larger_or_nearer_0_as_the_metric_has_it() -> None:
    truth = np.linspace(8, 9, 50)
    wave = np.random.default_rng(0).permutation(np.linspace(-1, 1, 50))
    # B's residuals are smaller and their mean lies below 0, but nearer to it.
    metrics = compute_paired_metrics(truth, truth + 0.5 * wave + 0.6, truth + 0.09 * wave - 0.1, num_bootstrap=50)
    assert {name: metrics[name].fraction_b_better for name in BETTER} == dict.fromkeys(BETTER, 1.0)
    assert math.isnan(metrics["fraction_over_3_nmad"].fraction_b_better)
    ties = compute_paired_metrics(truth, truth + 0.01, truth - 0.01, num_bootstrap=50)
    assert ties["fraction_over_0.2"].fraction_b_better == 0.5


def test_the_published_resolutions_compare_as_known(shared_folder: object) -> None:
    tables = [pd.read_csv(f"{shared_folder}/published/predictions_{size}px.csv") for size in (128, 64)]
    merged = tables[0].merge(tables[1], on="objID")
    assert len(merged) == 20_366
    comparison = compare_predictions(
        merged["oh_p50_x"], merged["prediction_x"], merged["prediction_y"], num_bootstrap=100
    )
    # ../shared/reference/paper-facts.md, section 3, of 20,466 galaxies.
    assert comparison.residual_correlation == pytest.approx(0.947, abs=1e-3)
    assert comparison.rmse_of_mean == pytest.approx(0.0852, abs=1e-4)
    assert comparison.nmad_of_mean == pytest.approx(0.0659, abs=1e-4)
    rmse = comparison.metrics["rmse"]
    assert (rmse.a.value, rmse.b.value) == pytest.approx((0.084950, 0.087968), abs=5e-7)
    assert rmse.difference_95.low > 0.002
    assert rmse.difference_95.high < 0.004
    assert rmse.fraction_b_better == 0
    verdict = describe_verdict(comparison, "dex")
    assert verdict.startswith("B's RMSE is higher than A's by 0.0030")
    assert verdict.endswith("excludes 0).")


def test_a_verdict_says_who_is_lower_or_that_these_galaxies_cannot_tell() -> None:
    truth, a, b = make_pair(800)
    lower = describe_verdict(compare_predictions(truth, b, a, num_bootstrap=200), "dex")
    assert lower.startswith("B's RMSE is lower than A's by 0.0")
    assert lower.replace("lower", "higher") == describe_verdict(
        compare_predictions(truth, a, b, num_bootstrap=200), "dex"
    )
    alike = make_pair(60, sigma_a=0.08, sigma_b=0.08, correlation=0.3)
    verdict = describe_verdict(compare_predictions(*alike, num_bootstrap=200), "")
    assert verdict.startswith("No difference in RMSE that these 60 galaxies can show: B − A is ")
    assert verdict.endswith("includes 0).")


def test_a_verdict_tells_where_outliers_alone_make_the_difference() -> None:
    truth = np.linspace(8, 9, 400)
    wave = np.tile([1.0, -1.0, 0.3, -0.3], 100)
    spoilt = 0.05 * wave
    spoilt[::20] += 1.0
    verdict = describe_verdict(compare_predictions(truth, truth + 0.1 * wave, truth + spoilt), "dex")
    assert verdict.startswith("B's RMSE is higher than A's")
    assert "But B's NMAD is lower than A's" in verdict
    assert verdict.endswith("outliers make the difference.")


def test_the_table_shows_a_b_and_their_difference_with_its_sign() -> None:
    comparison = compare_predictions([8.5, 9.0, 9.1], [8.6, 9.0, 9.0], [8.5, 9.1, 9.0], num_bootstrap=50)
    text = format_comparison(comparison, "dex")
    lines = text.splitlines()
    assert lines[0].split() == [
        "metric",
        "A",
        "B",
        "B",
        "−",
        "A",
        *("68", "%", "interval", "95", "%", "interval"),
        "B",
        "better",
    ]
    rmse = comparison.metrics["rmse"]
    assert lines[2].split()[:4] == ["RMSE", "(dex)", "0.0816", "0.0816"]
    assert f"{rmse.difference.low:+.4f} to {rmse.difference.high:+.4f}" in lines[2]
    assert len({len(line) for line in lines[:12]}) == 1, "columns are aligned"
    assert max(map(len, lines)) <= 120
    assert "Bootstrap intervals of so few galaxies tend to be too narrow." in text
    assert "too narrow" not in format_comparison(compare_predictions(*make_pair(50), num_bootstrap=5), "dex")


def test_differences_too_small_for_four_decimals_get_more() -> None:
    truth, a, _ = make_pair(500)
    verdict = describe_verdict(compare_predictions(truth, a, a + 1e-6 * np.sign(a - truth)), "")
    assert "by 0.00000" in verdict
    assert "by 0.0000000 " not in verdict
    assert "excludes 0" in verdict


def test_a_record_is_plain_json_without_nan() -> None:
    comparison = compare_predictions([8.9, 8.9], [8.8, 8.8], [8.7, 8.8], num_bootstrap=5)
    record = json.loads(json.dumps(build_record(comparison, "dex"), allow_nan=False))
    assert record["metrics"]["r2"]["difference"]["value"] is None
    assert record["residual_correlation"] is None
    assert record["metrics"]["rmse"]["difference"].keys() == {"value", "low", "high", "low_95", "high_95"}
    assert record["num_galaxies"] == 2
    assert record["verdict"] == describe_verdict(comparison, "dex")


def test_bins_show_where_which_is_better() -> None:
    truth = np.repeat([8.5, 9.0], 50)
    size = np.where(truth == 8.5, 0.1, 0.3)
    wave = np.tile([1.0, -1.0], 50)
    bins = compute_binned_differences(truth, truth + 0.2 * wave, truth - size * wave, *choose_bin_centres(truth))
    occupied = bins[bins["num"] > 0]
    assert occupied[["centre", "num"]].to_numpy().tolist() == [[8.5, 50], [9.0, 50]]
    assert occupied["mae_difference"].tolist() == pytest.approx([-0.1, 0.1])
    assert bins.loc[bins["num"] == 0, "mae_difference"].isna().all()


def test_the_standard_error_of_a_bin_is_that_of_paired_differences() -> None:
    truth, a, b = make_pair(400)
    (row,) = compute_binned_differences(truth, a, b, [8.9], half_width=5).to_dict("records")
    differences = np.abs(b - truth) - np.abs(a - truth)
    assert row["mae_difference"] == pytest.approx(differences.mean())
    assert row["standard_error"] == pytest.approx(differences.std(ddof=1) / 20)
    (alone,) = compute_binned_differences(truth[:1], a[:1], b[:1], [8.9], half_width=5).to_dict("records")
    assert np.isnan(alone["standard_error"])


@pytest.mark.parametrize(
    ("b", "num_bootstrap", "message"),
    [
        ([1.0], 5, "truth has 2 values and predicted 1"),
        ([1.0, float("nan")], 5, "1 of 2 values of predicted are not finite"),
        ([1.0, 2.0], 0, "num_bootstrap must be 1 or more, not 0"),
    ],
)
def test_arguments_that_do_not_fit_are_wrong(b: list[float], num_bootstrap: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute_paired_metrics([1.0, 2.0], [1.0, 2.0], b, num_bootstrap=num_bootstrap)
