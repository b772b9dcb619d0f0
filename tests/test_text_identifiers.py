"""Promises of a run whose galaxies are named by text: people read the names they gave, wherever a galaxy is listed."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from call import QUICK, call, refuse, succeed
from make import make_blobs
from metalight.catalog import load_catalog
from metalight.identifiers import name_of
from metalight.run_folder import RunFolder
from metalight.splits import assign_random
from metalight.tables import ColumnInfo, Table, load_table, save_table

NUM = 40
NAMES = [
    *("SDSS J000411.19+001122.3", "00123", "123", "-5312345678912345678", "1e5", "NGC 7", "Ünï", "+5", "1.0"),
    *(f"J{number:06d}.{number % 100:02d}+{number:06d}.1" for number in range(31)),
]
UNUSABLE = "blank J1"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of galaxies with names, one of them without an image and two with unusable ones."""
    folder = tmp_path_factory.mktemp("named")
    images, metallicity = make_blobs(NUM, 16)
    (folder / "images").mkdir()
    for name, image in zip(NAMES, images, strict=True):
        Image.fromarray(image).save(folder / f"images/{name}.png")
    shutil.copy(folder / "images/J000030.30+000030.1.png", folder / "images/twin.png")
    ids = [*NAMES, "twin", "absent", "no label"]
    frame = pd.DataFrame({"ID": ids, "oh_p50": [*metallicity.round(5), 8.5, 8.5, np.nan]})
    frame["ra"], frame["dec"] = np.linspace(0, 300, len(ids)), np.linspace(-60, 60, len(ids))
    frame["name"] = [f"galaxy {row}" for row in range(len(ids))]
    frame["plate"] = np.arange(len(ids)) + 2**60
    info = {"ra": ColumnInfo("deg"), "dec": ColumnInfo("deg"), "plate": ColumnInfo("", "number of the plate")}
    save_table(Table(frame, info), folder / "catalog.parquet")
    (folder / "test.txt").write_text("\n".join(["# the test set", *NAMES[:8]]) + "\n")
    recipe = QUICK.replace("catalog.csv", "catalog.parquet") + 'catalog.object_id = "ID"\nsplits.method = "ids"\n'
    (folder / "recipe.toml").write_text(recipe + 'splits.test_ids = "test.txt"\n')
    succeed("run", folder / "recipe.toml", "--run-dir", folder / "run")
    return folder


def list_names(path: Path) -> list[str]:
    return load_table(path, missing_values=()).frame["object_id"].astype(str).tolist()


def predict(folder: Path, output: Path, *arguments: object) -> str:
    how = ("--framing", "petrosian", "--source", "simulated", "--views", "none", "-o", output)
    return succeed("predict", folder / "run", "--images", folder / "images", *how, *arguments)


def test_the_artefacts_of_a_run_show_the_names(named: Path) -> None:
    run = RunFolder(named / "run")
    used = set(NAMES) - {"J000030.30+000030.1"}
    assert set(list_names(run.predictions("test"))) == set(NAMES[:8])
    assert list_names(run.catalog) == [*NAMES, "twin", "absent"]
    assert set(list_names(run.splits)) == used
    assert set(list_names(run.cutouts)) == {*NAMES, "twin"}
    assert list_names(run.refused("catalog")) == ["no label"]
    assert list_names(run.refused("cutouts")) == ["absent"]
    refused = load_table(run.refused("pixels")).frame
    assert set(refused["object_id"]) == {"twin", "J000030.30+000030.1"}
    assert refused["reason"].str.contains("twin|J000030").all()


def test_figures_and_inspect_show_the_names(named: Path) -> None:
    examples = pd.read_csv(named / "run/figures/example_grid.csv", dtype=str)
    assert set(examples["object_id"]) <= set(NAMES[:8])
    succeed("inspect", named / "run")
    sheet = pd.read_csv(named / "run/figures/contact_sheet.csv", dtype=str)
    assert set(sheet["object_id"]) == set(NAMES) - {"J000030.30+000030.1"}
    refused = pd.read_csv(named / "run/figures/refused_sheet.csv", dtype=str)
    assert set(refused["object_id"]) == {"twin", "J000030.30+000030.1"}


