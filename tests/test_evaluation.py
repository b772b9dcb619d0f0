"""Promises of the evaluation: counted scores, the bins of the paper, and examples that depend on nothing else."""

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

from metalight.errors import EvaluationError
from metalight.evaluation import (
    choose_bin_centres,
    compute_binned_statistics,
    evaluate_predictions,
    format_scores,
    is_metallicity_like,
    load_scores,
    save_scores,
    select_examples,
)
from metalight.metrics import compute_baseline, compute_metrics

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")


def make_galaxies(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    return truth, truth + generator.normal(0, 0.08, num)


def test_scores_are_the_metrics_of_the_galaxies_that_have_both_values() -> None:
    truth, predicted = make_galaxies(20)
    with_gaps = evaluate_predictions(
        [*truth, NAN, 8.9, np.inf], [*predicted, 8.9, NAN, 8.9], baseline_mean=8.8, num_bootstrap=30, seed=4
    )
    assert with_gaps.num_galaxies == 20
    assert with_gaps.num_left_out == 3
    # NaN is not equal to itself, but is written the same; a constant prediction has no correlation.
    assert repr(with_gaps.metrics) == repr(compute_metrics(truth, predicted, num_bootstrap=30, seed=4))
    assert repr(with_gaps.baseline) == repr(compute_baseline(truth, 8.8, num_bootstrap=30, seed=4))


def test_the_baseline_says_whose_mean_it_predicts() -> None:
    truth, predicted = make_galaxies(20)
    in_a_run = evaluate_predictions(truth, predicted, baseline_mean=8.8, num_bootstrap=0)
    assert (in_a_run.baseline_mean, in_a_run.baseline_source) == (8.8, "training set")
    alone = evaluate_predictions([*truth, 5.0], [*predicted, NAN], baseline_mean=None, num_bootstrap=0)
    assert (alone.baseline_mean, alone.baseline_source) == (truth.mean(), "scored galaxies")


@pytest.mark.parametrize(
    ("truth", "message"), [([NAN, NAN], "Of 2 galaxies, 0 have"), ([8.9, NAN], "2 galaxies, 1 has")]
)
def test_fewer_than_two_galaxies_cannot_be_scored(truth: list[float], message: str) -> None:
    with pytest.raises(EvaluationError, match=f"{message} both a true value and a prediction; at least 2 are needed"):
        evaluate_predictions(truth, [8.9, 8.9], baseline_mean=None)


def test_arguments_that_do_not_fit_are_wrong() -> None:
    with pytest.raises(ValueError, match="must be as long"):
        evaluate_predictions([8.9, 8.8], [8.9], baseline_mean=None)
    with pytest.raises(ValueError, match="not finite"):
        evaluate_predictions([8.9, 8.8], [8.9, 8.8], baseline_mean=NAN)


def test_pandas_columns_with_missing_values_are_scored() -> None:
    truth = pd.Series([8.9, None, 8.7], dtype="Float64")
    scores = evaluate_predictions(truth, pd.Series([8.8, 8.8, 8.8]), baseline_mean=None, num_bootstrap=0)
    assert (scores.num_galaxies, scores.num_left_out) == (2, 1)


@pytest.mark.parametrize("num_bootstrap", [0, 25])
def test_saved_scores_come_back(tmp_path: Path, num_bootstrap: int) -> None:
    scores = {
        target: evaluate_predictions(*make_galaxies(20), baseline_mean=mean, num_bootstrap=num_bootstrap)
        for target, mean in (("oh_p50", None), ("lgm_tot_p50", 8.8))
    }
    save_scores(scores, tmp_path / "run/metrics.json")
    # NaN is not equal to itself, but is written the same.
    assert repr(load_scores(tmp_path / "run/metrics.json")) == repr(scores)


def test_the_file_of_scores_is_plain_json_without_nan(tmp_path: Path) -> None:
    scores = evaluate_predictions([8.9, 8.9], [8.8, 8.8], baseline_mean=8.8, num_bootstrap=0)
    save_scores({"oh_p50": scores}, tmp_path / "metrics.json")

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    stored = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)["oh_p50"]
    assert stored["num_galaxies"] == 2
    assert stored["metrics"]["rmse"] == {"value": pytest.approx(0.1), "low": None, "high": None}
    assert stored["metrics"]["r2"]["value"] is None
    assert stored["baseline"]["mean_bias"]["value"] == pytest.approx(-0.1)
    assert stored["baseline_source"] == "training set"


