"""Promises of the simulated survey: known truth that images show, and the same files however they came to be."""

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from metalight.errors import MissingExtraError, RunError
from metalight.simulate import (
    INVISIBLE_SCATTER,
    Galaxy,
    draw_population,
    iterate_galaxies,
    render_galaxy,
    simulate_survey,
)
from metalight.simulate.population import compute_mass_metallicity

SIDE = 16
NUM_GALAXIES = 40
SEED = 3


@pytest.fixture
def galsim() -> None:
    pytest.importorskip("galsim")


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey made in one go, in one process."""
    pytest.importorskip("galsim")
    folder = tmp_path_factory.mktemp("simulated") / "survey"
    simulate_survey(NUM_GALAXIES, SEED, folder, side=SIDE, num_processes=1)
    return folder


def hash_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextlib.contextmanager
def interrupt(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar whose reader presses Ctrl-C at its first step."""

    def advance(steps: int) -> None:
        raise KeyboardInterrupt

    yield advance


class Recorder:
    """A progress bar that keeps what it was told."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0

    @contextlib.contextmanager
    def __call__(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(steps: int) -> None:
            self.done += steps

        self.total = total
        yield advance


# The galaxies.


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 2**32))
def test_the_galaxies_of_a_survey_are_the_first_of_a_longer_one(num: int, more: int, seed: int) -> None:
    longer = draw_population(num + more, seed)
    pd.testing.assert_frame_equal(draw_population(num, seed), longer.head(num))


def test_another_seed_gives_other_galaxies_with_other_identifiers() -> None:
    first, second = draw_population(50, 1), draw_population(50, 2)
    assert not set(first["object_id"]) & set(second["object_id"])
    assert not set(first["metallicity"]) & set(second["metallicity"])


def test_identifiers_are_whole_unique_and_as_long_as_those_of_sdss() -> None:
    population = draw_population(10_000, 0)
    assert population["object_id"].dtype == np.int64
    assert population["object_id"].is_unique
    assert {len(str(object_id)) for object_id in population["object_id"]} == {19}
    rows = list(iterate_galaxies(population.head(100)))
    assert [row.object_id for row in rows] == population["object_id"].head(100).tolist()
    assert all(isinstance(row.object_id, int) for row in rows)


def test_the_mass_metallicity_relation_is_that_of_tremonti_et_al() -> None:
    # Their table 3: medians of 12 + log10(O/H) in bins of mass.
    table = {8.57: 8.44, 8.96: 8.63, 9.46: 8.78, 9.96: 8.94, 10.46: 9.05}
    computed = compute_mass_metallicity(np.array(list(table)))
    np.testing.assert_allclose(computed, list(table.values()), atol=0.02)


def test_metallicities_are_spread_like_those_of_sdss() -> None:
    metallicity = draw_population(3000, 0)["metallicity"]
    # The paper's sample: mean 8.9065, standard deviation 0.1986.
    assert metallicity.mean() == pytest.approx(8.9065, abs=0.03)
    assert metallicity.std() == pytest.approx(0.1986, abs=0.03)


def test_galaxies_are_in_the_range_that_sdss_selects() -> None:
    population = draw_population(3000, 0)
    assert np.isfinite(population.to_numpy(dtype=float)).all()
    assert population["redshift"].between(0.02, 0.38).all()
    assert population["log_mass"].between(8.5, 11.5).all()
    # Dwarfs just behind the near side may be fainter than the limit of 17.77.
    assert (population["r_magnitude"] < 18).all()
    assert population["axis_ratio"].between(0.2, 1).all()
    assert population["petro_r90_arcsec"].median() == pytest.approx(5, abs=1.5)


def test_redder_means_more_massive_richer_in_metals_and_forming_fewer_stars() -> None:
    population = draw_population(3000, 0)
    assert population["g_minus_r"].corr(population["log_mass"]) > 0.5
    assert population["g_minus_r"].corr(population["metallicity"]) > 0.5
    specific = population["log_sfr"] - population["log_mass"]
    assert population["g_minus_r"].corr(specific) < -0.3


def test_at_one_mass_more_star_formation_means_fewer_metals() -> None:
    population = draw_population(6000, 0)
    off_sequence = population["log_sfr"] - (0.76 * population["log_mass"] - 7.64)
    off_relation = population["metallicity"] - compute_mass_metallicity(population["log_mass"].to_numpy())
    assert off_sequence.corr(off_relation) < -0.2


@pytest.mark.parametrize(("num", "seed"), [(0, 0), (10_000_001, 0), (1, -1)])
def test_a_population_that_cannot_be_drawn_is_a_wrong_argument(num: int, seed: int) -> None:
    with pytest.raises(ValueError, match="must"):
        draw_population(num, seed)


# Their images.


def make_galaxy(**changes: float) -> Galaxy:
    return next(iterate_galaxies(draw_population(1, 0)))._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.usefixtures("galsim")
@pytest.mark.parametrize("side", [16, 65])
def test_an_image_shows_a_galaxy_in_the_middle_of_a_dark_sky(side: int) -> None:
    image = render_galaxy(make_galaxy(r_magnitude=16.5), side, 0)
    assert image.shape == (side, side, 3)
    assert image.dtype == np.uint8
    light = image.sum(axis=2, dtype=float)
    rows, columns = np.indices(light.shape)
    bright = np.where(light > 100, light, 0)
    middle = (side - 1) / 2
    assert (bright * rows).sum() / bright.sum() == pytest.approx(middle, abs=0.05 * side)
    assert (bright * columns).sum() / bright.sum() == pytest.approx(middle, abs=0.05 * side)
    assert np.median(image[: side // 8]) < 20


@pytest.mark.usefixtures("galsim")
def test_the_same_galaxy_has_the_same_image_and_another_seed_other_noise() -> None:
    galaxy = make_galaxy()
    np.testing.assert_array_equal(render_galaxy(galaxy, SIDE, 0), render_galaxy(galaxy, SIDE, 0))
    assert (render_galaxy(galaxy, SIDE, 0) != render_galaxy(galaxy, SIDE, 1)).any()


@pytest.mark.usefixtures("galsim")
@pytest.mark.parametrize("knots", [0.0, 0.95])
def test_disc_and_knots_lie_along_the_position_angle(knots: float) -> None:
    galaxy = make_galaxy(
        r_magnitude=14.5, axis_ratio=0.25, position_angle_deg=30, bulge_fraction=0.01, knot_fraction=knots,
        petro_r90_arcsec=12, disc_scale_arcsec=3,
    )  # fmt: skip
    light = render_galaxy(galaxy, 64, 0).sum(axis=2, dtype=float)
    light[light < 60] = 0
    down, right = np.indices(light.shape) - 31.5
    xx, yy, xy = ((light * product).sum() for product in (right**2, down**2, -right * down))
    assert np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy)) == pytest.approx(30, abs=6)


@pytest.mark.usefixtures("galsim")
def test_a_red_galaxy_is_redder_in_its_image_and_its_bulge_redder_than_its_disc() -> None:
    def warmth(pixels: npt.NDArray[np.uint8]) -> float:
        return float(pixels[..., 0].sum(dtype=float) / pixels[..., 2].sum(dtype=float))

    settings = {"r_magnitude": 15.5, "axis_ratio": 0.9, "bulge_fraction": 0.3, "r_minus_i": 0.3}
    blue = render_galaxy(make_galaxy(g_minus_r=0.3, **settings), 64, 0)
    red = render_galaxy(make_galaxy(g_minus_r=0.8, **settings), 64, 0)
    assert warmth(red) > 1.2 * warmth(blue)
    assert warmth(red[29:35, 29:35]) > 1.05 * warmth(red[20:44, 20:44])


def measure_features(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Mean level of each channel in four rings, and all products of two of them; standardised."""
    side = images.shape[1]
    places = np.arange(side) - (side - 1) / 2
    radius_in_r90 = np.hypot(places, places[:, None]) * 5.05 / side
    edges = [(0, 0.3), (0.3, 0.6), (0.6, 1.0), (1.0, 1.6)]
    rings = [(radius_in_r90 >= low) & (radius_in_r90 < high) for low, high in edges]
    levels = np.arcsinh(np.concatenate([images[:, ring].mean(axis=1) for ring in rings], axis=1) / 25)
    levels = (levels - levels.mean(axis=0)) / levels.std(axis=0)
    first, second = np.triu_indices(levels.shape[1])
    products = levels[:, first] * levels[:, second]
    features = np.hstack([levels, (products - products.mean(axis=0)) / products.std(axis=0)])
    return np.hstack([np.ones((len(features), 1)), features])


