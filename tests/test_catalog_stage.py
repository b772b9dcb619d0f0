"""Promises of the catalogue's stage: cuts that a recipe names are made, counted with their sources, and told."""

from pathlib import Path

import pandas as pd

from call import change_catalog, refuse_run, run


def load_cuts(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "run" / "cuts.csv")


def test_named_cuts_apply_to_the_user_s_own_table_and_are_told_with_reason_source_and_count(sample: Path) -> None:
    change_catalog(sample, z=[0.02] * 3 + [0.07] * 37)
    output = run(sample, "--only", "catalog", "--set", 'catalog.cuts=["redshift", "metallicity"]')
    assert "37 of 40 galaxies pass the cuts and have oh_p50; 3 refused: 3 × z is not above 0.02" in output
    cuts = load_cuts(sample)
    assert cuts["cut"].tolist() == ["all rows", "z > 0.02", "has oh_p50"]
    assert cuts["num_left"].tolist() == [40, 37, 37]
    assert cuts["source"].tolist()[0] == "[catalog] path"
    assert cuts["source"].str.contains("Wu & Boada 2019").tolist() == [False, True, True]


def test_a_recipe_for_the_user_s_own_table_has_no_cuts_unless_it_names_them(sample: Path) -> None:
    assert "40 of 40 galaxies have oh_p50" in run(sample, "--only", "catalog")
    assert load_cuts(sample)["cut"].tolist() == ["all rows", "has oh_p50"]
    message = refuse_run(sample, "--only", "catalog", "--set", 'catalog.cuts=["redshift"]')
    assert "has no column 'z', which the cut 'redshift' of [catalog] cuts names" in message


def test_a_limit_takes_the_first_rows_and_is_counted(sample: Path) -> None:
    assert "12 of 40 galaxies have oh_p50" in run(sample, "--only", "catalog", "--set", "catalog.limit=12")
    assert load_cuts(sample)["cut"].tolist() == ["all rows", "the first 12", "has oh_p50"]
    assert load_cuts(sample)["num_left"].tolist() == [40, 12, 12]
