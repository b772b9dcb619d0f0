"""Promises of the table in which baselines stand beside the network."""

from pathlib import Path

import numpy as np
import pytest

from metalight.evaluation import BaselineFacts, format_beside, load_beside, save_beside, score_beside
from metalight.metrics import compute_metrics, compute_paired_metrics

NUM = 120
GENERATOR = np.random.default_rng(0)
TRUTH = GENERATOR.normal(8.9, 0.2, NUM)
NETWORK = TRUTH + GENERATOR.normal(0, 0.08, NUM)
FOREST = TRUTH + GENERATOR.normal(0, 0.13, NUM)


def name(kind: str, **facts: str) -> BaselineFacts:
    return BaselineFacts(kind, "magnitudes g, r, i", 3, 240, **facts)


def test_the_scores_are_those_of_a_paired_comparison() -> None:
    (scored,) = score_beside(TRUTH, NETWORK, [(name("forest_gri"), FOREST)], num_bootstrap=300, seed=4)
    paired = compute_paired_metrics(TRUTH, NETWORK, FOREST, num_bootstrap=300, seed=4)
    for metric, own, networks in (
        ("rmse", scored.rmse, scored.network_rmse),
        ("nmad", scored.nmad, scored.network_nmad),
    ):
        for ours, theirs in (
            (own, paired[metric].b),
            (networks, paired[metric].a),
            (scored.network_better_by[metric], paired[metric].difference),
            (scored.network_better_by_95[metric], paired[metric].difference_95),
        ):
            assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))
    assert scored.network_better_by["rmse"].low > 0  # the network is the better one


def test_both_are_scored_on_the_galaxies_that_both_predict() -> None:
    network, forest, other = NETWORK.copy(), FOREST.copy(), FOREST.copy()
    network[:10], forest[5:30], other[30:40] = np.nan, np.nan, np.inf
    rows = [(name("a"), forest), (name("b"), FOREST), (name("c"), other), (name("d"), forest)]
    scored = score_beside(TRUTH, network, rows, num_bootstrap=50)
    assert [each.facts.name for each in scored] == ["a", "b", "c", "d"]
    assert [(each.num_galaxies, each.num_without) for each in scored] == [(90, 20), (110, 0), (100, 10), (90, 20)]
    of_both = compute_metrics(TRUTH[30:], NETWORK[30:], num_bootstrap=50)["rmse"]
    assert scored[0].network_rmse.value == pytest.approx(of_both.value)
    assert scored[0].network_rmse.low == pytest.approx(of_both.low)


def test_what_was_left_out_is_told_with_its_reason_and_has_no_number(tmp_path: Path) -> None:
    nothing = np.full(NUM, np.nan)
    few = nothing.copy()
    few[3] = 8.9
    rows = [
        (name("forest_ugriz", left_out="the catalogue has no magnitude_u"), nothing),
        (name("boosting_ugriz", left_out="the catalogue has no magnitude_u"), nothing),
        (name("forest_gri"), few),
        (name("mass_metallicity"), np.where(np.arange(NUM) < 2, np.nan, FOREST)),
    ]
    scored = score_beside(TRUTH, NETWORK, rows, num_bootstrap=50)
    network = compute_metrics(TRUTH, NETWORK, num_bootstrap=50)
    text = format_beside(scored, network=network, network_sees="images", num_seen=49152)
    assert "Left out: forest_ugriz, boosting_ugriz: the catalogue has no magnitude_u." in text
    assert "Left out: forest_gri: 1 of the galaxies could be scored." in text
    assert "2 lack what they need and were not predicted by mass_metallicity." in text
    assert [line.split()[0] for line in text.splitlines()[2:4]] == ["network", "mass_metallicity"]
    assert "49,152" in text
    save_beside({"oh_p50": scored}, tmp_path / "baselines.json")
    (again,) = load_beside(tmp_path / "baselines.json").values()
    assert format_beside(again, network=network, network_sees="images", num_seen=49152) == text
    assert again[3] == scored[3]


def test_without_a_bootstrap_there_are_no_intervals(tmp_path: Path) -> None:
    (scored,) = score_beside(TRUTH, NETWORK, [(name("forest_gri"), FOREST)], num_bootstrap=0)
    assert np.isnan(scored.network_better_by["rmse"].low)
    assert scored.network_better_by["rmse"].value == pytest.approx(scored.rmse.value - scored.network_rmse.value)
    save_beside({"oh_p50": [scored]}, tmp_path / "baselines.json")
    assert "NaN" not in (tmp_path / "baselines.json").read_text()


def test_a_file_of_something_else_is_no_table(tmp_path: Path) -> None:
    assert load_beside(tmp_path / "nothing.json") == {}
    for text in ("[1]", '{"oh_p50": {"mean": {}}}', "not JSON", '{"oh_p50": 3}'):
        (tmp_path / "other.json").write_text(text)
        assert load_beside(tmp_path / "other.json") == {}


def test_predictions_of_other_galaxies_are_refused() -> None:
    with pytest.raises(ValueError, match="forest_gri has 119 predictions of 120 galaxies"):
        score_beside(TRUTH, NETWORK, [(name("forest_gri"), FOREST[1:])])
