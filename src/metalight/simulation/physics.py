"""Properties of simulated galaxies: kind, mass, distance, star formation, metallicity."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.simulation import relations
from metalight.simulation.universe import Universe

FAINTEST_MAGNITUDE = 18.0
"""In r, Petrosian: the cut of the paper's query."""

REDSHIFTS = (0.02, 0.38)
"""The sample's own cut, and where the paper's catalogue ends."""

MASSES = (8.5, 11.5)
"""log10(M*/Msun) for which the mass–metallicity relation was fitted."""

KINDS = ("quasar", "merger", "quiescent", "star-forming")

PART_WITH_LARGE_ERRORS = 0.1
"""Of the labels; these errors are three times the others."""

_QUENCHING_MASS, _QUENCHING_WIDTH = 10.0, 0.3
"""At this log mass half of the galaxies form stars, and how fast that changes: our own, so that masses are spread as in
the paper's catalogue."""

_LEAST_MASS_TO_LIGHT = (-0.8, 0.12)
"""log10 of mass over light in r of the brightest galaxies at the smallest mass, and its change with a dex of mass:
nothing can be seen further away than these."""

_SUN_MAGNITUDE_R = 4.65

_STEP_STRENGTH = 0.9

_Floats = npt.NDArray[np.float64]


def compute_physics(draws: dict[str, _Floats], universe: Universe) -> dict[str, Any]:
    """Columns of `Galaxy` from `kind` to `fourth_parameter`.

    Args:
        draws: Uniform numbers `kind`, `mass`, `distance`, `label_tail`, and standard normal numbers `sfr`, `size`,
            `concentration`, `invisible`, `label`, each (galaxy,).
        universe: Its laws.
    """
    edges = np.cumsum([universe.quasar_fraction, universe.merger_fraction, universe.quiescent_fraction])
    kind = np.array(KINDS)[np.searchsorted(edges, draws["kind"], side="right")]
    log_mass, redshift = _draw_mass_and_redshift(draws["mass"], draws["distance"])
    sequence = relations.compute_main_sequence(log_mass)
    log_sfr = (
        sequence + universe.main_sequence_dex * draws["sfr"] + 0.3 * (kind == "merger") - 1.2 * (kind == "quiescent")
    )
    fundamental = relations.compute_fundamental(log_mass, log_sfr) - relations.compute_fundamental(log_mass, sequence)
    # Kauffmann et al. 2003 (MNRAS 341, 54), section 4: dense galaxies are the more concentrated ones.
    concentration = 0.8 * draws["concentration"] - 0.6 * draws["size"]
    fourth = {
        "concentration": concentration,
        "surface_density": -draws["size"],
        "none": np.zeros_like(log_mass),
    }[universe.fourth_parameter]
    spread = relations.compute_relative_scatter(log_mass)
    visible = (
        relations.compute_mass_metallicity(log_mass)
        + universe.sfr_dependence * np.where(kind == "quiescent", 0, fundamental)
        + universe.fourth_dex * spread * fourth
    )
    metallicity = visible + universe.invisible_dex * spread * draws["invisible"]
    is_large = draws["label_tail"] < PART_WITH_LARGE_ERRORS
    measured = metallicity + universe.label_dex * spread * np.where(is_large, 3, 1) * draws["label"]
    return {
        "kind": kind,
        "redshift": redshift,
        "log_mass": log_mass,
        "log_sfr": log_sfr,
        "metallicity": metallicity,
        "visible_metallicity": visible,
        "measured_metallicity": _gather(measured, universe.label_step_dex),
        "concentration": concentration,
        "fourth_parameter": fourth,
    }


def compute_star_forming_fraction(log_mass: _Floats) -> _Floats:
    """Galaxies of a mass that have lines to measure a metallicity by; our own, see `_QUENCHING_MASS`."""
    fraction: _Floats = 1 / (1 + np.exp((log_mass - _QUENCHING_MASS) / _QUENCHING_WIDTH))
    return fraction


def _gather(values: _Floats, step: float) -> _Floats:
    """Values pulled most of the way to the steps of a grid, as the real labels are."""
    if step == 0:
        return values
    return (1 - _STEP_STRENGTH) * values + _STEP_STRENGTH * step * np.round(values / step)


def _draw_mass_and_redshift(for_mass: _Floats, for_distance: _Floats) -> tuple[_Floats, _Floats]:
    """Masses in proportion to their number in the volume where they could be seen, and places in that volume."""
    masses, cumulative, farthest_mpc = _tabulate_masses()
    log_mass = np.interp(for_mass, cumulative, masses)
    nearest = float(relations.compute_comoving_distance_mpc(np.array(REDSHIFTS[0]))) ** 3
    volume = np.interp(log_mass, masses, farthest_mpc) ** 3 - nearest
    return log_mass, relations.find_redshift(np.cbrt(nearest + for_distance * volume))


@functools.cache
def _tabulate_masses() -> tuple[_Floats, _Floats, _Floats]:
    """Masses, the part of galaxies below each, and how far away in Mpc (comoving) they could be seen."""
    masses = np.linspace(*MASSES, 601)
    least = _LEAST_MASS_TO_LIGHT[0] + _LEAST_MASS_TO_LIGHT[1] * (masses - masses[0])
    brightest = _SUN_MAGNITUDE_R - 2.5 * (masses - least)
    redshifts = np.linspace(*REDSHIFTS, 721)
    farthest = np.interp(FAINTEST_MAGNITUDE - brightest, relations.compute_distance_modulus(redshifts), redshifts)
    distances = relations.compute_comoving_distance_mpc(farthest)
    nearest = float(relations.compute_comoving_distance_mpc(np.array(REDSHIFTS[0])))
    density = relations.compute_mass_function(masses) * compute_star_forming_fraction(masses)
    density = density * (distances**3 - nearest**3)
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return masses, cumulative / cumulative[-1], distances
