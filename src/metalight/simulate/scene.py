"""The image of one galaxy: a bulge, a disc and knots of young stars, blurred, with noise, in the colours of SDSS.

The frame is `petrosian`: 5.05 petroR90_r on a side. Bulge and disc are GalSim's; knots are points, and a point seen
through a Gaussian blur is a Gaussian, which numpy draws.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from metalight.cutouts import PETROSIAN_FIELD_IN_R90, SDSS_PIXEL_ARCSEC
from metalight.errors import MissingExtraError
from metalight.simulate.population import Galaxy

_SEEING_ARCSEC = 1.3
_KNOT_SIGMA_IN_SCALES = 0.18
_NUM_KNOTS = 120

_SKY_NOISE = np.array([0.040, 0.026, 0.020])
"""Noise of the sky in i, r, g: nanomaggies in a pixel of 0.396 arcsec, set so that skies look like those of SDSS."""

_BAND_SCALES = np.array([0.93, 1.08, 1.5])
"""Weights of i, r, g that make a galaxy of the usual colour slightly warm."""

_BRIGHTNESS_OF_BEND = 0.06
_GAIN = 0.12
"""Where the asinh turns from straight to logarithmic, in nanomaggies in a pixel of 0.396 arcsec, and the height of
the picture: set so that brightness and contrast are near those of SDSS (means 0.057, 0.047, 0.039; centres 0.5)."""

_Floats = npt.NDArray[np.float64]


class _Colours(NamedTuple):
    """How much redder a part of the galaxy is than its disc, mag."""

    g_minus_r: float
    r_minus_i: float


_BULGE_COLOURS = _Colours(0.35, 0.12)
_DISC_COLOURS = _Colours(0.0, 0.0)
_KNOT_COLOURS = _Colours(-0.35, -0.15)


def load_galsim() -> Any:
    """The module galsim.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import galsim
    except ImportError as error:
        raise MissingExtraError(
            "Simulated images need GalSim, which is not installed; install it with `pip install 'metalight[simulate]'`."
        ) from error
    return galsim


def render_galaxy(galaxy: Galaxy, side: int, seed: int) -> npt.NDArray[np.uint8]:
    """Image of shape (side, side, 3) with channels i, r, g; its field is 5.05 petroR90_r.

    Args:
        galaxy: What to draw.
        side: Pixels on a side.
        seed: Seed of the survey. Knots and noise depend on it and on the galaxy's identifier, and on nothing else.

    Raises:
        MissingExtraError: GalSim is not installed.
    """
    rng = np.random.default_rng([seed, galaxy.object_id])
    pixel_arcsec = PETROSIAN_FIELD_IN_R90 * galaxy.petro_r90_arcsec / side
    # Each part is drawn once; the bands differ only in how much of each they hold.
    parts = np.stack(
        [
            _draw_bulge(galaxy, side, pixel_arcsec),
            _draw_disc(galaxy, side, pixel_arcsec),
            _draw_knots(galaxy, side, pixel_arcsec, rng),
        ]
    )
    fluxes = _compute_fluxes(galaxy)
    # Light in a pixel of SDSS, whatever the size of ours: a larger image is not a fainter one.
    brightness = np.einsum("bp,pyx->byx", fluxes, parts) * (SDSS_PIXEL_ARCSEC / pixel_arcsec) ** 2
    brightness += _draw_noise(side, pixel_arcsec, rng)
    return _stretch(brightness)


def _compute_fluxes(galaxy: Galaxy) -> _Floats:
    """Light in nanomaggies: a row for each of i, r, g, a column for each of bulge, disc, knots."""
    disc_fraction = 1 - galaxy.bulge_fraction
    parts = np.array(
        [
            galaxy.bulge_fraction,
            disc_fraction * (1 - galaxy.knot_fraction),
            disc_fraction * galaxy.knot_fraction,
        ]
    )
    offsets = (_BULGE_COLOURS, _DISC_COLOURS, _KNOT_COLOURS)
    in_g = parts * 10 ** (-0.4 * np.array([offset.g_minus_r for offset in offsets]))
    in_i = parts * 10 ** (0.4 * np.array([offset.r_minus_i for offset in offsets]))
    total_r = 10 ** (0.4 * (22.5 - galaxy.r_magnitude))
    # Shared out so that the colours of the whole galaxy are those of the table.
    total_g = total_r * 10 ** (-0.4 * galaxy.g_minus_r)
    total_i = total_r * 10 ** (0.4 * galaxy.r_minus_i)
    return np.stack([total_i * in_i / in_i.sum(), total_r * parts, total_g * in_g / in_g.sum()])


@functools.cache
def _build_psf_and_accuracy() -> tuple[Any, Any]:
    galsim = load_galsim()
    # Coarser than GalSim's own: the faint wings that this folds back are far below the noise.
    accuracy = galsim.GSParams(folding_threshold=2e-2, maxk_threshold=5e-3)
    return galsim.Gaussian(fwhm=_SEEING_ARCSEC, gsparams=accuracy), accuracy


