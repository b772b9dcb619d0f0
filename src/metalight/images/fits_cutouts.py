"""FITS files to the pixels of one galaxy.

A galaxy is one file, with a cube or an image for each band, or one file for each band. What becomes of it:

- Which plane is which band is told by BAND, FILTER or EXTNAME, of cubes also by BANDS or BAND1 and so on, in capital or
  small letters; without them by the setting `file_bands`. It is never guessed.
- Bands with other pixels than the first are brought onto its pixels by their WCS.
- The first row of FITS is the lowest: rows are turned, so that north is up as in a survey's JPEG cutouts. An image that
  is rotated or mirrored on the sky stays so.
- The central square is taken, of `field_arcsec` where that is set, and resampled by area: surface brightness is kept.
- Undefined pixels (NaN, infinite, BLANK) are filled with the mean of their neighbours, if they are few.
- Fluxes are corrected for the dust of the Milky Way where that is asked for, by the galaxy's E(B−V).
- The stretch comes last.
"""

import math
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.errors import ImageError
from metalight.images.fits_planes import Plane, Plane32, open_planes
from metalight.images.quality import find_flux_flaw
from metalight.images.resample import crop_square, resample_window
from metalight.images.sky_grid import SkyGrid
from metalight.images.stretch import stretch_lupton
from metalight.recipe import CutoutsSettings

MAX_UNDEFINED = 0.01
"""Part of the used pixels of a band that may be undefined; images with more are refused."""

LARGEST_E_BV = 10.0
"""mag; no galaxy is seen behind so much dust."""

# `warnings.catch_warnings` changes state of the whole process; and only one galaxy's planes are to be in memory.
_reading = threading.Lock()


@dataclass(frozen=True, eq=False)
class FitsCutout:
    """The image of a galaxy from FITS files."""

    pixels: npt.NDArray[Any]
    """(side, side, channel): float32 fluxes, or uint8 after a stretch."""

    shape: tuple[int, int]
    """Rows and columns of the first band's file."""

    pixel_scale_arcsec: float
    """Of the first band's file; NaN without a WCS."""

    num_filled: int
    """Undefined pixels that were filled, of all bands."""


def read_fits_cutout(
    files: Sequence[bytes], side: int, settings: CutoutsSettings, *, e_bv: float = math.nan
) -> FitsCutout:
    """The image of a galaxy from a whole FITS file, or from one for each band.

    Args:
        files: Contents; as many as bands, in their order, or one.
        side: Height and width wanted, in pixels.
        settings: Which bands, which field, and what fluxes become.
        e_bv: E(B−V) of the galaxy in mag, for `deredden`.

    Raises:
        ImageError: With a short reason, to be read after the file's name, such as "is not a FITS file".
    """
    with _reading, warnings.catch_warnings(), np.errstate(all="ignore"):
        # What astropy warns of (headers against the standard) is of no consequence or is refused by us.
        warnings.simplefilter("ignore")
        try:
            return _read(files, side, settings, e_bv)
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # astropy has no common error for broken files: KeyError, TypeError and more.
            raise ImageError("is damaged: it does not decode") from error


def _read(files: Sequence[bytes], side: int, settings: CutoutsSettings, e_bv: float) -> FitsCutout:
    factors = _compute_dereddening(settings, e_bv)
    if len(files) == 1:
        planes = choose_planes(open_planes(files[0]), settings.bands, settings.file_bands)
    else:
        of_files = zip(settings.bands, files, strict=True)
        planes = [choose_plane(open_planes(data), band, settings.bands) for band, data in of_files]
    grid = SkyGrid(planes[0])
    fluxes = np.empty((side, side, len(planes)), dtype=np.float32)
    num_filled = 0
    for channel, (band, plane) in enumerate(zip(settings.bands, planes, strict=True)):
        window, top, left, size = _cut(grid.bring(plane)[::-1], grid, settings.field_arcsec)
        num_filled += _fill_undefined(window, band)
        flaw = find_flux_flaw(window)
        if flaw:
            raise ImageError(f"{flaw} in the band {band}" if len(planes) > 1 else flaw)
        fluxes[:, :, channel] = resample_window(window, side, top=top, left=left, size=size)
    fluxes *= factors
    if not np.isfinite(fluxes).all():
        raise ImageError("has values too large for 32 bits")
    pixels: npt.NDArray[Any] = fluxes
    if settings.stretch == "lupton":
        pixels = stretch_lupton(fluxes, settings.lupton)
        if not pixels.any() or pixels.min() >= 254:  # white may miss the last level by a rounding error
            raise ImageError("is black or white all over after the stretch; check [cutouts.lupton]")
    return FitsCutout(pixels, grid.shape, grid.pixel_scale_arcsec, num_filled)


