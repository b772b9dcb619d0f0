"""The kinds of images, pictures and fluxes: what each becomes, and a galaxy's files decoded by the rules of theirs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import ImageError
from metalight.image_files import is_fits
from metalight.images.decode import decode_image, take_channels
from metalight.images.fits_cutouts import read_fits_cutout
from metalight.images.quality import find_flaw, is_grey
from metalight.images.resample import crop_square, resize_area
from metalight.recipe import WORDS_ON_FETCHING, CutoutsSettings

DECODING_VERSION = 3
"""Raised whenever the rules of decoding, checking or resizing change, so that nothing that older ones gave is used."""


@dataclass(frozen=True)
class ImageKind:
    """The kind of image that many galaxies have, and what it is decoded to."""

    settings: CutoutsSettings
    """Of FITS: which bands, which field, and what fluxes become."""

    side: int
    """Height and width of what they become, in pixels."""

    is_fits: bool
    """Whether the files are FITS, or else pictures."""

    @property
    def dtype(self) -> type[np.uint8] | type[np.float32]:
        """Levels, or fluxes."""
        return np.float32 if self.is_fits and self.settings.stretch == "none" else np.uint8

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """(side, side, channel)."""
        return self.side, self.side, len(self.settings.bands)

    @property
    def num_bytes(self) -> int:
        """Of one decoded image."""
        return math.prod(self.row_shape) * np.dtype(self.dtype).itemsize

    def describe(self) -> dict[str, Any]:
        """All that decoding depends on beside the files: rules, form, libraries, and for FITS the settings."""
        libraries = ("astropy",) if self.is_fits else ("pillow", "simplejpeg")
        described: dict[str, Any] = {"decoding_version": DECODING_VERSION, "side": self.side}
        described |= {name: metadata.version(name) for name in libraries}
        if not self.is_fits:
            described["num_channels"] = len(self.settings.bands)
            taken = self.settings.picture_bands
            return described | ({"channels": [taken.index(band) for band in self.settings.bands]} if taken else {})
        of_others = {*WORDS_ON_FETCHING, "framing", "source", "picture_bands"}
        return described | {"settings": self.settings.model_dump(mode="json", exclude=of_others)}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """The image of a galaxy."""

    pixels: npt.NDArray[Any]
    """(side, side, channel), uint8 or float32."""

    shape: tuple[int, int]
    """Height and width in the file, in pixels."""

    is_grey: bool = False
    pixel_scale_arcsec: float = math.nan
    num_filled: int = 0
    """Undefined pixels that were filled."""


def find_kind(folder: Path, found: pd.DataFrame, side: int, settings: CutoutsSettings) -> ImageKind:
    """The kind of the images in the column `path` of `found`.

    Raises:
        ImageError: They are of both kinds, or the settings ask of pictures what only FITS has.
    """
    num_fits = sum(map(is_fits, found["path"].tolist()))
    if 0 < num_fits < len(found):
        raise ImageError(
            f"The images in {folder} are of two kinds: {num_fits} galaxies have FITS files, "
            f"{len(found) - num_fits} pictures. Keep one kind there."
        )
    if num_fits:
        return ImageKind(settings, side, is_fits=True)
    flaw = ""
    if settings.stretch != "none":
        flaw = f'stretch = "{settings.stretch}" is for the fluxes of FITS files'
    elif settings.deredden:
        flaw = "deredden is for the fluxes of FITS files"
    elif settings.field_arcsec:
        flaw = "field_arcsec needs the pixel scale of FITS files"
    elif settings.picture_bands:
        lacking = [band for band in settings.bands if band not in settings.picture_bands]
        if lacking:
            flaw = f"picture_bands lacks {lacking[0]}, which bands asks for"
        elif len(settings.picture_bands) != 3:
            flaw = f"picture_bands are what red, green and blue are: 3, not {len(settings.picture_bands)}"
    elif len(settings.bands) not in (1, 3):
        flaw = f"bands names {len(settings.bands)}, and such images have 3 in colour or 1 in grey"
    if flaw:
        raise ImageError(f"The images in {folder} are pictures, not FITS, but [cutouts] {flaw}.")
    return ImageKind(settings, side, is_fits=False)


def decode_files(files: Sequence[bytes], kind: ImageKind, *, e_bv: float = math.nan) -> DecodedImage:
    """The image of a galaxy from the contents of its file, or of its FITS file for each band; checked and resized.

    Args:
        files: Contents.
        kind: What they are, and what they become.
        e_bv: E(B−V) of the galaxy in mag, where its fluxes are to be dereddened.

    Raises:
        ImageError: With a short reason, to be read after the file's name.
    """
    if kind.is_fits:
        cutout = read_fits_cutout(files, kind.side, kind.settings, e_bv=e_bv)
        grey = kind.dtype == np.uint8 and is_grey(cutout.pixels)
        return DecodedImage(cutout.pixels, cutout.shape, grey, cutout.pixel_scale_arcsec, cutout.num_filled)
    pixels = take_channels(decode_image(files[0]), kind.settings.bands, kind.settings.picture_bands)
    # Checked before resizing, which smooths, but only in the part that is used.
    square = crop_square(pixels)
    flaw = find_flaw(square)
    if flaw:
        raise ImageError(flaw)
    height, width = pixels.shape[:2]
    return DecodedImage(resize_area(square, kind.side), (height, width), is_grey(square))
