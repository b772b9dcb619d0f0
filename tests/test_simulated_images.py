"""Promises of simulated images: the light that the catalogue tells of, in the order the sky's are made."""

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from metalight.simulation import (
    INSTRUMENTS,
    Galaxy,
    Instrument,
    Universe,
    draw_cutout,
    draw_population,
    iterate_galaxies,
)
from metalight.simulation.appearance import PSF, measure_apertures
from metalight.simulation.profiles import blur, compute_light_within, draw_mixture, fit_sersic, incline
from metalight.simulation.scene import render_scene

SDSS = INSTRUMENTS["sdss"]
ALONE = Universe(has_neighbours=False)


def make_galaxy(**changes: float | str) -> Galaxy:
    return next(iterate_galaxies(draw_population(1, 0)))._replace(**changes)  # type: ignore[arg-type]


def make_silent(instrument: Instrument = SDSS) -> Instrument:
    """An instrument without noise or changes of the seeing."""
    values = vars(instrument) | {"sky_noise": (0.0,) * 3, "sky_offset": (0.0,) * 3}
    return Instrument(**values | {"light_of_electron": 0.0, "seeing_scatter": 0.0, "seeing_by_band": (1.0,) * 3})


def draw(
    galaxy: Galaxy, *, universe: Universe = ALONE, instrument: Instrument = SDSS, seed: int = 0, **frame: float
) -> npt.NDArray[np.uint8]:
    settings = {"frame_arcsec": 5.05 * galaxy.petro_r90_arcsec, "side": 64} | frame
    side = int(settings.pop("side"))
    jpeg = draw_cutout(galaxy, side=side, seed=seed, instrument=instrument, universe=universe, **settings)
    return np.asarray(Image.open(io.BytesIO(jpeg)))


# Profiles as sums of Gaussians.


@pytest.mark.parametrize(
    ("index", "kind", "edge"), [(1.0, "disc", 4.0), (1.0, "bulge", 8.0), (2.5, "bulge", 8.0), (4.0, "bulge", 8.0)]
)
def test_a_sum_of_gaussians_has_the_light_of_the_profile_within_every_circle(
    index: float, kind: str, edge: float
) -> None:
    from scipy.special import gammainc, gammaincinv

    light, sigmas = fit_sersic(index, kind=kind)
    radii = np.geomspace(0.1, edge, 30)
    bend = gammaincinv(2 * index, 0.5)
    expected = gammainc(2 * index, bend * radii ** (1 / index)) / gammainc(2 * index, bend * edge ** (1 / index))
    found = (light * -np.expm1(-0.5 * (radii[:, None] / sigmas) ** 2)).sum(axis=1)
    np.testing.assert_allclose(found, expected, atol=0.012)
    assert light.sum() == pytest.approx(1)


def test_light_within_circles_is_that_of_the_drawn_pixels() -> None:
    light, sigmas = fit_sersic(1.0, kind="disc")
    mixture = blur(incline(light, sigmas, np.array([3.0]), np.array([0.3])), (np.array(PSF[0]), np.array(PSF[1])))
    image = draw_mixture(mixture, 25.0, 301, 0.15, (0.0, 0.0))
    places = (np.arange(301) - 150) * 0.15
    radius = np.hypot(places, places[:, None])
    radii = np.array([1.0, 2.0, 4.0, 8.0])
    drawn = [image[radius < edge].sum() for edge in radii]
    np.testing.assert_allclose(compute_light_within(mixture, radii[None])[0], drawn, rtol=0.02)