def test_predictions_of_a_folder_come_back_by_name(named: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.csv"
    predict(named, output)
    names = [path.stem for path in (named / "images").iterdir()]
    assert sorted(list_names(output)) == sorted(set(names) - {"twin", "J000030.30+000030.1"})
    assert list_names(output)[:1] == ["123"]
    truth = ["--truth-table", named / "catalog.parquet", "--truth-table-id", "ID"]
    compared = succeed("compare", named / "run", output, *truth, "-o", tmp_path / "compared")
    assert "8 test galaxies of both" in compared
    assert set(list_names(tmp_path / "compared/comparison.csv")) == set(NAMES[:8])


def test_predictions_carry_places_names_and_what_is_kept(named: Path, tmp_path: Path) -> None:
    how = ("--catalog", named / "catalog.parquet", "--id", "ID", "--keep", "plate", "--keep", "OH_P50")
    predict(named, tmp_path / "p.parquet", *how)
    found, catalog = load_table(tmp_path / "p.parquet"), load_table(named / "catalog.parquet").frame.set_index("ID")
    assert list(found.frame) == ["object_id", "ra", "dec", "name", "plate", "oh_p50", "oh_p50_predicted"]
    wanted = catalog.loc[found.frame["object_id"]]
    for column in ("ra", "name", "plate", "oh_p50"):
        assert found.frame[column].tolist() == wanted[column].tolist()
    assert found.frame["plate"].dtype == np.int64
    assert (found.info["ra"].unit, found.info["plate"].description) == ("deg", "number of the plate")


def test_a_format_that_cannot_hold_the_names_is_refused_before_anything_is_predicted(
    named: Path, tmp_path: Path
) -> None:
    how = ("--framing", "petrosian", "--source", "simulated", "--views", "none", "-o", tmp_path / "p.fits")
    message = refuse("predict", named / "run", "--images", named / "images", *how)
    assert "Ünï" in message
    assert ".parquet" in message


def test_a_run_is_predicted_and_ranked_with_the_columns_of_its_catalogue(named: Path, tmp_path: Path) -> None:
    succeed("predict", named / "run", "--images", named / "run", "-o", tmp_path / "p.ecsv", "--keep", "plate")
    assert list(load_table(tmp_path / "p.ecsv").frame)[:5] == ["object_id", "ra", "dec", "name", "plate"]
    succeed("rank", named / "run", "-n", 5, "-o", tmp_path / "of_run.parquet", "--keep", "plate")
    listed = load_table(tmp_path / "of_run.parquet")
    expected = ["rank", "object_id", "ra", "dec", "name", "plate", "oh_p50_predicted", "oh_p50"]
    assert list(listed.frame) == expected
    assert set(listed.frame["object_id"]) <= set(NAMES[:8])
    output = succeed("rank", tmp_path / "p.ecsv", "-n", 5, "-o", tmp_path / "of_table.parquet", "--keep", "plate")
    assert load_table(tmp_path / "of_table.parquet").frame["name"].str.startswith("galaxy").all()
    assert list_names(tmp_path / "of_table.parquet")[0] in output


def test_columns_that_cannot_be_kept_are_refused_by_name(named: Path, tmp_path: Path) -> None:
    catalog = ("--catalog", named / "catalog.parquet", "--id", "ID")
    images = ("predict", named / "run", "--images", named / "images", "--any-images", "-o", tmp_path / "p.csv")
    assert "'plat'" in refuse(*images, *catalog, "--keep", "plat")
    assert "--catalog" in refuse(*images, "--keep", "plate")
    frame = load_table(named / "catalog.parquet").frame
    frame["oh_p50_predicted"] = 1.0
    save_table(Table(frame), tmp_path / "other.parquet")
    message = refuse(*images, "--catalog", tmp_path / "other.parquet", "--id", "ID", "--keep", "oh_p50_predicted")
    assert "'oh_p50_predicted' of its own" in message
    assert "of its own" in refuse("rank", named / "run", "--keep", "oh_p50")
    assert not (tmp_path / "p.csv").exists()


def test_names_are_evaluated(named: Path, tmp_path: Path) -> None:
    table = named / "run/predictions/test.parquet"
    columns = ("--truth", "oh_p50", "--predicted", "oh_p50_predicted")
    succeed("evaluate", table, *columns, "-o", tmp_path / "scores")
    assert list_names(tmp_path / "scores/residuals.csv") == list_names(table)


def test_neither_the_order_of_rows_nor_the_format_changes_the_sets(named: Path, tmp_path: Path) -> None:
    frame = load_table(named / "catalog.parquet", missing_values=()).frame
    save_table(Table(frame.iloc[::-1].reset_index(drop=True)), tmp_path / "catalog.csv")
    sets = []
    for path in (named / "catalog.parquet", tmp_path / "catalog.csv"):
        catalog = load_catalog(path, object_id="ID", targets=["oh_p50"]).table.frame
        splits = assign_random(catalog["object_id"].to_numpy())
        sets.append({name_of(key): split for key, split in splits[["object_id", "split"]].itertuples(index=False)})
    assert sets[0] == sets[1]


def test_two_names_that_repeat_are_refused_by_name(named: Path, tmp_path: Path) -> None:
    save_table(Table(pd.DataFrame({"ID": ["J1", "J1 "], "oh_p50": [8.0, 9.0]})), tmp_path / "catalog.csv")
    result = call(
        "run", named / "recipe.toml", "--run-dir", tmp_path / "r", "--set", f"catalog.path={tmp_path}/catalog.csv"
    )
    assert result.exit_code == 1
    assert "J1 is in row 1 and in row 2" in " ".join(result.stderr.split())
