"""Promises of the named cuts: exactly the limits of the paper's query, and a reason for every galaxy that fails."""

import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.catalog import PAPER_CUTS, SDSS_CUTS, find_named_cuts, list_cuts
from metalight.errors import CatalogError, RecipeError, TableError
from metalight.recipe import KNOWN_CUTS, load_recipe
from metalight.tables import Table

GALAXY: dict[str, Any] = {
    "petroMag_r": 16.0,
    "fiberMag_r": 17.0,
    "modelMag_u": 18.0,
    "modelMag_g": 17.0,
    "modelMag_r": 16.0,
    "modelMag_i": 15.5,
    "modelMag_z": 15.25,
    "rChi2": 1.0,
    "zErr": 1e-5,
    "z": 0.07,
    "oh_p50": 8.9,
    "class": "GALAXY",
    "reliable": 1,
    "bptclass": 1,
    "sn_median": 20.0,
    "zWarning": 0,
    "clean": 1,
}
"""One that passes every cut."""


def build_table(rows: Sequence[dict[str, Any]]) -> Table:
    return Table(pd.DataFrame([GALAXY | row for row in rows]))


def find_reason(cut: str, **values: Any) -> str:
    [found] = find_named_cuts(build_table([values]), [cut], path="here")
    return str(found.flaws[0])


def above(value: float) -> float:
    return math.nextafter(value, math.inf)


def below(value: float) -> float:
    return math.nextafter(value, -math.inf)


@pytest.mark.parametrize(
    ("cut", "column", "low", "high"),
    [
        ("petro_magnitude", "petroMag_r", 10.0, 18.0),
        *[("model_magnitudes", f"modelMag_{band}", 10.0, 25.0) for band in "ugriz"],
        ("spectral_fit", "rChi2", None, 2.0),
        ("redshift_error", "zErr", 0.0, 0.01),
        ("redshift", "z", 0.02, None),
        ("signal_to_noise", "sn_median", 10.0, None),
        ("redshift_above_0.04", "z", 0.04, None),
    ],
)
def test_limits_are_outside_and_what_is_just_within_them_passes(
    cut: str, column: str, low: float | None, high: float | None
) -> None:
    if low is not None:
        assert find_reason(cut, **{column: low}) == f"{column} is not above {low:g}"
        assert find_reason(cut, **{column: below(low)}) == f"{column} is not above {low:g}"
        assert find_reason(cut, **{column: above(low)}) == ""
    if high is not None:
        assert find_reason(cut, **{column: high}) == f"{column} is not below {high:g}"
        assert find_reason(cut, **{column: above(high)}) == f"{column} is not below {high:g}"
        assert find_reason(cut, **{column: below(high)}) == ""


@pytest.mark.parametrize(
    ("colour", "reason"),
    [
        (0.0, "modelMag_u - modelMag_r is not above 0"),
        (2**-40, ""),
        (6 - 2**-40, ""),
        (6.0, "modelMag_u - modelMag_r is not below 6"),
    ],
)
def test_the_colour_is_u_less_r_and_its_limits_are_outside(colour: float, reason: str) -> None:
    assert find_reason("colour", modelMag_u=16 + colour, modelMag_r=16.0) == reason


@pytest.mark.parametrize(("fraction", "passes"), [(0.19999, False), (0.20001, True), (1.0, True), (0.0002, False)])
def test_the_covering_fraction_is_the_light_in_the_fibre_over_all_of_it(fraction: float, passes: bool) -> None:
    fainter = -2.5 * math.log10(fraction)
    reason = find_reason("fibre_fraction", petroMag_r=16.0, fiberMag_r=16.0 + fainter)
    assert reason == ("" if passes else "the part of light in the fibre is not above 0.2")


@pytest.mark.parametrize(
    ("cut", "values", "reason"),
    [
        ("class_galaxy", {"class": "QSO"}, "class is not GALAXY"),
        ("class_galaxy", {"class": "GALAXY  "}, ""),
        ("class_galaxy", {"class": None}, "has no class"),
        ("reliable", {"reliable": 0}, "reliable is not 1"),
        *[("z_warning", {"zWarning": flags}, "zWarning is not 0") for flags in (1, 4, 128, -1)],
        *[("photometry_clean", {"clean": flag}, "clean is not 1") for flag in (0, False, 2)],
        ("photometry_clean", {"clean": True}, ""),
        ("reliable", {"reliable": True}, ""),
        ("reliable", {"reliable": False}, "reliable is not 1"),
        *[("bpt_star_forming", {"bptclass": kind}, "bptclass is not 1") for kind in (-1, 2, 3, 4, 5)],
        ("metallicity", {"oh_p50": -9999.0}, "has no oh_p50"),
        ("metallicity", {"oh_p50": math.nan}, "has no oh_p50"),
        ("metallicity", {"oh_p50": -9998.0}, ""),
        ("redshift", {"z": math.inf}, "z is infinite"),
    ],
)
def test_kinds_and_words_are_compared_as_they_are(cut: str, values: dict[str, Any], reason: str) -> None:
    assert find_reason(cut, **values) == reason


