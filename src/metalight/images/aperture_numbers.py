"""A few numbers of each image that any regression can learn from: brightness and colours of rings, and shape.

For catalogues without photometry: what they say of a galaxy is measured on the very images that a network sees. All
lengths are parts of the image's side, so that images of another size have the same numbers. Rings share a pixel by its
area, and numbers do not change when an image is turned by a right angle or mirrored.

Colours of JPEG images are those of the light: the stretch of SDSS and of Lupton et al. (2004) brings the three bands of
a pixel down by the same factor. Their brightness is that of the stretched picture.

The numbers of an image depend on that image alone. Sums over pixels are sparse products in float64, which add in one
fixed order. Dense products (BLAS) and numpy's sums change their order, and the last digits, with the number of images.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

APERTURES_VERSION = 2
"""Changes when the numbers of an image do."""

SMALLEST_SIDE_FOR_APERTURES = 8
"""Pixels a side; in smaller images rings cannot be told apart."""

_RINGS = (0.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0)
"""Edges, in 128ths of the side: a galaxy framed as in the paper has its R90 at 25, and its light ends near 35."""

_LIGHT, _SKY, _GROWTH = 36.0, 56.0, 54.0
"""Where moments end, where the sky begins, and where the growth curve ends; in 128ths of the side."""

_CLUMPY = (6.0, 28.0)
_LAG = 2.0
_FLOOR = 0.01
"""Level below which a ring counts as dark: about the noise of the sky of SDSS pictures."""

_NUM_GROWTH_RINGS = 27
_GROWTH_PARTS = (0.2, 0.5, 0.8)
_PIXELS_A_BLOCK = 2**18  # more do not stay in the processor's cache
_TINY = 1e-12

_SHAPES = ("size", "concentration", "axis_ratio", "asymmetry", "clumpiness", "noise_correlation", "outskirts")

FloatArray = npt.NDArray[np.float64]


def name_apertures(bands: Sequence[str]) -> list[str]:
    """The names of the numbers of images with these bands: 28 of three, `7 × bands + 7` in general.

    - `brightness_N`: ln of the mean brightness above the sky in ring N, with a floor; the mean of the bands.
    - `i_r_N`: ln of the ratio of two neighbouring bands in ring N, here i over r.
    - `size`: ln of the root-mean-square radius of the light, in parts of the side.
    - `concentration`: ln of the radius of 80 % of the light over that of 20 %.
    - `axis_ratio`: of the second moments of the light.
    - `asymmetry`: mean difference to the image turned by half a turn, less that of the sky, over the mean brightness.
    - `clumpiness`: root-mean-square departure from the rings' means over the mean brightness, halfway out.
    - `noise_correlation`: of pixels of the sky two 128ths of the side apart: coarser where a small galaxy was enlarged.
    - `outskirts`: light beyond the rings over that within.
    """
    rings = range(1, len(_RINGS))
    colours = [f"{one}_{next_one}" for one, next_one in itertools.pairwise(bands)]
    ringed = [f"{what}_{ring}" for what in ("brightness", *colours) for ring in rings]
    return [*ringed, *_SHAPES]


def measure_apertures(array: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> FloatArray:
    """The numbers (galaxy, number) of some images, in the order of `name_apertures`.

    A galaxy of which a number is not finite (fluxes beyond all bounds) has NaN there.

    Args:
        array: (galaxy, side, side, band), uint8 levels or float32 fluxes; may be memory-mapped.
        rows: Which of them.

    Raises:
        ValueError: The images are smaller than `SMALLEST_SIDE_FOR_APERTURES`.
    """
    side, num_bands = array.shape[1], array.shape[3]
    if side < SMALLEST_SIDE_FOR_APERTURES:
        raise ValueError(f"images of {side} px a side have no rings; at least {SMALLEST_SIDE_FOR_APERTURES} are needed")
    numbers = np.empty((len(rows), len(_RINGS[1:]) * num_bands + len(_SHAPES)))
    for block in _divide(len(rows), side):
        with np.errstate(all="ignore"):  # what comes of fluxes near the largest float is told by NaN
            measured = _measure(array[rows[block]], _make_masks(side))
        numbers[block] = np.where(np.isfinite(measured), measured, np.nan)
    return numbers


def measure_mean_levels(array: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> FloatArray:
    """The mean of each band over the whole image, (galaxy, band): what is left of an image of one pixel.

    Args:
        array: (galaxy, side, side, band); may be memory-mapped.
        rows: Which of them.
    """
    num_pixels = array.shape[1] * array.shape[2]
    average = _build_sums(np.full((1, num_pixels), 1 / num_pixels))
    means = np.empty((len(rows), array.shape[3]))
    for block in _divide(len(rows), array.shape[1]):
        means[block] = _add_up(average, _bring_pixels_last(array[rows[block]]))[..., 0]
    return means


def _divide(num_rows: int, side: int) -> Iterator[slice]:
    size = max(1, _PIXELS_A_BLOCK // side**2)
    return (slice(first, min(first + size, num_rows)) for first in range(0, num_rows, size))


@dataclass(frozen=True, eq=False)
class _Sums:
    """Weighted sums over some values of each image, such as its pixels."""

    places: npt.NDArray[np.intp]
    """The values that have a weight."""
    weights: Any
    """(sum, place), scipy's csr_array of float64."""


