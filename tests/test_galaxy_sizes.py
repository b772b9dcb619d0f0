"""Promises of frames for a catalogue without petroR90: by another radius, or measured on a first, wider image."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import QUICK, refuse_run, run
from metalight.pipeline import inspect_run
from metalight.simulation import SurveyDesign, simulate_survey
from metalight.stand_in import StandIn, serve

MEASURED = 'size = "measured"'

_NUM = 16
_FETCHING = """
catalog.object_id = "objID"
catalog.targets = ["oh_p50"]
[cutouts]
service = "skyserver"
source = "simulated"
side = 64
[skyserver]
base_url = "URL"
[network]
requests_per_second = 0
first_wait_s = 0
"""


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, StandIn]]:
    """A simulated survey of small images, and a stand-in that draws any frame of it."""
    folder = tmp_path_factory.mktemp("sky")
    simulate_survey(_NUM, folder, SurveyDesign(seed=4, side=16), num_processes=1)
    with serve(folder) as server:
        yield folder, server


def make_run(place: Path, sky: tuple[Path, StandIn], *settings: str) -> Path:
    """A folder with a catalogue that has no petroR90_r, and a recipe whose run goes to run/."""
    if MEASURED in settings:
        pytest.importorskip("sep", reason="sizes are measured with sep, which is not installed")
    folder, server = sky
    catalog = pd.read_csv(folder / "catalog.csv")
    catalog.drop(columns="petroR90_r").to_csv(place / "catalog.csv", index=False)
    plain = "\n".join(line for line in QUICK.splitlines() if not line.startswith("cutouts."))
    fetching = _FETCHING.replace("URL", server.url).replace("[skyserver]", "\n".join([*settings, "[skyserver]"]))
    (place / "recipe.toml").write_text(f"{plain}\n{fetching}")
    run(place, "--only", "catalog")
    return place


def read_frames(folder: Path) -> "pd.Series[float]":
    """Side in arcsec of each galaxy's framed image."""
    parts = pd.concat([pd.read_parquet(path) for path in sorted((folder / "run" / "cutouts").glob("part-*.parquet"))])
    return (parts["pixel_scale_arcsec"] * parts["width"]).set_axis(parts["object_id"].to_numpy())


def test_measured_sizes_frame_galaxies_as_those_of_the_catalogue_do(tmp_path: Path, sky: tuple[Path, StandIn]) -> None:
    place = make_run(tmp_path, sky, MEASURED)
    output = run(place, "--only", "cutouts")
    assert f"{_NUM} of {_NUM} have an image of SkyServer" in output
    truth = pd.read_csv(sky[0] / "truth.csv").set_index("objID")["petro_r90_arcsec"]
    frames = read_frames(place)
    errors = np.log(frames.to_numpy() / (2 / 0.396 * truth.loc[frames.index].to_numpy()))
    assert abs(np.median(errors)) < 0.06
    assert np.mean(np.abs(errors) < 0.2) > 0.85


def test_a_galaxy_that_fills_its_first_look_gets_a_wider_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("near")
    # Of 2,000 galaxies of this seed one of the few that need it.
    simulate_survey(4, folder, SurveyDesign(seed=1, first=331, side=16), num_processes=1)
    with serve(folder) as server:
        place = make_run(tmp_path, (folder, server), MEASURED)
        run(place, "--only", "cutouts")
    truth = pd.read_csv(folder / "truth.csv").set_index("objID")["petro_r90_arcsec"]
    sizes = pd.read_parquet(place / "run" / "sizes.parquet")
    largest = sizes[sizes["object_id"] == truth.idxmax()]
    assert largest["needs_wider"].tolist() == [True, False]
    assert largest["r90_arcsec"].iloc[1] == pytest.approx(truth.max(), rel=0.15)
    assert read_frames(place).max() == pytest.approx(2 / 0.396 * largest["r90_arcsec"].iloc[1])


def test_fetched_images_are_inspected_as_those_of_a_folder_are(tmp_path: Path, sky: tuple[Path, StandIn]) -> None:
    place = make_run(tmp_path, sky, 'size = "factor"', 'radius_column = "petroR50_r"')
    run(place, "--only", "cutouts")
    catalog = pd.read_csv(place / "catalog.csv")
    inspect_run(place / "run")
    shown = pd.read_csv(place / "run" / "figures" / "contact_sheet.csv", dtype={"object_id": "int64"})
    assert set(shown["object_id"]) == set(catalog["objID"])


