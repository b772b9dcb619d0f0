"""Relations between the properties of galaxies, as published, and distances.

Masses are log10(M*/Msun), star formation rates log10(SFR / (Msun/yr)). The relations come with one initial mass
function or another, 0.05 dex of mass apart, and on two scales of metallicity; the survey takes each as its own scale.
"""

import functools

import numpy as np
import numpy.typing as npt

HUBBLE_KM_S_MPC, MATTER = 70.0, 0.3
"""Of a flat universe: that of the paper and of the catalogues."""

_Floats = npt.NDArray[np.float64]


def compute_mass_function(log_mass: _Floats) -> _Floats:
    """Galaxies in a Mpc³ and a dex of mass: Baldry et al. 2012 (MNRAS 421, 621), eq. 6 and table 3, z < 0.06."""
    ratio = 10 ** (log_mass - 10.66)
    schechter = 3.96e-3 * ratio ** (1 - 0.35) + 0.79e-3 * ratio ** (1 - 1.47)
    density: _Floats = np.log(10) * np.exp(-ratio) * schechter
    return density


def compute_main_sequence(log_mass: _Floats) -> _Floats:
    """Star formation of the main sequence: Renzini & Peng 2015 (ApJ 801, L29), eq. 1."""
    return 0.76 * log_mass - 7.64


def compute_mass_metallicity(log_mass: _Floats) -> _Floats:
    """Median 12 + log10(O/H): Tremonti et al. 2004 (ApJ 613, 898), eq. 3, for masses of 8.5 to 11.5."""
    return -1.492 + 1.847 * log_mass - 0.08026 * log_mass**2


def compute_relative_scatter(log_mass: _Floats) -> _Floats:
    """Scatter of metallicities at a mass, in units of that at 10^10 solar masses.

    A straight line through half the distance of the 16th and 84th percentiles of Tremonti et al. 2004, table 3, which
    falls from 0.2 dex at a mass of 8.57 over 0.11 at 9.96 to 0.07 at 11.
    """
    return 1 - 0.43 * (log_mass - 10)


def compute_fundamental(log_mass: _Floats, log_sfr: _Floats) -> _Floats:
    """12 + log10(O/H) at mass and star formation: Mannucci et al. 2010 (MNRAS 408, 2115), eq. 2.

    Its scale is not that of Tremonti et al.: only differences of it are of use beside theirs.
    """
    m, s = log_mass - 10, log_sfr
    return 8.90 + 0.37 * m - 0.14 * s - 0.19 * m**2 + 0.12 * m * s - 0.054 * s**2


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
    cosmology = FlatLambdaCDM(H0=HUBBLE_KM_S_MPC, Om0=MATTER, Tcmb0=0)
    return redshifts, cosmology.comoving_distance(redshifts).value
