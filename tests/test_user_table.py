"""Promises of the user's catalogue: every galaxy is kept or refused with its reason, under the names that are asked."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalight.catalog import Catalog, load_catalog
from metalight.errors import CatalogError
from metalight.tables import ColumnInfo, Table, load_table, save_table

BIG = 1237648720693755918


def write_catalog(
    folder: Path, suffix: str = ".parquet", info: dict[str, ColumnInfo] | None = None, **columns: Any
) -> Path:
    path = folder / f"galaxies{suffix}"
    save_table(Table(pd.DataFrame(columns), info or {}), path)
    return path


def refusals(catalog: Catalog) -> dict[int, str]:
    return dict(zip(catalog.refused["object_id"].tolist(), catalog.refused["reason"].tolist(), strict=True))


def counted(catalog: Catalog) -> list[tuple[str, int]]:
    return list(zip(catalog.counts["cut"].tolist(), catalog.counts["num_left"].tolist(), strict=True))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".fits"])
def test_columns_are_mapped_and_put_in_order_and_the_rest_is_kept(tmp_path: Path, suffix: str) -> None:
    path = write_catalog(
        tmp_path,
        suffix,
        {"objID": ColumnInfo("", "SDSS identifier"), "oh_p50": ColumnInfo("dex"), "ra": ColumnInfo("deg", "J2000")},
        ra=[10.5, -9999.0, 30.5],
        image=["a.jpg", None, "c.jpg"],
        oh_p50=[8.5, 8.75, 9.0],
        set=["train", "test", "test"],
        objID=[BIG + 2, BIG, BIG + 1],
        plate=[266, -9999, 267],
        mass=[10, 11, 9],
    )
    catalog = load_catalog(path, object_id="objID", targets=["oh_p50", "mass"], file_name="image", split="set")
    frame = catalog.table.frame
    assert list(frame.columns) == ["object_id", "oh_p50", "mass", "file_name", "split_name", "ra", "plate"]
    assert frame["object_id"].tolist() == [BIG + 2, BIG, BIG + 1]
    assert frame.dtypes[["object_id", "oh_p50", "mass"]].tolist() == [np.int64, np.float64, np.float64]
    assert frame["file_name"].isna().tolist() == [False, True, False]
    assert frame["split_name"].tolist() == ["train", "test", "test"]
    assert frame["plate"].isna().tolist() == [False, True, False]
    assert catalog.table.info == {
        "object_id": ColumnInfo("", "SDSS identifier"),
        "oh_p50": ColumnInfo("dex"),
        "ra": ColumnInfo("deg", "J2000"),
    }
    assert len(catalog.refused) == 0
    assert counted(catalog) == [("all rows", 3), ("has oh_p50 or mass", 3)]


def test_galaxies_without_a_target_are_refused_with_the_reason_and_counted(tmp_path: Path) -> None:
    path = write_catalog(
        tmp_path,
        id=[6, 5, 4, 3, 2, 1],
        oh=[8.5, -9999.0, math.nan, math.inf, -math.inf, 8.7],
    )
    catalog = load_catalog(path, object_id="id", targets=["oh"])
    assert catalog.table.frame["object_id"].tolist() == [6, 1]
    assert catalog.refused["object_id"].tolist() == [5, 4, 3, 2]
    assert refusals(catalog) == {5: "has no oh", 4: "has no oh", 3: "oh is infinite", 2: "oh is infinite"}
    assert catalog.refused["object_id"].dtype == np.int64
    assert counted(catalog) == [("all rows", 6), ("has oh", 2)]
    assert catalog.counts["num_left"].dtype == np.int64
    assert catalog.counts["reason"].tolist()[0] == "rows of the catalogue"


def test_of_several_targets_a_galaxy_needs_one_and_lacks_what_is_not_a_number(tmp_path: Path) -> None:
    path = write_catalog(
        tmp_path,
        id=[6, 5, 4, 3, 2],
        oh=[8.5, -9999.0, math.nan, math.inf, 8.6],
        mass=[10.5, -99.0, 9.5, 9.6, -math.inf],
    )
    catalog = load_catalog(path, object_id="id", targets=["oh", "mass"])
    assert catalog.table.frame["object_id"].tolist() == [6, 4, 3, 2]
    np.testing.assert_array_equal(catalog.table.frame["oh"], [8.5, math.nan, math.nan, 8.6])
    np.testing.assert_array_equal(catalog.table.frame["mass"], [10.5, 9.5, 9.6, math.nan])
    assert refusals(catalog) == {5: "has neither oh nor mass"}
    assert counted(catalog) == [("all rows", 5), ("has oh or mass", 4)]


@given(targets=st.lists(st.tuples(*[st.sampled_from([8.5, -9999.0, math.nan, math.inf])] * 2), min_size=1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_galaxy_is_kept_or_refused_once_and_the_order_stays(
    tmp_path: Path, targets: list[tuple[float, float]]
) -> None:
    ids = [BIG - row for row in range(len(targets))]
    path = write_catalog(tmp_path, id=ids, a=[a for a, _ in targets], b=[b for _, b in targets])
    usable = [object_id for object_id, pair in zip(ids, targets, strict=True) if 8.5 in pair]
    if not usable:
        with pytest.raises(CatalogError, match=f"None of the {len(ids)} galaxies"):
            load_catalog(path, object_id="id", targets=["a", "b"])
        return
    catalog = load_catalog(path, object_id="id", targets=["a", "b"])
    assert catalog.table.frame["object_id"].tolist() == usable
    assert catalog.refused["object_id"].tolist() == [object_id for object_id in ids if object_id not in usable]
    assert catalog.counts["num_left"].iloc[[0, -1]].tolist() == [len(ids), len(usable)]


def test_the_user_says_which_numbers_are_missing(tmp_path: Path) -> None:
    path = write_catalog(tmp_path, id=[1, 2], oh=[-9999.0, 0.0])
    catalog = load_catalog(path, object_id="id", targets=["oh"], missing_values=[0.0])
    assert catalog.table.frame["oh"].tolist() == [-9999.0]
    assert refusals(catalog) == {2: "has no oh"}


def test_without_targets_every_galaxy_is_kept(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path, id=[1, 2], oh=[8.5, math.nan]), object_id="id", targets=[])
    assert catalog.table.frame["object_id"].tolist() == [1, 2]
    assert counted(catalog) == [("all rows", 2)]


def test_a_catalogue_can_be_saved_and_loaded_again(tmp_path: Path) -> None:
    path = write_catalog(
        tmp_path, ".csv", {"oh": ColumnInfo("dex")}, id=["1", "2"], oh=[8.5, math.nan], name=["a", None], set=[0, 1]
    )
    catalog = load_catalog(path, object_id="id", targets=["oh"], file_name="name", split="set")
    save_table(catalog.table, tmp_path / "catalog.parquet")
    loaded = load_table(tmp_path / "catalog.parquet")
    pd.testing.assert_frame_equal(loaded.frame, catalog.table.frame)
    assert loaded.info == catalog.table.info
    assert loaded.frame["split_name"].tolist() == ["0"]
    for frame in (catalog.refused, catalog.counts):
        frame.to_parquet(tmp_path / "frame.parquet")


def test_text_identifiers_are_taken_exactly(tmp_path: Path) -> None:
    path = write_catalog(tmp_path, id=[str(BIG), str(BIG + 1)], oh=[8.5, 8.6])
    assert load_catalog(path, object_id="id", targets=["oh"]).table.frame["object_id"].tolist() == [BIG, BIG + 1]


def test_a_column_with_a_name_of_ours_may_be_mapped_elsewhere(tmp_path: Path) -> None:
    path = write_catalog(tmp_path, id=[1], object_id=["a.jpg"], oh=[8.5])
    frame = load_catalog(path, object_id="id", targets=["oh"], file_name="object_id").table.frame
    assert frame.to_numpy().tolist() == [[1, 8.5, "a.jpg"]]


@pytest.mark.parametrize(
    ("taken", "settings"),
    [
        ("object_id", {"object_id": "id", "targets": ["oh"]}),
        ("object_id", {"object_id": "id", "targets": ["object_id"]}),
        ("file_name", {"object_id": "id", "targets": ["oh"], "file_name": "image"}),
        ("split_name", {"object_id": "id", "targets": ["oh"], "split": "image"}),
    ],
)
def test_a_column_that_has_a_name_of_ours_by_chance_is_to_be_renamed(
    tmp_path: Path, taken: str, settings: dict[str, Any]
) -> None:
    columns: dict[str, Any] = {"id": [1], "oh": [8.5], "image": ["a"], taken: [5]}
    path = write_catalog(tmp_path, **columns)
    with pytest.raises(CatalogError, match=f"has a column '{taken}', but '(id|image)' is to become '{taken}'; rename"):
        load_catalog(path, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"object_id": "objd"}, r"no column 'objd', which \[catalog\] object_id names\. Did you mean 'objID'\?"),
        ({"targets": ["oh_50"]}, r"no column 'oh_50', which \[catalog\] targets names\. Did you mean 'oh_p50'\?"),
        ({"file_name": "imag"}, r"no column 'imag', which \[catalog\] file_name names\. Did you mean 'image'\?"),
        ({"split": "sett"}, r"no column 'sett', which \[splits\] column names\. Did you mean 'set'\?"),
        (
            {"targets": ["oh_p50", "oh_p50"]},
            r"targets names the column 'oh_p50', which \[catalog\] targets names already",
        ),
        ({"targets": ["objID"]}, r"targets names the column 'objID', which \[catalog\] object_id names already"),
        ({"split": "image", "file_name": "image"}, r"\[splits\] column names .* \[catalog\] file_name names already"),
        ({"targets": ["image"]}, r"Column 'image' of .* does not hold numbers.*'a\.jpg' in row 1"),
        ({"object_id": "oh_p50", "targets": []}, r"Column 'oh_p50' of .* decimal numbers"),
        ({"object_id": "plate"}, r"Column 'plate' of .* identifiers twice"),
        (
            {"file_name": "oh_p50", "targets": []},
            r"Column 'oh_p50' of .* does not hold text, but float64: 8\.5 in row 1",
        ),
        ({"missing_values": [8.5, 8.6]}, r"None of the 2 galaxies .*: 2 × 'has no oh_p50'\. Check \[catalog\] targets"),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    path = write_catalog(
        tmp_path, objID=[BIG, BIG + 1], oh_p50=[8.5, 8.6], image=["a.jpg", "b.jpg"], set=["x", "y"], plate=[7, 7]
    )
    with pytest.raises(CatalogError, match=message):
        load_catalog(path, **{"object_id": "objID", "targets": ["oh_p50"], **settings})


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".fits"])
def test_a_catalogue_without_rows_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_catalog(tmp_path, suffix, id=np.array([], dtype=np.int64), oh=np.array([], dtype=float))
    with pytest.raises(CatalogError, match="has no rows"):
        load_catalog(path, object_id="id", targets=["oh"])


def test_a_file_that_cannot_be_read_is_an_error_of_the_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="There is no file"):
        load_catalog(tmp_path / "gone.csv", object_id="id", targets=["oh"])


@pytest.mark.parametrize(
    ("name", "unit", "description", "told"),
    [
        ("sfr_tot_p50", "dex(Msun / yr)", "log10 of the star formation rate", "log10(SFR / (Msun/yr))"),
        ("MSTAR", "dex(Msun)", "log10 of the mass", "log10 of the mass [Msun]"),
        ("MSTAR", "dex(Msun)", "", "MSTAR [Msun]"),
    ],
)
def test_the_logarithm_of_something_with_a_unit_is_predicted_in_dex(
    name: str, unit: str, description: str, told: str, tmp_path: Path
) -> None:
    columns: dict[str, Any] = {"objID": [BIG, BIG + 1], name: [0.5, 1.0]}
    path = write_catalog(tmp_path, info={name: ColumnInfo(unit, description)}, **columns)
    catalog = load_catalog(path, object_id="objID", targets=[name])
    assert catalog.table.info[name] == ColumnInfo("dex", told)
