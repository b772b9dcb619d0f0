"""Galaxies with known truth: what they are, and how bright, red and large they look from here.

A plain stand-in for the star-forming galaxies of SDSS: mass sets metallicity, light, size and bulge; metallicity and
star formation set the colours. Part of the metallicity, `INVISIBLE_SCATTER`, shows nowhere, so that no method can be
perfect. Left out: k-corrections, dust, and the 0.05 dex between the initial mass functions of the relations.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

INVISIBLE_SCATTER = 0.06
"""Standard deviation in dex of the part of the metallicity that no image shows: a floor under any method's error."""

MAX_GALAXIES = 10_000_000
"""More galaxies than this would not fit into one run of identifiers."""

_MASS_RANGE = (8.6, 11.4)
"""log10(M*/Msun), inside the range 8.5 to 11.5 for which the mass–metallicity relation was fitted."""

_FAINTEST_MAGNITUDE = 17.77
"""Limit in r of the SDSS main galaxy sample (Strauss et al. 2002)."""

_SMALLEST_REDSHIFT = 0.02
"""Nearer, the 3 arcsec fibre sees only the core; the sample's own cut."""

_HUBBLE_DISTANCE_MPC = 299_792.458 / 70
"""c / H0, for H0 = 70 km/s/Mpc."""

_SECOND_ORDER = 0.775
"""(1 − q0) / 2 for matter 0.3 and Lambda 0.7: luminosity distance = c/H0 · (z + 0.775 z²), to 1 % below z = 0.3."""

_PSF_R90_ARCSEC = 1.18
"""Radius of 90 % of the light of a point, in seeing of 1.3 arcsec."""

_NORMALS = ("mass", "sfr", "size", "light", "red", "redder", "bulge", "bulge_size", "knots", "invisible")
_UNIFORMS = ("tail", "distance", "tilt", "angle", "sersic", "pitch", "side")

_Floats = npt.NDArray[np.float64]


class Galaxy(NamedTuple):
    """One galaxy: its row of the table that `draw_population` gives."""

    object_id: int
    """Identifier of 19 digits, made like an SDSS objID."""
    redshift: float
    log_mass: float
    """log10(M*/Msun)."""
    log_sfr: float
    """log10(SFR / (Msun/yr))."""
    metallicity: float
    """12 + log10(O/H)."""
    r_magnitude: float
    """Total apparent AB magnitude in r."""
    g_minus_r: float
    """Colour of the whole galaxy, mag."""
    r_minus_i: float
    """Colour of the whole galaxy, mag."""
    petro_r90_arcsec: float
    """Radius of 90 % of the r-band light as seen through the atmosphere."""
    disc_scale_arcsec: float
    """Scale length of the exponential disc along its major axis."""
    axis_ratio: float
    """Minor over major axis of the inclined disc."""
    position_angle_deg: float
    """Direction of the major axis, from the right of the image towards its top."""
    bulge_fraction: float
    """Part of the r-band light that is in the bulge."""
    bulge_radius_arcsec: float
    """Half-light radius of the bulge."""
    bulge_sersic_index: float
    """Sérsic index of the bulge, in steps of 0.5: GalSim makes a table for each index."""
    knot_fraction: float
    """Part of the disc's r-band light that is in knots of young stars."""
    arm_pitch_deg: float
    """Pitch of the two spiral arms that most knots lie on; its sign is the sense of winding."""