@pytest.mark.parametrize(("index", "axis_ratio"), [(1.0, 0.3), (1.0, 0.9), (3.0, 0.7)])
def test_drawn_galaxies_are_those_of_galsim(index: float, axis_ratio: float) -> None:
    galsim = pytest.importorskip("galsim")
    half_light, sigma, pixel = 2.5, 0.55, 0.3
    kind = "disc" if index == 1 else "bulge"
    light, sigmas = fit_sersic(index, kind=kind)
    mixture = blur(
        incline(light, sigmas, np.array([half_light]), np.array([axis_ratio])), (np.ones(1), np.array([sigma]))
    )
    ours = draw_mixture(mixture, 30.0, 81, pixel, (0.0, 0.0))
    edge = {"disc": 4.0, "bulge": 8.0}[kind] * half_light
    profile = galsim.Sersic(n=index, half_light_radius=half_light, trunc=edge, flux_untruncated=True)
    profile = profile.withFlux(1.0).dilate(axis_ratio**0.5).shear(q=axis_ratio, beta=30 * galsim.degrees)
    image = galsim.Convolve(profile, galsim.Gaussian(sigma=sigma)).drawImage(nx=81, ny=81, scale=pixel)
    theirs = image.array[::-1]
    assert np.abs(ours - theirs).max() < 0.03 * theirs.max()
    assert np.abs(ours - theirs).sum() < 0.04 * theirs.sum()


# What the catalogue tells is what the pixels show.


@pytest.mark.parametrize("instrument", ["sdss", "deep-grz"])
def test_the_light_in_each_band_is_that_of_the_magnitudes(instrument: str) -> None:
    silent = make_silent(INSTRUMENTS[instrument])
    for galaxy in iterate_galaxies(draw_population(8, 3)):
        side = int(16 * galaxy.petro_r90_arcsec / silent.pixel_arcsec)
        image = render_scene(galaxy, silent, ALONE, side, np.random.default_rng(0))
        for band, of_band in zip(silent.bands, image, strict=True):
            magnitude = 22.5 - 2.5 * np.log10(of_band.sum())
            assert magnitude == pytest.approx(getattr(galaxy, f"{band}_magnitude"), abs=0.03)


def test_petrosian_radii_are_those_of_the_pixels() -> None:
    population = draw_population(12, 4, Universe(structure="smooth", has_neighbours=False))
    silent = make_silent()
    for galaxy in iterate_galaxies(population):
        side = 2 * int(5 * galaxy.petro_r90_arcsec / 0.396) + 1
        image = render_scene(galaxy, silent, ALONE, side, np.random.default_rng(0))[1].astype(float)
        rows, columns = np.indices(image.shape)
        down, right = (image * rows).sum() / image.sum(), (image * columns).sum() / image.sum()
        radius = np.hypot(rows - down, columns - right).ravel() * 0.396
        order = np.argsort(radius)
        growth = np.cumsum(image.ravel()[order])
        total = 10 ** (0.4 * (22.5 - galaxy.petro_magnitude))
        for share, expected in ((0.5, galaxy.petro_r50_arcsec), (0.9, galaxy.petro_r90_arcsec)):
            found = radius[order][np.searchsorted(growth, share * total)]
            assert found == pytest.approx(expected, rel=0.06, abs=0.12)


def test_apertures_of_a_point_are_those_of_the_seeing() -> None:
    shape = {"half_light_arcsec": [1e-3], "axis_ratio": [1.0], "bulge_fraction": [0.0], "point_fraction": [1.0]}
    shape |= {"bulge_half_light_arcsec": [1e-3], "bulge_sersic_index": [1.0]}
    measured = measure_apertures({name: np.array(values) for name, values in shape.items()}, np.array([17.0]))
    assert measured["petro_magnitude"][0] == pytest.approx(17, abs=0.1)
    assert 0.5 < measured["petro_r50_arcsec"][0] < 1
    assert 1 < measured["petro_r90_arcsec"][0] < 2.2


