"""`metalight init` finds out what a catalogue and a folder of images can tell, and its recipe works as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from call import refuse, succeed
from make import make_sample
from metalight.recipe import Recipe, load_recipe
from metalight.tables import Table, save_table

NUM = 30


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with catalog.csv and images/, named by integers."""
    folder = tmp_path_factory.mktemp("own")
    make_sample(folder, NUM)
    return folder


def propose(folder: Path, catalog: str, images: str = "images") -> Recipe:
    output = folder / f"recipe-{len(list(folder.glob('recipe-*')))}.toml"
    told = succeed("init", folder / catalog, folder / images, "-o", output)
    assert f"metalight run {output}" in told
    # The galaxies, their images and their sets are found without a word more.
    assert f"✓ cutouts     {NUM} of {NUM} have an image" in succeed(
        "run", output, "--run-dir", output.with_suffix(""), "--only", "catalog"
    ) + succeed("run", output, "--run-dir", output.with_suffix(""), "--only", "cutouts")
    return load_recipe(str(output))


def test_columns_are_found_by_what_is_in_them(own: Path) -> None:
    recipe = propose(own, "catalog.csv")
    assert (recipe.catalog.object_id, recipe.catalog.targets, recipe.catalog.file_name) == ("objID", ("oh_p50",), "")
    assert recipe.pixels.side == 16
    assert recipe.model.target_scaling == "standard"
    assert recipe.training.batch_size < NUM


CHANGES: dict[str, Callable[[pd.DataFrame], dict[str, Any]]] = {
    "names of files": lambda galaxies: {"picture": galaxies["objID"].astype(str) + ".png", "objID": range(NUM)},
    "absolute paths": lambda galaxies: {"file_loc": galaxies["whole_path"], "objID": range(NUM)},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_column_of_file_names_is_found(own: Path, kind: str) -> None:
    galaxies = pd.read_csv(own / "catalog.csv")
    galaxies["whole_path"] = [str(own / "images" / f"{key}.png") for key in galaxies["objID"]]
    changed = galaxies.assign(**CHANGES[kind](galaxies)).drop(columns="whole_path")
    save_table(Table(changed), own / "named.vot")
    recipe = propose(own, "named.vot")
    assert recipe.catalog.file_name in ("picture", "file_loc")
    assert recipe.catalog.object_id == "objID"


def test_text_is_an_identifier_and_a_known_quantity_the_target(own: Path, tmp_path: Path) -> None:
    galaxies = pd.read_csv(own / "catalog.csv")
    names = [f"J{key % 1000:04}+{row:02}.5" for row, key in enumerate(galaxies["objID"])]
    (tmp_path / "images").mkdir()
    for name, key in zip(names, galaxies["objID"], strict=True):
        (tmp_path / "images" / f"{name}.png").symlink_to(own / "images" / f"{key}.png")
    numbers = np.linspace(0, 1, NUM)
    frame = pd.DataFrame({"name": names, "RA": 10 * numbers, "flux": numbers, "LGM_TOT_P50": 10 + numbers})
    save_table(Table(frame), tmp_path / "catalog.fits")
    recipe = propose(tmp_path, "catalog.fits")
    assert (recipe.catalog.object_id, recipe.catalog.targets) == ("name", ("LGM_TOT_P50",))


def test_the_galaxies_are_found_behind_a_table_of_one_row(own: Path, tmp_path: Path) -> None:
    galaxies = pd.read_csv(own / "catalog.csv")
    head = fits.BinTableHDU.from_columns([fits.Column("Field Header Card", "3A", array=["abc"])], name="LDAC_IMHEAD")
    columns = [fits.Column(name, "K" if name == "objID" else "D", array=galaxies[name]) for name in ("objID", "oh_p50")]
    objects = fits.BinTableHDU.from_columns(columns, name="LDAC_OBJECTS")
    fits.HDUList([fits.PrimaryHDU(), head, objects]).writeto(tmp_path / "catalog.fits")
    (tmp_path / "images").symlink_to(own / "images")
    assert propose(tmp_path, "catalog.fits").catalog.targets == ("oh_p50",)


@pytest.mark.parametrize("is_a_file_a_band", [True, False])
def test_the_bands_of_fits_are_found(own: Path, tmp_path: Path, is_a_file_a_band: bool) -> None:
    galaxies = pd.read_csv(own / "catalog.csv")
    (tmp_path / "images").mkdir()
    for key in galaxies["objID"]:
        planes = {band: np.random.default_rng(key).normal(size=(20, 24)).astype("f4") for band in "gri"}
        if is_a_file_a_band:
            for band, plane in planes.items():
                fits.PrimaryHDU(plane).writeto(tmp_path / "images" / f"{key}_{band}.fits")
        else:
            units = [fits.ImageHDU(plane, name=band) for band, plane in planes.items()]
            fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "images" / f"{key}.fits")
    galaxies.to_csv(tmp_path / "catalog.csv", index=False)
    recipe = propose(tmp_path, "catalog.csv")
    assert [band.lower() for band in recipe.cutouts.bands] == ["i", "r", "g"]
    assert recipe.pixels.side == 20


def test_what_does_not_belong_together_is_refused_with_both_spellings(own: Path, tmp_path: Path) -> None:
    pd.DataFrame({"id": ["a", "b"], "oh_p50": [8.0, 9.0]}).to_csv(tmp_path / "other.csv", index=False)
    message = refuse("init", tmp_path / "other.csv", own / "images", "-o", tmp_path / "new.toml")
    assert ".png" in message
    assert "id, oh_p50" in message
    pd.read_csv(own / "catalog.csv")[["objID"]].to_csv(tmp_path / "nothing.csv", index=False)
    assert "no column of numbers to learn" in refuse(
        "init", tmp_path / "nothing.csv", own / "images", "-o", tmp_path / "new.toml"
    )
    (tmp_path / "new.toml").write_text("mine")
    assert "already" in refuse("init", own / "catalog.csv", own / "images", "-o", tmp_path / "new.toml", status=2)
    assert (tmp_path / "new.toml").read_text() == "mine"
