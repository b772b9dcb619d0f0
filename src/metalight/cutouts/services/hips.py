"""hips2fits of the CDS: colour pictures cut out of the all-sky maps of hundreds of surveys.

From the service's documentation, as collected: parameters hips (the survey, such as `CDS/P/SDSS9/color`), ra, dec
(degrees, coordsys=icrs), fov (degrees, of the longer side), width, height (px), projection, rotation_angle, format.
What could not be tried live: all of it, and how a place without images looks; a picture of a single colour is taken
for that.
"""

from dataclasses import dataclass

from metalight.cutouts.checks import MAX_PICTURE_BYTES, PICTURE_BYTES_A_PIXEL, ImageVerdict, judge_survey_picture
from metalight.cutouts.services.protocol import CutoutRequest, format_degrees
from metalight.recipe import name_source
from metalight.store import AskedCutout
from metalight.web import Answer

HIPS_URL = "https://alasky.cds.unistra.fr/hips-image-services/hips2fits"
HIPS_NAME = "hips2fits"
HIPS_SCALE_LIMITS_ARCSEC = (0.001, 600.0)


@dataclass(frozen=True)
class HipsPictures:
    """Pictures of a survey from hips2fits."""

    side: int
    hips: str
    source: str
    base_url: str = HIPS_URL
    """The whole address."""

    name: str = HIPS_NAME
    bands: tuple[str, ...] = ("",)
    scale_limits_arcsec: tuple[float, float] = HIPS_SCALE_LIMITS_ARCSEC
    max_bytes: int = MAX_PICTURE_BYTES
    bytes_a_pixel: float = PICTURE_BYTES_A_PIXEL

    @property
    def usual_source(self) -> str:
        """As the recipe names it."""
        return name_source("hips", self.hips)

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for the picture."""
        return [CutoutRequest(self.base_url, build_hips_parameters(asked, self.hips, "jpg"))]

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on a picture."""
        return judge_survey_picture(answer, width=asked.width, height=asked.height)


def build_hips_parameters(asked: AskedCutout, hips: str, file_format: str) -> dict[str, str]:
    """Parameters of hips2fits: north up, east left, tangential, as the pictures of SkyServer."""
    return {
        "hips": hips,
        "ra": format_degrees(asked.ra_deg),
        "dec": format_degrees(asked.dec_deg),
        # Of 12 digits behind the point, that is, exact to 4 nanoarcseconds: the field is a small part of a degree.
        "fov": f"{asked.pixel_scale_arcsec * max(asked.width, asked.height) / 3600:.12f}",
        "width": str(asked.width),
        "height": str(asked.height),
        "projection": "TAN",
        "coordsys": "icrs",
        "rotation_angle": "0.0",
        "format": file_format,
    }
