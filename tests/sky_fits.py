"""FITS as hips2fits and the Legacy Surveys' viewer send them, made from what they are asked for."""

import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from cutout_server import Handler


def make_fits(
    query: Mapping[str, str], *, side: int = 0, scale: float = 1.0, shift_px: float = 0.0, values: Any = None
) -> bytes:
    """The file that is asked for; of another side, of so many times the scale, shifted, or with other values."""
    bands = query.get("bands", "")
    # The viewer has an order of its own, whichever the bands are asked for in.
    names: Sequence[str] = sorted(bands) if bands else [query["hips"].rpartition("/")[2]]
    asked_side = int(query.get("size") or query["width"])
    pixel_deg = float(query["pixscale"]) / 3600 if bands else float(query["fov"]) / asked_side
    num = side or asked_side
    planes = np.stack([make_band(query["ra"], name, num) for name in names])
    if values is not None:
        planes = values(planes) if callable(values) else np.full_like(planes, values)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [float(query["ra"]), float(query["dec"])]
    wcs.wcs.crpix = [(num + 1) / 2 + shift_px, (num + 1) / 2]
    wcs.wcs.cdelt = [-scale * pixel_deg, scale * pixel_deg]
    header = wcs.to_header()
    if bands:
        header["BANDS"] = "".join(names)
        header.update({f"BAND{place}": name for place, name in enumerate(names)})
    file = io.BytesIO()
    fits.PrimaryHDU(planes if len(planes) > 1 else planes[0], header).writeto(file)
    return file.getvalue()


def make_band(ra: str, band: str, side: int) -> Any:
    """A galaxy whose noise is its own and that of the band, float32."""
    random = np.random.default_rng(zlib.crc32(f"{float(ra):.6f} {band}".encode()))
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    brightness = "ugrizy".index(band) + 1
    return (brightness * np.exp(-(x**2 + 2 * y**2) / side) + random.normal(0, 0.02, (side, side))).astype(np.float32)


def send_fits(handler: Handler, **changes: Any) -> bool:
    return handler.send(make_fits(handler.query, **changes), kind="application/fits")