@pytest.mark.usefixtures("galsim")
def test_metallicity_can_be_learnt_from_the_images_but_not_perfectly() -> None:
    population = draw_population(900, 0)
    images = np.stack([render_galaxy(galaxy, 32, 0) for galaxy in iterate_galaxies(population)])
    features, truth = measure_features(images), population["metallicity"].to_numpy()
    learn, test = slice(0, 700), slice(700, 900)
    ridge = features[learn].T @ features[learn] + 0.1 * np.eye(features.shape[1])
    weights = np.linalg.solve(ridge, features[learn].T @ truth[learn])
    rmse = np.sqrt(np.mean((features[test] @ weights - truth[test]) ** 2))
    spread = np.sqrt(np.mean((truth[learn].mean() - truth[test]) ** 2))
    assert rmse < spread / 2
    # 200 galaxies measure the floor to 5 %.
    assert rmse > 0.85 * INVISIBLE_SCATTER


# The survey on disk.


def test_a_survey_is_a_catalogue_with_an_image_for_each_row(survey: Path) -> None:
    catalog = pd.read_csv(survey / "catalog.csv")
    assert list(catalog) == ["objID", "oh_p50", "lgm_tot_p50", "sfr_tot_p50", "z", "petroR90_r"]
    population = draw_population(NUM_GALAXIES, SEED)
    assert catalog["objID"].tolist() == population["object_id"].tolist()
    np.testing.assert_allclose(catalog["oh_p50"], population["metallicity"], atol=1e-5)
    np.testing.assert_allclose(catalog["petroR90_r"], population["petro_r90_arcsec"], atol=1e-5)
    for object_id in catalog["objID"]:
        with Image.open(survey / "images" / f"{object_id}.jpg") as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (SIDE, SIDE), "RGB")
    assert len(list((survey / "images").iterdir())) == NUM_GALAXIES + 1


