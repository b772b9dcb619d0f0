"""Petrosian radii measured on images, for catalogues that have no radius to frame galaxies by.

By the definitions of SDSS (Strauss et al. 2002, AJ 124, 1810, section 3.2): the Petrosian radius is where the mean
brightness between 0.8 and 1.25 of it is a fifth of that within it, the Petrosian light is that within two such
radii, and R50 and R90 are the circles of 50 % and 90 % of it. Seeing is not taken out, as SDSS does not.

A colour picture is brought back to fluxes first (`unstretch_lupton`). What else is done so that the levels of a
picture tell the light of one galaxy:

- Other sources are found with it (`sep`, the algorithms of SExtractor) and left out; a ring of which a part is left
  out counts with the mean of the rest.
- The sky is the mean of what lies outside all sources, beyond the galaxy.

A picture has no levels below black, so that its noise makes empty sky brighter, but not the galaxy: the outskirts come
out too faint, and radii some per cent too small if the curve is the one by which the picture was made. The curves here
are those with which the median radius is right (`PICTURE_CURVES`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.images.stretch import unstretch_lupton
from metalight.recipe import LuptonSettings

PICTURE_CURVES = {"sdss": LuptonSettings(q=8.35), "simulated": LuptonSettings(q=10.7)}
"""By the source of colour pictures. Only `q` changes radii. Chosen with `benchmarks/petrosian_radius.py` so that the
median radius is that of the catalogue: of the authors' 400 real images, and of simulated galaxies of seed 7. The
pictures themselves are made with curves a little steeper: about q = 8.9 (Q = 8 of Lupton et al. 2004) and q = 12."""

PETROSIAN_RATIO, PETROSIAN_RADII = 0.2, 2.0
_INNER, _OUTER = 0.8, 1.25

_DETECTION_SIGMAS = 1.5
_MIN_AREA_PX = 9
_NUM_DEBLEND_LEVELS, _DEBLEND_CONTRAST = 32, 0.03
"""Six times the contrast of SExtractor's default, by which arms and clumps of a spiral would be other sources."""

_MASK_GROWTH_PX = 2
_MOST_OFF_CENTRE_ARCSEC = 2.5
_LEAST_SIGNAL_TO_NOISE = 12.0
_NUM_RINGS_PER_EFOLD = 12
_SMALLEST_SIDE = 32

_Floats = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PetrosianRadius:
    """Measurements of the galaxy in the middle of an image; NaN where it could not be."""

    r90_arcsec: float
    """Radius of 90 % of the Petrosian light."""

    r50_arcsec: float
    """Radius of half of it."""

    petrosian_arcsec: float
    """The Petrosian radius itself."""

    signal_to_noise: float
    """Of the light within the Petrosian radius, or within the detected pixels where there is none."""

    masked_fraction: float
    """Part of the area of the Petrosian light that other sources cover."""

    is_saturated: bool
    """Whether the brightest pixels are white: their light is a lower bound, and radii come out too large."""

    reason: str = ""
    """Why there is no radius, to be read after the galaxy's name; empty where there is one."""

    needs_wider: bool = False
    """Whether an image of a wider field may have one."""


def measure_petrosian(
    image: npt.NDArray[Any],
    pixel_scale_arcsec: float,
    *,
    stretch: LuptonSettings | None = PICTURE_CURVES["sdss"],
    band: int = 1,
) -> PetrosianRadius:
    """Radii of the galaxy in the middle of an image.

    Args:
        image: (side, side, 3) levels of a colour picture, or (side, side) fluxes of one band. Best at the survey's own
            pixels, and at least four times as wide as the Petrosian radius of the galaxy.
        pixel_scale_arcsec: Side of a pixel.
        stretch: The curve of the picture, of `PICTURE_CURVES`; None where the channels are fluxes.
        band: The channel to measure; 1 of i, r, g is r, in which SDSS has its radii.

    Raises:
        ValueError: The image is not square, too small, or of another shape; the scale is not positive.
    """
    if image.ndim not in (2, 3) or image.shape[0] != image.shape[1] or len(image) < _SMALLEST_SIDE:
        raise ValueError(f"image must be square and of at least {_SMALLEST_SIDE} pixels a side, not {image.shape}")
    if not pixel_scale_arcsec > 0:
        raise ValueError(f"pixel_scale_arcsec must be positive, not {pixel_scale_arcsec}")
    is_picture = image.ndim == 3 and stretch is not None
    is_saturated = is_picture and bool((_cut_middle(image).max(axis=-1) >= 254).any())
    if image.ndim == 3:
        fluxes = unstretch_lupton(image, stretch) if stretch is not None else image
        plane = fluxes[..., band]
    else:
        plane = image
    return _measure_plane(np.ascontiguousarray(plane, dtype=np.float64), pixel_scale_arcsec, is_saturated)


