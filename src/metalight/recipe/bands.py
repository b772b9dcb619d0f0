"""Bands: how many there may be and how they are called, and how much dust dims each of them."""

import re
from typing import Literal

Stretch = Literal["none", "lupton"]

MAX_BANDS = 8
"""That a network takes at once."""

SDSS_EXTINCTION = {"u": 4.239, "g": 3.303, "r": 2.285, "i": 1.698, "z": 1.263}
"""A / E(B−V) of SDSS, with E(B−V) of Schlegel et al. 1998 and R_V = 3.1: Schlafly & Finkbeiner 2011, ApJ 737, 103,
table 6."""

_MAX_PLANES = 64
_LARGEST_EXTINCTION = 20.0


def check_bands(bands: tuple[str, ...], file_bands: tuple[str, ...], stretch: Stretch) -> None:
    """Refuse bands that cannot be read or stretched.

    Args:
        bands: Those to take.
        file_bands: Those of a file's planes; may be empty.
        stretch: What becomes of them.

    Raises:
        ValueError: There are too few or too many, one twice, one that no file could be named by, or one to take that
            files lack; or the stretch does not take as many.
    """
    _check_names("bands", bands, MAX_BANDS)
    if file_bands:
        _check_names("file_bands", file_bands, _MAX_PLANES)
        lacking = [band for band in bands if band not in file_bands]
        if lacking:
            raise ValueError(f"file_bands lacks {lacking[0]}, which bands asks for")
    if stretch == "lupton" and len(bands) != 3:
        raise ValueError(f'stretch = "lupton" maps three bands, and bands has {len(bands)}')


def check_picture_bands(picture_bands: tuple[str, ...]) -> None:
    """Refuse bands of colour pictures that are not names; of FITS files, which have no use for them, there may be more.

    Raises:
        ValueError: As of `check_bands`.
    """
    if picture_bands:
        _check_names("picture_bands", picture_bands, MAX_BANDS)


def _check_names(what: str, bands: tuple[str, ...], most: int) -> None:
    if not 1 <= len(bands) <= most:
        raise ValueError(f"{what} needs 1 to {most} names, not {len(bands)}")
    if len({band.casefold() for band in bands}) != len(bands):
        raise ValueError(f"{what} has a name twice, in capital or small letters")
    for band in bands:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+'_-]{0,15}", band):
            raise ValueError(f"{what} has '{band[:50]}', which is not a name of a band, such as g or F814W")


def check_extinction(bands: tuple[str, ...], deredden: str, extinction: tuple[float, ...]) -> None:
    """Refuse extinctions that do not belong to the bands, or that are lacking.

    Args:
        bands: Those to take.
        deredden: Column of E(B−V); may be empty.
        extinction: A / E(B−V) of each band; may be empty.

    Raises:
        ValueError: There are too few or too many, one is impossible, or it is not known of a band.
    """
    if extinction and not deredden:
        raise ValueError('extinction is for deredden = "COLUMN"; set both, or neither')
    if extinction and len(extinction) != len(bands):
        raise ValueError(f"extinction needs a number for each of the {len(bands)} bands, not {len(extinction)}")
    if not all(0 <= value <= _LARGEST_EXTINCTION for value in extinction):
        raise ValueError(f"extinction needs numbers from 0 to {_LARGEST_EXTINCTION:g}, not {list(extinction)}")
    if deredden:
        list_extinction(bands, extinction)


def list_extinction(bands: tuple[str, ...], extinction: tuple[float, ...]) -> tuple[float, ...]:
    """A / E(B−V) of each band: those given, or those of SDSS.

    Raises:
        ValueError: None is given, and one of the bands is none of SDSS.
    """
    unknown = [band for band in bands if band not in SDSS_EXTINCTION]
    if unknown and not extinction:
        raise ValueError(
            f"deredden knows the extinction in {', '.join(SDSS_EXTINCTION)} of SDSS, not in {unknown[0]}; set "
            "extinction, with A / E(B−V) of each band"
        )
    return extinction or tuple(SDSS_EXTINCTION[band] for band in bands)