@pytest.mark.parametrize(
    "content",
    [None, "", "[]", '{"oh_p50": 1}', '{"oh_p50": {"metrics": {}}}', '{"oh_p50": {"metrics": {}, "baseline": {}}}'],
)
def test_a_file_that_holds_no_scores_is_refused_with_a_way_out(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvaluationError, match=r"metrics\.json cannot be read as scores .* run `metalight evaluate`"):
        load_scores(path)


def test_the_table_shows_every_metric_beside_predicting_the_mean() -> None:
    scores = evaluate_predictions([8.5, 9.0, 9.1, NAN], [8.6, 9.0, 9.0, 9.0], baseline_mean=8.8, num_bootstrap=50)
    lines = format_scores(scores, "dex").splitlines()
    assert lines[0].split() == ["metric", "value", "68", "%", "interval", "predict", "the", "mean"]
    rmse = scores.metrics["rmse"]
    assert lines[2].split() == ["RMSE", "(dex)", "0.0816", f"{rmse.low:.4f}", "to", f"{rmse.high:.4f}", "0.2708"]
    assert "fraction |residual| > 0.2 dex" in lines[10]
    assert len({len(line) for line in lines[:12]}) == 1, "columns are aligned"
    assert lines[13] == (
        "3 galaxies scored; 1 left out, which lacks a true value or a prediction. Residual = predicted − true."
    )
    assert lines[14] == "Predict the mean: 8.8000 for every galaxy, the mean of the training set."
    assert max(map(len, lines)) <= 120


def test_what_is_not_defined_is_a_dash_and_a_target_without_unit_has_none() -> None:
    scores = evaluate_predictions([0.5, 0.5], [0.500004, 0.499997], baseline_mean=None, num_bootstrap=0)
    text = format_scores(scores, "")
    assert "(" not in text
    lines = [line.split() for line in text.splitlines()]
    assert lines[2] == ["RMSE", "0.00000354", "–", "0.00000000"]
    assert lines[7] == ["R²", "–", "–", "–"]
    assert "the mean of the scored galaxies themselves" in text
    assert "bootstrap" not in text
    assert "-0.0" not in text


# The table of ../shared/reference/paper-facts.md, section 3, of 20,466 galaxies: N, median, RMSE, NMAD, biases.
FACTS_128PX = {
    8.2: (102, 8.3073, 0.1706, 0.1038, 0.1142, 0.0951),
    8.3: (267, 8.4049, 0.1659, 0.1086, 0.1103, 0.1004),
    8.4: (425, 8.4846, 0.1508, 0.1137, 0.0902, 0.0852),
    8.5: (420, 8.5631, 0.1514, 0.1336, 0.0687, 0.0669),
    8.6: (1066, 8.6251, 0.1294, 0.1103, 0.0243, 0.0201),
    8.7: (1835, 8.7297, 0.1057, 0.0896, 0.0242, 0.0240),
    8.8: (2315, 8.8125, 0.0882, 0.0769, 0.0034, 0.0016),
    8.9: (3434, 8.9021, 0.0734, 0.0688, -0.0041, -0.0007),
    9.0: (5037, 8.9964, 0.0593, 0.0539, -0.0093, -0.0047),
    9.1: (4896, 9.0624, 0.0586, 0.0385, -0.0351, -0.0304),
    9.2: (580, 9.1088, 0.0884, 0.0430, -0.0739, -0.0675),
    9.3: (52, 9.1260, 0.1727, 0.0357, -0.1602, -0.1552),
}


