"""Promises of the columns that say where a galaxy is: found in any case, and what is impossible is refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metalight.catalog import Catalog, SkyColumns, load_catalog
from metalight.errors import CatalogError
from metalight.tables import ColumnInfo, Table, save_table

PLACES: dict[str, Any] = {"RA": [0.0, 359.9, 10.0], "Dec": [-90.0, 90.0, 0.0], "petroR90_r": [5.0, 600.0, 0.1]}


def load(folder: Path, sky: SkyColumns | None, *, info: dict[str, ColumnInfo] | None = None, **changes: Any) -> Catalog:
    columns = {"objID": [1, 2, 3], "oh_p50": [8.5, 8.6, 8.7], **PLACES, **changes}
    path = folder / "catalog.ecsv"
    save_table(Table(pd.DataFrame(columns), info or {}), path)
    return load_catalog(path, object_id="objID", targets=["oh_p50"], sky=sky)


ALL = SkyColumns("ra", "dec", "petror90_R")


def test_places_are_found_in_any_case_and_stay_as_they_are(tmp_path: Path) -> None:
    catalog = load(tmp_path, ALL)
    assert catalog.refused.empty
    assert catalog.counts["cut"].tolist() == ["all rows", "has oh_p50", "has RA", "has Dec", "has petroR90_r"]
    for name, values in PLACES.items():
        assert catalog.table.frame[name].tolist() == values


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"RA": [0.0, np.nan, 10.0]}, "has no RA"),
        ({"RA": [0.0, -9999.0, 10.0]}, "has no RA"),
        ({"RA": [0.0, 360.1, 10.0]}, "RA is not from 0 to 360 degrees"),
        ({"RA": [0.0, -0.1, 10.0]}, "RA is not from 0 to 360 degrees"),
        ({"RA": [0.0, np.inf, 10.0]}, "RA is not from 0 to 360 degrees"),
        ({"Dec": [0.0, 90.01, 10.0]}, "Dec is not from -90 to 90 degrees"),
        ({"Dec": pd.array([0, None, 10], dtype="Int64")}, "has no Dec"),
        ({"petroR90_r": [5.0, 0.0, 5.0]}, "petroR90_r is not above 0 and up to 600 arcsec"),
        ({"petroR90_r": [5.0, 601.0, 5.0]}, "petroR90_r is not above 0 and up to 600 arcsec"),
        ({"petroR90_r": [5.0, np.nan, 5.0]}, "has no petroR90_r"),
        ({"RA": [0.0, np.nan, 1.0], "Dec": [0.0, 100.0, 1.0]}, "has no RA"),
        ({"RA": [0.0, np.nan, 1.0], "oh_p50": [8.5, np.nan, 8.6]}, "has no oh_p50"),
    ],
)
def test_a_galaxy_without_a_possible_place_is_refused_with_the_first_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    catalog = load(tmp_path, ALL, **changes)
    assert catalog.refused.to_dict("records") == [{"object_id": 2, "reason": reason}]
    assert catalog.table.frame["object_id"].tolist() == [1, 3]


def test_places_that_nothing_asks_for_refuse_no_galaxy(tmp_path: Path) -> None:
    assert load(tmp_path, None, RA=[np.nan] * 3).refused.empty
    assert load(tmp_path, SkyColumns("ra", "dec"), petroR90_r=[np.nan] * 3).refused.empty


@pytest.mark.parametrize(
    ("sky", "changes", "message"),
    [
        (SkyColumns("raj2000", "dec"), {}, r"no column 'raj2000', which \[catalog\] ra names"),
        (SkyColumns("ra", "decl"), {}, r"no column 'decl', which \[catalog\] dec names\. Did you mean 'Dec'\?"),
        (SkyColumns("ra", "dec", "petroR90"), {}, r"which \[catalog\] petro_r90 names\. Did you mean 'petroR90_r'\?"),
        (SkyColumns("ra", "dec"), {"ra": ["a", "b", "c"]}, r"Column 'ra' of .* does not hold numbers.*'a' in row 1"),
        (SkyColumns("rA", "dec"), {"ra": [1, 2, 3]}, r"has the columns 'RA' and 'ra', and \[catalog\] ra names 'rA'"),
        (SkyColumns("ra", "RA"), {}, r"\[catalog\] dec names the column 'RA', which \[catalog\] ra names already"),
        (SkyColumns("objid", "dec"), {}, r"ra names the column 'objID', which \[catalog\] object_id names already"),
        (
            SkyColumns("ra", "dec"),
            {"RA": [400.0, 500.0, np.nan]},
            r"None of the 3 galaxies .*: 2 × 'RA is not from 0 to 360 degrees', 1 × 'has no RA'\. "
            r"Check \[catalog\] ra and missing_values\.",
        ),
    ],
)
def test_columns_that_cannot_be_places_are_refused(
    tmp_path: Path, sky: SkyColumns, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message) as caught:
        load(tmp_path, sky, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit", ["", "deg", "degree", "Degrees"])
def test_degrees_are_taken_under_their_names(tmp_path: Path, unit: str) -> None:
    assert load(tmp_path, ALL, info={"RA": ColumnInfo(unit), "petroR90_r": ColumnInfo("arcsec")}).refused.empty


@pytest.mark.parametrize(
    ("column", "unit", "setting", "needed"),
    [
        ("RA", "hourangle", "ra", "degrees"),
        ("Dec", "rad", "dec", "degrees"),
        ("petroR90_r", "pix", "petro_r90", "arcsec"),
    ],
)
def test_places_in_other_units_are_refused(tmp_path: Path, column: str, unit: str, setting: str, needed: str) -> None:
    message = rf"Column '{column}' of .* is in '{unit}', but \[catalog\] {setting} needs {needed}; convert it, or name"
    with pytest.raises(CatalogError, match=message):
        load(tmp_path, ALL, info={column: ColumnInfo(unit)})


def test_a_place_may_be_learnt_too(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    pd.DataFrame({"objID": [1, 2], "RA": [1.0, 2.0], "Dec": [3.0, 4.0]}).to_csv(path, index=False)
    catalog = load_catalog(path, object_id="objID", targets=["dec"], sky=SkyColumns("ra", "dec"))
    assert catalog.table.frame.columns.tolist() == ["object_id", "dec", "RA"]
