"""Light of galaxies as sums of Gaussians, which the atmosphere turns into other Gaussians.

Hogg & Lang (2013, PASP 125, 719): a radial profile is a mixture of concentric Gaussians to well within the noise of a
survey. Inclined, blurred by a point-spread function that is a mixture too, and seen in square pixels, it stays one, so
that the pixels of an image and the light within an aperture follow from the same numbers.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

_EDGE_IN_HALF_LIGHT = {"disc": 4.0, "bulge": 8.0}
"""Where profiles end: at these multiples of the half-light radius, as those that SDSS fits."""

NUM_SIGMAS = 18
"""Gaussians of a profile at most."""

_NUM_ANGLES = 12
_PIXEL_VARIANCE = 1 / 12


@dataclass(frozen=True, eq=False)
class Mixture:
    """Concentric Gaussians of each of several galaxies, with one pair of axes a galaxy; all (galaxy, Gaussian)."""

    light: _Floats
    """Share of each Gaussian; nothing is assumed of their sum."""

    major_arcsec: _Floats
    """Standard deviation along the major axis."""

    minor_arcsec: _Floats
    """Standard deviation along the minor axis."""


@functools.cache
def fit_sersic(index: float, *, kind: str = "bulge") -> tuple[_Floats, _Floats]:
    """Light and standard deviations of the Gaussians of a Sérsic profile of light 1 and half-light radius 1.

    Args:
        index: Sérsic index from 0.5 to 6; 1 is an exponential disc, 4 a de Vaucouleurs profile.
        kind: `disc` or `bulge`: where the profile ends.
    """
    # scipy is slow to import, and needed only where something is drawn.
    from scipy.optimize import nnls
    from scipy.special import gammainc, gammaincinv

    bend = gammaincinv(2 * index, 0.5)
    radii = np.concatenate([[0], np.geomspace(0.003, _EDGE_IN_HALF_LIGHT[kind], 160)])
    within = gammainc(2 * index, bend * radii ** (1 / index))
    in_rings = np.diff(within / within[-1])
    sigmas = np.geomspace(0.004 if index > 1.5 else 0.1, 0.4 * radii[-1], NUM_SIGMAS)
    of_gaussians = -np.diff(np.exp(-0.5 * (radii[:, None] / sigmas) ** 2), axis=0)
    # Weighted by the light itself, so that rings with little of it count too, but less.
    weights = 1 / np.sqrt(in_rings + 1e-4)
    light, _ = nnls(of_gaussians * weights[:, None], in_rings * weights)
    is_used = light > 1e-5
    return light[is_used] / light.sum(), sigmas[is_used]


def incline(light: _Floats, sigmas: _Floats, half_light_arcsec: _Floats, axis_ratio: _Floats) -> Mixture:
    """A round profile seen from the side: the major axis keeps its length.

    Args:
        light: (Gaussian,) or (galaxy, Gaussian), of `fit_sersic`.
        sigmas: Likewise.
        half_light_arcsec: (galaxy,) half-light radius along the major axis.
        axis_ratio: (galaxy,) minor over major axis.
    """
    major = np.atleast_2d(sigmas) * half_light_arcsec[:, None]
    return Mixture(np.broadcast_to(light, major.shape), major, major * axis_ratio[:, None])


def blur(mixture: Mixture, psf: tuple[_Floats, _Floats]) -> Mixture:
    """A mixture as it is seen through a round point-spread function: each pair of Gaussians is one."""
    shares, sigmas = psf
    num = len(mixture.light)

    def widen(own: _Floats) -> _Floats:
        return np.hypot(own[:, :, None], sigmas).reshape(num, -1)

    light = (mixture.light[:, :, None] * shares).reshape(num, -1)
    return Mixture(light, widen(mixture.major_arcsec), widen(mixture.minor_arcsec))


def scale_light(mixture: Mixture, factors: _Floats) -> Mixture:
    """A mixture with the light of each galaxy multiplied by its factor (galaxy,)."""
    return Mixture(mixture.light * factors[:, None], mixture.major_arcsec, mixture.minor_arcsec)


def join(*mixtures: Mixture) -> Mixture:
    """All Gaussians of several mixtures of the same galaxies."""
    return Mixture(
        *(
            np.concatenate([getattr(mixture, name) for mixture in mixtures], axis=1)
            for name in ("light", "major_arcsec", "minor_arcsec")
        )
    )


def compute_light_within(mixture: Mixture, radii_arcsec: _Floats) -> _Floats:
    """Light within circles (galaxy, radius) of `radii_arcsec` (galaxy, radius) around the centre.

    An ellipse's angle is integrated over numerically; each direction holds a part of the light that is exact.
    """
    angles = (np.arange(_NUM_ANGLES) + 0.5) * np.pi / (2 * _NUM_ANGLES)
    major, minor = mixture.major_arcsec, mixture.minor_arcsec
    within = np.zeros_like(radii_arcsec)
    for cosine, sine in zip(np.cos(angles), np.sin(angles), strict=True):
        narrowness = (cosine / major) ** 2 + (sine / minor) ** 2
        share = mixture.light / (_NUM_ANGLES * major * minor * narrowness)
        inside = -np.expm1(-0.5 * radii_arcsec[:, :, None] ** 2 * narrowness[:, None, :])
        within += np.einsum("grk,gk->gr", inside, share)
    return within


def draw_mixture(
    mixture: Mixture, position_angle_deg: float, side: int, pixel_arcsec: float, offset_arcsec: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Light of one galaxy's mixture in each pixel of a square, (row, column), rows from the top down.

    Args:
        mixture: Of one galaxy, blurred already.
        position_angle_deg: Direction of the major axis, from the right of the image towards its top.
        side: Pixels on a side.
        pixel_arcsec: Side of a pixel.
        offset_arcsec: Place of the centre, to the right and up from the middle of the square.
    """
    is_used = mixture.light[0] > 0
    light, major, minor = mixture.light[0, is_used], mixture.major_arcsec[0, is_used], mixture.minor_arcsec[0, is_used]
    places = ((np.arange(side) - (side - 1) / 2) * pixel_arcsec).astype(np.float32)
    right, up = places[None, :] - np.float32(offset_arcsec[0]), -places[:, None] - np.float32(offset_arcsec[1])
    cosine, sine = (
        np.float32(np.cos(np.deg2rad(position_angle_deg))),
        np.float32(np.sin(np.deg2rad(position_angle_deg))),
    )
    along, across = (right * cosine + up * sine) ** 2, (up * cosine - right * sine) ** 2
    image = np.zeros((side, side), np.float32)
    in_pixel = _PIXEL_VARIANCE * pixel_arcsec**2
    for share, variance_along, variance_across in zip(light, major**2 + in_pixel, minor**2 + in_pixel, strict=True):
        peak = share * pixel_arcsec**2 / (2 * np.pi * np.sqrt(variance_along * variance_across))
        exponent = along * np.float32(-0.5 / variance_along) + across * np.float32(-0.5 / variance_across)
        np.exp(exponent, out=exponent)
        exponent *= np.float32(peak)
        image += exponent
    return image
