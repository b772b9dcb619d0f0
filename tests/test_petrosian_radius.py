"""Promises of radii measured on images: those of known profiles, whatever stands beside the galaxy."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.optimize import brentq

from metalight.images import PICTURE_CURVES, measure_petrosian, stretch_lupton, unstretch_lupton
from metalight.recipe import LuptonSettings
from metalight.simulation import INSTRUMENTS, Universe, draw_cutout, draw_population, iterate_galaxies

pytest.importorskip("sep", reason="sizes are measured with sep, which is not installed")

FloatArray = npt.NDArray[np.float64]

CURVE = LuptonSettings(q=9.0, stretch=0.5, scale=(1.0,))


def count_light(radius: float, length: float) -> float:
    """Part of an exponential disc's light within a circle."""
    return 1 - (1 + radius / length) * float(np.exp(-radius / length))


def find_radii(length: float) -> tuple[float, float, float]:
    """R90, R50 and the Petrosian radius of a round exponential disc."""

    def excess(radius: float) -> float:
        ring = count_light(1.25 * radius, length) - count_light(0.8 * radius, length)
        return ring / (1.25**2 - 0.8**2) / count_light(radius, length) - 0.2

    petrosian = float(brentq(excess, 0.5 * length, 10 * length))
    total = count_light(2 * petrosian, length)

    def find(part: float) -> float:
        return float(brentq(lambda radius: count_light(radius, length) - part * total, 1e-6, 20 * length))

    return find(0.9), find(0.5), petrosian


def draw_disc(
    length_px: float, side: int = 160, *, light: float = 200.0, place: tuple[float, float] = (0.0, 0.0), finer: int = 5
) -> FloatArray:
    """A round exponential disc (side, side) of so much light, `place` pixels right and down from the middle."""
    places = (np.arange(side * finer) + 0.5) / finer - side / 2
    radius = np.hypot(places[None, :] - place[0], places[:, None] - place[1])
    fine = light / (2 * np.pi * length_px**2) * np.exp(-radius / length_px)
    image: FloatArray = fine.reshape(side, finer, side, finer).mean(axis=(1, 3))
    return image


def add_noise(image: FloatArray, noise: float = 0.002) -> FloatArray:
    return image + noise * np.random.default_rng(0).standard_normal(image.shape)


@pytest.mark.parametrize("length_px", [4.0, 6.5, 9.0])
def test_an_exponential_disc_has_its_radii(length_px: float) -> None:
    measured = measure_petrosian(draw_disc(length_px), 0.4)
    r90, r50, petrosian = (0.4 * radius for radius in find_radii(length_px))
    assert measured.reason == ""
    assert measured.r90_arcsec == pytest.approx(r90, rel=0.02)
    assert measured.r50_arcsec == pytest.approx(r50, rel=0.02)
    assert measured.petrosian_arcsec == pytest.approx(petrosian, rel=0.02)


def test_noise_and_a_level_of_the_sky_change_little() -> None:
    plain = measure_petrosian(draw_disc(6.0), 0.4)
    noisy = measure_petrosian(add_noise(draw_disc(6.0)) + 3.0, 0.4)
    assert noisy.r90_arcsec == pytest.approx(plain.r90_arcsec, rel=0.05)


def test_radii_grow_with_the_pixel_and_not_with_the_light() -> None:
    image = add_noise(draw_disc(6.0))
    once = measure_petrosian(image, 0.4)
    assert measure_petrosian(image, 0.8).r90_arcsec == pytest.approx(2 * once.r90_arcsec)
    assert measure_petrosian(1000 * image, 0.4).r90_arcsec == pytest.approx(once.r90_arcsec, rel=1e-6)


def test_the_same_galaxy_in_finer_pixels_has_the_same_radius() -> None:
    coarse = measure_petrosian(draw_disc(5.0, 128), 0.4)
    fine = measure_petrosian(draw_disc(10.0, 256), 0.2)
    assert fine.r90_arcsec == pytest.approx(coarse.r90_arcsec, rel=0.02)


@pytest.mark.parametrize("place", [(35.0, 0.0), (-20.0, 30.0)])
def test_a_neighbour_does_not_matter(place: tuple[float, float]) -> None:
    alone = measure_petrosian(add_noise(draw_disc(5.0)), 0.4)
    beside = measure_petrosian(add_noise(draw_disc(5.0) + draw_disc(2.5, light=150, place=place)), 0.4)
    assert beside.r90_arcsec == pytest.approx(alone.r90_arcsec, rel=0.05)