def test_nobody_is_looked_at_twice(tmp_path: Path, sky: tuple[Path, StandIn]) -> None:
    place = make_run(tmp_path, sky, MEASURED)
    run(place, "--only", "cutouts")
    sizes = (place / "run" / "sizes.parquet").read_bytes()
    before = sky[1].counts.copy()
    run(place, "--only", "cutouts")
    assert sky[1].counts == before
    assert (place / "run" / "sizes.parquet").read_bytes() == sizes
    assert len(pd.read_parquet(place / "run" / "sizes.parquet")) == _NUM


def test_without_sep_nothing_is_asked_for_and_the_way_out_is_told(
    tmp_path: Path, sky: tuple[Path, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_run(tmp_path, sky, 'size = "factor"', 'radius_column = "petroR50_r"')
    before = sky[1].counts.copy()
    monkeypatch.setitem(sys.modules, "sep", None)  # as if it were not installed
    recipe = place / "recipe.toml"
    text = recipe.read_text().replace('radius_column = "petroR50_r"\n', "")
    recipe.write_text(text.replace('size = "factor"', MEASURED))
    for words in (("--only", "cutouts"), ("--from", "catalog")):
        assert "pip install sep" in refuse_run(place, *words, status=2)
    assert sky[1].counts == before


def test_several_processes_measure_what_one_does(
    tmp_path: Path, sky: tuple[Path, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_run(tmp_path, sky, MEASURED)
    run(place, "--only", "cutouts")
    before = (place / "run/sizes.parquet").read_bytes()
    (place / "run/sizes.parquet").unlink()
    monkeypatch.setattr("metalight.pipeline.galaxy_sizes._GALAXIES_A_TASK", 5)
    monkeypatch.setattr("metalight.pipeline.galaxy_sizes.count_processes", lambda *_, **__: 2)
    # Where they are is theirs alone to find out.
    monkeypatch.setattr("metalight.pipeline.galaxy_sizes.measure_petrosian", lambda *_, **__: pytest.fail("in here"))
    run(place, "--only", "cutouts")
    assert (place / "run/sizes.parquet").read_bytes() == before


def test_a_galaxy_without_a_measurable_size_is_refused_with_the_reason(
    tmp_path: Path, sky: tuple[Path, StandIn]
) -> None:
    place = make_run(tmp_path, sky, MEASURED)
    catalog = pd.read_csv(place / "catalog.csv")
    catalog.loc[3, ["ra", "dec"]] = 1.0, 45.0  # an empty place of the sky
    catalog.to_csv(place / "catalog.csv", index=False)
    run(place, "--only", "catalog")
    run(place, "--only", "cutouts")
    refused = pd.read_csv(place / "run" / "refused" / "cutouts.csv", dtype={"object_id": "int64"})
    assert refused["object_id"].tolist() == [catalog["objID"].iloc[3]]
    assert refused["reason"].iloc[0].startswith("its size cannot be measured: ")
    assert len(read_frames(place)) == _NUM - 1


def test_another_radius_times_its_factor_is_the_size(tmp_path: Path, sky: tuple[Path, StandIn]) -> None:
    place = make_run(tmp_path, sky, 'size = "factor"', 'radius_column = "PETROR50_R"', "radius_factor = 2.5")
    run(place, "--only", "cutouts")
    radii = pd.read_csv(sky[0] / "catalog.csv").set_index("objID")["petroR50_r"]
    frames = read_frames(place)
    np.testing.assert_allclose(frames, 2 / 0.396 * 2.5 * radii.loc[frames.index], rtol=1e-6)
    assert not (place / "run" / "first_looks").exists()


def test_a_petrosian_frame_without_any_size_is_refused(tmp_path: Path, sky: tuple[Path, StandIn]) -> None:
    assert "set [cutouts] size or framing" in refuse_run(make_run(tmp_path, sky), "--only", "cutouts", status=2)


def test_sizes_are_measured_only_where_the_curve_of_the_pictures_is_known(
    tmp_path: Path, sky: tuple[Path, StandIn]
) -> None:
    place = make_run(tmp_path, sky, MEASURED)
    setting = "cutouts.source=elsewhere"
    assert "whose curve is known" in refuse_run(place, "--only", "cutouts", "--set", setting, status=2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (['size = "factor"'], "radius_column and size"),
        (['size = "measured"', 'framing = "fixed"'], "is for a service and framing"),
        (['size = "measured"', 'radius_column = "petroR50_r"'], "radius_column and size"),
    ],
)
def test_settings_of_sizes_that_do_not_fit_are_refused(
    tmp_path: Path, sky: tuple[Path, StandIn], settings: list[str], told: str
) -> None:
    place = make_run(tmp_path, sky)
    recipe = (place / "recipe.toml").read_text().replace("[skyserver]", "\n".join([*settings, "[skyserver]"]))
    (place / "recipe.toml").write_text(recipe)
    assert told in refuse_run(place, "--only", "cutouts", status=2)