def test_a_galaxy_passes_every_cut_and_without_a_value_fails_each_that_needs_it() -> None:
    for cut in SDSS_CUTS.values():
        assert find_reason(cut.name) == ""
        for column in cut.columns:
            for missing in (math.nan, None, -9999) if not cut.is_of_text else (None, ""):
                assert find_reason(cut.name, **{column: missing}) == f"has no {column}"


def test_the_paper_s_cuts_are_those_of_its_query_in_order_and_the_others_are_optional() -> None:
    names = "petro_magnitude colour model_magnitudes spectral_fit redshift_error redshift metallicity"
    assert " ".join(PAPER_CUTS) == names
    assert len(SDSS_CUTS) > len(PAPER_CUTS)
    assert all(cut.why and cut.source for cut in SDSS_CUTS.values())


def test_a_redshift_between_the_query_s_limit_and_the_draft_s_misprint_is_in_the_sample() -> None:
    assert find_reason("redshift", z=0.0709) == ""
    assert find_reason("redshift", z=0.019) == "z is not above 0.02"


def test_numbers_of_32_bits_are_compared_in_32_bits_as_the_database_does() -> None:
    nearest = np.float32(0.01)
    assert float(nearest) < 0.01
    frame = pd.DataFrame({"zErr": np.array([nearest, np.nextafter(nearest, np.float32(0))], dtype=np.float32)})
    [found] = find_named_cuts(Table(frame), ["redshift_error"], path="here")
    assert found.flaws.tolist() == ["zErr is not below 0.01", ""]


_WHOLE = ("class", "reliable", "bptclass", "zWarning", "clean")
_EDGES = [-9999.0, 0.0, 1e-5, 0.01, 0.02, 0.04, 0.07, 1.0, 2.0, 6.0, 10.0, 12.0, 16.0, 18.0, 22.0, 25.0]


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {column: st.sampled_from(_EDGES) for column in GALAXY if column not in _WHOLE}
            | {"class": st.sampled_from(["GALAXY", "QSO"]), "reliable": st.integers(0, 1)}
            | {"bptclass": st.integers(-1, 5), "zWarning": st.sampled_from([0, 4]), "clean": st.integers(0, 1)}
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_database_leaves_no_galaxy_out_that_a_cut_passes_and_only_keeps_more_for_want_of_a_value(
    rows: list[dict[str, Any]],
) -> None:
    frame = pd.DataFrame(rows)
    with sqlite3.connect(":memory:") as database:
        frame.to_sql("galaxies", database, index=False)
        for cut in SDSS_CUTS.values():
            [found] = find_named_cuts(Table(frame), [cut.name], path="here")
            sql = cut.sql
            for alias in "SGIE":
                sql = sql.replace(f"{alias}.", "")
            kept = {row for (row,) in database.execute(f"SELECT rowid - 1 FROM galaxies WHERE {sql}")}
            passing = {row for row, flaw in enumerate(found.flaws) if not flaw}
            assert passing <= kept
            assert all(found.flaws[row].startswith("has no ") for row in kept - passing)
    database.close()


def test_a_cut_that_is_not_known_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(CatalogError, match=r"no cut 'redshft' for \[catalog\] cuts\. Did you mean 'redshift'\?"):
        find_named_cuts(build_table([{}]), ["redshft"], path="here")


def test_a_table_without_a_column_of_a_cut_is_refused_and_says_which(tmp_path: Path) -> None:
    table = Table(pd.DataFrame({"Z": [0.03], "rChi": [1.0]}))
    assert find_named_cuts(table, ["redshift"], path=tmp_path)[0].flaws.tolist() == [""]
    with pytest.raises(TableError, match=r"has no column 'rChi2', which the cut 'spectral_fit' .* Did you mean 'rChi'"):
        find_named_cuts(table, ["spectral_fit"], path=tmp_path)


def test_recipes_know_the_names_of_the_cuts_and_refuse_others_with_the_nearest_one() -> None:
    assert list(KNOWN_CUTS) == list(SDSS_CUTS)
    assert load_recipe("paper", ['catalog.cuts=["paper", "reliable"]']).catalog.cuts == ("paper", "reliable")
    with pytest.raises(RecipeError, match=r"\[catalog\]: there is no cut 'redshft'\. Did you mean 'redshift'\?$"):
        load_recipe("paper", ['catalog.cuts=["redshft"]'])
    with pytest.raises(RecipeError, match=r"\[catalog\]: cuts names 'redshift' twice\.$"):
        load_recipe("paper", ['catalog.cuts=["redshift", "redshift"]'])


def test_words_stand_for_the_paper_s_cuts_where_they_are_meant() -> None:
    assert list_cuts(("auto", "reliable"), is_selection=True) == (*PAPER_CUTS, "reliable")
    assert list_cuts(("auto", "reliable"), is_selection=False) == ("reliable",)
    others = [name for name in PAPER_CUTS if name != "redshift"]
    assert list_cuts(("redshift", "paper"), is_selection=False) == ("redshift", *others)
