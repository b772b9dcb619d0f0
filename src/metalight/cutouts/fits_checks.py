"""Whether what a service answered is the FITS file that was asked for; judged before it is kept.

Facts of the services' documentation and public code, as collected: hips2fits and the viewer of the Legacy Surveys write
one image, or one cube of all bands, with a tangential WCS; the viewer names the planes of a cube by BANDS and BAND0,
BAND1, …, in an order of its own, and says OVERLAP = F where it has no images. How hips2fits shows a place without
images could not be tried live: undefined values and zeros are both taken for that.
"""

import math
import threading
import warnings
from typing import Any

import numpy as np

from metalight.cutouts.checks import GOOD, ImageVerdict, judge_image_status
from metalight.fits_file import FitsError, check_tiles, find_images, load_celestial, open_fits
from metalight.store import AskedCutout
from metalight.web import Answer

MOST_EMPTY = 0.5
"""Largest share of the pixels of a band that are undefined or exactly zero."""

_SIGNATURE = b"SIMPLE  ="
_SCALE_TOLERANCE = 0.01
_PLACE_TOLERANCE_PX = 2.0
"""Services differ by up to a pixel in what they take for the middle."""

_LONGEST_WORDS = 200

# `warnings.catch_warnings` changes state of the whole process; threads that judge must take turns at it.
_opening = threading.Lock()


def judge_fits(answer: Answer, asked: AskedCutout, *, bands: str, num_planes: int) -> ImageVerdict:
    """The verdict on a FITS file that was requested.

    Args:
        answer: What the service sent.
        asked: Place, scale and size.
        bands: What a file that names its bands in BANDS must say, in any order; empty if it is not asked for that.
        num_planes: An image has one, a cube as many as bands.
    """
    if answer.status != 200:
        return judge_image_status(answer)
    if not answer.body.startswith(_SIGNATURE):
        given = f"'{answer.content_type[:_LONGEST_WORDS]}'" if answer.content_type else "an answer without a type"
        return ImageVerdict("again", f"the service sent {given}, which does not begin as FITS does")
    with _opening, warnings.catch_warnings(), np.errstate(all="ignore"):
        # What astropy warns of (headers against the standard) is of no consequence or is refused by us.
        warnings.simplefilter("ignore")
        try:
            return _judge_file(answer.body, asked, bands, num_planes)
        except MemoryError:
            raise
        except FitsError as error:
            return _refuse(f"the FITS file {error}")
        except Exception:  # astropy has no common error for broken files: KeyError, TypeError and more
            return _refuse("the FITS file is damaged: it does not decode")


def _judge_file(data: bytes, asked: AskedCutout, bands: str, num_planes: int) -> ImageVerdict:
    from astropy.io import fits

    units = open_fits(data)
    if units[0].header.get("OVERLAP") is False:
        return _refuse_place("the survey has no images there, says the service")
    images = find_images(units)
    if len(images) != 1:
        return _refuse(f"the FITS file holds {len(images)} images, where one was asked for")
    unit = units[images[0]]
    planes = tuple(unit.shape[:-2])
    if math.prod(planes) != num_planes:
        return _refuse(f"the FITS file has {math.prod(planes)} planes, where {num_planes} were asked for")
    height, width = unit.shape[-2:]
    if (width, height) != (asked.width, asked.height):
        asked_for = f"{asked.width} × {asked.height} were asked for"
        return _refuse(f"the FITS file is {width} × {height} px, where {asked_for}")
    named = unit.header.get("BANDS", "")
    if bands and isinstance(named, str) and named and sorted(named) != sorted(bands):
        return _refuse(f"the FITS file has the bands '{named[:50]}', where '{bands}' were asked for")
    flaw = _find_place_flaw(unit.header, asked)
    if flaw:
        return _refuse(flaw)
    if isinstance(unit, fits.CompImageHDU):
        check_tiles(data, images[0])
    return _judge_values(np.asarray(unit.data).reshape(num_planes, height, width))


def _find_place_flaw(header: Any, asked: AskedCutout) -> str:
    """Why an image of this size is not of the place and scale asked for, as a clause; empty if it is."""
    from astropy.wcs.utils import proj_plane_pixel_scales

    wcs = load_celestial(header)
    if wcs is None:
        return "the FITS file does not tell where on the sky it is (no WCS)"
    scales = 3600 * np.asarray(proj_plane_pixel_scales(wcs), dtype=np.float64)
    wanted = asked.pixel_scale_arcsec
    if not (np.abs(scales - wanted) <= _SCALE_TOLERANCE * wanted).all():
        given = f"{scales[0]:.4g} × {scales[1]:.4g}"
        return f"the FITS file has pixels of {given} arcsec, where {wanted:.4g} were asked for"
    x, y = (float(value) for value in wcs.wcs_world2pix([[asked.ra_deg, asked.dec_deg]], 0)[0])
    off_px = math.hypot(x - (asked.width - 1) / 2, y - (asked.height - 1) / 2)
    if not off_px <= _PLACE_TOLERANCE_PX:
        return f"the galaxy is {off_px:.1f} px from the middle of the FITS file, which shows another place"
    return ""


def _judge_values(planes: "np.ndarray[Any, np.dtype[Any]]") -> ImageVerdict:
    """The verdict on the values (plane, row, column)."""
    for plane in planes:
        is_empty = ~np.isfinite(plane) | (plane == 0)
        share = float(is_empty.mean())
        if share > MOST_EMPTY:
            return _refuse_place(f"{100 * share:.0f} % of the pixels are undefined or zero, as outside the footprint")
        values = plane[~is_empty]
        if not is_empty.any() and values.min() == values.max():
            return _refuse_place("the FITS file has one value all over, as outside the footprint")
    return GOOD


def _refuse(reason: str) -> ImageVerdict:
    return ImageVerdict("again", reason, refusal="invalid_image")


def _refuse_place(reason: str) -> ImageVerdict:
    return ImageVerdict("final", reason, refusal="outside_footprint")