def test_a_neighbour_within_the_petrosian_light_is_told_of() -> None:
    measured = measure_petrosian(add_noise(draw_disc(6.0) + draw_disc(1.5, light=20, place=(24.0, 0.0))), 0.4)
    assert 0.01 < measured.masked_fraction < 0.3
    assert measure_petrosian(add_noise(draw_disc(6.0)), 0.4).masked_fraction < 0.01


def test_a_galaxy_wider_than_its_image_needs_a_wider_one() -> None:
    measured = measure_petrosian(add_noise(draw_disc(25.0)), 0.4)
    assert np.isnan(measured.r90_arcsec)
    assert measured.reason.startswith("fills the frame: its light extends beyond")
    assert measured.needs_wider


def test_an_empty_middle_has_no_radius() -> None:
    measured = measure_petrosian(add_noise(draw_disc(3.0, place=(40.0, 20.0))), 0.4)
    assert (measured.reason, measured.needs_wider) == ("has no source in the middle", False)


def test_a_source_in_the_noise_is_too_faint() -> None:
    faint = draw_disc(2.0, light=0.9)
    reason = measure_petrosian(add_noise(faint, 0.008), 0.4).reason
    assert reason.startswith("is too faint: ")
    assert measure_petrosian(add_noise(10 * faint, 0.008), 0.4).reason == ""


def test_an_image_of_one_value_is_blank() -> None:
    assert measure_petrosian(np.full((64, 64), 7.0), 0.4).reason.startswith("is blank")


@pytest.mark.parametrize("shape", [(64, 60), (16, 16), (64,)])
def test_an_image_of_another_shape_is_a_wrong_argument(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image must be square"):
        measure_petrosian(np.zeros(shape), 0.4)
    with pytest.raises(ValueError, match="pixel_scale_arcsec must be positive"):
        measure_petrosian(np.zeros((64, 64)), 0.0)


def test_a_colour_picture_gives_back_its_fluxes() -> None:
    fluxes = np.stack([draw_disc(6.0, light=light) for light in (900, 600, 300)], axis=-1)
    levels = stretch_lupton(fluxes, CURVE)
    restored = unstretch_lupton(levels, CURVE)
    is_shown = (levels.max(axis=-1) < 255) & (levels.min(axis=-1) > 20)
    assert is_shown.sum() > 500
    np.testing.assert_allclose(restored[is_shown], fluxes[is_shown], rtol=0.12)
    assert restored[levels.sum(axis=-1) == 0].max(initial=0) == 0


def test_a_radius_is_that_of_the_fluxes_and_not_of_the_levels() -> None:
    fluxes = add_noise(draw_disc(6.0, light=600), 0.01) + 0.02
    levels = stretch_lupton(np.repeat(fluxes[..., None], 3, axis=-1), CURVE)
    of_fluxes = measure_petrosian(fluxes, 0.4).r90_arcsec
    assert measure_petrosian(levels, 0.4, stretch=CURVE).r90_arcsec == pytest.approx(of_fluxes, rel=0.05)
    # Levels are too bright at the outskirts.
    assert measure_petrosian(levels, 0.4, stretch=None).r90_arcsec > 1.15 * of_fluxes


def test_white_pixels_are_told_of() -> None:
    fluxes = np.repeat(draw_disc(4.0)[..., None], 3, axis=-1)
    assert measure_petrosian(stretch_lupton(fluxes * 1e4, CURVE), 0.4, stretch=CURVE).is_saturated
    assert not measure_petrosian(stretch_lupton(fluxes, CURVE), 0.4, stretch=CURVE).is_saturated


def test_radii_of_simulated_pictures_are_those_of_their_catalogue() -> None:
    errors = []
    for galaxy in iterate_galaxies(draw_population(40, 3)):
        jpeg = draw_cutout(
            galaxy, frame_arcsec=256 * 0.396, side=256, seed=3, instrument=INSTRUMENTS["sdss"], universe=Universe()
        )
        levels = np.asarray(Image.open(io.BytesIO(jpeg)))
        measured = measure_petrosian(levels, 0.396, stretch=PICTURE_CURVES["simulated"])
        errors.append(np.log(measured.r90_arcsec / galaxy.petro_r90_arcsec))
    assert np.isfinite(errors).mean() >= 0.95
    assert abs(np.nanmedian(errors)) < 0.05
    assert np.nanmean(np.abs(errors) < 0.15) > 0.8
