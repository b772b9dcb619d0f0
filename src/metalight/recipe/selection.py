"""Settings of how a sample is selected: by which cuts, and from which database."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalight.errors import name_nearest
from metalight.recipe.base import Settings

KNOWN_CUTS = (
    *("petro_magnitude", "colour", "model_magnitudes", "spectral_fit", "redshift_error", "redshift", "metallicity"),
    *("class_galaxy", "reliable", "bpt_star_forming", "signal_to_noise", "fibre_fraction", "redshift_above_0.04"),
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

SkyServerRelease = Literal["dr14", "dr15", "dr16", "dr17", "dr18", "dr19"]

_MOST_QUERIES_PER_MINUTE = 60.0
"""That SkyServer allows a client; SDSS documentation, as collected."""


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


class SkyServerSettings(Settings):
    """How SkyServer, the public database of SDSS, is asked for galaxies."""

    base_url: Annotated[str, Field(min_length=1)] = "https://skyserver.sdss.org"
    """Address of the service, before the release; a mirror or a stand-in has another."""

    release: SkyServerRelease = "dr18"
    """Data release of SDSS. The tables of MPA-JHU are the same in all of them."""

    page_size: Annotated[int, Field(ge=1, le=500_000)] = 100_000
    """Galaxies asked for at once; the service answers with 500,000 rows at most."""

    queries_per_minute: Annotated[float, Field(ge=0)] = _MOST_QUERIES_PER_MINUTE
    """Queries begun in a minute, at most, whatever `network.requests_per_second` is; 0: as many as there can be, which
    SDSS does not allow: 60 are its limit."""

    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 620.0
    """Silence after which a query is given up; the service works on one for up to 600 s before it answers."""

    @model_validator(mode="after")
    def _service_is_not_overrun(self) -> "SkyServerSettings":
        address = re.fullmatch(r"https?://([^/:?#@\s]+)(:\d+)?(/[^?#\s]*)?", self.base_url)
        if address is None:
            raise ValueError(f"base_url must be like https://skyserver.sdss.org, unlike '{self.base_url[:80]}'")
        host = address[1].lower()
        if host.endswith("sdss.org") and not 0 < self.queries_per_minute <= _MOST_QUERIES_PER_MINUTE:
            raise ValueError(f"{host} allows up to {_MOST_QUERIES_PER_MINUTE:g} queries_per_minute")
        return self
