"""Promises of labels: impossible ones are refused by name or counted, and those far from all others are told."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import change_catalog, run
from make_tables import make_table
from metalight.catalog import Catalog, build_catalog
from metalight.catalog.limits import describe_outliers, find_limits


def build(targets: list[str], properties: dict[str, str] | None = None, **columns: Any) -> Catalog:
    size = len(next(iter(columns.values())))
    table = make_table(id=np.arange(size), **columns)
    return build_catalog(table, "here.csv", object_id="id", targets=targets, properties=properties)


@pytest.mark.parametrize(
    ("name", "possible", "impossible"),
    [
        ("oh_p50", 8.7, [-99.9, 99.99, 1e20, 0]),
        ("OH_P2P5", 8.7, [-99.9]),
        ("metallicity", 8.7, [-1.0]),
        ("lgm_tot_p50", 10.5, [-99.9, 1e20, 10**10.5]),
        ("log_mass", 10.5, [-1, 99]),
        ("sfr_tot_p50", -0.5, [-99.9, 99.99]),
        ("specsfr_tot_p50", -9.8, [-99.9, 1.0]),
        ("log_ssfr", -9.8, [-99.9]),
        ("modelMag_r", 17.5, [-9.99, 99.99]),
        ("petroMag_u", 17.5, [-9.99]),
        ("z", 0.05, [-9.9, 1e20]),
        ("redshift", -0.001, [-1]),
        ("petroR90_r", 5.0, [-1, 9e9]),
        ("petroR50_g", 5.0, [-1]),
    ],
)
def test_impossible_values_of_a_known_quantity_are_refused_by_name(
    name: str, possible: float, impossible: list[float]
) -> None:
    columns: dict[str, Any] = {name: [possible, *impossible, possible]}
    catalog = build([name], **columns)
    assert catalog.table.frame["object_id"].tolist() == [0, len(impossible) + 1]
    assert catalog.refused["object_id"].tolist() == list(range(1, len(impossible) + 1))
    assert all(name in reason and "limits" in reason for reason in catalog.refused["reason"])
    assert catalog.counts["num_left"].iloc[-1] == 2


def test_the_recipe_says_of_which_quantity_a_column_is() -> None:
    assert len(build(["MSTAR"], MSTAR=[10.5, 99.0, 9.5]).refused) == 0
    assert build(["MSTAR"], {"log_mass": "mstar"}, MSTAR=[10.5, 99.0, 9.5]).refused["object_id"].tolist() == [1]


def test_of_several_targets_an_impossible_value_is_missing_and_counted() -> None:
    catalog = build(["oh_p50", "x"], oh_p50=[8.5, -99.9, 1e20, 8.6], x=[1.0, 2.0, np.nan, 3.0])
    assert catalog.table.frame["oh_p50"].isna().tolist() == [False, True, False]
    assert catalog.refused["object_id"].tolist() == [2]
    assert any("2 values count as missing" in note and "oh_p50" in note for note in catalog.notes)


@given(sentinel=st.sampled_from([-99.9, 99.99, 1e20]), num=st.integers(1, 5), scale=st.floats(0.01, 1))
def test_values_far_from_all_others_are_told_and_kept(sentinel: float, num: int, scale: float) -> None:
    known = np.random.default_rng(num).normal(8.8, scale, 40)
    catalog = build(["oh"], oh=[*known, *[sentinel] * num])
    assert len(catalog.table.frame) == 40 + num
    (note,) = catalog.notes
    assert re.match(rf"{num} of {40 + num} values of oh ", note)
    assert f"{sentinel:.6g}" in note
    assert not build(["oh"], oh=known).notes


def test_columns_of_truths_constants_and_nothing_have_no_outliers() -> None:
    columns = {"a": np.array([]), "b": np.ones(5), "c": np.array([0.0] * 9 + [1.0]), "d": np.array([np.nan])}
    assert not describe_outliers(columns)
    assert find_limits("whatever", {}) is None


def test_the_line_of_the_stage_counts_impossible_labels_and_tells_outliers_and_what_was_left_out(sample: Path) -> None:
    oh = np.random.default_rng(0).normal(8.8, 0.1, 40)
    oh[[3, 7]] = -99.9
    change_catalog(sample, oh_p50=oh)
    output = run(sample, "--only", "catalog")
    assert "38 of 40" in output
    assert "2 refused: 2 × oh_p50 is not from 5 to 11" in output
