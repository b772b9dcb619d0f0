"""The light of one galaxy and its surroundings on a survey's own pixels.

Bulge and disc are mixtures of Gaussians; arms, rings and clumps are many small ones strewn over the disc.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from metalight.simulation.appearance import build_profiles
from metalight.simulation.instrument import Instrument
from metalight.simulation.population import Galaxy
from metalight.simulation.profiles import Mixture, blur, draw_mixture
from metalight.simulation.universe import Universe

_NUM_KNOTS = 110
_KNOT_SIGMA = 0.18
"""In half-light radii of the disc."""

_KNOT_COLOUR = -0.45
"""g − r of knots against that of the smooth disc, mag."""

_COLOUR_RATIOS = {"g": 1.0, "r": 0.0, "i": -0.4, "z": -0.65}
"""How much a part that is redder by 1 mag in g − r differs from r in each band."""

_STARS_ARCMIN2, _GALAXIES_ARCMIN2 = 1.6, 5.0
"""Neighbours on a square arcmin: stars of r = 14 to 22, galaxies of 17.5 to 22.5."""

_PART_IN_TAILS, _NUM_IN_TAIL = 0.12, 12
"""Light of the tails of a merger in units of its own, and of how many Gaussians a tail is made."""

_FloatImage = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]


class _Psf(NamedTuple):
    shares: _Floats
    sigmas: _Floats


class _Points(NamedTuple):
    """Round Gaussians before the atmosphere: light by band (band, point), places and sizes in arcsec (point,)."""

    light: _Floats
    right: _Floats
    up: _Floats
    sigma: _Floats


def render_scene(
    galaxy: Galaxy, instrument: Instrument, universe: Universe, side: int, generator: np.random.Generator
) -> _FloatImage:
    """Light in nanomaggies (band, row, column), with noise; rows from the top down.

    Args:
        galaxy: In the middle, but for a part of a pixel.
        instrument: What sees it.
        universe: Says whether there are neighbours.
        side: Pixels on a side.
        generator: Draws what is particular to the image.
    """
    seeing = np.exp(instrument.seeing_scatter * generator.standard_normal())
    offset = tuple(instrument.pixel_arcsec * (generator.random(2) - 0.5))
    knots = _place_knots(galaxy, generator)
    field_arcsec = side * instrument.pixel_arcsec
    points = _place_neighbours(galaxy, instrument, field_arcsec, generator) if universe.has_neighbours else None
    image = np.empty((3, side, side), np.float32)
    bulge, disc = build_profiles({name: np.array([value]) for name, value in galaxy._asdict().items()})
    angle, pixel = galaxy.position_angle_deg, instrument.pixel_arcsec
    parts = _compute_parts(galaxy, instrument)
    middle = _Psf(np.array(instrument.psf_shares), np.array(instrument.psf_sigmas_arcsec) * seeing)
    # Once for all bands: in knots, which are wider than a point, the bands' seeing makes no difference to be seen.
    of_all_knots = _draw_points(knots._replace(light=knots.light[0]), middle, side, pixel, offset)
    for index, factor in enumerate(instrument.seeing_by_band):
        psf = middle._replace(sigmas=middle.sigmas * factor)
        of_bulge, of_disc, of_knots, of_point = parts[:, index]
        disc_in_band = _colour_disc(disc, _COLOUR_RATIOS[instrument.bands[index]] * galaxy.disc_gradient)
        image[index] = of_bulge * draw_mixture(blur(bulge, psf), angle, side, pixel, offset)
        image[index] += of_disc * draw_mixture(blur(disc_in_band, psf), angle, side, pixel, offset)
        image[index] += np.float32(of_knots) * of_all_knots
        if of_point:
            centre = _Points(np.array([of_point]), *np.zeros((3, 1)))
            image[index] += _draw_points(centre, psf, side, pixel, offset)
        if points is not None:
            image[index] += _draw_points(points._replace(light=points.light[index]), psf, side, pixel, offset)
    return _add_noise(image, instrument, generator)


def _colour_disc(disc: Mixture, gradient: float) -> Mixture:
    """The disc in a band in which it fades by `gradient` more for ten times the radius, mag; its light is unchanged."""
    light = disc.light * (disc.major_arcsec / disc.major_arcsec.max()) ** (0.4 * gradient)
    return replace(disc, light=light * (disc.light.sum() / light.sum()))


def _compute_parts(galaxy: Galaxy, instrument: Instrument) -> _Floats:
    """Light in nanomaggies of bulge, disc, knots and point (part, band), whose sums are the galaxy's magnitudes."""
    of_host = 1 - galaxy.point_fraction
    disc = of_host * (1 - galaxy.bulge_fraction)
    parts = np.array(
        [
            of_host * galaxy.bulge_fraction,
            disc * (1 - galaxy.knot_fraction),
            disc * galaxy.knot_fraction,
            galaxy.point_fraction,
        ]
    )
    redder = np.array([galaxy.colour_gradient, 0.0, _KNOT_COLOUR, -0.3])
    columns = []
    for band in instrument.bands:
        shares = parts * 10 ** (-0.4 * _COLOUR_RATIOS[band] * redder)
        total = 10 ** (0.4 * (22.5 - getattr(galaxy, f"{band}_magnitude")))
        columns.append(total * shares / shares.sum())
    return np.stack(columns, axis=1)