def _compute_dereddening(settings: CutoutsSettings, e_bv: float) -> npt.NDArray[np.float32]:
    """Factors of the fluxes of each band: 10^(0.4 · A), with A = extinction · E(B−V) in mag."""
    if not settings.deredden:
        return np.ones(len(settings.bands), dtype=np.float32)
    if not 0 <= e_bv <= LARGEST_E_BV:
        raise ImageError(
            f"is of a galaxy without an E(B−V) from 0 to {LARGEST_E_BV:g} mag, which [cutouts] deredden needs"
        )
    factors: npt.NDArray[np.float32] = (10 ** (0.4 * e_bv * np.array(settings.list_extinction()))).astype(np.float32)
    return factors


def choose_planes(planes: list[Plane], bands: Sequence[str], file_bands: Sequence[str]) -> list[Plane]:
    """The plane of each band from a file that holds them all.

    Raises:
        ImageError: A band is lacking or there twice, or which plane is which is not stated.
    """
    labels = [_match_band(plane, file_bands or bands) for plane in planes]
    if any(labels):
        for label, stated in zip(labels, file_bands, strict=False):
            if label and label != stated:
                raise ImageError(f"names its band {label} where [cutouts] file_bands says {stated}")
        for band in bands:
            if labels.count(band) != 1:
                num = labels.count(band)
                raise ImageError(f"has {num} planes of the band {band}" if num else f"lacks the band {band}")
        return [planes[labels.index(band)] for band in bands]
    if len(planes) == 1 and len(bands) == 1:
        return planes
    if len(planes) < len(bands):
        raise ImageError(f"has {len(planes)} of the {len(bands)} planes that [cutouts] bands asks for")
    if not file_bands:
        raise ImageError(
            f"has {len(planes)} planes that do not name their bands; give it the keywords BAND1, BAND2 and so on, or "
            "train with their names in [cutouts] file_bands"
        )
    if len(planes) != len(file_bands):
        raise ImageError(f"has {len(planes)} planes, but [cutouts] file_bands names {len(file_bands)}")
    return [planes[file_bands.index(band)] for band in bands]


def choose_plane(planes: list[Plane], band: str, bands: Sequence[str]) -> Plane:
    """The plane of one band from a file named for it.

    Raises:
        ImageError: The file says that it is of another band, or has several images and does not say which it is.
    """
    labels = [_match_band(plane, bands) for plane in planes]
    if labels.count(band) == 1:
        return planes[labels.index(band)]
    other = next((label for label in labels if label and label != band), "")
    if other:
        raise ImageError(f"names its band {other}, though a file is named for the band {band}")
    if len(planes) != 1:
        raise ImageError(f"has {len(planes)} planes, and which is the band {band} is not stated")
    return planes[0]


def _match_band(plane: Plane, bands: Sequence[str]) -> str:
    by_folded_name = {band.casefold(): band for band in bands}
    matches = (by_folded_name.get(label.casefold(), "") for label in plane.labels)
    return next((band for band in matches if band), "")


def _cut(plane: Plane32, grid: SkyGrid, field_arcsec: float) -> tuple[Plane32, float, float, float]:
    """The part of a plane that is used, as a copy; the wanted square in it by its upper left corner and its size."""
    height, width = plane.shape
    if field_arcsec == 0:
        return crop_square(plane).copy(), 0.0, 0.0, float(min(height, width))
    scale_arcsec = grid.require_square_pixels()
    field_px = field_arcsec / scale_arcsec
    # A field that fits but for rounding fits.
    if field_px > min(height, width) + 0.01:
        raise ImageError(
            f"shows less than the {field_arcsec:g} arcsec of [cutouts] field_arcsec: "
            f"{width * scale_arcsec:.4g} × {height * scale_arcsec:.4g}"
        )
    field_px = min(field_px, float(min(height, width)))
    top, left = (height - field_px) / 2, (width - field_px) / 2
    rows = slice(int(np.floor(top)), int(np.ceil(top + field_px)))
    columns = slice(int(np.floor(left)), int(np.ceil(left + field_px)))
    return plane[rows, columns].copy(), top - rows.start, left - columns.start, field_px


def _fill_undefined(window: Plane32, band: str) -> int:
    """Fill undefined pixels in place from their edges inwards, each with the mean of its defined neighbours."""
    is_undefined = ~np.isfinite(window)
    num_filled = int(is_undefined.sum())
    if num_filled > MAX_UNDEFINED * window.size:
        raise ImageError(
            f"has more than {MAX_UNDEFINED:.0%} undefined pixels in the band {band}: {num_filled / window.size:.1%}"
        )
    window[is_undefined] = np.nan
    rows, columns = np.nonzero(is_undefined)
    while len(rows):
        padded = np.pad(window, 1, constant_values=np.nan)
        around = np.stack([padded[rows + dy, columns + dx] for dy in range(3) for dx in range(3)]).astype(np.float64)
        num_defined = np.isfinite(around).sum(axis=0)
        has_any = num_defined > 0
        means = np.nansum(around, axis=0)[has_any] / num_defined[has_any]
        window[rows[has_any], columns[has_any]] = means.astype(np.float32)
        rows, columns = rows[~has_any], columns[~has_any]
    return num_filled
