"""Promises of dereddening: fluxes multiplied as they should be, before the stretch, and never without E(B−V)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from call import QUICK, refuse, refuse_run, run, succeed
from cutout_server import serve_cutouts
from make import FIRST_ID, make_sample
from make_fits import make_fits_sample, make_fluxes, make_wcs, write_cube
from metalight.errors import ImageError, RecipeError
from metalight.images import build_pixels, load_pixels
from metalight.images.fits_cutouts import read_fits_cutout
from metalight.recipe import CutoutsSettings, load_recipe
from sky_fits import send_fits
from test_fits_services import make_sky, run_to_pixels

IRG = (1.698, 2.285, 3.303)
"""Schlafly & Finkbeiner 2011, table 6."""


def compute_factors(extinction: tuple[float, ...], e_bv: float) -> Any:
    """A / 2.5 mag in powers of ten, for A = extinction · E(B−V)."""
    return np.array([10 ** (value * e_bv / 2.5) for value in extinction])


def decode(data: bytes, e_bv: float = np.nan, **settings: object) -> Any:
    return read_fits_cutout([data], 16, CutoutsSettings.model_validate(settings), e_bv=e_bv).pixels


@pytest.fixture
def cube(tmp_path: Path) -> bytes:
    fluxes, _ = make_fluxes(1, 16, 3)
    write_cube(tmp_path / "one.fits", fluxes[0], ("i", "r", "g"), make_wcs(16))
    return (tmp_path / "one.fits").read_bytes()


@pytest.mark.parametrize("e_bv", [0.0, 0.031, 0.7])
def test_fluxes_of_each_band_are_multiplied_by_its_extinction(cube: bytes, e_bv: float) -> None:
    plain, corrected = decode(cube), decode(cube, e_bv, deredden="e_bv_sfd")
    np.testing.assert_allclose(corrected, plain * compute_factors(IRG, e_bv), rtol=1e-6)
    given = decode(cube, e_bv, deredden="e_bv_sfd", extinction=(3.0, 0.0, 1.0))
    np.testing.assert_allclose(given, plain * compute_factors((3.0, 0.0, 1.0), e_bv), rtol=1e-6)
    # The bands' own, in whichever order they are taken.
    turned = decode(cube, e_bv, deredden="e_bv_sfd", bands=("g", "i"))
    np.testing.assert_array_equal(turned, corrected[:, :, [2, 0]])


def test_the_stretch_comes_after(cube: bytes, tmp_path: Path) -> None:
    fluxes, _ = make_fluxes(1, 16, 3)
    brighter = (fluxes[0] * compute_factors(IRG, 0.2)[:, None, None]).astype(np.float32)
    write_cube(tmp_path / "brighter.fits", brighter, ("i", "r", "g"), make_wcs(16))
    stretched = decode(cube, 0.2, deredden="e_bv_sfd", stretch="lupton")
    wanted = decode((tmp_path / "brighter.fits").read_bytes(), stretch="lupton")
    assert np.abs(stretched.astype(int) - wanted.astype(int)).max() <= 1  # float32 before or after
    assert (stretched != decode(cube, stretch="lupton")).mean() > 0.1


@pytest.mark.parametrize("e_bv", [np.nan, -0.01, 10.1, np.inf])
def test_a_galaxy_without_a_possible_reddening_is_refused(cube: bytes, e_bv: float) -> None:
    with pytest.raises(ImageError, match=r"without an E\(B−V\) from 0 to 10 mag, which \[cutouts\] deredden needs"):
        decode(cube, e_bv, deredden="e_bv_sfd")


@pytest.mark.parametrize(
    ("settings", "flaw"),
    [
        (["deredden=e_bv_sfd", "service=skyserver", "folder="], 'service = "skyserver" gives pictures'),
        (["deredden=e_bv_sfd", "service=hips", "folder="], 'service = "hips" gives pictures'),
        (["deredden=e_bv_sfd", 'bands=["i", "Y"]'], "in u, g, r, i, z of SDSS, not in Y; set extinction"),
        (["deredden=e_bv_sfd", "extinction=[1.0]"], "a number for each of the 3 bands, not 1"),
        (["deredden=e_bv_sfd", "extinction=[1.0, -1.0, 2.0]"], "numbers from 0 to 20"),
        (["extinction=[1.0, 1.0, 2.0]"], "set both, or neither"),
        (
            ["deredden=e_bv_sfd", "service=fits", "folder=", "fits_from=legacy", "layer=ls-dr10"],
            "not of 'ls-dr10'; set extinction",
        ),
    ],
)
def test_what_cannot_be_dereddened_is_refused(settings: list[str], flaw: str) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("paper", [f"cutouts.{setting}" for setting in ["folder=images", *settings]])
    assert flaw in str(error.value)


def test_pictures_in_a_folder_are_not_dereddened(tmp_path: Path) -> None:
    make_sample(tmp_path, 6)
    (tmp_path / "recipe.toml").write_text(f'{QUICK}\ncutouts.deredden = "oh_p50"\n')
    for stage in ("catalog", "cutouts"):
        run(tmp_path, "--only", stage)
    assert "deredden is for the fluxes of FITS files" in refuse_run(tmp_path, "--only", "pixels")


def test_another_reddening_is_decoded_anew(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 3, ("i", "r", "g"))
    found = pd.DataFrame(
        {
            "object_id": FIRST_ID + np.arange(3),
            "path": [f"{FIRST_ID + number}.fits" for number in range(3)],
            "num_bytes": [(tmp_path / f"images/{FIRST_ID + number}.fits").stat().st_size for number in range(3)],
            "modified_ns": 0,
        }
    )
    settings = CutoutsSettings(deredden="e_bv_sfd")

    def is_fresh(*e_bv: float) -> bool:
        of_galaxies = found.assign(e_bv=e_bv)
        return build_pixels(tmp_path / "images", of_galaxies, tmp_path / "pixels", side=8, settings=settings).is_fresh

    assert [is_fresh(0.1, 0.1, 0.1), is_fresh(0.1, 0.1, 0.1), is_fresh(0.1, 0.2, 0.1)] == [False, True, False]


@pytest.mark.parametrize("fits_from", ["hips", "legacy"])
def test_fetched_fluxes_are_dereddened_by_the_catalogue(tmp_path: Path, fits_from: str) -> None:
    pixels = {}
    with serve_cutouts(lambda handler, times: send_fits(handler)) as server:
        for name, lines in (("plain", []), ("corrected", ['deredden = "E_BV_SFD"'])):
            catalog = make_sky(tmp_path / name, server.url, f'fits_from = "{fits_from}"', 'bands = ["u", "z"]', *lines)
            catalog.loc[4, "e_bv_sfd"] = -9999
            catalog.to_csv(tmp_path / name / "catalog.csv", index=False)
            run_to_pixels(tmp_path / name)
            pixels[name] = load_pixels(tmp_path / name / "run/pixels")
    kept = catalog.drop(index=4)
    plain, corrected = pixels["plain"], pixels["corrected"]
    assert corrected.object_ids.tolist() == kept["objID"].tolist()
    factors = np.stack([compute_factors((4.239, 1.263), e_bv) for e_bv in kept["e_bv_sfd"]])
    wanted = plain.array[plain.rows_of(corrected.object_ids)] * factors[:, None, None, :]
    np.testing.assert_allclose(corrected.array, wanted, rtol=1e-6)
    refused = pd.read_csv(tmp_path / "corrected/run/refused/pixels.csv")
    assert refused["object_id"].tolist() == [catalog["objID"][4]]
    assert "without an E(B−V)" in refused["reason"][0]


def test_a_catalogue_without_the_column_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with serve_cutouts(lambda handler, times: send_fits(handler)) as server:
        make_sky(tmp_path, server.url, 'deredden = "ebv"')
        run(tmp_path, "--only", "catalog")
        assert "no column 'ebv', which [cutouts] deredden names" in refuse_run(tmp_path, "--only", "cutouts")
        assert server.requests == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on dereddened cubes."""
    folder = tmp_path_factory.mktemp("dereddened")
    catalog = make_fits_sample(folder, 40, ("i", "r", "g"))
    catalog["e_bv_sfd"] = np.random.default_rng(0).uniform(0, 0.5, 40)
    catalog.to_csv(folder / "catalog.csv", index=False)
    lines = ['catalog.object_id = "objID"', 'catalog.targets = ["oh_p50"]', 'cutouts.deredden = "e_bv_sfd"']
    (folder / "recipe.toml").write_text("\n".join([QUICK, *lines]))
    run(folder)
    return folder