def test_the_bins_of_the_published_predictions_are_those_of_the_paper_s_figure_2(shared_folder: Path) -> None:
    table = pd.read_csv(shared_folder / "published/predictions_128px.csv")
    binned = compute_binned_statistics(table["oh_p50"], table["prediction"], *choose_bin_centres(table["oh_p50"]))
    assert binned["centre"].tolist() == list(FACTS_128PX)
    for row in binned.itertuples(index=False):
        num, *expected = FACTS_128PX[float(row[0])]
        found = [float(value) for value in row[2:7]]
        num_held_out = num - int(row[1])
        if num_held_out == 0:
            assert found == pytest.approx(expected, abs=5.1e-5)
        # Of the 20,466 galaxies 100 are not in the file; a bin that lacks some is as near as they allow.
        assert 0 <= num_held_out <= 25
        assert found == pytest.approx(expected, abs=3e-3 if num < 200 else 8e-4)
    assert np.sum(table["oh_p50"] < 8.15) == 27
    assert len(table) - binned["num"].sum() == 37


def test_bins_agree_with_the_authors_way_of_counting() -> None:
    truth = np.random.default_rng(0).uniform(8.1, 9.4, 2000)
    predicted = truth + np.random.default_rng(1).normal(0, 0.08, 2000)
    binned = compute_binned_statistics(truth, predicted, np.arange(8.2, 9.3, 0.1))
    assert len(binned) == 12
    for place, centre in enumerate(np.arange(8.2, 9.3, 0.1)):
        chosen = np.abs(truth - centre) < 0.05
        residuals = predicted[chosen] - truth[chosen]
        row = binned.iloc[place]
        assert row["num"] == chosen.sum()
        assert row["median"] == np.median(predicted[chosen])
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean(residuals**2)))
        assert row["nmad"] == pytest.approx(1.4826 * np.median(np.abs(residuals - np.median(residuals))))
        assert row["mean_bias"] == pytest.approx(residuals.mean())
        assert row["median_bias"] == np.median(residuals)


def test_a_bin_without_galaxies_has_no_numbers_but_its_count() -> None:
    binned = compute_binned_statistics([1.0, 1.1], [1.2, 1.2], [1.0, 5.0], half_width=0.5)
    assert binned["num"].tolist() == [2, 0]
    assert binned["num"].dtype == np.int64
    assert binned.iloc[1].drop(["centre", "num"]).isna().all()


def test_a_galaxy_on_an_edge_is_in_neither_bin() -> None:
    binned = compute_binned_statistics([0.5, 1.5, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0], half_width=0.5)
    assert binned["num"].tolist() == [0, 1, 0]