def _place_knots(galaxy: Galaxy, generator: np.random.Generator) -> _Points:
    """Knots of light 1 together, strewn like the light of the disc, along arms, a bar or a ring."""
    scale = galaxy.half_light_arcsec / 1.678
    # In scale lengths: the density of an exponential disc on the plane is a gamma distribution of the radius.
    radii = np.clip(generator.gamma(2.0, 1.0, _NUM_KNOTS), 0.25, 4.5)
    arm = generator.integers(0, galaxy.num_arms, _NUM_KNOTS) * 2 * np.pi / galaxy.num_arms
    arm = arm + 0.28 * generator.standard_normal(_NUM_KNOTS) + 2 * np.pi * generator.random()
    winding = np.log(radii) / np.tan(np.deg2rad(galaxy.arm_pitch_deg))
    in_arms = generator.random(_NUM_KNOTS) < galaxy.arm_contrast
    azimuth = np.where(in_arms, arm + winding, 2 * np.pi * generator.random(_NUM_KNOTS))
    if galaxy.has_ring:
        in_ring = generator.random(_NUM_KNOTS) < 0.5
        radii = np.where(in_ring, 1.6 + 0.15 * generator.standard_normal(_NUM_KNOTS), radii)
    light = generator.exponential(1.0, _NUM_KNOTS)
    if galaxy.has_bar:
        in_bar = generator.random(_NUM_KNOTS) < 0.25
        along_bar = generator.uniform(-1.2, 1.2, _NUM_KNOTS)
        direction = np.pi * generator.random()
        radii = np.where(in_bar, np.abs(along_bar), radii)
        azimuth = np.where(in_bar, direction + np.pi * (along_bar < 0), azimuth)
    return _Points(
        (light / light.sum())[None],
        *_project(galaxy, radii * np.cos(azimuth) * scale, radii * np.sin(azimuth) * scale),
        np.full(_NUM_KNOTS, _KNOT_SIGMA * galaxy.half_light_arcsec * np.sqrt(galaxy.axis_ratio)),
    )


def _project(galaxy: Galaxy, along: _Floats, across: _Floats) -> tuple[_Floats, _Floats]:
    """Places in the plane of the disc as seen on the sky: to the right and up."""
    angle = np.deg2rad(galaxy.position_angle_deg)
    across = across * galaxy.axis_ratio
    return along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)


def _place_neighbours(
    galaxy: Galaxy, instrument: Instrument, field_arcsec: float, generator: np.random.Generator
) -> _Points:
    """Stars and other galaxies in the field, and the companion and tails of a merger."""
    area = (field_arcsec / 60) ** 2
    num_stars, num_galaxies = generator.poisson([_STARS_ARCMIN2 * area, _GALAXIES_ARCMIN2 * area])
    # Counts rise by 10^(0.2 m) for stars and 10^(0.45 m) for galaxies.
    stars_r = 22 + np.log10(1 - generator.random(num_stars) * (1 - 10 ** (-0.2 * 8))) / 0.2
    galaxies_r = 22.5 + np.log10(1 - generator.random(num_galaxies) * (1 - 10 ** (-0.45 * 5))) / 0.45
    is_red = generator.random(num_stars) < 0.5
    stars_gr = np.where(is_red, 1.4, 0.5) + 0.15 * generator.standard_normal(num_stars)
    stars_ri = np.where(is_red, 1.1, 0.2) + np.where(is_red, 0.4, 0.08) * generator.standard_normal(num_stars)
    galaxies_gr = 0.85 + 0.35 * generator.standard_normal(num_galaxies)
    galaxies_ri = 0.1 + 0.4 * galaxies_gr
    sizes = 0.5 * np.exp(0.4 * generator.standard_normal(num_galaxies)) * 10 ** (0.12 * (21 - galaxies_r))
    magnitudes = np.concatenate([stars_r, galaxies_r])
    right, up = field_arcsec * (generator.random((2, num_stars + num_galaxies)) - 0.5)
    g_minus_r, r_minus_i = np.concatenate([stars_gr, galaxies_gr]), np.concatenate([stars_ri, galaxies_ri])
    sigma = np.concatenate([np.zeros(num_stars), sizes])
    if galaxy.kind == "merger":
        magnitudes = np.append(magnitudes, galaxy.r_magnitude + 0.5 + 1.5 * generator.random())
        azimuth, distance = 2 * np.pi * generator.random(), galaxy.petro_r90_arcsec * (0.5 + 0.7 * generator.random())
        right, up = np.append(right, distance * np.cos(azimuth)), np.append(up, distance * np.sin(azimuth))
        g_minus_r = np.append(g_minus_r, galaxy.g_magnitude - galaxy.r_magnitude)
        r_minus_i = np.append(r_minus_i, galaxy.r_magnitude - galaxy.i_magnitude)
        sigma = np.append(sigma, 0.35 * galaxy.petro_r50_arcsec)
    points = _colour_points(instrument, 10 ** (0.4 * (22.5 - magnitudes)), g_minus_r, r_minus_i, right, up, sigma)
    points = _stretch(points, 2 * np.pi * generator.random(len(sigma)), generator.random(len(sigma)))
    return _gather([points, _place_tails(galaxy, instrument, generator)]) if galaxy.kind == "merger" else points