def test_a_survey_says_what_it_is(survey: Path) -> None:
    cutouts = json.loads((survey / "images" / "cutouts.json").read_text(encoding="utf-8"))
    assert cutouts == {"framing": "petrosian", "source": "simulated"}
    simulation = json.loads((survey / "simulation.json").read_text(encoding="utf-8"))
    assert {key: simulation[key] for key in ("seed", "side", "num_galaxies")} == {
        "seed": SEED,
        "side": SIDE,
        "num_galaxies": NUM_GALAXIES,
    }
    assert "version" in simulation


def test_the_number_of_processes_changes_no_byte(survey: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    report = simulate_survey(NUM_GALAXIES, SEED, tmp_path, side=SIDE, num_processes=2, progress=recorder)
    assert hash_files(tmp_path) == hash_files(survey)
    assert (report.num_galaxies, report.num_drawn) == (NUM_GALAXIES, NUM_GALAXIES)
    assert (recorder.total, recorder.done) == (NUM_GALAXIES, NUM_GALAXIES)


@pytest.mark.parametrize("num_processes", [1, 2])
def test_an_interrupted_survey_has_whole_files_only_and_goes_on_to_the_same_bytes(
    survey: Path, tmp_path: Path, num_processes: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        simulate_survey(NUM_GALAXIES, SEED, tmp_path, side=SIDE, num_processes=num_processes, progress=interrupt)
    left, whole = hash_files(tmp_path), hash_files(survey)
    assert left.items() <= whole.items()
    assert "catalog.csv" not in left
    num_images = sum(name.endswith(".jpg") for name in left)
    assert num_images >= 16
    report = simulate_survey(NUM_GALAXIES, SEED, tmp_path, side=SIDE, num_processes=1)
    assert report.num_drawn == NUM_GALAXIES - num_images
    assert hash_files(tmp_path) == whole


def test_images_that_are_there_are_not_drawn_again(survey: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (survey / "images").glob("*.jpg")}
    recorder = Recorder()
    report = simulate_survey(NUM_GALAXIES, SEED, survey, side=SIDE, progress=recorder)
    assert (report.num_drawn, recorder.total) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in (survey / "images").glob("*.jpg")} == before


@pytest.mark.usefixtures("galsim")
def test_a_survey_can_be_made_larger_and_is_then_as_if_made_at_once(survey: Path, tmp_path: Path) -> None:
    simulate_survey(10, SEED, tmp_path, side=SIDE)
    report = simulate_survey(NUM_GALAXIES, SEED, tmp_path, side=SIDE)
    assert report.num_drawn == NUM_GALAXIES - 10
    assert hash_files(tmp_path) == hash_files(survey)


def test_what_a_killed_process_left_is_tidied_away(survey: Path) -> None:
    before = hash_files(survey)
    object_id = draw_population(1, SEED)["object_id"][0]
    (survey / "images" / f".{object_id}-abc.jpg").write_bytes(b"half")
    simulate_survey(NUM_GALAXIES, SEED, survey, side=SIDE)
    assert hash_files(survey) == before


@pytest.mark.parametrize(
    ("num", "seed", "side", "message"),
    [
        (NUM_GALAXIES, SEED + 1, SIDE, r"holds a survey of seed 3 and side 16, not of seed 4 .* name another folder"),
        (NUM_GALAXIES, SEED, SIDE + 1, r"holds a survey of seed 3 and side 16, not of seed 3 and side 17"),
        (NUM_GALAXIES - 1, SEED, SIDE, r"holds a larger survey, of 40 galaxies; ask for at least as many"),
    ],
)
def test_a_folder_with_another_survey_is_refused_and_left_as_it_was(
    survey: Path, num: int, seed: int, side: int, message: str
) -> None:
    before = hash_files(survey)
    with pytest.raises(RunError, match=message):
        simulate_survey(num, seed, survey, side=side)
    assert hash_files(survey) == before


@pytest.mark.usefixtures("galsim")
def test_a_survey_of_a_metalight_that_drew_otherwise_is_refused(tmp_path: Path) -> None:
    simulate_survey(1, SEED, tmp_path, side=SIDE)
    path = tmp_path / "simulation.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"scene_version": 0, "version": "0.0.1"}
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(RunError, match=r"by metalight 0\.0\.1, which draws other galaxies"):
        simulate_survey(2, SEED, tmp_path, side=SIDE)


@pytest.mark.usefixtures("galsim")
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"num_galaxies": null}'])
def test_settings_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "simulation.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read as the settings of a survey"):
        simulate_survey(2, SEED, tmp_path, side=SIDE)