def test_bins_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_width must be positive"):
        compute_binned_statistics([1.0], [1.0], [1.0], half_width=0)
    with pytest.raises(ValueError, match="as many"):
        compute_binned_statistics([1.0, 2.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="no finite value"):
        choose_bin_centres([NAN])


def test_metallicities_get_the_twelve_bins_of_the_paper() -> None:
    centres, half_width = choose_bin_centres([*make_galaxies(100)[0], NAN])
    np.testing.assert_allclose(centres, np.arange(8.2, 9.3, 0.1), rtol=0, atol=1e-12)
    assert half_width == 0.05


def test_masses_get_bins_of_a_round_width() -> None:
    truth = np.random.default_rng(0).uniform(8.4, 11.2, 5000)
    assert not is_metallicity_like(truth)
    centres, half_width = choose_bin_centres(truth)
    assert half_width == pytest.approx(0.125)
    np.testing.assert_array_equal(centres, np.arange(8.5, 11.3, 0.25))


@given(
    hnp.arrays(np.float64, st.integers(3, 80), elements=st.floats(-1, 1, allow_subnormal=False), unique=True),
    st.sampled_from([1e-6, 0.01, 1.0, 300.0, 1e9]),
)
def test_any_target_gets_about_a_dozen_bins_that_touch_and_hold_it(values: FloatArray, scale: float) -> None:
    truth = values * scale
    centres, half_width = choose_bin_centres(truth)
    if len(centres) == 1:
        return
    assert 8 <= len(centres) <= 18
    np.testing.assert_allclose(np.diff(centres), 2 * half_width, rtol=1e-9)
    low, high = np.percentile(truth, [1, 99])
    slack = 1e-9 * (high - low)
    assert centres[0] - half_width <= low + slack
    assert high <= centres[-1] + half_width + slack


def test_a_target_that_does_not_vary_gets_one_bin() -> None:
    centres, half_width = choose_bin_centres([3.0, 3.0])
    assert centres.tolist() == [3.0]
    assert compute_binned_statistics([3.0, 3.0], [3.0, 3.1], centres, half_width)["num"].tolist() == [2]


def test_the_examples_of_the_published_predictions_are_the_known_galaxies(shared_folder: Path) -> None:
    table = pd.read_csv(shared_folder / "published/predictions_128px.csv")
    examples = select_examples(table["objID"], table["oh_p50"], table["prediction"])
    assert examples.columns.tolist() == ["row", "title", "object_id", "truth", "predicted"]
    assert len(examples) == 35
    assert examples["object_id"].dtype == np.int64
    # ../shared/reference/paper-facts.md, end of section 3.
    assert examples.loc[examples["row"] == 4, "object_id"].tolist() == [
        *(1237661811735592962, 1237651211215438014, 1237662301374513420, 1237671990806577234, 1237658191610904780)
    ]
    assert examples.loc[examples["row"] == 5, "object_id"].tolist() == [
        *(1237667781740855516, 1237648702974460079, 1237667911664402563, 1237665329318461522, 1237665351321649251)
    ]
    assert examples.loc[examples["row"] == 1, "truth"].tolist() == sorted(table["oh_p50"])[:5]


def test_rows_begin_with_their_most_extreme_galaxy() -> None:
    truth = np.array([8.1, 8.5, 8.9, 9.3])
    predicted = np.array([8.3, 8.2, 9.2, 9.0])
    examples = select_examples(np.arange(4), truth, predicted, num=2)
    by_title = examples.groupby("title", sort=False)["object_id"].agg(list).to_dict()
    assert len(by_title.pop("random")) == 2
    assert by_title == {
        "lowest predicted": [1, 0],
        "lowest true": [0, 1],
        "highest predicted": [2, 3],
        "highest true": [3, 2],
        "most under-predicted": [1, 3],
        "most over-predicted": [2, 0],
    }
    assert examples["row"].tolist() == sorted(list(range(7)) * 2)


@given(st.lists(st.sampled_from([8.5, 8.7, 9.0]), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_galaxies_does_not_change_the_examples(values: list[float], random: object) -> None:
    object_ids = np.arange(len(values)) + 1237648702973411443
    truth, predicted = np.array(values), np.array(values[::-1])
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = select_examples(object_ids, truth, predicted)
    second = select_examples(object_ids[order], truth[order], predicted[order])
    pd.testing.assert_frame_equal(first, second)


def test_a_small_sample_fills_its_rows_with_what_there_is() -> None:
    examples = select_examples([7, 8, 9], [8.5, 8.6, NAN], [8.5, 8.4, 8.6])
    assert examples.groupby("row").size().tolist() == [2] * 7
    assert set(examples["object_id"]) == {7, 8}


def test_another_seed_changes_only_the_random_row() -> None:
    truth, predicted = make_galaxies(200)
    first, second = (select_examples(np.arange(200), truth, predicted, seed=seed) for seed in (1, 2))
    differs = first["object_id"] != second["object_id"]
    assert differs.any()
    assert set(first.loc[differs, "title"]) == {"random"}


def test_examples_of_nothing_are_refused() -> None:
    with pytest.raises(EvaluationError, match="at least 1 are needed"):
        select_examples([1], [NAN], [8.9])
    with pytest.raises(ValueError, match="must be integers"):
        select_examples([1.0], [8.9], [8.9])
    with pytest.raises(ValueError, match="2 object_ids and 1 true"):
        select_examples([1, 2], [8.9], [8.9])
    with pytest.raises(ValueError, match="num must be at least 1"):
        select_examples([1], [8.9], [8.9], num=0)


def test_an_interval_says_nothing_where_nothing_was_drawn() -> None:
    scores = evaluate_predictions(*make_galaxies(5), baseline_mean=None, num_bootstrap=0)
    assert math.isnan(scores.metrics["rmse"].low)
