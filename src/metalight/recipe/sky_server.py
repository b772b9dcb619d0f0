"""Settings of SkyServer, the public service of SDSS: its database of galaxies, and its pictures of the sky."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalight.errors import hide_secrets
from metalight.recipe.base import Settings

SKYSERVER_URL = "https://skyserver.sdss.org"
"""Where SDSS has it."""

SkyServerRelease = Literal["dr14", "dr15", "dr16", "dr17", "dr18", "dr19"]

_MOST_QUERIES_PER_MINUTE = 60.0
"""That SkyServer allows a client; SDSS documentation, as collected."""


def locate_services(base_url: str, release: SkyServerRelease) -> str:
    """Address of the services of a release, without a slash at its end."""
    return f"{base_url.rstrip('/')}/{release}/SkyServerWS"


class SkyServerSettings(Settings):
    """Where SkyServer is, for the catalogue as for cutouts, and how its database is asked.

    Its pictures come at the pace of [network].
    """

    base_url: Annotated[str, Field(min_length=1)] = SKYSERVER_URL
    """Address of the service, before the release; a mirror or a stand-in has another."""

    release: SkyServerRelease = "dr14"
    """Data release of SDSS: dr14 is the paper's. The pictures and the MPA-JHU tables are the same in all releases, but
    in a later one the primary spectrum of many galaxies is one of BOSS or eBOSS, which MPA-JHU did not measure: those
    galaxies are missing from it."""

    page_size: Annotated[int, Field(ge=1, le=500_000)] = 100_000
    """Galaxies asked for at once; the service answers with 500,000 rows at most."""

    queries_per_minute: Annotated[float, Field(ge=0)] = _MOST_QUERIES_PER_MINUTE
    """Queries begun in a minute, at most, whatever `network.requests_per_second` is; 0: as many as there can be, which
    SDSS does not allow: 60 are its limit."""

    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 620.0
    """Silence after which a query is given up; the service works on one for up to 600 s before it answers."""

    @property
    def services_url(self) -> str:
        """As of `locate_services`."""
        return locate_services(self.base_url, self.release)

    @model_validator(mode="after")
    def _service_is_not_overrun(self) -> "SkyServerSettings":
        address = re.fullmatch(r"https?://([^/:?#@\s]+)(:\d+)?(/[^?#\s]*)?", self.base_url)
        if address is None:
            raise ValueError(f"base_url must be like {SKYSERVER_URL}, unlike '{hide_secrets(self.base_url)[:80]}'")
        host = address[1].lower()
        if host.endswith("sdss.org") and not 0 < self.queries_per_minute <= _MOST_QUERIES_PER_MINUTE:
            raise ValueError(f"{host} allows up to {_MOST_QUERIES_PER_MINUTE:g} queries_per_minute")
        return self