def _build_sums(weights: FloatArray) -> _Sums:
    """The sums of dense weights (sum, value)."""
    from scipy.sparse import csr_array

    places = np.flatnonzero(weights.any(axis=0))
    return _Sums(places, csr_array(weights[:, places]))


def _add_up(sums: _Sums, images: npt.NDArray[Any]) -> FloatArray:
    """Weighted sums (..., sum) over the values of images (..., value), each added in the order of the values."""
    flat = np.take(images.reshape(-1, images.shape[-1]), sums.places, axis=1)
    added = sums.weights @ np.ascontiguousarray(flat.T, dtype=np.float64)
    return np.asarray(added.T.reshape(*images.shape[:-1], -1))


@dataclass(frozen=True, eq=False)
class _Masks:
    """Sums to compute in an image of one size; the weights of a sum add up to 1 unless told otherwise."""

    rings: _Sums
    growth: _Sums
    """Weights are the area of the pixel in each ring of the growth curve, in pixels."""
    moments: _Sums
    """Weights are, inside the light, 1, x, y, x², y², xy from the middle, in parts of the side."""
    inner: _Sums
    """The disc whose asymmetry is told."""
    clumpy: _Sums
    clumpy_rings: _Sums
    """Those of the rings that lie in `clumpy`."""
    clumpy_areas: _Sums
    """Over these rings, by their area."""
    outer: _Sums
    """Beyond the rings, up to the sky."""
    sky: _Sums
    pairs: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    """Pixels of the sky that lie a lag apart, along rows and along columns."""
    mean_of_pairs: _Sums
    """Over these pairs."""


