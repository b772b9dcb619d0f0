"""Whether what a service answered is the image that was asked for; judged before it is kept.

Facts of the SDSS documentation and of the service's source, as collected: SkyServer sends texts of errors as JPEG
pictures, with status 404 or 500, and in older releases with 200, as a black picture with a text on it; it clips sizes
to 64 to 2048 px without a word; proxies in between answer with pages in HTML, also with status 200.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from metalight.jpeg_file import MOST_SCANS, has_too_many_scans
from metalight.store import RefusalKind
from metalight.web import Answer, Verdict, judge_status

MOST_BLACK = 0.5
"""Largest share of pixels that are exactly zero in all channels. 400 real galaxies have up to 0.11 of them."""

MAX_PICTURE_BYTES = 20_000_000
"""Of a picture; one of 128 px has 2 to 10 kB."""

PICTURE_BYTES_A_PIXEL = 0.15
"""About."""

_JPEG_TYPES = ("image/jpeg", "image/jpg")
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_LONGEST_WORDS = 200
_NO_SKY = "the picture shows no sky"
_TRIES_OF_TEXTS = 3
_OUTSIDE: RefusalKind = "outside_footprint"


@dataclass(frozen=True)
class ImageVerdict(Verdict):
    """The verdict on an answer, and the reason for refusing the galaxy if it stays so."""

    refusal: RefusalKind = field(default="service_error", kw_only=True)
    """`outside_footprint` of an `again` is what the answer means if the service is at work elsewhere."""


GOOD = ImageVerdict("good")


def judge_picture(answer: Answer, *, width: int, height: int) -> ImageVerdict:
    """The verdict on a JPEG picture in colour that was requested in this size in pixels."""
    if answer.status != 200:
        return judge_image_status(answer)
    if answer.content_type not in _JPEG_TYPES:
        given = f"'{answer.content_type[:_LONGEST_WORDS]}'" if answer.content_type else "an answer without a type"
        return ImageVerdict("again", f"the service sent {given}, not a JPEG picture")
    if not answer.body.startswith(_JPEG_SIGNATURE):
        return ImageVerdict("again", "what the service sent does not begin as JPEG does", refusal="invalid_image")
    flaw = find_picture_flaw(answer.body, width=width, height=height)
    if not flaw:
        return GOOD
    # A text in place of the sky mostly says that there are no images, which stays so; it is asked about less often.
    most_tries = _TRIES_OF_TEXTS if flaw.startswith(_NO_SKY) else 100
    return ImageVerdict("again", flaw, most_tries, refusal="invalid_image")


def judge_survey_picture(answer: Answer, *, width: int, height: int) -> ImageVerdict:
    """As `judge_picture`, of a service that shows a single colour where its survey has no images."""
    verdict = judge_picture(answer, width=width, height=height)
    if answer.status == 200 and verdict.kind in ("good", "again") and is_one_colour(answer.body):
        return ImageVerdict("final", "the picture has one colour all over, as outside the footprint", refusal=_OUTSIDE)
    return verdict


def judge_image_status(answer: Answer) -> ImageVerdict:
    """The verdict on an answer whose status is not 200."""
    # Only words tell a place without images from a path without a service, or from a fault that may pass.
    if answer.status == 404 and "footprint" in answer.reason.casefold():
        return ImageVerdict("final", "is outside the survey's footprint, says the service", refusal=_OUTSIDE)
    verdict = judge_status(answer)
    # A picture with 404 is an error that the service has painted; a page is a wrong address, and stays one.
    may_pass = verdict.kind == "again" or (answer.status == 404 and answer.content_type in _JPEG_TYPES)
    return ImageVerdict("again" if may_pass else "final", verdict.reason)


def find_picture_flaw(data: bytes, *, width: int, height: int) -> str:
    """Why a JPEG file is not the picture that was asked for, as a clause; empty if it is."""
    import simplejpeg

    if has_too_many_scans(data):
        return f"the picture has more than {MOST_SCANS} scans"
    try:
        actual_height, actual_width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (actual_width, actual_height) != (width, height):
            return f"the picture is {actual_width} × {actual_height} px, where {width} × {height} were asked for"
        if colours != "YCbCr":
            return f"the picture has the colours {colours}, not red, green and blue"
        # What is cut short decodes too, with a grey rest, unless that is forbidden. Colours are read in any case, and
        # reckoned only where there may be much black: a black pixel has no luminance, but not the other way round.
        luminance = simplejpeg.decode_jpeg(data, "GRAY", strict=True)
        if np.count_nonzero(luminance) >= (1 - MOST_BLACK) * luminance.size:
            return ""
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return "the picture is damaged or cut short: it does not decode whole"
    black = compute_black_share(pixels)
    if black > MOST_BLACK:
        return f"{_NO_SKY}: {100 * black:.0f} % of its pixels are exactly black, as where a text is"
    return ""


def is_one_colour(data: bytes) -> bool:
    """Whether a file is a whole JPEG picture of which all pixels are alike."""
    import simplejpeg

    if has_too_many_scans(data):
        return False
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return False
    return bool((pixels == pixels[0, 0]).all())


def compute_black_share(pixels: npt.NDArray[np.uint8]) -> float:
    """Share of the pixels of an image (height, width, channel) that are exactly zero in all channels."""
    # Of an array of bytes the sum over channels is slow; "or" of three planes is not.
    lit = pixels[..., 0] | pixels[..., 1] | pixels[..., 2]
    return 1 - float(np.count_nonzero(lit)) / lit.size