def _draw_bulge(galaxy: Galaxy, side: int, pixel_arcsec: float) -> _Floats:
    galsim = load_galsim()
    _, accuracy = _build_psf_and_accuracy()
    bulge = galsim.Sersic(n=galaxy.bulge_sersic_index, half_light_radius=galaxy.bulge_radius_arcsec, gsparams=accuracy)
    # A bulge is rounder than the disc that it sits in.
    return _draw_blurred(bulge, (1 + galaxy.axis_ratio) / 2, galaxy, side, pixel_arcsec)


def _draw_disc(galaxy: Galaxy, side: int, pixel_arcsec: float) -> _Floats:
    galsim = load_galsim()
    _, accuracy = _build_psf_and_accuracy()
    disc = galsim.Exponential(scale_radius=galaxy.disc_scale_arcsec, gsparams=accuracy)
    return _draw_blurred(disc, galaxy.axis_ratio, galaxy, side, pixel_arcsec)


def _draw_blurred(profile: Any, axis_ratio: float, galaxy: Galaxy, side: int, pixel_arcsec: float) -> _Floats:
    """An inclined profile of total light 1 as the atmosphere shows it, its rows from the top of the image down."""
    galsim = load_galsim()
    psf, _ = _build_psf_and_accuracy()
    angle = galaxy.position_angle_deg * galsim.degrees
    # GalSim's shear keeps the area, so it lengthens the major axis; shrinking first keeps that axis as it was.
    inclined = profile.dilate(axis_ratio**0.5).shear(q=axis_ratio, beta=angle)
    image = galsim.Convolve(inclined, psf).drawImage(
        nx=side, ny=side, scale=pixel_arcsec, method="no_pixel", dtype=float
    )
    return np.asarray(image.array[::-1], dtype=np.float64)


def _draw_knots(galaxy: Galaxy, side: int, pixel_arcsec: float, rng: np.random.Generator) -> _Floats:
    """Knots of total light 1, strewn like the light of the disc, most of them along two spiral arms."""
    # Scale lengths: the density of an exponential disc on the plane is a gamma distribution of the radius.
    radii = np.clip(rng.gamma(2.0, 1.0, _NUM_KNOTS), 0.3, 5.0)
    arm = np.pi * rng.integers(0, 2, _NUM_KNOTS) + 0.25 * rng.standard_normal(_NUM_KNOTS)
    winding = np.log(radii) / np.tan(np.deg2rad(galaxy.arm_pitch_deg))
    is_on_arm = rng.random(_NUM_KNOTS) < 0.8
    azimuth = np.where(is_on_arm, arm + winding, 2 * np.pi * rng.random(_NUM_KNOTS))
    light = rng.exponential(1.0, _NUM_KNOTS)
    along = radii * np.cos(azimuth) * galaxy.disc_scale_arcsec
    across = radii * np.sin(azimuth) * galaxy.disc_scale_arcsec * galaxy.axis_ratio
    angle = np.deg2rad(galaxy.position_angle_deg)
    right = along * np.cos(angle) - across * np.sin(angle)
    up = along * np.sin(angle) + across * np.cos(angle)
    sigma_arcsec = np.hypot(_SEEING_ARCSEC / 2.3548, _KNOT_SIGMA_IN_SCALES * galaxy.disc_scale_arcsec)
    places = (np.arange(side) - (side - 1) / 2) * pixel_arcsec
    columns = np.exp(-0.5 * ((places - right[:, None]) / sigma_arcsec) ** 2)
    rows = np.exp(-0.5 * ((-places - up[:, None]) / sigma_arcsec) ** 2)
    peak = (light / light.sum()) * pixel_arcsec**2 / (2 * np.pi * sigma_arcsec**2)
    # einsum adds in one fixed order; a matrix product may not, with other numbers of threads.
    image: _Floats = np.einsum("ky,kx->yx", rows * peak[:, None], columns)
    return image


def _draw_noise(side: int, pixel_arcsec: float, rng: np.random.Generator) -> _Floats:
    """Noise of the sky in i, r, g, of shape (3, side, side): drawn in pixels of SDSS, then resampled.

    So noise is as coarse as it is in real frames: smooth where a small galaxy was enlarged.
    """
    num_native = max(2, round(side * pixel_arcsec / SDSS_PIXEL_ARCSEC))
    native = rng.standard_normal((3, num_native, num_native), dtype=np.float32)
    resampled = [
        np.asarray(Image.fromarray(band).resize((side, side), Image.Resampling.BILINEAR), dtype=np.float64)
        for band in native
    ]
    noise: _Floats = np.stack(resampled) * _SKY_NOISE[:, None, None]
    return noise


def _stretch(brightness: _Floats) -> npt.NDArray[np.uint8]:
    """Picture of shape (side, side, 3) from nanomaggies in a pixel of SDSS, of shape (3, side, side): i, r, g.

    The asinh is of the mean of the bands (Lupton et al. 2004): bright parts keep their colour, none turns white.
    """
    weighted = brightness * _BAND_SCALES[:, None, None]
    mean = np.maximum(weighted, 0).mean(axis=0)
    squeezed = _GAIN * np.arcsinh(mean / _BRIGHTNESS_OF_BEND)
    picture = weighted * squeezed / np.maximum(mean, 1e-6)
    levels: npt.NDArray[np.uint8] = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    # In one piece, as other code may hand its memory to libraries that expect that.
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
