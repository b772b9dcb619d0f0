"""Promises of folds: each galaxy tested once, of about equal size, whatever the order of rows."""

import functools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import refuse
from metalight.errors import SplitError
from metalight.splits import assign_fold

ids = st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=12, max_size=60)


@given(ids, st.integers(2, 6), st.integers(0, 5), st.randoms())
def test_every_galaxy_is_tested_in_exactly_one_fold(
    object_ids: list[int], num_folds: int, seed: int, random: object
) -> None:
    of_ids = np.array(object_ids, dtype=np.int64)
    tested = []
    for fold in range(num_folds):
        splits = assign_fold(of_ids, fold=fold, num_folds=num_folds, seed=seed)
        assert splits["object_id"].tolist() == object_ids
        sets = splits.groupby("split")["object_id"].apply(list)
        tested.append(sets["test"])
        num_rest = len(of_ids) - len(sets["test"])
        assert len(sets["validation"]) == int(num_rest * 0.2 + 1e-9)
        shuffled = np.random.default_rng(fold).permutation(of_ids)
        again = assign_fold(shuffled, fold=fold, num_folds=num_folds, seed=seed).set_index("object_id")["split"]
        assert again.loc[of_ids.tolist()].tolist() == splits["split"].tolist()
    assert sorted(functools.reduce(operator.iadd, tested, [])) == sorted(object_ids)
    sizes = [len(fold) for fold in tested]
    assert max(sizes) - min(sizes) <= 1


def test_folds_depend_on_the_seed() -> None:
    object_ids = np.arange(100)
    one, other = (assign_fold(object_ids, fold=0, seed=seed)["split"].tolist() for seed in (0, 1))
    assert one != other


def test_what_is_no_fold_is_refused() -> None:
    with pytest.raises(SplitError, match="4 galaxies are too few for 5 folds; lower"):
        assign_fold(np.arange(4), fold=0)
    message = refuse("recipe", "check", "demo", "--set", "splits.fold=5", status=2)
    assert "fold counts from 0: of 5 folds the last is 4, not 5" in message