def test_a_model_records_how_its_fluxes_were_dereddened(trained: Path) -> None:
    images = json.loads((trained / "run/model/config.json").read_text())["images"]
    assert (images["deredden"], images["extinction"]) == ("e_bv_sfd", list(IRG))
    card = (trained / "run/model/README.md").read_text()
    assert "the column `e_bv_sfd` of the catalogue, with A / E(B−V) = 1.698 in i, 2.285 in r, 3.303 in g" in card


def test_new_images_are_dereddened_as_the_training_images_were(trained: Path, tmp_path: Path) -> None:
    def predict(images: Path, *arguments: object) -> "pd.Series[float]":
        output = tmp_path / "new.csv"
        succeed("predict", trained / "run", "--images", images, "-o", output, "--views", "none", *arguments)
        return pd.read_csv(output)["oh_p50_predicted"]

    def predict_with(**columns: float) -> "pd.Series[float]":
        pd.read_csv(trained / "catalog.csv").assign(**columns).to_csv(tmp_path / "new_catalog.csv", index=False)
        return predict(trained / "images", "--catalog", tmp_path / "new_catalog.csv", "--id", "objID")

    of_run = predict(trained / "run")
    np.testing.assert_allclose(predict_with(), of_run, atol=1e-5)
    # Nor is what was predicted with another reddening taken for finished.
    assert (predict_with(e_bv_sfd=0.5) - of_run).abs().max() > 1e-4


