"""Promises of the galaxies that a limit takes: always the same ones, and spread over the sky as all of them are."""

import sqlite3

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from metalight.catalog.spread import NUM_RANKS, build_condition, choose_spread, compute_ranks

IDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=30, unique=True).map(lambda ids: np.array(ids, np.int64))


@given(ids=IDS, below=st.integers(0, NUM_RANKS))
def test_a_database_finds_the_galaxies_of_the_same_ranks(ids: np.ndarray, below: int) -> None:
    ranks = compute_ranks(ids)
    assert ((ranks >= 0) & (ranks < NUM_RANKS)).all()
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE S (bestObjID INTEGER)")
    database.executemany("INSERT INTO S VALUES (?)", [(number,) for number in ids.tolist()])
    rows = database.execute(f"SELECT bestObjID FROM S WHERE {build_condition('S.bestObjID', below)}").fetchall()
    assert sorted(number for (number,) in rows) == sorted(ids[ranks < below].tolist())


@given(ids=IDS, num=st.integers(1, 30), seed=st.integers(0, 9))
def test_more_galaxies_are_the_same_and_others_in_any_order_of_rows(ids: np.ndarray, num: int, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(ids)
    chosen = ids[choose_spread(ids, num)]
    assert len(chosen) == min(num, len(ids))
    assert chosen.tolist() == [number for number in ids.tolist() if number in set(chosen.tolist())]
    assert set(chosen.tolist()) == set(shuffled[choose_spread(shuffled, num)].tolist())
    assert set(chosen.tolist()) <= set(ids[choose_spread(ids, num + 1)].tolist())


def test_galaxies_of_a_field_are_taken_together_no_more_often_than_by_chance() -> None:
    random = np.random.default_rng(1)
    # Bits of an objID: 588 of the survey and its reduction, then run, camera column, field and number in it.
    runs, columns, fields = random.integers(94, 8000, 400), random.integers(1, 7, 400), random.integers(11, 800, 400)
    first = (np.int64(1) << 60) | (np.int64(301) << 48) | (runs << 32) | (columns << 29)
    places = (first[:, None] | ((fields[:, None] + np.arange(10)) << 16)).ravel()
    ids = (np.repeat(places, 5) | random.integers(1, 400, 5 * len(places))).astype(np.int64)
    ids = np.unique(ids)

    def count_pairs(chosen: np.ndarray) -> int:
        counts = np.unique(chosen >> 16, return_counts=True)[1]
        return int((counts * (counts - 1) // 2).sum())

    for num in (200, 1000, 4000):
        by_chance = [count_pairs(random.choice(ids, num, replace=False)) for _ in range(40)]
        assert count_pairs(ids[choose_spread(ids, num)]) <= np.mean(by_chance) + 4 * np.std(by_chance)
