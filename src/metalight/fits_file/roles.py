"""Which HDUs of a FITS file are its images, and which are masks, weights and errors beside them."""

import re
from collections.abc import Sequence
from typing import Any

_KEYWORDS = ("EXTTYPE", "IMAGETYP", "EXTNAME")
"""HSC and LSST have the first, the Legacy Surveys the second, and nearly all others the last."""

_OF_IMAGES = frozenset(("image", "img", "sci", "science", "data", "flux", "coadd"))
_OF_OTHERS = frozenset(
    (
        *("mask", "maskbits", "msk", "bpm", "dq", "flag", "flags", "flg", "quality"),
        *("variance", "var", "invvar", "ivar", "ivm", "weight", "weights", "weightmap", "wht", "wgt", "wt"),
        *("err", "error", "errors", "sigma", "rms", "noise", "unc", "uncert", "uncertainty", "stddev"),
        *(
            "con",
            "ctx",
            "context",
            "exp",
            "exptime",
            "exposure",
            "nexp",
            "psf",
            "background",
            "bkg",
            "seg",
            "segmentation",
        ),
    )
)


def find_images(units: Sequence[Any]) -> list[int]:
    """The places of the HDUs of an open file that hold images of two or more axes.

    Masks, weights and errors are left out where there is anything else. Where some HDUs say that they are images, those
    that say nothing of themselves, not even a band, are left out too.
    """
    images = [
        place
        for place, unit in enumerate(units)
        if unit.is_image and len(getattr(unit, "shape", ())) >= 2 and 0 not in unit.shape
    ]
    words = {place: _read_words(units[place].header) for place in images}
    images = [place for place in images if not words[place] & _OF_OTHERS] or images
    stated = [place for place in images if words[place] & _OF_IMAGES]
    return [place for place in images if place in stated or not stated or _names_band(units[place].header)]


def _names_band(header: Any) -> bool:
    return any(name in header for name in ("BAND", "BANDS", "FILTER", "BAND0", "BAND1"))


def _read_words(header: Any) -> set[str]:
    """The words by which an HDU says what it is, in small letters: `VAR_POISSON` has `var`."""
    texts = (header.get(name, "") for name in _KEYWORDS)
    return {word for text in texts if isinstance(text, str) for word in re.split(r"[^a-z]+", text.lower()) if word}
