"""Promises of what lies behind the scores: parts that add up, ranges that are trusted for a reason, honest gaps."""

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metalight.evaluation import (
    TablePlaces,
    compute_bin_averages,
    compute_breakdown,
    compute_nmad_excess,
    compute_ratio_parts,
    compute_score_tables,
    describe_breakdown,
    evaluate_predictions,
    find_trusted_range,
    find_unbiased_range,
    format_scores,
    load_scores,
    save_score_tables,
    save_scores,
)
from metalight.intervals import bootstrap_numbers, compute_fraction
from metalight.metrics import compute_nmad

FloatArray = npt.NDArray[np.float64]
PAIRS = hnp.arrays(np.float64, st.tuples(st.integers(1, 80), st.just(2)), elements=st.floats(8.1, 9.4))


def make_galaxies(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    return truth, truth + generator.normal(0, 0.08, num)


def make_bins(**columns: list[float]) -> pd.DataFrame:
    num = len(columns["mean_bias"])
    known = {
        "low": np.arange(num) / 10,
        "high": np.arange(1, num + 1) / 10,
        "num": [100] * num,
        "mean_bias_error": [0.01] * num,
        "residual_std": [0.1] * num,
    }
    return pd.DataFrame({**known, **columns})


def test_averages_over_bins_worked_by_hand() -> None:
    truth = np.repeat([8.5, 9.0], [3, 4])
    residuals = np.array([-0.1, 0.0, 0.1, -0.2, -0.2, 0.2, 0.2])
    averages = compute_bin_averages(truth, truth + residuals, truth, [8.5, 9.0])
    nmads = (1.4826 * 0.1, 1.4826 * 0.2)
    rmses = (math.sqrt(0.02 / 3), 0.2)
    weights = (3 / nmads[0] ** 2, 4 / nmads[1] ** 2)
    assert averages == pytest.approx(
        {
            "nmad": (3 * nmads[0] + 4 * nmads[1]) / 7,
            "rmse": (3 * rmses[0] + 4 * rmses[1]) / 7,
            "nmad_inverse_variance": (weights[0] * nmads[0] + weights[1] * nmads[1]) / sum(weights),
            "num_in_bins": 7,
        }
    )


@given(PAIRS)
def test_the_steps_from_binned_to_global_nmad_add_up(pairs: FloatArray) -> None:
    truth, predicted = pairs.T
    excess = compute_nmad_excess(truth, predicted, np.arange(8.2, 9.3, 0.1))
    assert excess["all"] == compute_nmad(predicted - truth)
    if math.isnan(excess["in_bins"]):
        assert all(math.isnan(value) for name, value in excess.items() if name != "all")
        return
    steps = sum(excess[name] for name in ("from_widths", "from_biases", "from_unbinned"))
    assert excess["excess"] == pytest.approx(steps, abs=1e-12)
    assert excess["excess"] == pytest.approx(excess["all"] - excess["in_bins"], abs=1e-12)


def test_the_residuals_of_a_bin_are_taken_from_their_median() -> None:
    truth = np.repeat([8.5, 9.0], 5)
    residuals = np.array([0.0, 0.01, 0.02, 0.03, 0.9, 0.3, 0.31, 0.33, 0.36, 0.4])
    centred = np.concatenate([residuals[:5] - 0.02, residuals[5:] - 0.33])
    excess = compute_nmad_excess(truth, truth + residuals, [8.5, 9.0])
    assert excess["from_widths"] + excess["in_bins"] == pytest.approx(compute_nmad(centred))


def test_each_step_sees_what_it_is_named_for() -> None:
    generator = np.random.default_rng(3)
    truth = np.repeat([8.5, 9.0], 20_000)
    wave = generator.normal(0, 0.05, 40_000)
    alike = compute_nmad_excess(truth, truth + wave, [8.5, 9.0])
    assert all(abs(alike[name]) < 1e-3 for name in ("from_widths", "from_biases", "from_unbinned"))
    biased = compute_nmad_excess(truth, truth + wave + np.where(truth == 8.5, 0.1, -0.1), [8.5, 9.0])
    assert biased["from_biases"] > 0.05
    assert abs(biased["from_widths"]) < 1e-3
    wider = compute_nmad_excess(truth, truth + np.where(truth == 8.5, 3, 1) * wave, [8.5, 9.0])
    assert wider["from_widths"] < -0.005
    assert abs(wider["from_biases"]) < 1e-3
    unbinned = compute_nmad_excess(truth, truth + np.where(truth == 8.5, 3, 1) * wave, [9.0])
    assert unbinned["from_unbinned"] > 0.01


@pytest.mark.parametrize(
    ("tails", "widths", "expected"),
    [
        (False, 1.0, {"ratio": 1, "gaussian": 1, "standardised": 1, "from_tails": 1, "kurtosis_standardised": 3}),
        # Half of this mixture lies within d of 0, where Φ(d) + Φ(d / 3) = 3/2: d = 1.0826; its variance is 5.
        (False, 3.0, {"ratio": 0.7178, "gaussian": 0.7178, "standardised": 1, "from_tails": 1}),
        # The median of |t₃| is 0.765, its standard deviation √3; the ratio 1.4826 × 0.765 / √3.
        (True, 1.0, {"ratio": 0.655, "gaussian": 1, "standardised": 0.655, "from_tails": 0.655}),
    ],
)
def test_widths_and_tails_are_told_apart(tails: bool, widths: float, expected: dict[str, float]) -> None:
    generator = np.random.default_rng(4)
    predicted = generator.uniform(8, 9, 40_000)
    drawn = generator.standard_t(3, 40_000) if tails else generator.normal(size=40_000)
    residuals = 0.05 * drawn * np.where(predicted < 8.5, widths, 1)
    parts = compute_ratio_parts(predicted - residuals, predicted)
    tolerance = 0.03 if tails else 0.012
    for name, value in expected.items():
        assert parts[name] == pytest.approx(value, abs=5 * tolerance if "kurtosis" in name else tolerance), name


@given(PAIRS, st.integers(0, 99))
def test_the_parts_of_nmad_over_rmse_multiply_to_it_in_any_order_of_galaxies(pairs: FloatArray, seed: int) -> None:
    truth, predicted = pairs.T
    parts = compute_ratio_parts(truth, predicted)
    product = parts["from_bias"] * parts["gaussian"] * parts["from_tails"]
    assert math.isnan(product) or product == pytest.approx(parts["ratio"])
    order = np.random.default_rng(seed).permutation(len(truth))
    assert compute_ratio_parts(truth[order], predicted[order]) == pytest.approx(parts, rel=1e-6, abs=1e-6, nan_ok=True)


def test_a_bias_is_trusted_that_is_within_its_error_or_small_beside_the_scatter() -> None:
    predicted = np.linspace(0.001, 0.499, 1000)
    bins = make_bins(mean_bias=[0.02, -0.024, 0.04, 0.01, 0.0])
    trusted, unbiased = find_trusted_range(bins, predicted), find_unbiased_range(bins, predicted)
    assert (unbiased.low, unbiased.high) == (trusted.low, trusted.high) == (0.0, 0.2)
    assert unbiased.fraction_outside.value == pytest.approx(0.6, abs=0.002)
    sure = make_bins(mean_bias=[0.02, -0.024, 0.04, 0.01, 0.0], mean_bias_error=[1e-4] * 5)
    assert (find_trusted_range(sure, predicted).low, find_trusted_range(sure, predicted).high) == (0.0, 0.2)
    assert (find_unbiased_range(sure, predicted).low, find_unbiased_range(sure, predicted).high) == (0.4, 0.5)


def test_of_several_runs_of_bins_the_one_with_most_galaxies_is_the_range() -> None:
    bins = make_bins(mean_bias=[0.0, 0.0, 0.9, 0.0, 0.0], num=[30, 30, 9, 40, 24])
    found = find_trusted_range(bins, [0.35, 0.45, 0.1])
    assert (found.low, found.high) == (0.0, 0.2)  # the last bin has too few galaxies to be trusted
    assert found.num_outside == 2


def test_small_is_a_quarter_of_the_scatter_and_no_more() -> None:
    predicted = [0.05, 0.15, 0.25]
    bins = make_bins(mean_bias=[0.026, 0.025, -0.025], mean_bias_error=[1e-4] * 3)
    assert (find_trusted_range(bins, predicted).low, find_trusted_range(bins, predicted).high) == (0.1, 0.3)


def test_where_no_bin_is_trusted_all_galaxies_are_outside() -> None:
    found = find_trusted_range(make_bins(mean_bias=[0.9, float("nan")], num=[100, 0]), [0.05, 0.15])
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert (found.num_outside, found.fraction_outside.value) == (2, 1.0)


def test_more_galaxies_shrink_the_unbiased_range_but_not_the_trusted_one() -> None:
    generator = np.random.default_rng(6)
    ranges = []
    for num in (1000, 200_000):
        predicted = generator.uniform(8.3, 9.1, num)
        truth = predicted + 0.1 * (predicted - 8.7) + generator.normal(0, 0.12, num)
        breakdown = compute_breakdown(truth, predicted, num_bootstrap=0, seed=0)
        ranges.append([breakdown[name]["high"].value - breakdown[name]["low"].value for name in RANGES])
    assert ranges[1][1] < 0.25 < ranges[0][1]
    assert ranges[1][0] >= 0.55


RANGES = ("trusted_range", "unbiased_range")


def test_numbers_of_any_kind_get_their_standard_error() -> None:
    values = np.random.default_rng(0).normal(0, 2, 1000)
    found = bootstrap_numbers(lambda rows: {"mean": float(values[rows].mean())}, 1000, num_bootstrap=300)["mean"]
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(values.std() / math.sqrt(1000), rel=0.15)
    assert found.high - found.value == pytest.approx(found.value - found.low)


@pytest.mark.parametrize(("num_found", "num"), [(0, 10), (3, 10), (10, 10), (1, 1), (48, 100)])
def test_intervals_of_fractions_solve_wilson_s_equation(num_found: int, num: int) -> None:
    interval = compute_fraction(num_found, num)
    for bound in (interval.low, interval.high):
        if 0 < bound < 1:  # the true fractions of which what was found is one standard error away
            assert (interval.value - bound) ** 2 == pytest.approx(bound * (1 - bound) / num)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert math.isnan(compute_fraction(0, 0).value)


def test_scores_with_a_breakdown_come_back_and_files_without_one_are_still_read(tmp_path: Path) -> None:
    scores = {"oh_p50": evaluate_predictions(*make_galaxies(200), baseline_mean=8.9, num_bootstrap=10)}
    assert set(scores["oh_p50"].breakdown) == {
        *("bins_of_truth", "bins_of_prediction", "nmad_excess", "nmad_over_rmse", "trusted_range", "unbiased_range"),
        *("draft_range", "lowest", "highest"),
    }
    path = tmp_path / "metrics.json"
    save_scores(scores, path)
    assert repr(load_scores(path)) == repr(scores)
    stored = json.loads(path.read_text())
    del stored["oh_p50"]["breakdown"]
    for part in ("metrics", "baseline"):
        stored["oh_p50"][part] = {name: stored["oh_p50"][part][name] for name in OLD_METRICS}
    path.write_text(json.dumps(stored))
    old = load_scores(path)["oh_p50"]
    assert old.breakdown == {}
    assert format_scores(old, "dex").splitlines()[:13] == format_scores(scores["oh_p50"], "dex").splitlines()[:13]


OLD_METRICS = (
    *("rmse", "nmad", "mean_bias", "median_bias", "mae", "r2"),
    *("fraction_over_3_nmad", "fraction_over_5_nmad", "fraction_over_0.2", "fraction_over_0.3"),
)


def test_sentences_tell_the_numbers_and_fit_the_screen() -> None:
    truth, predicted = make_galaxies(2000)
    lines = describe_breakdown(
        compute_breakdown(truth, predicted, num_bootstrap=0, seed=0), "dex", 4, num_galaxies=2000
    )
    assert max(map(len, lines)) <= 120
    text = " ".join(lines)
    excess = compute_nmad_excess(truth, predicted, np.round(np.arange(8.2, 9.3, 0.1), 1))
    assert f"NMAD in bins of the true value: {excess['in_bins']:.4f} dex on average over galaxies" in text
    assert f"{excess['from_biases']:+.4f} as the bins are biased" in text
    assert "Gaussian residuals, as wide as these are along the predictions, would have 0.9" in text
    assert "Trusted range: predictions from 8." in text
    assert "Of the 100 lowest predictions" in text


def test_of_few_galaxies_nothing_is_said_of_the_form_of_their_residuals() -> None:
    for num, is_told in ((24, False), (25, True)):
        truth, predicted = make_galaxies(num)
        told = format_scores(evaluate_predictions(truth, predicted, baseline_mean=None, num_bootstrap=20), "dex")
        assert ("kurtosis" in told) is ("NMAD in bins" in told) is is_told
        assert "Those of so few galaxies tend to be too narrow." in told
    truth, predicted = make_galaxies(50)
    told = format_scores(evaluate_predictions(truth, predicted, baseline_mean=None, num_bootstrap=20), "dex")
    assert "too narrow" not in told


def test_equal_predictions_find_a_part_of_a_galaxy_in_the_mean() -> None:
    truth = np.linspace(8, 9, 60)
    told = format_scores(evaluate_predictions(truth, np.full(60, 8.5), baseline_mean=None, num_bootstrap=0), "dex")
    assert "Of the 6 lowest predictions 0.6 are among the 6 lowest true values" in told


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        ([8.9, 8.9], [8.8, 8.9]),
        ([8.9] * 60, list(np.linspace(8.7, 9.1, 60))),
        (list(np.linspace(8.2, 9.2, 60)), [8.9] * 60),
        ([8.2, 8.5, 8.9, 9.2], [8.2, 8.5, 8.9, 9.2]),
        ([8.2, 8.5, 8.9, 9.2], [8.3, 8.4, 8.8, 9.3]),
        ([1e9, 2e9, 3e9], [1.1e9, 2e9, 2.5e9]),
        ([5.0, 6.0], [1e6, -1e6]),
    ],
)
def test_samples_with_little_to_say_leave_gaps_and_no_infinities(
    tmp_path: Path, truth: list[float], predicted: list[float]
) -> None:
    scores = evaluate_predictions(truth, predicted, baseline_mean=None, num_bootstrap=20)
    save_scores({"target": scores}, tmp_path / "metrics.json")  # refuses what is not finite
    assert repr(load_scores(tmp_path / "metrics.json")["target"]) == repr(scores)
    text = format_scores(scores, "")
    assert "nan" not in text
    assert "inf" not in text
    tables = compute_score_tables(truth, predicted, num_bootstrap=20)
    paths = save_score_tables({"target": tables}, place(tmp_path))
    for path in paths:
        table = pd.read_csv(path)
        assert table["target"].eq("target").all()
        assert not np.isinf(table.select_dtypes("number").to_numpy()).any()


