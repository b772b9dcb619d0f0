"""Galaxies with known truth, drawn from a universe and selected as the paper's sample is.

Masses come from the mass function and distances from the volume, and a galaxy that the survey would not have is drawn
again: so distant galaxies are massive, and faint ones near, as in the sky. Galaxy number i depends on the seed, the
universe and i alone.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.simulation import appearance, physics, relations
from metalight.simulation.universe import Universe

MAX_GALAXIES = 10_000_000
"""More galaxies than this would not fit into one run of identifiers."""

_MAIN_SAMPLE_MAGNITUDE = 17.77
"""Limit in r of the SDSS main galaxy sample (Strauss et al. 2002); few fainter galaxies have a spectrum."""

_PART_OF_FAINTER = 0.12

_FAINTEST_LINE = 3e-16
"""Flux of H beta in the fibre, erg/s/cm², above which the lines of a metallicity can be measured."""

_NORMALS = (
    *("sfr", "size", "concentration", "light", "colour", "colour_i", "colour_u", "invisible", "label", "bulge_size"),
    *("dust", "gradient", "knots", "disc_gradient"),
)
_UNIFORMS = (
    *("mass", "distance", "tilt", "angle", "sersic", "pitch", "winding", "arms", "kind", "label_tail", "spectrum"),
    *("bar", "ring", "grand"),
)

_Floats = npt.NDArray[np.float64]


class Galaxy(NamedTuple):
    """One galaxy: its row of the table that `draw_population` gives."""

    object_id: int
    """Identifier of 19 digits, made like an SDSS objID."""
    kind: str
    """`star-forming`, `quiescent`, `merger` or `quasar`."""
    redshift: float
    log_mass: float
    """log10(M*/Msun)."""
    log_sfr: float
    """log10(SFR / (Msun/yr))."""
    metallicity: float
    """12 + log10(O/H), true."""
    visible_metallicity: float
    """What of it follows from mass, star formation and the fourth parameter."""
    measured_metallicity: float
    """12 + log10(O/H) as it would be in the catalogue."""
    concentration: float
    """How much of the light is in the bulge for a galaxy's mass, in standard deviations."""
    fourth_parameter: float
    """In standard deviations."""
    attenuation_mag: float
    """Dust in front of the disc, in r."""
    u_magnitude: float
    """Total observed AB magnitude, as the others."""
    g_magnitude: float
    r_magnitude: float
    i_magnitude: float
    z_magnitude: float
    petro_magnitude: float
    """Petrosian magnitude in r."""
    fiber_magnitude: float
    """Within 3 arcsec, in r."""
    petro_r50_arcsec: float
    """Radius of half the Petrosian light in r, as seen through the atmosphere."""
    petro_r90_arcsec: float
    half_light_arcsec: float
    """Of the disc, along its major axis."""
    axis_ratio: float
    """Minor over major axis of the inclined disc."""
    position_angle_deg: float
    """Direction of the major axis, from the right of the image towards its top."""
    bulge_fraction: float
    """Part of the r-band light that is in the bulge."""
    bulge_half_light_arcsec: float
    bulge_sersic_index: float
    """In steps of 0.5."""
    colour_gradient: float
    """How much redder in g − r the bulge is than the disc, mag."""
    disc_gradient: float
    """How much bluer in g − r the disc is at ten times the radius, mag."""
    point_fraction: float
    """Part of the r-band light that is in a point at the centre: of quasars."""
    knot_fraction: float
    """Part of the disc's r-band light that is in arms and knots of young stars."""
    num_arms: int
    arm_pitch_deg: float
    """Pitch of the arms; its sign is the sense of winding."""
    arm_contrast: float
    """Part of the knots that is in arms; the others lie anywhere in the disc."""
    has_bar: bool
    has_ring: bool


