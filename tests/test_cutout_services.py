"""Promises of each service of cutouts: what it is asked for, and which settings name it."""

from pathlib import Path

import numpy as np
import pytest

from cutout_server import picture_of, serve_cutouts
from metalight.cutouts import build_service, download_cutouts
from metalight.errors import RecipeError
from metalight.recipe import CutoutsSettings, SkyServerSettings, load_recipe
from metalight.store import FileReader
from sky_pictures import encode
from test_download import QUICK, make_galaxies


def fetch_one(settings: dict[str, object], folder: Path) -> tuple[str, dict[str, str], bytes]:
    """Path, parameters, and what was kept, of one galaxy of 20 arcsec at RA 0.001."""
    galaxies = make_galaxies(2).iloc[1:]
    with serve_cutouts() as server:
        place = {} if settings["service"] == "skyserver" else {"base_url": server.url}
        release = settings.pop("release", "dr18")
        service = build_service(
            CutoutsSettings.model_validate({**settings, **place}),
            SkyServerSettings.model_validate({"base_url": server.url, "release": release}),
        )
        report = download_cutouts(galaxies, service, folder, QUICK)
    assert len(report.fetched) == 1
    return server.paths[0], server.requests[0], FileReader(folder).read(report.fetched["path"].iloc[0])


def test_skyserver_is_asked_by_its_parameters(tmp_path: Path) -> None:
    path, query, data = fetch_one({"service": "skyserver", "release": "dr14"}, tmp_path)
    assert path == "/dr14/SkyServerWS/ImgCutout/getjpeg"
    place = {"ra": "0.001000000", "dec": "-0.500000000"}
    assert query == {**place, "scale": "0.15625000", "width": "128", "height": "128", "opt": ""}
    assert data == picture_of(0.001)


def test_the_legacy_viewer_is_asked_by_its_parameters(tmp_path: Path) -> None:
    path, query, data = fetch_one({"service": "legacy", "layer": "ls-dr10", "side": 160}, tmp_path)
    assert path == "/cutout.jpg"
    place = {"ra": "0.001000000", "dec": "-0.500000000"}
    assert query == {**place, "layer": "ls-dr10", "pixscale": "0.12500000", "size": "160"}
    assert data == picture_of(0.001, 160)


def test_hips2fits_is_asked_by_its_parameters(tmp_path: Path) -> None:
    path, query, data = fetch_one({"service": "hips"}, tmp_path)
    assert path == "/"
    assert (query["ra"], query["dec"]) == ("0.001000000", "-0.500000000")
    assert float(query["fov"]) == pytest.approx(20 / 3600, abs=1e-12)
    fixed = {"hips": "CDS/P/SDSS9/color", "projection": "TAN", "coordsys": "icrs", "format": "jpg"}
    assert fixed.items() <= query.items()
    assert (query["width"], query["height"], query["rotation_angle"]) == ("128", "128", "0.0")
    assert data == picture_of(0.001)


@pytest.mark.parametrize("service", ["legacy", "hips"])
def test_a_place_without_images_is_outside_the_footprint_at_once(tmp_path: Path, service: str) -> None:
    blank = encode(np.full((128, 128, 3), 32, np.uint8))
    with serve_cutouts(lambda handler, times: handler.query["ra"] == "0.001000000" and handler.send(blank)) as server:
        settings = CutoutsSettings.model_validate({"service": service, "base_url": server.url})
        report = download_cutouts(make_galaxies(4), build_service(settings, SkyServerSettings()), tmp_path, QUICK)
    assert report.refused["kind"].tolist() == ["outside_footprint"]
    assert report.num_requests == 4


def test_the_source_tells_service_and_survey_unless_it_is_said_otherwise() -> None:
    def name(*settings: str) -> str:
        return load_recipe("paper", [f"cutouts.{setting}" for setting in settings]).cutouts.source

    assert name() == name("service=skyserver") == "sdss"
    assert name("service=legacy") == "legacy-sdss"
    assert name("service=legacy", "layer=ls-dr10-grz") == "legacy-ls-dr10-grz"
    assert name("service=hips", "hips=CDS/P/PanSTARRS/DR1/color-i-r-g") == "hips-CDS/P/PanSTARRS/DR1/color-i-r-g"
    assert name("service=skyserver", "source=simulated") == "simulated"
    assert name("service=legacy", "source=simulated") == "simulated"


def test_a_source_that_names_another_layer_than_is_fetched_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"'legacy-sdss', but what is fetched is 'legacy-ls-dr9'; leave source out"):
        load_recipe("paper", ["cutouts.service=legacy", "cutouts.layer=ls-dr9", "cutouts.source=legacy-sdss"])


@pytest.mark.parametrize("layer", ["a&b", "", "x y", "a?b", "#"])
def test_a_layer_that_would_change_the_address_is_refused(layer: str) -> None:
    with pytest.raises(RecipeError, match="layer"):
        load_recipe("paper", ["cutouts.service=legacy", f'cutouts.layer="{layer}"'])


def test_images_of_one_layer_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    with serve_cutouts() as server:
        for layer in ("sdss", "ls-dr9"):
            settings = {"service": "legacy", "layer": layer, "base_url": server.url}
            service = build_service(CutoutsSettings.model_validate(settings), SkyServerSettings())
            assert download_cutouts(make_galaxies(3), service, tmp_path, QUICK).num_requests == 3