def _cut_middle(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    third = len(image) // 3
    return image[third:-third, third:-third]


def _measure_plane(plane: _Floats, pixel_arcsec: float, is_saturated: bool) -> PetrosianRadius:
    def refuse(reason: str, signal_to_noise: float = 0.0, *, needs_wider: bool = False) -> PetrosianRadius:
        nan = float("nan")
        return PetrosianRadius(nan, nan, nan, signal_to_noise, 0.0, is_saturated, reason, needs_wider)

    sources = _find_sources(plane, pixel_arcsec)
    if sources is None:
        return refuse("is blank: there is no noise to see a source against")
    if sources.centre is None:
        return refuse("has no source in the middle")
    if sources.signal_to_noise < _LEAST_SIGNAL_TO_NOISE:
        return refuse(f"is too faint: {sources.signal_to_noise:.1f} times the noise", sources.signal_to_noise)
    edges, brightness = _measure_rings(plane, sources)
    brightness -= sources.sky_level
    growth = np.concatenate([[0.0], np.cumsum(brightness * np.pi * np.diff(edges**2))])
    petrosian = _find_petrosian_radius(edges, growth)
    half_side = edges[-1]
    if np.isnan(petrosian) or PETROSIAN_RADII * petrosian > half_side:
        wide = half_side * pixel_arcsec
        return refuse(
            f"fills the frame: its light extends beyond {wide:.1f} arcsec", sources.signal_to_noise, needs_wider=True
        )
    total = _interpolate(PETROSIAN_RADII * petrosian, edges, growth)
    r50, r90 = (_find_radius(part * total, edges, growth) for part in (0.5, 0.9))
    masked = _measure_masked(sources, PETROSIAN_RADII * petrosian)
    return PetrosianRadius(
        r90_arcsec=r90 * pixel_arcsec,
        r50_arcsec=r50 * pixel_arcsec,
        petrosian_arcsec=petrosian * pixel_arcsec,
        signal_to_noise=sources.signal_to_noise,
        masked_fraction=masked,
        is_saturated=is_saturated,
    )


@dataclass(frozen=True, eq=False)
class _Sources:
    """The sources in an image."""

    centre: tuple[float, float] | None
    """Column and row of the galaxy in the middle; None if there is none."""

    signal_to_noise: float
    others: _Mask
    """Pixels of other sources."""

    sky_level: float


def _find_sources(plane: _Floats, pixel_arcsec: float) -> _Sources | None:
    """The galaxy in the middle, the others, and the sky; None of an image without noise."""
    import sep
    from scipy.ndimage import binary_dilation

    middle = (len(plane) - 1) / 2
    rows, columns = np.indices(plane.shape)
    is_outer = np.hypot(rows - middle, columns - middle) > 0.6 * middle
    level, noise = _estimate_sky(plane[is_outer])
    if noise == 0:
        # Without any noise, whatever is brighter than a thousandth of the peak is light.
        noise = 1e-3 * float(np.ptp(plane)) / _DETECTION_SIGMAS
        if noise == 0:
            return None
    found, labels = sep.extract(
        plane - level,
        _DETECTION_SIGMAS * noise,
        minarea=_MIN_AREA_PX,
        deblend_nthresh=_NUM_DEBLEND_LEVELS,
        deblend_cont=_DEBLEND_CONTRAST,
        segmentation_map=True,
    )
    reach = _MOST_OFF_CENTRE_ARCSEC / pixel_arcsec
    num = _find_middle(found, labels, reach)
    if num is None:
        return _Sources(None, 0.0, labels > 0, level)
    others = (labels > 0) & (labels != num + 1)
    others = binary_dilation(others, iterations=_MASK_GROWTH_PX) & (labels != num + 1)
    is_sky = is_outer & ~binary_dilation(labels > 0, iterations=2 * _MASK_GROWTH_PX)
    if is_sky.sum() > 0.02 * is_sky.size:
        level = float(plane[is_sky].mean())
    of_galaxy = labels == num + 1
    signal_to_noise = float((plane[of_galaxy] - level).sum() / (noise * np.sqrt(of_galaxy.sum())))
    centre = _find_centre(plane - level, found, num, reach)
    return _Sources(centre, signal_to_noise, others, level)


def _estimate_sky(values: _Floats) -> tuple[float, float]:
    """Mean and standard deviation of the sky among pixels of which some are of sources."""
    for _ in range(5):
        median, spread = float(np.median(values)), float(values.std())
        is_near = np.abs(values - median) <= 3 * spread
        if is_near.all():
            break
        values = values[is_near]
    return float(values.mean()), float(values.std())


def _find_middle(found: npt.NDArray[Any], labels: npt.NDArray[np.int32], reach: float) -> int | None:
    """Which source is the one in the middle: the brightest of those that have a pixel within `reach` of it."""
    middle = (len(labels) - 1) / 2
    rows, columns = np.indices(labels.shape)
    near = np.unique(labels[np.hypot(rows - middle, columns - middle) <= reach])
    candidates = near[near > 0] - 1
    return int(max(candidates, key=lambda num: found["flux"][num])) if len(candidates) else None


def _find_centre(light: _Floats, found: npt.NDArray[Any], num: int, reach: float) -> tuple[float, float]:
    """The brightest place of a source, by column and row; the middle of the image, if that is further than `reach`."""
    import sep

    middle = (len(light) - 1) / 2
    column, row, _ = sep.winpos(light, [found["xcpeak"][num]], [found["ycpeak"][num]], [1.5])
    is_near = np.hypot(column[0] - middle, row[0] - middle) <= reach
    return (float(column[0]), float(row[0])) if is_near else (middle, middle)


def _measure_rings(plane: _Floats, sources: _Sources) -> tuple[_Floats, _Floats]:
    """Edges of rings around the galaxy (ring + 1,) in pixels, and the mean of the plane in each (ring,)."""
    import sep

    assert sources.centre is not None
    column, row = sources.centre
    side = len(plane)
    reach = min(column, row, side - 1 - column, side - 1 - row)
    num = int(np.ceil(_NUM_RINGS_PER_EFOLD * np.log(reach / 0.5)))
    edges = np.concatenate([[0.0], np.geomspace(0.5, reach, num + 1)])
    places = np.full(len(edges) - 1, column), np.full(len(edges) - 1, row)
    sums, _, _ = sep.sum_circann(plane, *places, edges[:-1], edges[1:], mask=sources.others, subpix=7)
    areas, _, _ = sep.sum_circann(np.ones_like(plane), *places, edges[:-1], edges[1:], subpix=7)
    means = sums / areas
    is_known = np.isfinite(means)
    return edges, np.interp(np.arange(len(means)), np.flatnonzero(is_known), means[is_known])


def _find_petrosian_radius(edges: _Floats, growth: _Floats) -> float:
    """The first radius at which the brightness is a fifth of that within it, in pixels; NaN if it is not reached."""
    radii = np.geomspace(1.0, edges[-1] / _OUTER, 300)
    outer, inner = (_interpolate(factor * radii, edges, growth) for factor in (_OUTER, _INNER))
    within = _interpolate(radii, edges, growth)
    ratio = (outer - inner) / (_OUTER**2 - _INNER**2) / np.where(within > 0, within, np.inf)
    below = np.flatnonzero(ratio < PETROSIAN_RATIO)
    if len(below) == 0 or below[0] == 0:
        return float("nan")
    first = int(below[0])
    before, after = ratio[first - 1], ratio[first]
    part = (before - PETROSIAN_RATIO) / (before - after)
    return float(radii[first - 1] ** (1 - part) * radii[first] ** part)


def _interpolate(at: Any, edges: _Floats, growth: _Floats) -> Any:
    """Light within radii: within a ring the brightness is even."""
    return np.interp(np.square(at), edges**2, growth)


def _find_radius(light: float, edges: _Floats, growth: _Floats) -> float:
    """The first radius that has so much light within."""
    index = int(np.argmax(growth >= light))
    part = (light - growth[index - 1]) / (growth[index] - growth[index - 1])
    return float(np.sqrt(edges[index - 1] ** 2 * (1 - part) + edges[index] ** 2 * part))


def _measure_masked(sources: _Sources, radius: float) -> float:
    """Part of the circle's area that other sources cover."""
    assert sources.centre is not None
    rows, columns = np.indices(sources.others.shape)
    is_inside = np.hypot(columns - sources.centre[0], rows - sources.centre[1]) <= radius
    return float(sources.others[is_inside].mean())