def _place_tails(galaxy: Galaxy, instrument: Instrument, generator: np.random.Generator) -> _Points:
    """Two tails that a merger has drawn out of its disc, each an arc that grows wider and fainter outwards."""
    along = np.linspace(0, 1, _NUM_IN_TAIL)
    lengths, start, sense = 1 + 0.8 * generator.random(2), 2 * np.pi * generator.random(), generator.choice([-1, 1])
    azimuth = np.concatenate([start + turn + sense * 1.5 * along for turn in (0, np.pi)])
    radii = galaxy.petro_r90_arcsec * np.concatenate([0.6 + length * along for length in lengths])
    share = np.tile(np.linspace(1.0, 0.4, _NUM_IN_TAIL), 2)
    light = _PART_IN_TAILS * 10 ** (0.4 * (22.5 - galaxy.r_magnitude)) * share / share.sum()
    return _colour_points(
        instrument,
        light,
        np.full_like(light, galaxy.g_magnitude - galaxy.r_magnitude - 0.05),
        np.full_like(light, galaxy.r_magnitude - galaxy.i_magnitude),
        *_project(galaxy, radii * np.cos(azimuth), radii * np.sin(azimuth)),
        galaxy.petro_r90_arcsec * np.tile(np.linspace(0.10, 0.16, _NUM_IN_TAIL), 2),
    )


def _stretch(points: _Points, angle: _Floats, elongation: _Floats) -> _Points:
    """Each point as three in a row, so that galaxies are longer than wide; stars have no size, and stay as they are."""
    step = elongation * points.sigma
    places = [
        (points.right + turn * step * np.cos(angle), points.up + turn * step * np.sin(angle)) for turn in (-1, 0, 1)
    ]
    sigma = points.sigma * (1 - 0.35 * elongation)
    return _gather(
        [
            _Points(points.light * share, right, up, sigma)
            for share, (right, up) in zip((0.25, 0.5, 0.25), places, strict=True)
        ]
    )


def _gather(several: list[_Points]) -> _Points:
    return _Points(*(np.concatenate(values, axis=-1) for values in zip(*several, strict=True)))


def _colour_points(
    instrument: Instrument, of_r: _Floats, g_minus_r: _Floats, r_minus_i: _Floats, *places_and_sizes: _Floats
) -> _Points:
    """Points with the light of their colours in each band of an instrument."""
    by_band = {
        "g": of_r * 10 ** (-0.4 * g_minus_r),
        "r": of_r,
        "i": of_r * 10 ** (0.4 * r_minus_i),
        "z": of_r * 10 ** (0.4 * 1.6 * r_minus_i),
    }
    return _Points(np.stack([by_band[band] for band in instrument.bands]), *places_and_sizes)


def _draw_points(
    points: _Points, psf: _Psf, side: int, pixel_arcsec: float, offset: tuple[float, float]
) -> _FloatImage:
    """Light of round Gaussians (point,) through the atmosphere, in each pixel (row, column)."""
    image = np.zeros((side, side), np.float32)
    if not len(points.right):
        return image
    places = (np.arange(side) - (side - 1) / 2) * pixel_arcsec
    for share, blur_sigma in zip(*psf, strict=True):
        variance = points.sigma**2 + blur_sigma**2 + pixel_arcsec**2 / 12
        columns = np.exp(-0.5 * (places - points.right[:, None] - offset[0]) ** 2 / variance[:, None])
        rows = np.exp(-0.5 * (-places - points.up[:, None] - offset[1]) ** 2 / variance[:, None])
        peak = share * points.light * pixel_arcsec**2 / (2 * np.pi * variance)
        # einsum adds in one fixed order; a matrix product may not, with other numbers of threads.
        image += np.einsum("ky,kx->yx", (rows * peak[:, None]).astype(np.float32), columns.astype(np.float32))
    return image


def _add_noise(image: _FloatImage, instrument: Instrument, generator: np.random.Generator) -> _FloatImage:
    sky = np.array(instrument.sky_noise, np.float32)[:, None, None]
    noise = np.sqrt(sky**2 + np.maximum(image, 0) * np.float32(instrument.light_of_electron))
    offsets = np.array(instrument.sky_offset) * generator.standard_normal(3)
    num, side, _ = image.shape
    white = generator.standard_normal((num, side + 1, side + 1), dtype=np.float32)
    part = np.float32(instrument.noise_shift)
    rows = (1 - part) * white[:, 1:] + part * white[:, :-1]
    shifted = (1 - part) * rows[:, :, 1:] + part * rows[:, :, :-1]
    noise *= shifted / ((1 - part) ** 2 + part**2)  # as strong as if it had not been averaged
    noisy: _FloatImage = image + noise + offsets[:, None, None].astype(np.float32)
    return noisy