def draw_population(num_galaxies: int, seed: int, universe: Universe | None = None, *, first: int = 0) -> pd.DataFrame:
    """Galaxies with the columns of `Galaxy`, each drawn by itself.

    Args:
        num_galaxies: Number of rows.
        seed: Not negative.
        universe: Its laws.
        first: Number of the first galaxy, so that a survey can be made in pieces; all numbers are below `MAX_GALAXIES`.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not (num_galaxies >= 1 and first >= 0 and first + num_galaxies <= MAX_GALAXIES):
        raise ValueError(f"num_galaxies must be 1 to {MAX_GALAXIES}, not {num_galaxies}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    numbers = np.arange(first, first + num_galaxies)
    waiting = np.arange(num_galaxies)
    drawn = []
    attempt = 0
    while len(waiting):
        candidates = _draw_candidates(numbers[waiting], seed, attempt, universe or Universe())
        is_seen = candidates.pop("is_seen").to_numpy()
        drawn.append(candidates[is_seen].set_index(waiting[is_seen]))
        waiting = waiting[~is_seen]
        attempt += 1
    population = pd.concat(drawn).sort_index()
    population["object_id"] = _make_object_ids(numbers, seed)
    return population[list(Galaxy._fields)]


def iterate_galaxies(population: pd.DataFrame) -> Iterator[Galaxy]:
    """Rows of `population` one by one; identifiers stay integers, which a row as a pandas series would make floats."""
    return (Galaxy(*row) for row in population[list(Galaxy._fields)].itertuples(index=False, name=None))


def _draw_candidates(numbers: npt.NDArray[np.int64], seed: int, attempt: int, universe: Universe) -> pd.DataFrame:
    """Galaxies of a universe, and in a column `is_seen` whether the survey has them."""
    draws = _draw_deviates(numbers, seed, attempt)
    of_physics = physics.compute_physics(draws, universe)
    magnitudes = appearance.compute_magnitudes(draws, of_physics, universe)
    shapes = appearance.compute_shapes(draws, of_physics, universe)
    candidates = of_physics | magnitudes | shapes
    limit = np.where(draws["spectrum"] < _PART_OF_FAINTER, physics.FAINTEST_MAGNITUDE, _MAIN_SAMPLE_MAGNITUDE)
    # Petrosian light is never more than all of it.
    is_bright = magnitudes["r_magnitude"] < limit
    rows = np.flatnonzero(is_bright)
    apertures = {name: np.full(len(numbers), np.nan) for name in appearance.APERTURES}
    if len(rows):
        measured = appearance.measure_apertures(
            {name: values[rows] for name, values in shapes.items()}, magnitudes["r_magnitude"][rows]
        )
        for name, values in measured.items():
            apertures[name][rows] = values
    is_seen = is_bright & (apertures["petro_magnitude"] < limit)
    if universe.has_line_limit:
        is_seen &= _compute_line_flux(candidates | apertures) > _FAINTEST_LINE
    return pd.DataFrame(candidates | apertures | {"is_seen": is_seen})


def _draw_deviates(numbers: npt.NDArray[np.int64], seed: int, attempt: int) -> dict[str, _Floats]:
    """Standard normal and uniform numbers by name, one for each galaxy."""
    normals = np.empty((len(numbers), len(_NORMALS)))
    uniforms = np.empty((len(numbers), len(_UNIFORMS)))
    for row, number in enumerate(numbers.tolist()):
        generator = np.random.default_rng([seed, number, attempt])
        normals[row] = generator.standard_normal(len(_NORMALS))
        uniforms[row] = generator.random(len(_UNIFORMS))
    return dict(zip(_NORMALS, normals.T, strict=True)) | dict(zip(_UNIFORMS, uniforms.T, strict=True))


def _compute_line_flux(columns: dict[str, Any]) -> _Floats:
    """Flux of H beta within the fibre, erg/s/cm².

    Kennicutt 1998 (ARA&A 36, 189), eq. 2, to H alpha; 2.86 times H beta (case B), behind twice the dust of the stars.
    """
    luminosity = 10 ** columns["log_sfr"] / 7.9e-42 / 2.86
    distance_cm = 3.0857e18 * 10 ** (1 + 0.2 * relations.compute_distance_modulus(columns["redshift"]))
    in_fiber = 10 ** (-0.4 * (columns["fiber_magnitude"] - columns["r_magnitude"]))
    dimmed = 10 ** (-0.4 * 2 * columns["attenuation_mag"])
    return np.asarray(luminosity * in_fiber * dimmed / (4 * np.pi * distance_cm**2))


def _make_object_ids(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Identifiers with the bits of SDSS: sky version 2, rerun 301, run, camera column, field, object.

    The seed makes the run, so that two surveys rarely share an identifier.
    """
    run = 100 + seed % 8000
    field, place = np.divmod(numbers, 6 * 500)
    column, number = np.divmod(place, 500)
    ids: npt.NDArray[np.int64] = (
        (2 << 59) | (301 << 48) | (run << 32) | ((column + 1) << 29) | ((field + 11) << 16) | (number + 1)
    )
    return ids
