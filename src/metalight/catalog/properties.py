"""Properties of galaxies by our names, from the columns of a catalogue as SDSS spells them or as the user maps them.

A residual is plotted against them, relations are fitted to them, and forests learn from them. What a catalogue does not
have is left out; what it has is float64, with NaN where a galaxy lacks it or where it cannot be.
"""

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import CatalogError, TableError
from metalight.tables import ColumnInfo, Table, find_column, match_columns, require_numbers

HUBBLE_KM_S_MPC, MATTER_DENSITY = 70.0, 0.3
"""Of the flat universe in which sizes are kpc: the draft's, section 1, and that of the MPA-JHU catalogue."""

BANDS = ("u", "g", "r", "i", "z")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Property:
    """A property of a galaxy that is known besides its image."""

    name: str
    """Ours."""

    unit: str
    """Empty: it has none."""

    label: str
    """Label for an axis."""

    columns: tuple[str, ...] = ()
    """How catalogues call it, the first that is there is taken; in any case."""

    needs: tuple[str, ...] = ()
    """Properties that it is computed from, where no column has it."""

    compute: Callable[..., FloatArray] | None = None
    """Of those, in order."""

    limits: tuple[float, float] = (-np.inf, np.inf)
    """Values that are not between these, both inside, cannot be, and count as missing."""


def compute_kpc_per_arcsec(redshift: npt.ArrayLike) -> FloatArray:
    """Length at a galaxy that is seen under one arcsec: flat universe of 70 km/s/Mpc and a matter density of 0.3.

    Args:
        redshift: Above 0; NaN elsewhere and where it is NaN.
    """
    redshift = np.asarray(redshift, dtype=np.float64)
    known = np.isfinite(redshift) & (redshift > 0)
    lengths = np.full(redshift.shape, np.nan)
    if known.any():
        distances = _load_cosmology().angular_diameter_distance(redshift[known]).value
        lengths[known] = 1000 * distances * np.deg2rad(1 / 3600)
    return lengths


@functools.cache
def _load_cosmology() -> Any:
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=HUBBLE_KM_S_MPC, Om0=MATTER_DENSITY, Tcmb0=0)


def _compute_surface_density(log_mass: FloatArray, r50_arcsec: FloatArray, redshift: FloatArray) -> FloatArray:
    """Half the mass over the area of the half-light circle, log10 of Msun a square kpc: Kauffmann et al. 2003."""
    r50_kpc = r50_arcsec * compute_kpc_per_arcsec(redshift)
    density: FloatArray = log_mass - np.log10(2 * np.pi * r50_kpc**2)
    return density


def _compute_fibre_fraction(fibre_magnitude: FloatArray, petro_magnitude: FloatArray) -> FloatArray:
    fraction: FloatArray = 10 ** (-0.4 * (fibre_magnitude - petro_magnitude))
    return fraction


_MAGNITUDES = (0.0, 35.0)
_RATES = (-12.0, 6.0)
_SPECIFIC_RATES = (-25.0, 0.0)
_MASSES = (4.0, 14.0)
_COLOURS = (-10.0, 15.0)

