"""Settings of what is asked of services on the network."""

from typing import Annotated

from pydantic import Field

from metalight.recipe.base import Settings


class NetworkSettings(Settings):
    """How services are asked: politely, and again where that may help."""

    contact: str = ""
    """An address that a service can write to when something is wrong with what is asked; part of every request."""

    connections: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests under way at the same time."""

    requests_per_second: Annotated[float, Field(ge=0, le=10_000)] = 10.0
    """Requests begun in a second, at most; 0: as many as there can be."""

    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Silence after which a request is given up."""

    tries: Annotated[int, Field(ge=1, le=100)] = 6
    """How often a thing is asked for, where asking again may help."""

    first_wait_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    """Wait after the first failure; it doubles with each, and a random part of it is left out. A service that says
    how long to wait is obeyed."""

    longest_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    """No wait is longer, and a service that asks for a longer one is not asked again."""
