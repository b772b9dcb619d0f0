"""The interface between the downloader and a service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from metalight.cutouts.checks import ImageVerdict
from metalight.errors import hide_secrets
from metalight.store import AskedCutout
from metalight.web import Answer


@dataclass(frozen=True, slots=True)
class CutoutRequest:
    """One request for one file."""

    url: str
    parameters: dict[str, str]
    band: str = ""
    """That the file has, or several bands in one; empty for a picture."""

    def __str__(self) -> str:
        """Its address, to be written down."""
        return hide_secrets(f"{self.url}?{'&'.join(f'{name}={value}' for name, value in self.parameters.items())}")


class CutoutService(Protocol):
    """A service that gives square images around places on the sky."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def source(self) -> str:
        """The survey and service, as models record it."""

    @property
    def usual_source(self) -> str:
        """Default of `source`, different for each service and survey."""

    @property
    def side(self) -> int:
        """Width and height of the images in pixels."""

    @property
    def bands(self) -> Sequence[str]:
        """Of the files of each galaxy, one each; a single empty one for a picture, several in one for a cube."""

    @property
    def scale_limits_arcsec(self) -> tuple[float, float]:
        """The smallest and the largest pixel that it gives."""

    @property
    def max_bytes(self) -> int:
        """No file is larger."""

    @property
    def bytes_a_pixel(self) -> float:
        """About, of all files of a galaxy together."""

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for each of `bands`, in their order."""

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on an answer to a request."""


def format_degrees(degrees: float) -> str:
    """An angle without exponent, to 4 microarcseconds."""
    return f"{degrees:.9f}"


def format_arcsec(arcsec: float) -> str:
    """A pixel scale without exponent: over 3000 px exact to 30 microarcseconds."""
    return f"{arcsec:.8f}"
