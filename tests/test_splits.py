"""Promises of the splits: every galaxy in one set, exact sizes, and nothing but galaxies and seed decides."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.errors import SplitError
from metalight.splits import SPLITS, assign_column, assign_random

OBJECT_IDS = st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=5, max_size=60)


def as_ids(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def sizes(splits: pd.DataFrame) -> list[int]:
    return [int((splits["split"] == split).sum()) for split in SPLITS]


@given(OBJECT_IDS, st.integers(0, 2**32))
def test_every_galaxy_is_in_exactly_one_set(values: list[int], seed: int) -> None:
    splits = assign_random(as_ids(values), seed=seed)
    assert splits["object_id"].tolist() == values
    assert splits["object_id"].dtype == np.int64
    assert set(splits["split"]) <= set(SPLITS)
    assert sum(sizes(splits)) == len(values)


@given(OBJECT_IDS, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_split(values: list[int], seed: int, random: object) -> None:
    mixed = list(values)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first = assign_random(as_ids(values), seed=seed).set_index("object_id")["split"]
    second = assign_random(as_ids(mixed), seed=seed).set_index("object_id")["split"]
    assert first.to_dict() == second.to_dict()


@given(
    st.integers(3, 3000), st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(1, 100)), st.integers(0, 9)
)
def test_set_sizes_are_exact_to_less_than_one_galaxy(num: int, parts: tuple[int, int, int], seed: int) -> None:
    fractions = (parts[0] / sum(parts), parts[1] / sum(parts), parts[2] / sum(parts))
    try:
        splits = assign_random(np.arange(num), seed=seed, fractions=fractions)
    except SplitError:  # a fraction of so few galaxies is not a galaxy
        assert num * min(fraction for fraction in fractions if fraction) < 2
        return
    assert sum(sizes(splits)) == num
    for size, part in zip(sizes(splits), parts, strict=True):
        assert abs(size * sum(parts) - num * part) < sum(parts)


@pytest.mark.parametrize(
    ("num", "fractions", "expected"),
    [
        (10, (0.6, 0.2, 0.2), [6, 2, 2]),
        (116429, (0.6, 0.2, 0.2), [69857, 23286, 23286]),
        (7, (0.6, 0.2, 0.2), [4, 2, 1]),
        (100, (0.57, 0.29, 0.14), [57, 29, 14]),
        (10, (0.75, 0.0, 0.25), [8, 0, 2]),
    ],
)
def test_what_rounding_leaves_goes_to_the_largest_remainders(
    num: int, fractions: tuple[float, float, float], expected: list[int]
) -> None:
    assert sizes(assign_random(np.arange(num), fractions=fractions)) == expected


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    drawn = [assign_random(np.arange(100), seed=seed)["split"].tolist() for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len({tuple(splits) for splits in drawn}) == 3


@pytest.mark.parametrize(
    ("seed", "fractions", "digest"),
    [
        (0, (0.6, 0.2, 0.2), "9dd53b220582c6c8ba2862575a516ad93c3a161c3cf4dc161b7106bef6461987"),
        (7, (0.57, 0.29, 0.14), "a0a0ae8f4e209a578745e103ec37e12f9440996536d167fba91d6eeb652e2a42"),
    ],
)
def test_the_random_sets_are_those_of_earlier_versions(
    seed: int, fractions: tuple[float, float, float], digest: str
) -> None:
    object_ids = 1237648720693755918 + np.random.default_rng(5).permutation(1000) * 977
    words = " ".join(assign_random(object_ids, seed=seed, fractions=fractions)["split"])
    assert hashlib.sha256(words.encode()).hexdigest() == digest


def test_neither_position_nor_identifier_tells_the_set() -> None:
    splits = assign_random(np.arange(3000))
    means = splits.groupby("split")["object_id"].mean()
    # The mean of a random 600 of 3000 scatters by 866 / sqrt(600) = 35 about 1500.
    assert np.all(np.abs(means - 1499.5) < 5 * 35)


@pytest.mark.parametrize(
    "fractions", [(0.0, 0.5, 0.5), (0.5, 0.5, 0.0), (0.7, -0.1, 0.4), (0.6, 0.2, 0.1), (float("nan"), 0.2, 0.2)]
)
def test_fractions_that_make_no_sense_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(SplitError, match=r"check \[splits\] fractions"):
        assign_random(np.arange(100), fractions=fractions)


def test_the_user_s_own_words_are_taken_in_any_case() -> None:
    words = ["train", "Training", " TRAIN ", "validation", "valid", "VAL", "test", "Test"]
    splits = assign_column(np.arange(8)[::-1], words)
    assert splits["object_id"].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert splits["split"].tolist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 2


def test_the_user_s_own_sets_may_be_a_pandas_column_with_any_index_and_no_validation() -> None:
    column = pd.Series(["train", "train", "test"], index=[7, 7, 3], dtype="category")
    assert sizes(assign_column(np.arange(3), column)) == [2, 0, 1]  # type: ignore[arg-type]


def test_unknown_words_are_named_with_the_accepted_ones() -> None:
    with pytest.raises(SplitError, match=r"has 'dev', 'holdout'; accepted are train, training, validation, valid"):
        assign_column(np.arange(4), ["train", "holdout", "dev", "test"])
    with pytest.raises(SplitError, match=r"has 'a a a") as caught:
        assign_column(np.arange(4), ["train", "a\n" * 500, "dev", "test"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("missing", [None, float("nan"), "", " "])
def test_galaxies_without_a_set_are_counted(missing: object) -> None:
    with pytest.raises(SplitError, match="2 of 4 galaxies have no value"):
        assign_column(np.arange(4), ["train", missing, "test", missing])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "val", "test"], "only 1 galaxy is left for training; at least 2 are needed"),
        (["test", "val", "test"], "no galaxy is left for training"),
        (["train", "train", "val"], "none is left for the test set"),
    ],
)
def test_sets_that_are_too_small_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        assign_column(np.arange(3), words)


def test_a_random_split_without_the_validation_it_was_asked_for_is_refused_with_a_way_out() -> None:
    with pytest.raises(SplitError, match=r"none is left for validation: .* or set its fraction to 0"):
        assign_random(np.arange(4), fractions=(0.5, 0.01, 0.49))
    assert sizes(assign_random(np.arange(4), fractions=(0.5, 0.0, 0.5))) == [2, 0, 2]


def test_no_galaxies_are_refused() -> None:
    with pytest.raises(SplitError, match="no galaxy is left for training"):
        assign_random(as_ids([]))


def test_arguments_that_do_not_fit_are_wrong() -> None:
    with pytest.raises(ValueError, match="repeat"):
        assign_random(as_ids([1, 1, 2]))
    with pytest.raises(ValueError, match="one word for each"):
        assign_column(np.arange(3), ["train"])
