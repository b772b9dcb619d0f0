"""Promises of a recipe with source = "galspec": from files on disk to the catalogue in the run folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import refuse, succeed
from make_galspec import make_photometry, make_spectra, write_folder
from metalight.catalog.spread import choose_spread

RECIPE = """
preset = "demo"
catalog.source = "galspec"
catalog.path = "galspec"
catalog.photometry = "photometry.parquet"
catalog.object_id = "objID"
catalog.targets = ["oh_p50"]
cutouts.folder = "images"
baselines.kinds = []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spectra = make_spectra(3_000, repeated=0.2)
    write_folder(tmp_path / "galspec", [spectra])
    photometry = make_photometry(spectra)
    photometry["modelMag_u"] = photometry["modelMag_r"] + 1.5
    photometry.to_parquet(tmp_path / "photometry.parquet")
    (tmp_path / "images").mkdir()
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    return succeed("run", folder / "recipe.toml", "--run-dir", folder / "run", "--only", "catalog", *arguments)


def test_a_run_selects_from_galspec_files_with_the_paper_s_cuts(folder: Path) -> None:
    output = run(folder)
    catalog = pd.read_parquet(folder / "run" / "catalog.parquet")
    cuts = pd.read_csv(folder / "run" / "cuts.csv")
    assert cuts["cut"].tolist()[:3] == ["all rows", "has a spectrum id", "is reliable"]
    assert cuts["num_left"].tolist()[0] == 3_000
    assert cuts["num_left"].tolist()[-1] == len(catalog) > 50
    assert cuts["num_left"].is_monotonic_decreasing
    assert cuts["source"].notna().all()
    assert ((catalog["rChi2"] < 2) & (catalog["z"] > 0.02) & (catalog["petroMag_r"] < 18)).all()
    photometry = pd.read_parquet(folder / "photometry.parquet").drop_duplicates("objID").set_index("objID")
    assert catalog["ra"].tolist() == photometry.loc[catalog["object_id"], "ra"].tolist()
    repeats = pd.read_parquet(folder / "run" / "repeats.parquet")
    assert repeats["object_id"].dtype == np.int64
    assert (repeats.groupby("object_id").size() > 1).all()
    assert f"{len(catalog):,} of 3,000 galaxies pass the cuts and have oh_p50" in output
    assert "one spectrum a galaxy: sciencePrimary of specObj" in output
    assert "label noise 0.0" in output


def test_a_limit_takes_those_of_the_lowest_ranks_and_is_counted(folder: Path) -> None:
    run(folder, "--set", "catalog.cuts=[]")
    everyone = pd.read_parquet(folder / "run" / "catalog.parquet")
    run(folder, "--set", "catalog.cuts=[]", "--set", "catalog.limit=20")
    few = pd.read_parquet(folder / "run" / "catalog.parquet")
    ids = everyone["object_id"].to_numpy()
    assert few["object_id"].tolist() == ids[choose_spread(ids, 20)].tolist()
    cuts = pd.read_csv(folder / "run" / "cuts.csv").set_index("cut")
    assert cuts["num_left"]["20 spread over the sky"] == 20


def test_another_source_leaves_no_repeats_of_this_one(folder: Path) -> None:
    run(folder)
    assert (folder / "run" / "repeats.parquet").exists()
    table = ["--set", "catalog.source=table", "--set", f"catalog.path={folder / 'run' / 'catalog.parquet'}"]
    # The catalogue is read before it is written again.
    run(folder, *table, "--set", "catalog.object_id=object_id")
    assert not (folder / "run" / "repeats.parquet").exists()


def test_a_recipe_without_photometry_or_files_is_refused(folder: Path) -> None:
    arguments = ("run", folder / "recipe.toml", "--run-dir", folder / "run", "--only", "catalog")
    message = refuse(*arguments, "--set", "catalog.photometry=", status=2)
    assert 'source = "galspec" needs photometry = "TABLE"' in message
    assert "lacks galSpecLine-dr8.fits" in refuse(*arguments, *_without_line(folder))


def test_photometry_that_is_not_there_or_lacks_a_column_is_refused_before_the_spectra_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metalight.catalog.galspec.selection.read_spectra", lambda *_, **__: pytest.fail("were read"))
    arguments = ("run", folder / "recipe.toml", "--run-dir", folder / "run", "--only", "catalog")
    for name in ("nowhere.csv", "nowhere.parquet"):
        assert "There is no file" in refuse(*arguments, "--set", f"catalog.photometry={name}")
    photometry = pd.read_parquet(folder / "photometry.parquet").drop(columns="objID")
    photometry.to_parquet(folder / "photometry.parquet")
    assert "has no column 'objID'" in refuse(*arguments)


def _without_line(folder: Path) -> tuple[str, str]:
    other = folder / "other"
    other.mkdir()
    for path in (folder / "galspec").iterdir():
        if "Line" not in path.name:
            (other / path.name).symlink_to(path)
    return "--set", f"catalog.path={other}"


def test_files_that_changed_are_selected_from_anew(folder: Path) -> None:
    before = run(folder)
    photometry = pd.read_parquet(folder / "photometry.parquet")
    photometry.head(len(photometry) // 2).to_parquet(folder / "photometry.parquet")
    assert before.split("galaxies")[0] != run(folder).split("galaxies")[0]