def test_disc_and_knots_lie_along_the_position_angle() -> None:
    for knots in (0.0, 0.9):
        galaxy = make_galaxy(
            r_magnitude=14.5, axis_ratio=0.25, position_angle_deg=30, bulge_fraction=0.01, knot_fraction=knots,
            petro_r90_arcsec=12, half_light_arcsec=5, has_bar=False,
        )  # fmt: skip
        light = draw(galaxy).sum(axis=2, dtype=float)
        light[light < 60] = 0
        down, right = np.indices(light.shape) - 31.5
        xx, yy, xy = ((light * product).sum() for product in (right**2, down**2, -right * down))
        assert np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy)) == pytest.approx(30, abs=8)


def test_a_red_galaxy_is_redder_in_its_image_and_its_bulge_redder_than_its_disc() -> None:
    def warmth(light: npt.NDArray[np.float32]) -> float:
        return float(light[0].sum() / light[2].sum())

    looks = {
        "r_magnitude": 15.5, "axis_ratio": 0.9, "bulge_fraction": 0.3, "i_magnitude": 15.2,
        "colour_gradient": 0.4, "disc_gradient": 0.0,
    }  # fmt: skip
    blue, red = (
        render_scene(make_galaxy(g_magnitude=g, **looks), make_silent(), ALONE, 64, np.random.default_rng(0))
        for g in (15.8, 16.3)
    )
    assert warmth(red) == pytest.approx(10**0.2 * warmth(blue), rel=0.02)
    assert warmth(red[:, 30:34, 30:34]) > 1.1 * warmth(red)


@pytest.mark.parametrize("gradient", [-0.3, 0.0, 0.3])
def test_a_disc_is_bluer_or_redder_outside_by_its_gradient(gradient: float) -> None:
    looks = {
        "r_magnitude": 14.5,
        "bulge_fraction": 0.01,
        "knot_fraction": 0.01,
        "half_light_arcsec": 6.0,
        "axis_ratio": 1.0,
    }
    galaxy = make_galaxy(disc_gradient=gradient, **looks)
    light = render_scene(galaxy, make_silent(), ALONE, 96, np.random.default_rng(0))
    places = (np.arange(96) - 47.5) * SDSS.pixel_arcsec
    radius = np.hypot(places, places[:, None])
    inner, outer = (
        -2.5 * np.log10(light[2, ring].sum() / light[1, ring].sum())
        for ring in (radius < 3.0, (radius > 10.0) & (radius < 14.0))
    )
    # Less than the gradient times the distance, as each Gaussian of the sum reaches far in and out.
    assert outer - inner == pytest.approx(-0.28 * gradient, abs=0.04)


# Cutouts.