@functools.lru_cache(maxsize=4)
def _make_masks(side: int) -> _Masks:
    unit = side / 128
    pieces = max(1, -(-256 // side))  # by which each side of a pixel is divided: a quarter of a 128th, or finer
    places = (np.arange(side * pieces) + 0.5) / pieces - side / 2
    radii = np.hypot(places, places[:, None]) / unit

    def cover(low: float, high: float) -> FloatArray:
        """Part of each pixel's area that lies from one radius to another."""
        inside = ((radii >= low) & (radii < high)).reshape(side, pieces, side, pieces)
        return np.asarray(inside.mean(axis=(1, 3)).ravel())

    def weigh(*edges: float) -> _Sums:
        areas = [cover(low, high) for low, high in itertools.pairwise(edges)]
        return _build_sums(np.stack([area / area.sum() for area in areas]))

    growth = np.linspace(0, _GROWTH, _NUM_GROWTH_RINGS + 1)
    y, x = ((axis + 0.5 - side / 2).ravel() / side for axis in np.indices((side, side)))
    clumpy_edges = [edge for edge in _RINGS if _CLUMPY[0] <= edge <= _CLUMPY[1]]
    is_sky = (cover(_SKY, np.inf) > 0.5).astype(np.float64)
    pairs = _pair_up(is_sky.reshape(side, side) > 0, max(1, round(_LAG * unit)))
    num_pairs = len(pairs[0])
    return _Masks(
        rings=weigh(*_RINGS),
        growth=_build_sums(np.stack([cover(low, high) for low, high in itertools.pairwise(growth)])),
        moments=_build_sums(cover(0, _LIGHT) * np.stack([np.ones_like(x), x, y, x**2, y**2, x * y])),
        inner=weigh(0, _CLUMPY[1]),
        clumpy=weigh(*_CLUMPY),
        clumpy_rings=weigh(*clumpy_edges),
        clumpy_areas=_build_sums(np.diff(np.square(clumpy_edges))[None] / (_CLUMPY[1] ** 2 - _CLUMPY[0] ** 2)),
        outer=weigh(_LIGHT, 50.0),
        sky=_build_sums(is_sky[None] / is_sky.sum()),
        pairs=pairs,
        mean_of_pairs=_build_sums(np.full((1, num_pairs), 1 / max(num_pairs, 1))),
    )


def _pair_up(is_sky: npt.NDArray[np.bool_], lag: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pixels of the sky that lie `lag` apart: first along rows, then along columns."""
    pixels = np.arange(is_sky.size).reshape(is_sky.shape)
    along, down = is_sky[:, :-lag] & is_sky[:, lag:], is_sky[:-lag] & is_sky[lag:]
    return (
        np.concatenate([pixels[:, :-lag][along], pixels[:-lag][down]]),
        np.concatenate([pixels[:, lag:][along], pixels[lag:][down]]),
    )


def _measure(images: npt.NDArray[Any], masks: _Masks) -> FloatArray:
    """The numbers of a block of images (galaxy, side, side, band)."""
    bands = _scale_levels(_bring_pixels_last(images))
    bands -= _find_median(np.take(bands, masks.sky.places, axis=2))[..., None]
    grey = bands.mean(axis=1)
    noise = 1.4826 * _find_median(np.abs(np.take(grey, masks.sky.places, axis=1)))
    # Levels have a floor of their own; fluxes are of any unit, and theirs is their noise.
    is_levels = images.dtype == np.uint8
    floor = np.full(len(grey), _FLOOR) if is_levels else np.maximum(noise, 1e-6 * np.abs(grey).max(axis=1)) + 1e-30
    rings = _add_up(masks.rings, bands)  # (galaxy, band, ring)
    floored = np.hypot(np.maximum(rings, 0), floor[:, None, None])
    mean = rings.mean(axis=1)
    brightness = np.log(np.maximum(mean, 0) + floor[:, None])
    colours = np.log(floored[:, :-1] / floored[:, 1:]).reshape(len(grey), -1)
    size, axis_ratio = _measure_moments(grey, masks)
    light = np.abs(_add_up(masks.inner, grey)[:, 0]) + floor
    shapes = (
        size,
        _measure_concentration(grey, masks),
        axis_ratio,
        _measure_asymmetry(grey, masks) / light,
        _measure_scatter(grey, masks) / (np.abs(_add_up(masks.clumpy, grey)[:, 0]) + floor),
        _measure_noise_correlation(grey, masks),
        _add_up(masks.outer, grey)[:, 0] / (np.abs(mean.mean(axis=1)) + floor),
    )
    return np.concatenate([brightness, colours, np.stack(shapes, axis=1)], axis=1)


def _find_median(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Medians along the last axis: numpy sorts floats much faster than it finds their median."""
    ordered = np.sort(values, axis=-1)
    num = ordered.shape[-1]
    return np.asarray((ordered[..., (num - 1) // 2] + ordered[..., num // 2]) / 2)


def _bring_pixels_last(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(galaxy, band, pixel) of (galaxy, side, side, band)."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), images.shape[3], -1)


def _scale_levels(bands: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Levels from 0 to 1 in single precision, fluxes in double."""
    return bands.astype(np.float32) / np.float32(255) if bands.dtype == np.uint8 else bands.astype(np.float64)


def _measure_moments(grey: npt.NDArray[Any], masks: _Masks) -> tuple[FloatArray, FloatArray]:
    """Ln of the root-mean-square radius, and the axis ratio of the light above the sky."""
    total, x, y, xx, yy, xy = _add_up(masks.moments, np.maximum(grey, 0)).T
    total = total + _TINY
    x, y = x / total, y / total
    xx, yy, xy = xx / total - x**2, yy / total - y**2, xy / total - x * y
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    smallest, largest = np.maximum(middle - spread, 0), middle + spread
    return np.log(np.maximum(xx + yy, 1e-6)) / 2, np.sqrt((smallest + 1e-9) / (largest + 1e-9))


def _measure_concentration(grey: npt.NDArray[Any], masks: _Masks) -> FloatArray:
    """Ln of the radius of 80 % of the light over that of 20 %; 0 where there is no light."""
    growth = np.maximum.accumulate(np.cumsum(_add_up(masks.growth, grey), axis=1), axis=1)
    edges = np.linspace(0, 1, _NUM_GROWTH_RINGS + 1)
    concentrations = np.zeros(len(grey))
    for galaxy, curve in enumerate(growth):
        if curve[-1] > 0:
            small, _, large = np.interp(_GROWTH_PARTS, np.concatenate([[0.0], curve / curve[-1]]), edges)
            concentrations[galaxy] = np.log(max(large, 1e-3) / max(small, 1e-3))
    return concentrations


def _measure_asymmetry(grey: npt.NDArray[Any], masks: _Masks) -> FloatArray:
    differences = np.abs(grey - grey[:, ::-1])  # turned by half a turn, the pixels come in the reverse order
    return (_add_up(masks.inner, differences) - _add_up(masks.sky, differences))[:, 0]


def _measure_scatter(grey: npt.NDArray[Any], masks: _Masks) -> FloatArray:
    """Root-mean-square departure from the mean of the ring that a pixel lies in, halfway out."""
    means, squares = (_add_up(masks.clumpy_rings, values) for values in (grey, grey**2))
    return np.sqrt(_add_up(masks.clumpy_areas, np.maximum(squares - means**2, 0))[:, 0])


def _measure_noise_correlation(grey: npt.NDArray[Any], masks: _Masks) -> FloatArray:
    """Correlation of pixels of the sky a lag apart along rows and columns; 0 where the sky has no noise."""
    first, second = (np.take(grey, pixels, axis=1) for pixels in masks.pairs)
    covariance = _add_up(masks.mean_of_pairs, first * second)[:, 0]
    variance = _add_up(masks.sky, grey**2)[:, 0]
    return covariance / np.maximum(variance, _TINY)