_PROPERTIES = (
    Property("redshift", "", "Redshift", ("redshift", "z"), limits=(-0.01, 20)),  # the nearest approach us
    *(
        Property(f"magnitude_{band}", "mag", f"Model magnitude in {band}", (f"modelMag_{band}",), limits=_MAGNITUDES)
        for band in BANDS
    ),
    Property("petro_magnitude_r", "mag", "Petrosian magnitude in r", ("petroMag_r",), limits=_MAGNITUDES),
    Property("fibre_magnitude_r", "mag", "Magnitude in r within the fibre", ("fiberMag_r",), limits=_MAGNITUDES),
    *(
        Property(
            *(f"{blue}_{red}", "mag", f"${blue} - {red}$", (), (f"magnitude_{blue}", f"magnitude_{red}"), np.subtract),
            limits=_COLOURS,
        )
        for blue, red in (("u", "g"), ("g", "r"), ("r", "i"), ("i", "z"))
    ),
    Property("petro_r50_arcsec", "arcsec", "$R_{50}$", ("petroR50_r",), limits=(1e-3, 600)),
    Property("petro_r90_arcsec", "arcsec", "$R_{90}$", ("petroR90_r",), limits=(1e-3, 600)),
    Property(
        "concentration",
        "",
        "Concentration $R_{90}/R_{50}$",
        ("concentration",),
        ("petro_r90_arcsec", "petro_r50_arcsec"),
        np.divide,
        limits=(1, 20),
    ),
    Property("axis_ratio", "", "Axis ratio", ("axis_ratio", "expAB_r"), limits=(0, 1)),
    Property("e_bv", "mag", "$E(B-V)$ of the Milky Way", ("e_bv_sfd", "e_bv"), limits=(0, 10)),
    Property("extinction_r", "mag", "Extinction in r by the Milky Way", ("extinction_r",), limits=(0, 30)),
    Property(
        "fibre_fraction",
        "",
        "Part of the light within the fibre",
        ("fibre_fraction",),
        ("fibre_magnitude_r", "petro_magnitude_r"),
        _compute_fibre_fraction,
        limits=(0, 2),
    ),
    Property(
        "signal_to_noise", "", "Signal to noise of the spectrum", ("sn_median", "signal_to_noise"), limits=(0, np.inf)
    ),
    Property("d4000", "", "Break at 4000 Å", ("d4000_n", "d4000"), limits=(0, 10)),
    Property("log_mass", "dex", r"$\log_{10}(M_\star/M_\odot)$", ("log_mass", "lgm_tot_p50"), limits=_MASSES),
    Property("log_mass_p16", "dex", "16th percentile of the mass", ("log_mass_p16", "lgm_tot_p16"), limits=_MASSES),
    Property("log_mass_p84", "dex", "84th percentile of the mass", ("log_mass_p84", "lgm_tot_p84"), limits=_MASSES),
    Property("log_sfr", "dex", r"$\log_{10}$ SFR, all", ("log_sfr", "sfr_tot_p50"), limits=_RATES),
    Property("log_sfr_p16", "dex", "16th percentile", ("log_sfr_p16", "sfr_tot_p16"), limits=_RATES),
    Property("log_sfr_p84", "dex", "84th percentile", ("log_sfr_p84", "sfr_tot_p84"), limits=_RATES),
    Property("log_sfr_fibre", "dex", r"$\log_{10}$ SFR, fibre", ("log_sfr_fibre", "sfr_fib_p50"), limits=_RATES),
    Property(
        "log_ssfr",
        "dex",
        r"$\log_{10}$ SFR$/M_\star$",
        ("log_ssfr",),
        ("log_sfr", "log_mass"),
        np.subtract,
        limits=_SPECIFIC_RATES,
    ),
    Property(
        "log_surface_density",
        "dex",
        r"$\log_{10}\Sigma_\star$ [$M_\odot\,$kpc$^{-2}$]",
        ("log_surface_density",),
        ("log_mass", "petro_r50_arcsec", "redshift"),
        _compute_surface_density,
        limits=(0, 16),
    ),
    Property("metallicity", "dex", "12 + log10(O/H)", ("metallicity", "oh_p50"), limits=(5, 11)),
    Property("metallicity_p16", "dex", "16th percentile", ("metallicity_p16", "oh_p16"), limits=(5, 11)),
    Property("metallicity_p84", "dex", "84th percentile", ("metallicity_p84", "oh_p84"), limits=(5, 11)),
)

PROPERTIES = {known.name: known for known in _PROPERTIES}
"""By name. Metallicities are on the scale of Tremonti et al. (2004), masses with the initial mass function of Kroupa
(2001), both of all percentiles medians where no other is named: those of MPA-JHU. SFR in Msun/yr, masses in Msun."""


def compute_properties(table: Table, columns: Mapping[str, str], *, path: Path | str) -> Table:
    """Those of `PROPERTIES` that a catalogue has or that follow from what it has, one row a row of the table.

    Args:
        table: A catalogue, with columns as SDSS spells them or by our names.
        columns: The user's column of a property, by the property's name, where it is called otherwise.
        path: Where the table comes from, for the messages.

    Returns:
        float64 columns in the order of `PROPERTIES`, with units and descriptions; no column is empty.

    Raises:
        CatalogError: One of `columns` is not there, or does not hold numbers.
    """
    values: dict[str, FloatArray] = {}
    for known in _PROPERTIES:
        found = _find_values(table, known, columns.get(known.name, ""), values, path)
        if found is None:
            continue
        with np.errstate(invalid="ignore"):
            is_possible = np.isfinite(found) & (found >= known.limits[0]) & (found <= known.limits[1])
        if is_possible.any():
            values[known.name] = np.where(is_possible, found, np.nan)
    info = {name: ColumnInfo(PROPERTIES[name].unit, PROPERTIES[name].label) for name in values}
    return Table(pd.DataFrame(values, index=table.frame.index), info)


def name_property(column: str, columns: Mapping[str, str]) -> str:
    """Which property a column of a catalogue holds, by its name alone; empty if none is known of that name.

    Args:
        column: In any case.
        columns: As of `compute_properties`.
    """
    folded = column.strip().casefold()
    for name, known in PROPERTIES.items():
        given = columns.get(name)
        called = (given,) if given else known.columns
        if folded in (each.strip().casefold() for each in called):
            return name
    return ""


def _find_values(
    table: Table, known: Property, given: str, values: Mapping[str, FloatArray], path: Path | str
) -> FloatArray | None:
    if given:
        try:
            column = find_column(table, given, path=path, role=f"[catalog.properties] {known.name}")
            return require_numbers(table, column, path=path)
        except TableError as error:
            raise CatalogError(str(error)) from error
    for name in known.columns:
        matched = match_columns(table, name)
        if len(matched) == 1:
            # Nobody has named it: a column of text is something else that is called so.
            with contextlib.suppress(TableError):
                return require_numbers(table, matched[0], path=path)
    if known.compute is None or not all(name in values for name in known.needs):
        return None
    with np.errstate(all="ignore"):
        return known.compute(*(values[name] for name in known.needs))