def draw_population(num_galaxies: int, seed: int) -> pd.DataFrame:
    """Galaxies with the columns of `Galaxy`, each drawn by itself.

    Galaxy number i depends on the seed and on i only, so the first rows of a longer population are the same galaxies.

    Args:
        num_galaxies: Number of rows, 1 to `MAX_GALAXIES`.
        seed: Not negative.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not 1 <= num_galaxies <= MAX_GALAXIES:
        raise ValueError(f"num_galaxies must be 1 to {MAX_GALAXIES}, not {num_galaxies}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    draws = _draw_deviates(num_galaxies, seed)
    physics = _compute_physics(draws)
    looks = _compute_looks(draws, physics)
    columns = {"object_id": _make_object_ids(num_galaxies, seed)} | physics | looks
    return pd.DataFrame({name: columns[name] for name in Galaxy._fields})


def iterate_galaxies(population: pd.DataFrame) -> Iterator[Galaxy]:
    """Rows of `population` one by one; identifiers stay integers, which a row as a pandas series would make floats."""
    return (Galaxy(*row) for row in population[list(Galaxy._fields)].itertuples(index=False, name=None))


def compute_mass_metallicity(log_mass: _Floats) -> _Floats:
    """Median 12 + log10(O/H) at a stellar mass: Tremonti et al. (2004), equation 3, for 8.5 < log10(M*/Msun) < 11.5."""
    return -1.492 + 1.847 * log_mass - 0.08026 * log_mass**2


def _draw_deviates(num_galaxies: int, seed: int) -> dict[str, _Floats]:
    """Standard normal and uniform numbers by name, one for each galaxy."""
    normals = np.empty((num_galaxies, len(_NORMALS)))
    uniforms = np.empty((num_galaxies, len(_UNIFORMS)))
    for index in range(num_galaxies):
        rng = np.random.default_rng([seed, index])
        normals[index] = rng.standard_normal(len(_NORMALS))
        uniforms[index] = rng.random(len(_UNIFORMS))
    return dict(zip(_NORMALS, normals.T, strict=True)) | dict(zip(_UNIFORMS, uniforms.T, strict=True))


def _make_object_ids(num_galaxies: int, seed: int) -> npt.NDArray[np.int64]:
    """Identifiers with the bits of SDSS: sky version 2, rerun 301, run, camera column, field, object.

    The seed makes the run, so that two surveys rarely share an identifier.
    """
    index = np.arange(num_galaxies, dtype=np.int64)
    run = 100 + seed % 8000
    field, place = np.divmod(index, 6 * 500)
    column, number = np.divmod(place, 500)
    ids: npt.NDArray[np.int64] = (
        (2 << 59) | (301 << 48) | (run << 32) | ((column + 1) << 29) | ((field + 11) << 16) | (number + 1)
    )
    return ids


def _compute_physics(draws: dict[str, _Floats]) -> dict[str, _Floats]:
    """Mass, star formation and metallicity, and the part `visible` of the metallicity that the colours follow."""
    low, high = _MASS_RANGE
    # The long tail to small masses is that of a sample limited in brightness.
    log_mass = 10.65 + 0.3 * draws["mass"] + 0.85 * np.log1p(-draws["tail"])
    # Folded at the ends, where clipping would pile galaxies up.
    log_mass = np.clip(high - np.abs(high - (low + np.abs(log_mass - low))), low, high)
    main_sequence = 0.76 * log_mass - 7.64  # Renzini & Peng (2015)
    log_sfr = main_sequence + 0.3 * draws["sfr"]
    # Only differences of the fundamental relation are used: its own scale of O/H is not that of Tremonti et al.
    fundamental = _compute_fundamental(log_mass, log_sfr) - _compute_fundamental(log_mass, main_sequence)
    # Smaller galaxies of the same mass are richer in metals (Ellison et al. 2008).
    visible = compute_mass_metallicity(log_mass) + fundamental - 0.04 * draws["size"]
    metallicity = visible + INVISIBLE_SCATTER * draws["invisible"]
    return {"log_mass": log_mass, "log_sfr": log_sfr, "metallicity": metallicity, "visible": visible}


def _compute_fundamental(log_mass: _Floats, log_sfr: _Floats) -> _Floats:
    """12 + log10(O/H) at mass and star formation: Mannucci et al. (2010), equation 2."""
    m, s = log_mass - 10, log_sfr
    return 8.90 + 0.37 * m - 0.14 * s - 0.19 * m**2 + 0.12 * m * s - 0.054 * s**2


def _compute_looks(draws: dict[str, _Floats], physics: dict[str, _Floats]) -> dict[str, _Floats]:
    """Every column of `Galaxy` that the sky shows."""
    log_mass, visible = physics["log_mass"], physics["visible"]
    starburst = 0.3 * draws["sfr"]
    g_minus_r = (
        0.58 + 0.07 * (log_mass - 10) + 0.5 * (visible - 8.9) - 0.10 * starburst + 0.03 * draws["red"]
    )  # our own, to look like star-forming galaxies of SDSS
    r_minus_i = 0.30 + 0.4 * (g_minus_r - 0.58) + 0.015 * draws["redder"]
    # Taylor et al. (2011), equation 8, solved for the magnitude; its scatter is 0.1 dex of mass.
    magnitude_i = (1.15 + 0.70 * (g_minus_r + r_minus_i) - log_mass + 0.1 * draws["light"]) / 0.4
    magnitude_r = magnitude_i + r_minus_i
    redshift, luminosity_distance_mpc = _place_in_volume(magnitude_r, draws["distance"])
    arcsec_per_kpc = 206.265 * (1 + redshift) ** 2 / luminosity_distance_mpc
    bulge_fraction = np.clip(0.20 + 0.12 * (log_mass - 10) + 0.07 * draws["bulge"], 0.01, 0.6)
    half_light_arcsec = _compute_half_light_kpc(log_mass, draws["size"]) * arcsec_per_kpc
    disc_scale_arcsec = half_light_arcsec / 1.678  # half the light of an exponential disc is within 1.678 scale lengths
    # 90 % of a disc is within 3.89 scale lengths; light in a bulge pulls that radius in.
    intrinsic_r90_arcsec = (3.89 - 1.7 * bulge_fraction) * disc_scale_arcsec
    thickness = 0.2
    axis_ratio = np.sqrt(thickness**2 + (1 - thickness**2) * draws["tilt"] ** 2)  # cos(inclination) is uniform
    return {
        "redshift": redshift,
        "r_magnitude": magnitude_r + 5 * np.log10(luminosity_distance_mpc) + 25,
        "g_minus_r": g_minus_r,
        "r_minus_i": r_minus_i,
        "petro_r90_arcsec": np.hypot(intrinsic_r90_arcsec, _PSF_R90_ARCSEC),
        "disc_scale_arcsec": disc_scale_arcsec,
        "axis_ratio": axis_ratio,
        "position_angle_deg": 180 * draws["angle"],
        "bulge_fraction": bulge_fraction,
        "bulge_radius_arcsec": half_light_arcsec * 0.2 * np.exp(0.2 * draws["bulge_size"]),
        "bulge_sersic_index": 1.0 + 0.5 * np.floor(7 * draws["sersic"]),
        "knot_fraction": np.clip(0.30 - 0.08 * (log_mass - 10) + 0.15 * starburst + 0.04 * draws["knots"], 0.02, 0.6),
        "arm_pitch_deg": np.where(draws["side"] < 0.5, -1, 1) * (12 + 18 * draws["pitch"]),
    }


def _place_in_volume(magnitude_r: _Floats, uniform: _Floats) -> tuple[_Floats, _Floats]:
    """Redshift and luminosity distance in Mpc, uniform in the volume in which the galaxy is bright enough."""
    nearest_mpc = _HUBBLE_DISTANCE_MPC * (_SMALLEST_REDSHIFT + _SECOND_ORDER * _SMALLEST_REDSHIFT**2)
    farthest_mpc = 10 ** ((_FAINTEST_MAGNITUDE - magnitude_r - 25) / 5)
    # The faintest dwarfs would not be seen at all; they are put just behind the near side.
    farthest_mpc = np.maximum(farthest_mpc, 1.1 * nearest_mpc)
    distance_mpc = np.cbrt(nearest_mpc**3 + uniform * (farthest_mpc**3 - nearest_mpc**3))
    scaled = distance_mpc / _HUBBLE_DISTANCE_MPC
    redshift = (np.sqrt(1 + 4 * _SECOND_ORDER * scaled) - 1) / (2 * _SECOND_ORDER)
    return redshift, distance_mpc


def _compute_half_light_kpc(log_mass: _Floats, deviate: _Floats) -> _Floats:
    """Half-light radius of late types: Shen et al. (2003), equations 18 and 19, with their log-normal scatter."""
    ratio = 10**log_mass / 3.98e10
    median_kpc = 0.1 * 10 ** (0.14 * log_mass) * (1 + ratio) ** 0.25
    return median_kpc * np.exp((0.34 + 0.13 / (1 + ratio**2)) * deviate)
