"""The planes of a FITS file: every two-dimensional image in it, those of cubes one by one.

`fits_file` checks the sizes that a header states against the file. Values are read as they are meant: BSCALE, BZERO and
BLANK applied, either order of bytes, compressed images unpacked. Tables, spectra, masks and weights beside the images
are passed over.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.errors import ImageError
from metalight.fits_file import FitsError, check_tiles, find_images, open_fits, unpack_gzip

Plane32 = npt.NDArray[np.float32]

MAX_FITS_BYTES = 128_000_000
"""Larger FITS files are refused, also if they are larger unpacked, or if a galaxy's files are larger together."""

MAX_PLANE_PIXELS = 4096 * 4096
"""Planes with more pixels are refused: no cutout is so large."""

MAX_PLANES = 64
"""A file with more planes is a spectrum's cube, not bands."""

_IS_TOO_LARGE = f"is too large: more than {MAX_FITS_BYTES // 1_000_000} MB"
_IS_DAMAGED = "is damaged: it does not decode"


@dataclass(frozen=True, eq=False)
class Plane:
    """One two-dimensional image of a FITS file."""

    labels: tuple[str, ...]
    """Texts in the file that may name its band, the likeliest first."""

    shape: tuple[int, int]
    """Rows and columns."""

    header: Any
    """That of its HDU."""

    read: Callable[[], Plane32]
    """Gives the values (row, column) in the file's unit and order: the first row is the lowest. NaN where undefined."""


def open_planes(data: bytes) -> list[Plane]:
    """The planes of a whole FITS file, in its order; values are read later.

    Raises:
        ImageError: With a short reason, to be read after the file's name.
    """
    from astropy.io import fits

    try:
        data = unpack_gzip(data, MAX_FITS_BYTES) if data.startswith(b"\x1f\x8b") else data
        units = open_fits(data, scale_images=False)
    except FitsError as error:
        raise ImageError(str(error)) from error
    planes: list[Plane] = []
    for index in (images := find_images(units)):
        unit = units[index]
        is_compressed = isinstance(unit, fits.CompImageHDU)
        # A header without an image of its own, in front of the only image, tells of that one.
        of_file = units[0].header if len(images) == 1 and index > 0 else None
        planes += _list_planes(unit, of_file, cache(partial(_check_tiles, data, index)) if is_compressed else None)
    if not planes:
        raise ImageError("holds no image")
    if len(planes) > MAX_PLANES:
        raise ImageError(f"has {len(planes)} planes, which are too many for bands")
    return planes


def _list_planes(unit: Any, of_file: Any, check_tiles_once: Callable[[], None] | None) -> list[Plane]:
    shape = tuple(int(length) for length in unit.shape)
    axes = _choose_axes(shape)
    num_planes = shape[axes[0]] if len(axes) == 3 else 1
    height, width = shape[axes[-2]], shape[axes[-1]]
    _check_size(unit, shape, height * width, num_planes)

    def read(place: int) -> Plane32:
        # Only of an image that is used: one beside it, such as a mask, may be as it likes.
        if check_tiles_once:
            check_tiles_once()
        key: list[int | slice] = [0] * len(shape)
        key[axes[-2]] = key[axes[-1]] = slice(None)
        if len(axes) == 3:
            key[axes[0]] = place
        raw = np.asarray(unit.section[tuple(key)]).reshape(height, width)
        return _scale(raw, unit.header)

    labels = _read_labels(unit.header, num_planes)
    if of_file is not None and num_planes == 1:
        labels[0] += tuple(text for name in ("BAND", "FILTER") if (text := _read_text(of_file, name)))
    return [Plane(labels[place], (height, width), unit.header, partial(read, place)) for place in range(num_planes)]


def _choose_axes(shape: tuple[int, ...]) -> list[int]:
    """The two axes of an image, or the three of a cube; others must be one pixel long."""
    axes = list(range(len(shape)))
    for axis in range(len(shape)):
        if shape[axis] == 1 and len(axes) > 2:
            axes.remove(axis)
    if len(axes) > 3:
        raise ImageError(f"has {len(axes)} axes; an image has two, and a cube of bands three")
    return axes


def _check_size(unit: Any, shape: tuple[int, ...], num_pixels: int, num_planes: int) -> None:
    if num_pixels > MAX_PLANE_PIXELS:
        side = math.isqrt(MAX_PLANE_PIXELS)
        raise ImageError(f"is too large: more than {side} × {side} pixels a band")
    if num_planes > MAX_PLANES:
        raise ImageError(f"has {num_planes} planes, which are too many for bands")
    if math.prod(shape) * abs(int(unit.header["BITPIX"])) // 8 > MAX_FITS_BYTES:
        raise ImageError(_IS_TOO_LARGE)


def _check_tiles(data: bytes, index: int) -> None:
    try:
        check_tiles(data, index)
    except FitsError as error:
        raise ImageError(str(error)) from error


def _scale(raw: npt.NDArray[Any], header: Any) -> Plane32:
    """The values that stored numbers stand for: FITS standard 4.0, section 5.3."""
    if raw.dtype.kind not in "iuf":
        raise ImageError(_IS_DAMAGED)
    scale, zero, blank = (header.get(name, default) for name, default in (("BSCALE", 1), ("BZERO", 0), ("BLANK", None)))
    if not all(isinstance(value, int | float) for value in (scale, zero)):
        raise ImageError(_IS_DAMAGED)
    if scale == 1 and zero == 0 and raw.dtype.kind == "f":
        return raw.astype(np.float32)
    values = raw.astype(np.float64) * float(scale) + float(zero)
    if raw.dtype.kind in "iu" and blank is not None:
        values[raw == blank] = np.nan
    return values.astype(np.float32)


def _read_labels(header: Any, num_planes: int) -> list[tuple[str, ...]]:
    """Header entries on the band of each plane: BAND, FILTER and EXTNAME, and BANDS and BAND1, … of a cube."""
    if num_planes == 1:
        return [tuple(text for name in ("BAND", "FILTER", "EXTNAME", "BANDS") if (text := _read_text(header, name)))]
    first = 0 if "BAND0" in header else 1
    named = _read_text(header, "BANDS")
    listed = [part for part in re.split(r"[,; ]+", named) if part]
    if len(listed) != num_planes:
        listed = list(named) if len(named) == num_planes else [""] * num_planes
    own = [_read_text(header, f"BAND{first + place}") for place in range(num_planes)]
    return [tuple(text for text in texts if text) for texts in zip(own, listed, strict=True)]


def _read_text(header: Any, name: str) -> str:
    value = header.get(name, "")
    return value.strip() if isinstance(value, str) else ""
