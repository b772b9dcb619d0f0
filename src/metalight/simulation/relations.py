"""Relations between the properties of galaxies, as published, and distances.

Masses are log10(M*/Msun), star formation rates log10(SFR / (Msun/yr)). The relations come with one initial mass
function or another, 0.05 dex of mass apart, and on two scales of metallicity; the survey takes each as its own scale.
Those of mass, metallicity and star formation are the formulas of `metalight.scaling_relations`, without their ranges.
"""

import functools

import numpy as np
import numpy.typing as npt

from metalight.scaling_relations import (
    Cosmology,
    compute_main_sequence,
    compute_mannucci,
    compute_tremonti,
    compute_tremonti_relative_scatter,
)

__all__ = [
    "compute_absolute_magnitude_i",
    "compute_arcsec_per_kpc",
    "compute_comoving_distance_mpc",
    "compute_distance_modulus",
    "compute_fundamental",
    "compute_half_light_kpc",
    "compute_main_sequence",
    "compute_mass_function",
    "compute_mass_metallicity",
    "compute_relative_scatter",
    "find_redshift",
]

compute_mass_metallicity = compute_tremonti
compute_relative_scatter = compute_tremonti_relative_scatter
compute_fundamental = compute_mannucci

_Floats = npt.NDArray[np.float64]


def compute_mass_function(log_mass: _Floats) -> _Floats:
    """Galaxies in a Mpc³ and a dex of mass: Baldry et al. 2012 (MNRAS 421, 621), eq. 6 and table 3, z < 0.06."""
    ratio = 10 ** (log_mass - 10.66)
    schechter = 3.96e-3 * ratio ** (1 - 0.35) + 0.79e-3 * ratio ** (1 - 1.47)
    density: _Floats = np.log(10) * np.exp(-ratio) * schechter
    return density


def compute_half_light_kpc(log_mass: _Floats, deviate: _Floats) -> _Floats:
    """Half-light radius of late types: Shen et al. 2003 (MNRAS 343, 978), eqs. 18 and 19, with their scatter.

    Args:
        log_mass: (galaxy,)
        deviate: How large a galaxy is for its mass, in standard deviations.
    """
    ratio = 10**log_mass / 3.98e10
    median_kpc = 0.1 * 10 ** (0.14 * log_mass) * (1 + ratio) ** 0.25
    return median_kpc * np.exp((0.34 + 0.13 / (1 + ratio**2)) * deviate)


def compute_absolute_magnitude_i(log_mass: _Floats, g_minus_i: _Floats) -> _Floats:
    """Rest-frame magnitude in i by mass and rest-frame colour: Taylor et al. 2011 (MNRAS 418, 1587), eq. 8."""
    return (1.15 + 0.70 * g_minus_i - log_mass) / 0.4


def compute_distance_modulus(redshift: _Floats) -> _Floats:
    """Apparent minus absolute magnitude, without k-correction."""
    return 5 * np.log10((1 + redshift) * _interpolate_distance(redshift)) + 25


def compute_arcsec_per_kpc(redshift: _Floats) -> _Floats:
    """Angle under which a kpc is seen."""
    return 206.264806 * (1 + redshift) / _interpolate_distance(redshift)


def compute_comoving_distance_mpc(redshift: _Floats) -> _Floats:
    """Comoving distance, for redshifts up to 1."""
    return _interpolate_distance(redshift)


def find_redshift(distance_mpc: _Floats) -> _Floats:
    """The redshift, up to 1, of a comoving distance."""
    redshifts, distances = _tabulate_distances()
    return np.interp(distance_mpc, distances, redshifts)


def _interpolate_distance(redshift: _Floats) -> _Floats:
    redshifts, distances = _tabulate_distances()
    return np.interp(redshift, redshifts, distances)


@functools.cache
def _tabulate_distances() -> tuple[_Floats, _Floats]:
    from astropy.cosmology import FlatLambdaCDM

    redshifts = np.linspace(0, 1, 4001)
    cosmology = FlatLambdaCDM(H0=Cosmology().hubble_km_s_mpc, Om0=Cosmology().matter, Tcmb0=0)
    return redshifts, cosmology.comoving_distance(redshifts).value
