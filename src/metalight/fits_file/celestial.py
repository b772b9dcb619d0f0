"""Where the pixels of a FITS image lie on the sky, from the few keywords that are needed for it."""

import re
from typing import Any

# What tells places on the sky from the first two axes. Distortions within a cutout are left out: they are far below a
# pixel, and astropy would take hours over those of a high order.
_CARDS = re.compile(
    r"(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA)[12]|(CD|PC)[12]_[12]|PV[12]_[0-4]|LONPOLE|LATPOLE|EQUINOX|RADESYS"
)


def load_celestial(header: Any) -> Any:
    """The celestial coordinates of the first two axes, a `WCS`; None if the header does not have them."""
    from astropy.io import fits
    from astropy.wcs import WCS

    chosen = fits.Header()
    for name in header:
        if _CARDS.fullmatch(name):
            value = header[name]
            is_type = name.startswith("CTYPE") and isinstance(value, str)
            chosen[name] = value.removesuffix("-SIP") if is_type else value
    try:
        wcs = WCS(chosen, naxis=2)
        return wcs if wcs.has_celestial else None
    except Exception:  # broken headers raise errors of many types; an image without places on the sky is still one
        return None
