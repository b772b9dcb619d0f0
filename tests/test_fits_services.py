"""Promises of FITS from services: asked for band by band, judged before it is kept, and decoded as a folder's."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from call import QUICK as QUICK_RECIPE
from call import refuse_run, run
from cutout_server import CutoutServer, Handler, serve_cutouts
from metalight.cutouts import DownloadReport, build_service, download_cutouts, estimate_download
from metalight.errors import RecipeError
from metalight.image_files import split_path
from metalight.recipe import CutoutsSettings, SkyServerSettings, load_recipe
from metalight.store import FileReader
from sky_fits import make_fits, send_fits
from test_download import QUICK, make_galaxies

Answer = Callable[[Handler, int], bool]


def fetch(
    folder: Path, answer: Answer = lambda handler, times: send_fits(handler), **settings: object
) -> tuple[CutoutServer, DownloadReport]:
    """Galaxies of 20 arcsec, the first at RA 0, fetched from a service that answers so."""
    with serve_cutouts(answer) as server:
        given = {"service": "fits", "side": 64, **settings, "base_url": server.url}
        service = build_service(CutoutsSettings.model_validate(given), SkyServerSettings())
        report = download_cutouts(make_galaxies(2), service, folder, QUICK.model_copy(update={"tries": 2}))
    return server, report


def refuse_second(answer: Callable[[Handler], bool], folder: Path, **settings: object) -> tuple[str, str, int]:
    """Kind and reason of the refusal of the galaxy at RA 0.001, and how often it was asked for."""

    def send(handler: Handler, times: int) -> bool:
        return answer(handler) if handler.query["ra"] == "0.001000000" else send_fits(handler)

    server, report = fetch(folder, send, **settings)
    assert len(report.fetched) == len(report.refused) == 1
    return report.refused["kind"].iloc[0], report.refused["reason"].iloc[0], server.asked[1]


def test_hips2fits_is_asked_for_each_band_and_its_bytes_are_kept_in_order(tmp_path: Path) -> None:
    server, report = fetch(tmp_path, bands=("i", "r", "g", "u"))
    assert sorted(query["hips"] for query in server.requests) == sorted(
        2 * [f"CDS/P/SDSS9/{band}" for band in ("i", "r", "g", "u")]
    )
    query = server.requests[0]
    fixed = {"projection": "TAN", "coordsys": "icrs", "format": "fits", "width": "64", "height": "64"}
    assert fixed.items() <= query.items()
    assert float(query["fov"]) == pytest.approx(20 / 3600, abs=1e-12)
    reader = FileReader(tmp_path)
    for row, ra in ((0, "0.000000000"), (1, "0.001000000")):
        path = report.fetched["path"].iloc[row]
        assert path.startswith("part-00000.parquet/{")
        for name, band in zip(split_path(path), ("i", "r", "g", "u"), strict=True):
            asked = next(q for q in server.requests if q["ra"] == ra and q["hips"].endswith(f"/{band}"))
            assert reader.read(name) == make_fits(asked)
    rows = pd.read_parquet(tmp_path / "part-00000.parquet")
    assert rows["band"].tolist() == 2 * ["i", "r", "g", "u"]
    assert rows["sha256"].tolist() == [hashlib.sha256(data).hexdigest() for data in rows["jpeg"]]


def test_the_legacy_viewer_is_asked_once_for_a_cube(tmp_path: Path) -> None:
    server, report = fetch(tmp_path, bands=("z", "r", "g"), fits_from="legacy", layer="ls-dr10")
    assert set(server.paths) == {"/cutout.fits"}
    assert report.num_requests == 2
    query = next(query for query in server.requests if query["ra"] == "0.001000000")
    place = {"ra": "0.001000000", "dec": "-0.500000000"}
    assert query == {**place, "layer": "ls-dr10", "pixscale": "0.31250000", "size": "64", "bands": "zrg"}
    assert report.fetched["path"].tolist()[1].endswith(".fits")
    assert FileReader(tmp_path).read(report.fetched["path"].iloc[1]) == make_fits(query)


def test_what_is_there_is_not_asked_for_again_and_a_further_band_is(tmp_path: Path) -> None:
    assert fetch(tmp_path)[1].num_requests == 6
    assert fetch(tmp_path)[1].num_requests == 0
    assert fetch(tmp_path, bands=("i", "r"))[1].num_requests == 0
    assert fetch(tmp_path, bands=("z",))[1].num_requests == 2
    # The bands of a galaxy may lie in several parts.
    _, report = fetch(tmp_path, bands=("z", "g"))
    assert report.num_requests == 0
    reader, asked = FileReader(tmp_path), fetch(tmp_path / "else", bands=("z", "g"))[0].requests
    files = [reader.read(name) for name in split_path(report.fetched["path"].iloc[0])]
    of_first = {query["hips"][-1]: make_fits(query) for query in asked if query["ra"] == "0.000000000"}
    assert files == [of_first["z"], of_first["g"]]


def _fill(first: int, value: float) -> Callable[[Any], Any]:
    def fill(planes: Any) -> Any:
        planes[:, :first] = value
        return planes

    return fill


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (lambda h: h.send(b"<html>busy</html>", kind="text/html"), "service_error", "sent 'text/html', which does not"),
        (lambda h: h.send(make_fits(h.query)[:9000], kind="application/fits"), "invalid_image", "cut short"),
        (lambda h: h.send(b"SIMPLE  = what", kind="application/fits"), "invalid_image", "cut short"),
        (lambda h: send_fits(h, side=32), "invalid_image", "32 × 32 px, where 64 × 64"),
        (lambda h: send_fits(h, scale=1.05), "invalid_image", "pixels of 0.3281 × 0.3281 arcsec, where 0.3125"),
        (lambda h: send_fits(h, shift_px=5), "invalid_image", "5.0 px from the middle"),
        (lambda h: send_fits(h, values=np.nan), "outside_footprint", "100 % of the pixels are undefined or zero"),
        (lambda h: send_fits(h, values=0.0), "outside_footprint", "100 % of the pixels are undefined or zero"),
        (lambda h: send_fits(h, values=7.0), "outside_footprint", "one value all over"),
        (lambda h: send_fits(h, values=_fill(40, np.nan)), "outside_footprint", "62 % of the pixels"),
        (
            lambda h: send_fits(h, values=lambda planes: np.concatenate([planes, planes])),
            "invalid_image",
            "has 2 planes",
        ),
        (lambda h: h.send(b"gone", status=404, kind="text/plain"), "service_error", "status 404"),
    ],
)
def test_what_is_not_the_file_asked_for_is_refused(
    tmp_path: Path, answer: Callable[[Handler], bool], kind: str, reason: str
) -> None:
    told, why, num_asked = refuse_second(answer, tmp_path, bands=("r",))
    assert (told, reason in why) == (kind, True), why
    assert num_asked == (1 if kind == "outside_footprint" or "404" in reason else 2)


def _send_without_overlap(handler: Handler) -> bool:
    file = io.BytesIO()
    fits.PrimaryHDU(header=fits.Header({"OVERLAP": False, "BANDS": "rz"})).writeto(file)
    return handler.send(file.getvalue(), kind="image/fits")


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (_send_without_overlap, "outside_footprint", "no images there, says the service"),
        (lambda h: h.send(make_fits({**h.query, "bands": "gr"})), "invalid_image", "the bands 'gr', where 'rz'"),
        (lambda h: h.send(make_fits({**h.query, "bands": "r"})), "invalid_image", "has 1 planes, where 2"),
    ],
)
def test_a_cube_of_other_bands_is_refused(
    tmp_path: Path, answer: Callable[[Handler], bool], kind: str, reason: str
) -> None:
    told, why, _ = refuse_second(answer, tmp_path, bands=("r", "z"), fits_from="legacy")
    assert (told, reason in why) == (kind, True), why


def test_a_few_undefined_pixels_are_left_to_decoding(tmp_path: Path) -> None:
    _, report = fetch(tmp_path, lambda handler, times: send_fits(handler, values=_fill(4, np.nan)))
    assert len(report.fetched) == 2


def test_the_estimate_counts_every_band() -> None:
    def estimate(**settings: object) -> tuple[float, int]:
        service = build_service(CutoutsSettings.model_validate({"service": "fits", **settings}), SkyServerSettings())
        return estimate_download(1000, QUICK.model_copy(update={"requests_per_second": 10.0}), service)

    assert estimate()[0] == pytest.approx(300)
    assert estimate(fits_from="legacy")[0] == pytest.approx(100)
    assert estimate()[1] == pytest.approx(1000 * 12 * 128**2, rel=0.01)


def test_the_source_of_fits_tells_where_it_comes_from() -> None:
    def name(*settings: str) -> tuple[str, str]:
        changed = [f"cutouts.{setting}" for setting in ("service=fits", *settings)]
        cutouts = load_recipe("paper", changed).cutouts
        return cutouts.source, cutouts.hips

    assert name() == ("fits-CDS/P/SDSS9/{band}", "CDS/P/SDSS9/{band}")
    assert name("hips=CDS/P/PanSTARRS/DR1/{band}")[0] == "fits-CDS/P/PanSTARRS/DR1/{band}"
    assert name("fits_from=legacy", "layer=ls-dr10")[0] == "fits-ls-dr10"


@pytest.mark.parametrize(
    ("settings", "flaw"),
    [
        (["service=fits", "hips=CDS/P/SDSS9/g"], "hips needs {band} once"),
        (["service=fits", "hips=CDS/P/{survey}/{band}"], "hips needs {band} once"),
        (["service=hips", "hips=CDS/P/SDSS9/{band}"], 'for service = "fits"'),
        (["service=fits", "fits_from=legacy", 'bands=["g", "r", "W1"]'], "'W1', and the Legacy Surveys"),
        (["service=fits", "fits_from=elsewhere"], "fits_from"),
        (["service=fits", "source=fits-CDS/P/SDSS9/{band}", "hips=CDS/P/DES/{band}"], "leave source out"),
    ],
)
def test_settings_that_name_no_fits_are_refused(settings: list[str], flaw: str) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("paper", [f"cutouts.{setting}" for setting in settings])
    assert flaw in str(error.value)


_FETCHING = """
catalog.object_id = "objID"
catalog.targets = ["oh_p50"]
[cutouts]
service = "fits"
base_url = "URL"
side = 48
framing = "fixed"
"""


def make_sky(folder: Path, url: str, *settings: str) -> pd.DataFrame:
    """A folder with catalog.csv and recipe.toml, whose images are fetched."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    catalog = pd.DataFrame(
        {
            "objID": 1_237_648_720_693_755_918 + np.arange(12),
            "ra": np.arange(12) / 1000,
            "dec": 0.25,
            "e_bv_sfd": random.uniform(0.01, 0.3, 12),
            "oh_p50": random.normal(8.9, 0.2, 12),
        }
    )
    catalog.to_csv(folder / "catalog.csv", index=False)
    plain = "\n".join(line for line in QUICK_RECIPE.splitlines() if not line.startswith("cutouts."))
    text = f"{plain}\n{_FETCHING.replace('URL', url)}" + "\n".join(settings)
    text += "\n[network]\nrequests_per_second = 0\nfirst_wait_s = 0\ntries = 2\n"
    (folder / "recipe.toml").write_text(text)
    return catalog


