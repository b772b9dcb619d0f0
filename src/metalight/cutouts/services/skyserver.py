"""SkyServer's ImgCutout: colour pictures of SDSS, i, r, g as red, green, blue.

From the SDSS documentation and the service's source, as collected: parameters ra, dec (degrees), scale (arcsec a
pixel), width, height (px), opt (overlays; empty for none). Scales outside 0.015 to 60 are refused, sizes are clipped
to 64 to 2048 px in silence, the projection is tangential with north up and east left. The pictures are the same in
data releases 14 to 19, which differ in overlays only. What could not be tried live: all of it.
"""

from dataclasses import dataclass

from metalight.cutouts.checks import MAX_PICTURE_BYTES, PICTURE_BYTES_A_PIXEL, ImageVerdict, judge_picture
from metalight.cutouts.services.protocol import CutoutRequest, format_arcsec, format_degrees
from metalight.errors import RecipeError
from metalight.recipe import SKYSERVER_URL, SkyServerRelease, locate_services
from metalight.store import AskedCutout
from metalight.web import Answer

SKYSERVER_SIDES = (64, 2048)
"""Smallest and largest side of a picture, px: others are clipped."""


@dataclass(frozen=True)
class SkyServer:
    """Pictures of SDSS from SkyServer."""

    side: int
    release: SkyServerRelease = "dr14"
    """Data release."""

    base_url: str = SKYSERVER_URL
    """Where `/drN/SkyServerWS` is."""

    source: str = "sdss"
    name: str = "SkyServer"
    bands: tuple[str, ...] = ("",)
    scale_limits_arcsec: tuple[float, float] = (0.015, 60.0)
    max_bytes: int = MAX_PICTURE_BYTES
    bytes_a_pixel: float = PICTURE_BYTES_A_PIXEL

    def __post_init__(self) -> None:
        smallest, largest = SKYSERVER_SIDES
        if not smallest <= self.side <= largest:
            raise RecipeError(
                f"SkyServer gives pictures of {smallest} to {largest} px, not of {self.side}; set [cutouts] side "
                "within that: [pixels] side brings them to any other size."
            )

    @property
    def usual_source(self) -> str:
        """As the recipe names it."""
        return "sdss"

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for the picture."""
        parameters = {
            "ra": format_degrees(asked.ra_deg),
            "dec": format_degrees(asked.dec_deg),
            "scale": format_arcsec(asked.pixel_scale_arcsec),
            "width": str(asked.width),
            "height": str(asked.height),
            "opt": "",
        }
        return [CutoutRequest(f"{locate_services(self.base_url, self.release)}/ImgCutout/getjpeg", parameters)]

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on a picture."""
        return judge_picture(answer, width=asked.width, height=asked.height)