@pytest.mark.usefixtures("galsim")
def test_a_folder_of_other_files_is_refused_but_hidden_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"")
    simulate_survey(1, SEED, tmp_path / "a", side=SIDE)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".DS_Store").write_bytes(b"")
    simulate_survey(1, SEED, tmp_path / "b", side=SIDE)
    with pytest.raises(RunError, match="holds files but no simulated survey; name a new or empty folder"):
        simulate_survey(1, SEED, tmp_path, side=SIDE)
    with pytest.raises(RunError, match="is a file; name a new folder"):
        simulate_survey(1, SEED, tmp_path / ".DS_Store", side=SIDE)


@pytest.mark.usefixtures("galsim")
def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot be written: Not a directory; mend that"):
        simulate_survey(1, SEED, tmp_path / "file" / "survey", side=SIDE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_galaxies": 0}, "needs at least 1 galaxy, not 0"),
        ({"num_galaxies": 10_000_001}, "at most 10000000 galaxies"),
        ({"seed": -1}, "seed must not be negative"),
        ({"side": 7}, "at least 8 pixels on a side, not 7"),
        ({"num_processes": 0}, "At least 1 process must draw"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        simulate_survey(**({"num_galaxies": 1, "seed": 0, "folder": tmp_path / "survey"} | arguments))  # type: ignore[arg-type]
    assert not (tmp_path / "survey").exists()


# The optional part.


def test_without_galsim_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "galsim", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'metalight\[simulate\]'"):
        simulate_survey(1, 0, tmp_path / "survey")
    assert not (tmp_path / "survey").exists()
    with pytest.raises(MissingExtraError, match=r"pip install 'metalight\[simulate\]'"):
        render_galaxy(make_galaxy(), SIDE, 0)


def test_importing_the_stage_imports_neither_galsim_nor_torch() -> None:
    code = "import sys, metalight.simulate; print([name for name in ('galsim', 'torch') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
