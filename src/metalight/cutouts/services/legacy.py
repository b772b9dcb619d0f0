"""The viewer of the Legacy Surveys: colour pictures of several surveys, each in its own stretch.

From the service's documentation and public code, as collected: parameters ra, dec (degrees), layer (`sdss`, `ls-dr9`,
`ls-dr10`, `ls-dr10-grz`, …), pixscale (arcsec a pixel), size (px, up to 3000 by tests of others, 512 in older
documents). The layer `sdss` has g, r, i of SDSS in another stretch than SkyServer's, so a model of the one is none for
the other. Where a layer has no images, its source draws a picture of a single colour, or fails with status 500 and a
page that says no more (`NoOverlapError` of `write_cutout` in map/views.py). What could not be tried live: all of it.
"""

from dataclasses import dataclass

from metalight.cutouts.checks import MAX_PICTURE_BYTES, PICTURE_BYTES_A_PIXEL, ImageVerdict, judge_survey_picture
from metalight.cutouts.services.protocol import CutoutRequest, format_arcsec, format_degrees
from metalight.recipe import name_source
from metalight.store import AskedCutout
from metalight.web import Answer

LEGACY_URL = "https://www.legacysurvey.org/viewer"
LEGACY_NAME = "the Legacy Surveys' viewer"
LEGACY_SCALE_LIMITS_ARCSEC = (0.01, 60.0)
NO_OVERLAP_STATUS = 500
_TRIES_OF_NO_OVERLAP = 3


@dataclass(frozen=True)
class LegacyViewer:
    """Pictures of a layer of the Legacy Surveys' viewer."""

    side: int
    layer: str
    source: str
    base_url: str = LEGACY_URL
    """Where `/cutout.jpg` is."""

    name: str = LEGACY_NAME
    bands: tuple[str, ...] = ("",)
    scale_limits_arcsec: tuple[float, float] = LEGACY_SCALE_LIMITS_ARCSEC
    max_bytes: int = MAX_PICTURE_BYTES
    bytes_a_pixel: float = PICTURE_BYTES_A_PIXEL

    @property
    def usual_source(self) -> str:
        """As the recipe names it."""
        return name_source("legacy", self.layer)

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for the picture."""
        return [CutoutRequest(f"{self.base_url.rstrip('/')}/cutout.jpg", build_legacy_parameters(asked, self.layer))]

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on a picture."""
        if answer.status == NO_OVERLAP_STATUS:
            return judge_no_overlap(answer)
        return judge_survey_picture(answer, width=asked.width, height=asked.height)


def judge_no_overlap(answer: Answer) -> ImageVerdict:
    """The verdict on an answer with `NO_OVERLAP_STATUS`: the place has no images, if the viewer works for others."""
    reason = f"the viewer answered with status {answer.status}, as it does outside the survey's footprint"
    return ImageVerdict("again", reason, _TRIES_OF_NO_OVERLAP, refusal="outside_footprint")


def build_legacy_parameters(asked: AskedCutout, layer: str) -> dict[str, str]:
    """Parameters of the viewer's cutouts: north up, east left."""
    return {
        "ra": format_degrees(asked.ra_deg),
        "dec": format_degrees(asked.dec_deg),
        "layer": layer,
        "pixscale": format_arcsec(asked.pixel_scale_arcsec),
        "size": str(asked.width),
    }
