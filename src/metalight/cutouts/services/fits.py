"""Fluxes of single bands as FITS: from hips2fits of the CDS, or from the viewer of the Legacy Surveys.

From the services' documentation and public code, as collected: hips2fits gives one image a request, with
`format=fits`, of maps such as `CDS/P/SDSS9/g`; the viewer's `cutout.fits` takes parameters as its pictures do, and
`bands` such as `grz`, and gives a cube of them, in nanomaggies a pixel where `pixscale` is that of the survey's own
images, 0.262. What could not be tried live: all of it, in which unit other scales of the viewer come, and that of each
map of hips2fits. Of either, all galaxies of a source come in one unit: a model learns what it needs of that.
"""

from dataclasses import dataclass

from metalight.cutouts.checks import ImageVerdict
from metalight.cutouts.fits_checks import judge_fits
from metalight.cutouts.services.hips import HIPS_NAME, HIPS_SCALE_LIMITS_ARCSEC, HIPS_URL, build_hips_parameters
from metalight.cutouts.services.legacy import (
    LEGACY_NAME,
    LEGACY_SCALE_LIMITS_ARCSEC,
    LEGACY_URL,
    NO_OVERLAP_STATUS,
    build_legacy_parameters,
    judge_no_overlap,
)
from metalight.cutouts.services.protocol import CutoutRequest
from metalight.recipe import name_source
from metalight.store import AskedCutout
from metalight.web import Answer

_LARGEST_HEADERS = 1_000_000
_BYTES_A_NUMBER = 4
_MOST_BYTES_A_NUMBER = 8


@dataclass(frozen=True)
class HipsFits:
    """A FITS file for each band from hips2fits."""

    side: int
    hips: str
    """With `{band}` where the band stands."""

    bands: tuple[str, ...]
    source: str
    base_url: str = HIPS_URL
    """The whole address."""

    name: str = HIPS_NAME
    scale_limits_arcsec: tuple[float, float] = HIPS_SCALE_LIMITS_ARCSEC

    @property
    def usual_source(self) -> str:
        """As the recipe names it."""
        return name_source("fits", self.hips)

    @property
    def max_bytes(self) -> int:
        """No file is larger."""
        return _LARGEST_HEADERS + _MOST_BYTES_A_NUMBER * self.side**2

    @property
    def bytes_a_pixel(self) -> float:
        """About, of all files of a galaxy together."""
        return float(_BYTES_A_NUMBER * len(self.bands))

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for each band."""
        return [
            CutoutRequest(
                self.base_url, build_hips_parameters(asked, self.hips.replace("{band}", band), "fits"), band=band
            )
            for band in self.bands
        ]

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on a file."""
        return judge_fits(answer, asked, bands="", num_planes=1)


@dataclass(frozen=True)
class LegacyFits:
    """A FITS cube of all bands from the Legacy Surveys' viewer."""

    side: int
    layer: str
    letters: str
    """The bands, each a letter, such as `grz`."""

    source: str
    base_url: str = LEGACY_URL
    """Where `/cutout.fits` is."""

    name: str = LEGACY_NAME
    scale_limits_arcsec: tuple[float, float] = LEGACY_SCALE_LIMITS_ARCSEC

    @property
    def usual_source(self) -> str:
        """As the recipe names it."""
        return name_source("fits", self.layer)

    @property
    def bands(self) -> tuple[str, ...]:
        """Of the one file of each galaxy."""
        return (self.letters,)

    @property
    def max_bytes(self) -> int:
        """No file is larger."""
        return _LARGEST_HEADERS + _MOST_BYTES_A_NUMBER * len(self.letters) * self.side**2

    @property
    def bytes_a_pixel(self) -> float:
        """About, of all bands."""
        return float(_BYTES_A_NUMBER * len(self.letters))

    def build_requests(self, asked: AskedCutout) -> list[CutoutRequest]:
        """One request for the cube."""
        parameters = {**build_legacy_parameters(asked, self.layer), "bands": self.letters}
        return [CutoutRequest(f"{self.base_url.rstrip('/')}/cutout.fits", parameters, band=self.letters)]

    def judge(self, answer: Answer, asked: AskedCutout) -> ImageVerdict:
        """The verdict on a cube."""
        if answer.status == NO_OVERLAP_STATUS:
            return judge_no_overlap(answer)
        return judge_fits(answer, asked, bands=self.letters, num_planes=len(self.letters))
