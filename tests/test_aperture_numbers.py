"""Promises of the numbers that are measured on decoded images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from make import make_blobs
from metalight.images import measure_apertures, measure_mean_levels, name_apertures

Images = npt.NDArray[Any]

SYMMETRIES: dict[str, Callable[[Images], Images]] = {
    "upside down": lambda images: images[:, ::-1],
    "mirrored": lambda images: images[:, :, ::-1],
    "a quarter turn": lambda images: np.rot90(images, axes=(1, 2)),
    "a half turn": lambda images: np.rot90(images, 2, axes=(1, 2)),
    "transposed": lambda images: images.transpose(0, 2, 1, 3),
}


def measure(images: Images) -> npt.NDArray[np.float64]:
    return measure_apertures(images, np.arange(len(images)))


def get(images: Images, name: str, bands: str = "irg") -> npt.NDArray[np.float64]:
    return measure(images)[:, name_apertures(bands).index(name)]


def make_light(side: int, shape: Callable[..., Any], *, sky: float = 0.1, noise: float = 0.01) -> Images:
    """One image of fluxes in three bands, 2 : 1 : 0.5, whose light is `shape` of x and y in 128ths of the side."""
    y, x = (np.mgrid[:side, :side] + 0.5 - side / 2) * 128 / side
    light = shape(x, y)[..., None] * np.array([2.0, 1.0, 0.5])
    flux = light + sky + np.random.default_rng(0).normal(0, noise, (side, side, 3))
    return np.asarray(flux[None], dtype=np.float32)


def make_ellipse(axis_ratio: float, width: float = 12.0, side: int = 128, **how: float) -> Images:
    return make_light(side, lambda x, y: 10 * np.exp(-0.5 * (x**2 + (y / axis_ratio) ** 2) / width**2), **how)


@pytest.mark.parametrize("kind", list(SYMMETRIES))
@pytest.mark.parametrize("side", [8, 33, 64])
def test_turning_or_mirroring_an_image_leaves_its_numbers(kind: str, side: int) -> None:
    levels = make_blobs(6, side)[0]
    lopsided = levels.copy()
    lopsided[:, : side // 3, : side // 2] //= 2
    for images in (lopsided, lopsided.astype(np.float32)):
        turned = np.ascontiguousarray(SYMMETRIES[kind](images))
        np.testing.assert_allclose(measure(turned), measure(images), atol=2e-4)


@pytest.mark.parametrize(("bands", "num"), [("r", 14), ("gr", 21), ("irg", 28), ("ugriz", 42)])
def test_each_number_has_a_name_whatever_the_bands(bands: str, num: int) -> None:
    fluxes = np.random.default_rng(0).normal(1, 1, (2, 16, 16, len(bands))).astype(np.float32)
    names = name_apertures(bands)
    assert len(set(names)) == num
    assert measure(fluxes).shape == (2, num)


def test_a_ring_has_the_brightness_and_the_colours_that_were_put_in() -> None:
    light = make_light(128, lambda x, y: 5.0 * (np.hypot(x, y) < 45), noise=1e-6)
    assert get(light, "brightness_4")[0] == pytest.approx(np.log(5 * 3.5 / 3), abs=1e-4)
    assert get(light, "i_r_4")[0] == pytest.approx(np.log(2), abs=1e-4)
    assert get(light, "r_g_6")[0] == pytest.approx(np.log(2), abs=1e-4)


def test_the_sky_s_level_and_the_unit_of_fluxes_change_no_colour_and_no_shape() -> None:
    image, names = make_ellipse(0.6), np.array(name_apertures("irg"))
    is_brightness = np.char.startswith(names, "brightness")
    before, raised, scaled = measure(image)[0], measure(image + 3)[0], measure(1000 * image)[0]
    np.testing.assert_allclose(raised, before, atol=1e-3)
    np.testing.assert_allclose(scaled[~is_brightness], before[~is_brightness], atol=1e-3)
    np.testing.assert_allclose(scaled[is_brightness] - before[is_brightness], np.log(1000), atol=1e-3)


@pytest.mark.parametrize("axis_ratio", [0.4, 0.7, 1.0])
def test_the_axis_ratio_is_that_of_the_light(axis_ratio: float) -> None:
    found = get(make_ellipse(axis_ratio, width=9, noise=1e-4), "axis_ratio")[0]
    assert found == pytest.approx(axis_ratio, abs=0.03)


def test_the_size_is_the_root_mean_square_radius_of_the_light() -> None:
    found = get(make_ellipse(1.0, width=9, noise=1e-4), "size")[0]
    assert found == pytest.approx(np.log(9 * np.sqrt(2) / 128), abs=0.03)


def test_a_cusp_is_more_concentrated_than_a_plateau() -> None:
    cusp = make_light(128, lambda x, y: 10 * np.exp(-np.hypot(x, y) / 9), noise=1e-4)
    plateau = make_light(128, lambda x, y: 1.0 * (np.hypot(x, y) < 25), noise=1e-4)
    assert get(plateau, "concentration")[0] == pytest.approx(np.log(2), abs=0.03)  # radii as the roots of 0.8 and 0.2
    assert get(cusp, "concentration")[0] > 1.1


def test_half_a_galaxy_is_asymmetric_a_whole_one_is_not_and_clumps_are_seen() -> None:
    whole = make_ellipse(0.8, noise=1e-4)
    half = make_light(128, lambda x, y: 10 * np.exp(-0.5 * (x**2 + y**2) / 144) * (x > 0), noise=1e-4)
    spots = make_light(128, lambda x, y: np.exp(-np.hypot(x, y) / 15) * (1 + (np.sin(x) * np.sin(y) > 0.5)), noise=1e-4)
    smooth = make_light(128, lambda x, y: np.exp(-np.hypot(x, y) / 15), noise=1e-4)
    assert abs(get(whole, "asymmetry")[0]) < 0.01
    assert get(half, "asymmetry")[0] > 0.5
    assert get(spots, "clumpiness")[0] > 2 * get(smooth, "clumpiness")[0]


def test_noise_makes_no_galaxy_asymmetric() -> None:
    noisy = make_ellipse(0.8, noise=1.0)
    assert abs(get(noisy, "asymmetry")[0]) < 0.05


def test_coarse_noise_is_correlated_and_fine_noise_is_not() -> None:
    fine = np.random.default_rng(0).normal(0, 1, (1, 128, 128, 3)).astype(np.float32)
    coarse = np.repeat(np.repeat(fine[:, :32, :32], 4, axis=1), 4, axis=2)
    assert abs(get(fine, "noise_correlation")[0]) < 0.05
    assert get(coarse, "noise_correlation")[0] == pytest.approx(0.5, abs=0.1)


def test_an_image_at_half_the_size_has_about_the_same_numbers() -> None:
    image = make_ellipse(0.7, noise=1e-3)
    small = image.reshape(1, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    names = [name for name in name_apertures("irg") if name not in ("noise_correlation", "clumpiness")]
    places = [name_apertures("irg").index(name) for name in names]
    np.testing.assert_allclose(measure(small)[0, places], measure(image)[0, places], atol=0.05)


def test_what_stands_beside_a_galaxy_does_not_change_its_numbers() -> None:
    images = make_blobs(200, 128)[0]  # more than are measured at once
    together = measure_apertures(images, np.arange(200))
    alone = measure_apertures(images, np.array([170, 3]))
    np.testing.assert_allclose(alone, together[[170, 3]], atol=1e-5)


def test_a_blank_image_has_numbers_and_one_beyond_all_bounds_has_none() -> None:
    assert np.isfinite(measure(np.full((1, 16, 16, 3), 7, dtype=np.uint8))).all()
    assert np.isfinite(measure(np.zeros((1, 16, 16, 3), dtype=np.float32))).all()
    broken = np.ones((2, 16, 16, 3), dtype=np.float32)
    broken[0, 8, 8] = np.inf
    found = measure(broken)
    assert np.isnan(found[0]).any()
    assert not np.isinf(found).any()
    assert np.isfinite(found[1]).all()


def test_images_too_small_for_rings_are_refused_but_have_mean_levels() -> None:
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    with pytest.raises(ValueError, match="images of 4 px a side have no rings; at least 8"):
        measure(images)
    np.testing.assert_allclose(measure_mean_levels(images, np.array([1])), images[1:].mean(axis=(1, 2)))
