"""Promises of simulated galaxies: known truth that their images show."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.simulate import (
    INVISIBLE_SCATTER,
    Galaxy,
    draw_population,
    iterate_galaxies,
    render_galaxy,
)
from metalight.simulate.population import compute_mass_metallicity

SIDE = 16


@pytest.fixture
def galsim() -> None:
    pytest.importorskip("galsim")


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