def test_such_a_model_refuses_images_whose_reddening_is_not_told(trained: Path, tmp_path: Path) -> None:
    def refuse_prediction(*arguments: object) -> str:
        return refuse("predict", trained / "run", "-o", tmp_path / "new.csv", "--images", *arguments)

    message = refuse_prediction(trained / "images")
    assert "give --catalog TABLE, with the column 'e_bv_sfd'" in message
    catalog = pd.read_csv(trained / "catalog.csv")
    catalog[["objID"]].to_csv(tmp_path / "bare.csv", index=False)
    message = refuse_prediction(trained / "images", "--catalog", tmp_path / "bare.csv", "--id", "objID")
    assert "has no column 'e_bv_sfd', which the model's [cutouts] deredden names" in message


def test_decoded_images_that_are_not_dereddened_alike_are_refused(trained: Path, tmp_path: Path) -> None:
    lines = ['catalog.object_id = "objID"', 'catalog.targets = ["oh_p50"]']
    for name, more in (("plain", ""), ("other", 'cutouts.deredden = "e_bv_sfd"\ncutouts.extinction = [1.7, 2.3, 3.3]')):
        other = tmp_path / name
        other.mkdir()
        absolute = QUICK.replace('"catalog.csv"', f'"{trained}/catalog.csv"').replace('"images"', f'"{trained}/images"')
        (other / "recipe.toml").write_text("\n".join([absolute, *lines, more]))
        run_to_pixels(other)
        message = refuse("predict", trained / "run", "--images", other / "run", "-o", tmp_path / "new.csv")
        assert "decoded with another [cutouts] extinction than the model's" in message
