"""Names that a selection of galaxies may use: of cuts, and of properties."""

from collections.abc import Mapping

from metalight.errors import name_nearest

KNOWN_CUTS = (
    *("petro_magnitude", "colour", "model_magnitudes", "spectral_fit", "redshift_error", "redshift", "metallicity"),
    *("class_galaxy", "reliable", "bpt_star_forming", "signal_to_noise", "fibre_fraction", "redshift_above_0.04"),
    *("z_warning", "photometry_clean"),
)
"""Names of the cuts that `metalight.catalog.SDSS_CUTS` defines: first those of the paper."""

KNOWN_PROPERTIES = (
    "redshift",
    *(f"magnitude_{band}" for band in "ugriz"),
    *("petro_magnitude_r", "fibre_magnitude_r", "u_g", "g_r", "r_i", "i_z", "petro_r50_arcsec", "petro_r90_arcsec"),
    *("concentration", "axis_ratio", "e_bv", "extinction_r", "fibre_fraction", "signal_to_noise", "d4000"),
    *("log_mass", "log_mass_p16", "log_mass_p84", "log_sfr", "log_sfr_p16", "log_sfr_p84", "log_sfr_fibre", "log_ssfr"),
    *("log_surface_density", "metallicity", "metallicity_p16", "metallicity_p84"),
)
"""Names of the properties of galaxies that `metalight.catalog.PROPERTIES` describes."""

SETS_OF_CUTS = ("auto", "paper")
"""Words that stand for several cuts."""


def check_cuts(names: tuple[str, ...]) -> None:
    """Refuse names of cuts that there are not, or that are there twice.

    Raises:
        ValueError: There is one.
    """
    for place, name in enumerate(names):
        if name not in (*KNOWN_CUTS, *SETS_OF_CUTS):
            raise ValueError(f"there is no cut '{name[:80]}'.{name_nearest(name[:80], [*KNOWN_CUTS, *SETS_OF_CUTS])}")
        if name in names[:place]:
            raise ValueError(f"cuts names '{name}' twice")


def check_properties(columns: Mapping[str, str]) -> None:
    """Refuse columns of properties that there are not, or that name none.

    Raises:
        ValueError: There is one.
    """
    for name, column in columns.items():
        if name not in KNOWN_PROPERTIES:
            raise ValueError(f"there is no property '{name[:80]}'.{name_nearest(name[:80], list(KNOWN_PROPERTIES))}")
        if not column:
            raise ValueError(f"properties.{name} names no column; leave it out")