def test_an_image_shows_a_galaxy_in_the_middle_of_a_dark_sky() -> None:
    for side in (16, 65, 128):
        image = draw(make_galaxy(r_magnitude=16.5), side=side)
        assert image.shape == (side, side, 3)
        light = image.sum(axis=2, dtype=float)
        rows, columns = np.indices(light.shape)
        bright = np.where(light > 100, light, 0)
        middle = (side - 1) / 2
        assert (bright * rows).sum() / bright.sum() == pytest.approx(middle, abs=0.05 * side)
        assert (bright * columns).sum() / bright.sum() == pytest.approx(middle, abs=0.05 * side)
        assert np.median(image[: side // 8]) < 20


def test_the_same_galaxy_has_the_same_image_and_another_seed_other_noise() -> None:
    galaxy = make_galaxy()
    np.testing.assert_array_equal(draw(galaxy), draw(galaxy))
    assert (draw(galaxy) != draw(galaxy, seed=1)).any()


def test_the_frame_is_the_one_asked_for() -> None:
    galaxy = make_galaxy(r_magnitude=15.0, petro_r90_arcsec=5.0)

    def count_bright(frame_arcsec: float) -> int:
        return int((draw(galaxy, frame_arcsec=frame_arcsec, instrument=make_silent()).max(axis=2) > 60).sum())

    assert count_bright(20.0) == pytest.approx(4 * count_bright(40.0), rel=0.12)


def test_the_noise_is_as_coarse_as_the_frame_is_fine() -> None:
    def correlate(frame_arcsec: float) -> float:
        sky = draw(
            make_galaxy(r_magnitude=30.0, g_magnitude=30.0, i_magnitude=30.0), frame_arcsec=frame_arcsec, side=128
        )
        levels = sky[..., 1] - sky[..., 1].mean()
        return float((levels[:, :-2] * levels[:, 2:]).mean() / levels.var())

    assert correlate(12.0) > 0.5 > correlate(60.0)


def test_neighbours_are_seen_only_where_they_are_asked_for() -> None:
    def sum_light(universe: Universe) -> float:
        galaxies = iterate_galaxies(draw_population(30, 9))
        return float(
            sum(draw(galaxy, universe=universe, frame_arcsec=60.0)[:16].sum(dtype=float) for galaxy in galaxies)
        )

    assert sum_light(Universe()) > 1.05 * sum_light(ALONE)


def test_a_quasar_is_a_point_and_a_merger_has_a_companion() -> None:
    universe = Universe(quasar_fraction=0.99, merger_fraction=0.0, quiescent_fraction=0.0, has_line_limit=False)
    quasars = draw_population(40, 0, universe)
    usual = draw_population(40, 0, Universe(quasar_fraction=0.0, merger_fraction=0.0, quiescent_fraction=0.0))
    assert quasars["petro_r90_arcsec"].median() < 0.7 * usual["petro_r90_arcsec"].median()
    galaxy = next(iterate_galaxies(usual))
    arguments = (make_silent(), Universe(), 120)
    alone = render_scene(galaxy, *arguments, np.random.default_rng(1)).sum()
    merging = render_scene(galaxy._replace(kind="merger"), *arguments, np.random.default_rng(1)).sum()
    own = sum(10 ** (0.4 * (22.5 - getattr(galaxy, f"{band}_magnitude"))) for band in "gri")
    # The companion has a sixth of its light or more, the tails an eighth.
    assert merging - alone > 0.25 * own


def test_metallicity_can_be_learnt_from_the_images_but_not_perfectly() -> None:
    population = draw_population(700, 0, ALONE)
    images = np.stack([draw(galaxy, side=16) for galaxy in iterate_galaxies(population)])
    features, truth = measure_features(images), population["measured_metallicity"].to_numpy()
    learn, test = slice(0, 500), slice(500, 700)
    ridge = features[learn].T @ features[learn] + 20 * np.eye(features.shape[1])
    mean = truth[learn].mean()
    weights = np.linalg.solve(ridge, features[learn].T @ (truth[learn] - mean))
    rmse = np.sqrt(np.mean((mean + features[test] @ weights - truth[test]) ** 2))
    spread = np.sqrt(np.mean((mean - truth[test]) ** 2))
    hidden = (population["measured_metallicity"] - population["visible_metallicity"]).std()
    assert 0.95 * hidden < rmse < 0.8 * spread


def measure_features(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Mean level of each channel in four rings, standardised."""
    side = images.shape[1]
    places = np.arange(side) - (side - 1) / 2
    radius_in_r90 = np.hypot(places, places[:, None]) * 5.05 / side
    edges = [(0, 0.3), (0.3, 0.6), (0.6, 1.0), (1.0, 1.6)]
    rings = [(radius_in_r90 >= low) & (radius_in_r90 < high) for low, high in edges]
    levels = np.arcsinh(np.concatenate([images[:, ring].mean(axis=1) for ring in rings], axis=1) / 25)
    standardised: npt.NDArray[np.float64] = (levels - levels.mean(axis=0)) / levels.std(axis=0)
    return standardised


def test_cutouts_are_jpeg_files_of_three_channels() -> None:
    galaxy = make_galaxy()
    jpeg = draw_cutout(galaxy, frame_arcsec=20.0, side=48, seed=0, instrument=SDSS, universe=ALONE)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (48, 48), "RGB")
    assert pd.Series(np.asarray(Image.open(io.BytesIO(jpeg))).ravel()).nunique() > 10
