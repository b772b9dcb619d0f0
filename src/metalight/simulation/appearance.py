"""How simulated galaxies look from here: magnitudes, sizes, shapes, and what a survey measures of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.simulation import relations
from metalight.simulation.instrument import SDSS
from metalight.simulation.k_corrections import BANDS, redshift_magnitudes
from metalight.simulation.profiles import (
    NUM_SIGMAS,
    Mixture,
    blur,
    compute_light_within,
    fit_sersic,
    incline,
    join,
    scale_light,
)
from metalight.simulation.universe import Universe

PSF = (np.array(SDSS.psf_shares), np.array(SDSS.psf_sigmas_arcsec))
"""Shares and standard deviations in arcsec of the seeing in r, in which SDSS measures."""

DISC_THICKNESS = 0.2
"""Minor over major axis of a disc seen edge-on."""

APERTURES = ("petro_magnitude", "fiber_magnitude", "petro_r50_arcsec", "petro_r90_arcsec")
"""Columns of `Galaxy` that `measure_apertures` fills."""

_EXTINCTION = {"u": 1.83, "g": 1.38, "r": 1.0, "i": 0.76, "z": 0.55}
"""In units of that in r: the bands of SDSS under the law of Calzetti et al. 2000."""

_PETROSIAN_RATIO, _PETROSIAN_RADII = 0.2, 2.0
"""Strauss et al. 2002 (AJ 124, 1810), section 3.2."""

_DISC_TO_CIRCLE = 1.4
"""Half-light radius of the disc along its major axis, in units of that of circles, bulge and inclination included:
the median of the galaxies that it makes."""

_FIBER_RADIUS_ARCSEC = 1.5
_NUM_RADII = 40

_Floats = npt.NDArray[np.float64]


def compute_magnitudes(draws: dict[str, _Floats], physics: dict[str, Any], universe: Universe) -> dict[str, _Floats]:
    """Columns of `Galaxy`: dust in front of the galaxy, and total observed magnitudes.

    Args:
        draws: Standard normal numbers `light`, `colour`, `colour_i`, `colour_u`, `dust`, and uniform `tilt`.
        physics: Of `compute_physics`.
        universe: Its laws.
    """
    log_mass, redshift, visible = physics["log_mass"], physics["redshift"], physics["visible_metallicity"]
    kind = physics["kind"]
    burst = physics["log_sfr"] - relations.compute_main_sequence(log_mass)
    # Our own, so that colours are those of star-forming galaxies of SDSS: older and richer in metals is redder.
    g_minus_r = 0.39 + 0.05 * (log_mass - 10) + 0.18 * (visible - 8.95) - 0.10 * np.clip(burst, -1, 1)
    g_minus_r = np.where(kind == "quiescent", np.maximum(g_minus_r, 0.68 + 0.03 * (log_mass - 10.5)), g_minus_r)
    g_minus_r = g_minus_r + universe.colour_mag * draws["colour"]
    r_minus_i = 0.05 + 0.36 * g_minus_r + 0.5 * universe.colour_mag * draws["colour_i"]
    u_minus_g = 0.95 + 0.55 * (g_minus_r - 0.4) + 2 * universe.colour_mag * draws["colour_u"]
    absolute_i = relations.compute_absolute_magnitude_i(log_mass, g_minus_r + r_minus_i)
    absolute_r = absolute_i + universe.mass_to_light_dex * draws["light"] / 0.4 + r_minus_i
    rest = {
        "u": absolute_r + g_minus_r + u_minus_g,
        "g": absolute_r + g_minus_r,
        "r": absolute_r,
        "i": absolute_r - r_minus_i,
        "z": absolute_r - r_minus_i - (0.02 + 0.35 * g_minus_r),
    }
    attenuation = _compute_attenuation(draws, physics, burst) if universe.has_dust else np.zeros_like(log_mass)
    attenuation = np.where(kind == "quiescent", 0, attenuation)
    rest = {band: rest[band] + _EXTINCTION[band] * attenuation for band in BANDS}
    seen = redshift_magnitudes(rest, redshift) if universe.has_k_corrections else rest
    modulus = relations.compute_distance_modulus(redshift)
    magnitudes = {f"{band}_magnitude": seen[band] + modulus for band in BANDS}
    return {"attenuation_mag": attenuation} | _outshine(magnitudes, kind)


def _compute_attenuation(draws: dict[str, _Floats], physics: dict[str, Any], burst: _Floats) -> _Floats:
    """In r: more with mass and star formation, and on the long way through a disc on its side; our own."""
    log_mass, visible = physics["log_mass"], physics["visible_metallicity"]
    face_on = 0.26 + 0.05 * (log_mass - 10) + 0.45 * (visible - 8.95) + 0.15 * burst + 0.08 * draws["dust"]
    tilted = 0.8 * np.log10(1 / compute_axis_ratio(draws["tilt"]))
    attenuation: _Floats = np.clip(face_on, 0.02, 1.0) * (1 + 4.0 * tilted)
    return attenuation


def _outshine(magnitudes: dict[str, _Floats], kind: npt.NDArray[np.str_]) -> dict[str, _Floats]:
    """Quasars are blue points, four times as bright as their galaxy."""
    blue = {"u": 0.1, "g": 0.15, "r": 0.0, "i": -0.1, "z": -0.1}
    is_quasar = kind == "quasar"
    r_of_point = magnitudes["r_magnitude"] - 1.5
    return {
        name: np.where(
            is_quasar, -2.5 * np.log10(10 ** (-0.4 * own) + 10 ** (-0.4 * (r_of_point + blue[name[0]]))), own
        )
        for name, own in magnitudes.items()
    }


def compute_axis_ratio(tilt: _Floats) -> _Floats:
    """Of discs of a certain thickness whose cosines of inclination are `tilt`."""
    return np.sqrt(DISC_THICKNESS**2 + (1 - DISC_THICKNESS**2) * tilt**2)


def compute_shapes(draws: dict[str, _Floats], physics: dict[str, Any], universe: Universe) -> dict[str, Any]:
    """Columns of `Galaxy` from `half_light_arcsec` on."""
    log_mass, kind = physics["log_mass"], physics["kind"]
    burst = physics["log_sfr"] - relations.compute_main_sequence(log_mass)
    # The published radii are of circles around the whole galaxy: the major axis of its disc alone is larger.
    half_light_kpc = _DISC_TO_CIRCLE * relations.compute_half_light_kpc(log_mass, draws["size"])
    half_light_arcsec = half_light_kpc * relations.compute_arcsec_per_kpc(physics["redshift"])
    bulge_fraction = 0.22 + 0.13 * (log_mass - 10) + 0.17 * physics["concentration"]
    bulge_fraction = bulge_fraction + 0.35 * (kind == "quiescent")
    knots = 0.30 - 0.10 * (log_mass - 10) + 0.35 * np.clip(burst, -0.5, 0.8) + 0.03 * draws["knots"]
    is_disc = (kind != "quiescent") & (universe.structure != "smooth")
    return {
        "half_light_arcsec": half_light_arcsec,
        "axis_ratio": np.where(kind == "quiescent", 0.5 + 0.5 * draws["tilt"], compute_axis_ratio(draws["tilt"])),
        "position_angle_deg": 180 * draws["angle"],
        "bulge_fraction": np.clip(bulge_fraction, 0.01, 0.8),
        "bulge_half_light_arcsec": half_light_arcsec * 0.21 * np.exp(0.25 * draws["bulge_size"]),
        "bulge_sersic_index": 1.0 + 0.5 * np.floor(6 * draws["sersic"]),
        "colour_gradient": np.clip(0.32 + 0.10 * (log_mass - 10) + 0.4 * burst + 0.22 * draws["gradient"], -0.6, 1.2),
        "disc_gradient": 0.15 + 0.25 * np.clip(burst, -0.8, 0.8) + 0.12 * draws["disc_gradient"],
        "point_fraction": np.where(kind == "quasar", 0.8, 0.0),
        "knot_fraction": np.where(is_disc, np.clip(knots, 0.03, 0.65), 0.0),
        "num_arms": np.where(draws["arms"] < 0.75, 2, np.where(draws["arms"] < 0.9, 3, 4)),
        "arm_pitch_deg": np.where(draws["winding"] < 0.5, -1, 1) * (10 + 18 * draws["pitch"]),
        "arm_contrast": np.clip(0.35 + 0.5 * draws["grand"] + 0.15 * (log_mass - 10), 0, 0.95),
        "has_bar": is_disc & (draws["bar"] < 0.3),
        "has_ring": is_disc & (draws["ring"] < 0.12),
    }


def build_profiles(columns: dict[str, Any]) -> tuple[Mixture, Mixture]:
    """Bulges and discs of galaxies of light 1 each, before the atmosphere.

    Args:
        columns: Of `compute_shapes`.
    """
    indices = columns["bulge_sersic_index"]
    fits = {index: fit_sersic(float(index)) for index in np.unique(indices)}
    # As many for any galaxies: how a sum is rounded depends on the number of its terms, also of those that are 0.
    num = NUM_SIGMAS
    light, sigmas = np.zeros((len(indices), num)), np.ones((len(indices), num))
    for index, (of_index, sigmas_of_index) in fits.items():
        rows = np.flatnonzero(indices == index)[:, None]
        light[rows, np.arange(len(of_index))] = of_index
        sigmas[rows, np.arange(len(of_index))] = sigmas_of_index
    # A bulge is rounder than the disc that it sits in.
    bulge = incline(light, sigmas, columns["bulge_half_light_arcsec"], (1 + columns["axis_ratio"]) / 2)
    disc = incline(*fit_sersic(1.0, kind="disc"), columns["half_light_arcsec"], columns["axis_ratio"])
    return bulge, disc


def measure_apertures(columns: dict[str, Any], r_magnitude: _Floats) -> dict[str, _Floats]:
    """Columns of `Galaxy` that SDSS measures in circles in r, without noise: Petrosian magnitude and radii, fibre.

    Strauss et al. 2002, section 3.2: the Petrosian radius is where the brightness is a fifth of the mean within; the
    Petrosian light is that within two such radii.
    """
    bulge, disc = build_profiles(columns)
    of_bulge = columns["bulge_fraction"]
    host = blur(join(scale_light(bulge, of_bulge), scale_light(disc, 1 - of_bulge)), PSF)
    smallest = 0.5
    largest = 6 * np.maximum(columns["half_light_arcsec"], 1.0)
    radii = smallest * (largest / smallest)[:, None] ** np.linspace(0, 1, _NUM_RADII)
    shares, sigmas = (np.tile(values, (len(of_bulge), 1)) for values in PSF)
    part = columns["point_fraction"]
    seen = join(scale_light(host, 1 - part), scale_light(Mixture(shares, sigmas, sigmas), part))
    growth = compute_light_within(seen, radii)
    petrosian = _find_petrosian_radius(radii, growth)
    light = _interpolate_rows(_PETROSIAN_RADII * petrosian, radii, growth)
    fiber = compute_light_within(seen, np.full((len(of_bulge), 1), _FIBER_RADIUS_ARCSEC))[:, 0]
    return {
        "petro_magnitude": r_magnitude - 2.5 * np.log10(light),
        "fiber_magnitude": r_magnitude - 2.5 * np.log10(fiber),
        "petro_r50_arcsec": _interpolate_rows(0.5 * light, growth, radii),
        "petro_r90_arcsec": _interpolate_rows(0.9 * light, growth, radii),
    }


def _find_petrosian_radius(radii: _Floats, growth: _Floats) -> _Floats:
    """The first radius at which the mean brightness from 0.8 to 1.25 of it is a fifth of that within it."""
    inner, outer = (_interpolate_rows(factor * radii, radii, growth) for factor in (0.8, 1.25))
    ratio = (outer - inner) / (1.25**2 - 0.8**2) / growth
    below = ratio < _PETROSIAN_RATIO
    # In the centre the profile is a plateau: the ratio starts near 1.
    index = np.clip(below.argmax(axis=1), 1, radii.shape[1] - 1)
    rows = np.arange(len(radii))
    before, after = ratio[rows, index - 1], ratio[rows, index]
    part = np.clip((before - _PETROSIAN_RATIO) / np.maximum(before - after, 1e-9), 0, 1)
    radius: _Floats = radii[rows, index - 1] ** (1 - part) * radii[rows, index] ** part
    return radius


def _interpolate_rows(at: _Floats, places: _Floats, values: _Floats) -> _Floats:
    return np.array([np.interp(*row) for row in zip(at, places, values, strict=True)])
