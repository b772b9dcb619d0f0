"""Promises of lists of the most extreme predictions: who is on them, how pure and how complete they are."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.errors import EvaluationError
from metalight.evaluation import (
    choose_num_wanted,
    compute_selection,
    compute_selection_curve,
    describe_selection,
    format_percentage,
    rank_predictions,
)
from metalight.evaluation.ranking import CURVE_COLUMNS, End

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
ENDS = st.sampled_from(["lowest", "highest"])
VALUES = st.lists(st.sampled_from([8.1, 8.3, 8.5, 8.7, 8.9]), min_size=2, max_size=30)


def make_galaxies(num: int, seed: int = 0, scatter: float = 0.1) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(8.9, 0.2, num)
    return truth, truth + generator.normal(0, scatter, num)


def test_the_list_begins_with_the_most_extreme_and_ties_are_in_the_order_of_identifiers() -> None:
    predicted = [8.5, 8.1, NAN, 8.5, 9.2, np.inf]
    assert rank_predictions([7, 1, 2, 3, 4, 5], predicted, num=3).tolist() == [1, 3, 0]
    assert rank_predictions([7, 1, 2, 3, 4, 5], predicted, num=9, end="highest").tolist() == [4, 3, 0, 1]


@given(VALUES, ENDS, st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_neither_list_nor_purity(
    values: list[float], end: End, num: int, random: object
) -> None:
    ids, predicted, truth = np.arange(len(values)) + 10**18, np.array(values), np.array(values[::-1])
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, second = (rank_predictions(ids[rows], predicted[rows], num=num, end=end) for rows in (slice(None), order))
    assert ids[first].tolist() == ids[order][second].tolist()
    num = min(num, len(values))
    found = {
        compute_selection(truth[rows], predicted[rows], num_listed=num, num_wanted=1 + num // 2, end=end).num_found
        for rows in (slice(None), order)
    }
    assert max(found) == pytest.approx(min(found))


@given(st.integers(2, 60), st.integers(0, 99), ENDS, st.data())
def test_purity_counts_the_wanted_on_the_list(num: int, seed: int, end: End, data: st.DataObject) -> None:
    truth, predicted = make_galaxies(num, seed)
    num_listed, num_wanted = data.draw(st.integers(1, num)), data.draw(st.integers(1, num))
    found = compute_selection(truth, predicted, num_listed=num_listed, num_wanted=num_wanted, end=end)
    sign = 1 if end == "lowest" else -1
    listed = set(np.argsort(sign * predicted)[:num_listed].tolist())
    wanted = set(np.argsort(sign * truth)[:num_wanted].tolist())
    assert found.num_found == len(listed & wanted)
    assert found.purity.value == len(listed & wanted) / num_listed
    assert found.completeness.value == len(listed & wanted) / num_wanted
    assert found.purity.low <= found.purity.value <= found.purity.high


@given(VALUES, st.data())
def test_among_equal_values_the_mean_over_all_orders_counts(values: list[float], data: st.DataObject) -> None:
    truth, num = np.array(values), data.draw(st.integers(1, len(values)))
    constant = compute_selection(truth, np.zeros(len(values)), num_listed=num, num_wanted=num)
    # A prediction that is the same for all is as good as chance, exactly.
    assert constant.purity.value == pytest.approx(constant.chance_purity)
    assert compute_selection(truth, truth, num_listed=len(values), num_wanted=num).completeness.value == pytest.approx(
        1
    )


def test_perfect_predictions_find_all_and_reversed_ones_none() -> None:
    truth = np.arange(100.0)
    assert compute_selection(truth, 2 * truth, num_listed=10, num_wanted=10).purity.value == 1
    assert compute_selection(truth, -truth, num_listed=10, num_wanted=10, end="highest").num_found == 0


def test_lists_at_random_are_as_pure_as_chance() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.normal(size=(2, 20_000))
    found = compute_selection(truth, predicted, num_listed=4000, num_wanted=2000)
    assert (found.chance_purity, found.chance_completeness) == (0.1, 0.2)
    assert found.purity.value == pytest.approx(found.chance_purity, abs=0.015)
    assert found.completeness.value == pytest.approx(found.chance_completeness, abs=0.03)


def test_the_interval_of_purity_is_about_as_wide_as_other_samples_scatter() -> None:
    purities = [
        compute_selection(*make_galaxies(2000, seed), num_listed=100, num_wanted=100).purity for seed in range(150)
    ]
    scatter = np.std([purity.value for purity in purities])
    width = np.mean([(purity.high - purity.low) / 2 for purity in purities])
    # Both lists change with the sample, which binomial intervals do not know; they are wide enough all the same.
    assert 0.8 * scatter < width < 1.5 * scatter


def test_the_curve_follows_both_ends_from_the_shortest_list_to_the_longest() -> None:
    truth, predicted = make_galaxies(1500)
    curve = compute_selection_curve(truth, predicted)
    assert tuple(curve.columns) == CURVE_COLUMNS
    for end in ("lowest", "highest"):
        as_many = curve[(curve["end"] == end) & (curve["kind"] == "as many")]
        fixed = curve[(curve["end"] == end) & (curve["kind"] == "fixed")]
        assert as_many["num_listed"].tolist() == as_many["num_wanted"].tolist()
        assert (as_many["num_listed"].iloc[0], as_many["num_listed"].iloc[-1]) == (1, 750)
        assert (as_many["purity"] == as_many["completeness"]).all()
        assert fixed["num_wanted"].eq(100).all()
        assert (fixed["num_listed"].iloc[0], fixed["num_listed"].iloc[-1]) == (100, 1500)
        assert fixed["completeness"].is_monotonic_increasing
        assert fixed["completeness"].iloc[-1] == 1
        row = fixed.iloc[3]
        num = int(row["num_listed"])
        one = compute_selection(truth, predicted, num_listed=num, num_wanted=100, end=end)
        assert (row["num_found"], row["purity_high"], row["completeness_low"]) == (
            *(one.num_found, one.purity.high, one.completeness.low),
        )
        assert row["chance_completeness"] == num / 1500


@pytest.mark.parametrize(("num", "wanted"), [(1, 1), (9, 1), (80, 8), (1000, 100), (20_366, 100)])
def test_a_hundred_are_wanted_or_a_tenth_of_a_small_sample(num: int, wanted: int) -> None:
    assert choose_num_wanted(num) == wanted
    if num < 100:
        curve = compute_selection_curve(*make_galaxies(num))
        assert curve["num_listed"].max() <= num


def test_a_sentence_tells_purity_beside_chance() -> None:
    truth = np.arange(200.0)
    predicted = np.where(truth < 10, truth, 300 - truth)
    sentence = describe_selection(compute_selection(truth, predicted, num_listed=20, num_wanted=20))
    assert sentence.startswith("Of the 20 lowest predictions 10 are among the 20 lowest true values of 200: purity and")
    assert "completeness 50 % (68 % interval 39 to 61 %), by chance 10 %." in sentence
    other = describe_selection(compute_selection(truth, predicted, num_listed=20, num_wanted=10))
    assert "purity 50 %" in other
    assert "completeness 100 %" in other


def test_a_chance_of_nearly_all_is_told_in_plain_digits() -> None:
    truth = np.arange(400.0)
    told = describe_selection(compute_selection(truth, truth, num_listed=399, num_wanted=399))
    assert told.endswith("by chance 100 %.")
    assert format_percentage(0.00491) == "0.49 %"


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(EvaluationError, match="None of 2 galaxies has a finite prediction to rank"):
        rank_predictions([1, 2], [NAN, math.inf], num=1)
    with pytest.raises(ValueError, match="num must be at least 1"):
        rank_predictions([1], [8.9], num=0)
    with pytest.raises(ValueError, match="as many"):
        rank_predictions([1, 2], [8.9], num=1)
    with pytest.raises(ValueError, match="from 1 to 2, not 3"):
        compute_selection([1.0, 2.0], [1.0, 2.0], num_listed=3, num_wanted=1)
    with pytest.raises(ValueError, match="as many"):
        compute_selection([1.0, 2.0], [1.0], num_listed=1, num_wanted=1)