def run_to_pixels(folder: Path, *arguments: str) -> str:
    return "".join(run(folder, "--only", stage, *arguments) for stage in ("catalog", "cutouts", "pixels"))


@pytest.mark.parametrize("stretch", ["none", "lupton"])
@pytest.mark.parametrize("fits_from", ["hips", "legacy"])
def test_fetched_files_become_the_pixels_that_the_same_files_of_a_folder_do(
    tmp_path: Path, fits_from: str, stretch: str
) -> None:
    sky, folder = tmp_path / "sky", tmp_path / "folder"
    settings = ['bands = ["z", "r", "g"]', f'stretch = "{stretch}"', "field_arcsec = 20.0"]
    with serve_cutouts(lambda handler, times: send_fits(handler)) as server:
        catalog = make_sky(sky, server.url, *settings, f'fits_from = "{fits_from}"')
        output = run_to_pixels(sky)
        assert "12 of 12 have an image of" in output
        assert "12 images at 16 × 16 (12 were 48 × 48)" in output
    (folder / "images").mkdir(parents=True)
    by_ra = dict(zip(catalog["ra"].map("{:.9f}".format), catalog["objID"], strict=True))
    for query in server.requests:
        band = f"_{query['hips'][-1]}" if fits_from == "hips" else ""
        (folder / "images" / f"{by_ra[query['ra']]}{band}.fits").write_bytes(make_fits(query))
    catalog.to_csv(folder / "catalog.csv", index=False)
    lines = ["[catalog]", 'object_id = "objID"', 'targets = ["oh_p50"]', "[cutouts]", 'folder = "images"', *settings]
    plain = [line for line in QUICK_RECIPE.splitlines() if not line.startswith("cutouts.")]
    plain = [line for line in plain if not line.startswith("catalog.")]
    lines.insert(1, 'path = "catalog.csv"')
    (folder / "recipe.toml").write_text("\n".join([*plain, *lines]))
    run_to_pixels(folder)
    fetched, given = (np.load(place / "run/pixels/pixels.npy") for place in (sky, folder))
    assert fetched.dtype == (np.float32 if stretch == "none" else np.uint8)
    np.testing.assert_array_equal(fetched, given)
    assert (sky / "run/pixels/pixels.npy").read_bytes() == (folder / "run/pixels/pixels.npy").read_bytes()


def test_a_service_that_gives_pages_only_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    with serve_cutouts(lambda handler, times: handler.send(b"<html>down</html>", kind="text/html")) as server:
        make_sky(tmp_path, server.url)
        run(tmp_path, "--only", "catalog")
        assert "Hips2fits gave nothing that can be used" in refuse_run(tmp_path, "--only", "cutouts")


def test_a_password_in_an_address_is_sent_but_written_nowhere(tmp_path: Path) -> None:
    with serve_cutouts(lambda handler, times: send_fits(handler)) as server:
        url = server.url.replace("://", "://somebody:secret-word@")
        make_sky(tmp_path, url, "field_arcsec = 20.0")
        recipe = (tmp_path / "recipe.toml").read_text()
        output = run_to_pixels(tmp_path)
        broken = refuse_run(tmp_path, "--only", "cutouts", "--set", f"cutouts.base_url={url}?x", status=2)
    assert "secret-word" in recipe
    assert "12 of 12 have an image of" in output
    assert "secret-word" not in output + broken
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"secret-word" not in path.read_bytes(), path
    stored = pd.read_parquet(tmp_path / "run/cutouts/part-00000.parquet")
    assert stored["url"].str.startswith(f"{server.url}?").all()
