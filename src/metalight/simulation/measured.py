"""The catalogue as SDSS would give it: what is measured of simulated galaxies, with errors, by the names of SDSS."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.simulation import relations
from metalight.simulation.k_corrections import BANDS
from metalight.simulation.universe import Universe
from metalight.tables import ColumnInfo, Table

_CALIBRATION_MAG = {"u": 0.02, "g": 0.01, "r": 0.01, "i": 0.01, "z": 0.015}
_LIMIT_MAG = {"u": 22.0, "g": 23.1, "r": 22.7, "i": 22.2, "z": 20.7}
"""Magnitude of a point that is seen at 5 σ; an extended galaxy has more sky under it."""

_RADIUS_ERROR = 0.01
_MASS_ERROR_DEX, _SFR_ERROR_DEX = 0.09, 0.2
_REDSHIFT_ERROR = 1.5e-5

_EXTINCTION_R = 2.285
"""A_r / E(B − V): Schlafly & Finkbeiner 2011 (ApJ 737, 103), table 6, for R_V = 3.1."""

_STRIPE = ((120.0, 240.0), (0.0, 60.0))
"""Right ascensions and declinations in degrees that the survey covers."""

_NUM_NORMALS, _NUM_UNIFORMS = 16, 3

_Floats = npt.NDArray[np.float64]


class _Column(NamedTuple):
    name: str
    unit: str
    description: str


def build_catalog(population: pd.DataFrame, seed: int, universe: Universe) -> Table:
    """The measured columns of galaxies, one row each, in their order.

    Args:
        population: Of `draw_population`.
        seed: Of the survey. The errors depend on it and on the identifier of a galaxy, and on nothing else.
        universe: Its laws.
    """
    normals, uniforms = _draw_errors(population, seed)
    columns: dict[_Column, _Floats] = {}
    _add_position(columns, population, normals, uniforms)
    _add_photometry(columns, population, normals, uniforms)
    _add_spectroscopy(columns, population, normals, universe)
    frame = pd.DataFrame({"objID": population["object_id"].to_numpy()})
    for column, values in columns.items():
        frame[column.name] = np.round(values, 8 if column.unit == "deg" or column.name.startswith("z") else 5)
    frame["class"] = np.where(population["kind"] == "quasar", "QSO", "GALAXY")
    info = {column.name: ColumnInfo(column.unit, column.description) for column in columns}
    return Table(frame, info | {"objID": ColumnInfo("", "Identifier, made like that of SDSS")})


def build_truth(population: pd.DataFrame) -> pd.DataFrame:
    """True properties of galaxies, one row each, as the truth table of their catalogue."""
    return population.rename(columns={"object_id": "objID"}).round(6)


def _draw_errors(population: pd.DataFrame, seed: int) -> tuple[_Floats, _Floats]:
    normals = np.empty((len(population), _NUM_NORMALS))
    uniforms = np.empty((len(population), _NUM_UNIFORMS))
    for row, object_id in enumerate(population["object_id"].tolist()):
        generator = np.random.default_rng([seed, object_id, _NUM_NORMALS])
        normals[row] = generator.standard_normal(_NUM_NORMALS)
        uniforms[row] = generator.random(_NUM_UNIFORMS)
    return normals, uniforms


def _add_position(columns: dict[_Column, _Floats], galaxies: pd.DataFrame, normals: _Floats, uniforms: _Floats) -> None:
    (west, east), (south, north) = _STRIPE
    columns[_Column("ra", "deg", "Right ascension")] = west + (east - west) * uniforms[:, 0]
    sines = np.sin(np.deg2rad([south, north]))
    columns[_Column("dec", "deg", "Declination")] = np.rad2deg(np.arcsin(sines[0] + np.ptp(sines) * uniforms[:, 1]))
    columns[_Column("z", "", "Redshift")] = galaxies["redshift"].to_numpy() + _REDSHIFT_ERROR * normals[:, 0]
    columns[_Column("zErr", "", "Error of the redshift")] = np.full(len(galaxies), _REDSHIFT_ERROR)


def _add_photometry(
    columns: dict[_Column, _Floats], galaxies: pd.DataFrame, normals: _Floats, uniforms: _Floats
) -> None:
    radius = galaxies["petro_r50_arcsec"].to_numpy()
    for index, band in enumerate(BANDS):
        true = galaxies[f"{band}_magnitude"].to_numpy()
        # Twice the area of the half-light circle, in units of that of a point.
        limit = _LIMIT_MAG[band] - 1.25 * np.log10(1 + 2 * (radius / 0.7) ** 2)
        error = np.hypot(_CALIBRATION_MAG[band], 1.0857 / 5 * 10 ** (0.4 * (true - limit)))
        columns[_Column(f"modelMag_{band}", "mag", f"Magnitude in {band}, of all light")] = (
            true + error * normals[:, 1 + index]
        )
        columns[_Column(f"modelMagErr_{band}", "mag", f"Error of modelMag_{band}")] = error
    for index, (name, column, description) in enumerate(
        (
            ("petroMag_r", "petro_magnitude", "Petrosian magnitude in r"),
            ("fiberMag_r", "fiber_magnitude", "Magnitude in r within 3 arcsec"),
        )
    ):
        columns[_Column(name, "mag", description)] = galaxies[column].to_numpy() + 0.01 * normals[:, 6 + index]
    for index, (name, column, share) in enumerate(
        (("petroR50_r", "petro_r50_arcsec", "50"), ("petroR90_r", "petro_r90_arcsec", "90"))
    ):
        columns[_Column(name, "arcsec", f"Radius of {share} % of the Petrosian light in r")] = galaxies[
            column
        ].to_numpy() * np.exp(_RADIUS_ERROR * normals[:, 8 + index])
    reddening = 0.03 * -np.log1p(-uniforms[:, 2])
    columns[_Column("e_bv_sfd", "mag", "Reddening by the Milky Way; not in the magnitudes nor in the images")] = (
        reddening
    )
    columns[_Column("extinction_r", "mag", "Extinction by the Milky Way in r")] = _EXTINCTION_R * reddening


def _add_spectroscopy(
    columns: dict[_Column, _Floats], galaxies: pd.DataFrame, normals: _Floats, universe: Universe
) -> None:
    log_mass = galaxies["log_mass"].to_numpy()
    measured = galaxies["measured_metallicity"].to_numpy()
    error = universe.label_dex * relations.compute_relative_scatter(log_mass) * np.exp(0.2 * normals[:, 10])
    _add_percentiles(columns, "oh_{}", "dex", "12 + log10(O/H)", measured, error)
    for index, (name, true, error_dex, unit, description) in enumerate(
        (
            ("lgm_tot_{}", log_mass, _MASS_ERROR_DEX, "dex(Msun)", "log10 of the stellar mass"),
            (
                "sfr_tot_{}",
                galaxies["log_sfr"].to_numpy(),
                _SFR_ERROR_DEX,
                "dex(Msun / yr)",
                "log10 of the star formation rate",
            ),
        )
    ):
        noisy = true + error_dex * normals[:, 11 + index]
        _add_percentiles(columns, name, unit, description, noisy, np.full(len(galaxies), error_dex))


def _add_percentiles(
    columns: dict[_Column, _Floats], name: str, unit: str, description: str, median: _Floats, error: _Floats
) -> None:
    for percentile, values in (("p16", median - error), ("p50", median), ("p84", median + error)):
        told = description if percentile == "p50" else f"{description}, {percentile[1:]}th percentile"
        columns[_Column(name.format(percentile), unit, told)] = values