def test_one_file_a_kind_holds_the_tables_of_all_targets(tmp_path: Path) -> None:
    tables = {name: compute_score_tables(*make_galaxies(50, seed), num_bootstrap=3) for seed, name in enumerate("ab")}
    by_truth, by_prediction, selection = (pd.read_csv(path) for path in save_score_tables(tables, place(tmp_path)))
    for read, kind in ((by_truth, "by_truth"), (by_prediction, "by_prediction"), (selection, "selection")):
        assert read["target"].unique().tolist() == ["a", "b"]
        one = read[read["target"] == "b"].drop(columns="target").reset_index(drop=True)
        expected = getattr(tables["b"], kind)
        assert one.columns.tolist() == expected.columns.tolist()
        numbers = expected.select_dtypes("number").columns
        np.testing.assert_allclose(one[numbers].astype(float), expected[numbers].astype(float), rtol=1e-12)


def test_tables_of_no_target_have_their_columns_and_no_rows(tmp_path: Path) -> None:
    for path in save_score_tables({}, place(tmp_path)):
        table = pd.read_csv(path)
        assert len(table) == 0
        assert table.columns[0] == "target"
        assert len(table.columns) > 10


def place(folder: Path) -> TablePlaces:
    return TablePlaces(folder / "by_truth.csv", folder / "by_prediction.csv", folder / "selection.csv")
