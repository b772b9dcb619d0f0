"""FITS cutouts of galaxies whose colour tells their metallicity, as surveys and their users write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS

from make import FIRST_ID, make_blobs

PIXEL_SCALE_ARCSEC = 0.396


def make_wcs(side: int, scale_arcsec: float = PIXEL_SCALE_ARCSEC, offset_px: tuple[float, float] = (0, 0)) -> WCS:
    """North up, east left, the galaxy at the centre or `offset_px` (x, y) from it."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [(side + 1) / 2 + offset_px[0], (side + 1) / 2 + offset_px[1]]
    wcs.wcs.cdelt = [-scale_arcsec / 3600, scale_arcsec / 3600]
    return wcs


def make_fluxes(num_galaxies: int, side: int, num_bands: int, seed: int = 0) -> tuple[Any, npt.NDArray[np.float64]]:
    """Fluxes (galaxy, band, row, column) in nanomaggies, brighter in the first bands the more metals, and these."""
    levels, metallicity = make_blobs(num_galaxies, side, seed)
    place = np.linspace(0, 2, num_bands) if num_bands > 1 else np.zeros(1)
    below = np.floor(place).astype(int).clip(max=1)
    part = place - below
    fluxes = levels[..., below] * (1 - part) + levels[..., below + 1] * part
    return (fluxes.transpose(0, 3, 1, 2) / 255).astype(np.float32), metallicity


def write_cube(path: Path, fluxes: npt.NDArray[Any], bands: Sequence[str] | None, wcs: WCS | None = None) -> None:
    """A cube (band, row, column), with BAND1 and so on where bands are given."""
    header = wcs.to_header() if wcs else fits.Header()
    for place, band in enumerate(bands or ()):
        header[f"BAND{place + 1}"] = band
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(fluxes, header).writeto(path)


def write_plane(path: Path, fluxes: npt.NDArray[Any], wcs: WCS | None = None, **keywords: Any) -> None:
    """An image of one band."""
    header = wcs.to_header() if wcs else fits.Header()
    header.update(keywords)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(fluxes, header).writeto(path)


def make_fits_sample(
    folder: Path, num_galaxies: int, bands: Sequence[str], *, side: int = 16, are_cubes: bool = True
) -> pd.DataFrame:
    """A catalogue and FITS files as a user would have: catalog.csv (objID, oh_p50) and images/."""
    fluxes, metallicity = make_fluxes(num_galaxies, side, len(bands))
    catalog = pd.DataFrame({"objID": FIRST_ID + np.arange(num_galaxies), "oh_p50": metallicity.round(5)})
    wcs = make_wcs(side)
    for object_id, of_galaxy in zip(catalog["objID"].tolist(), fluxes, strict=True):
        if are_cubes:
            write_cube(folder / f"images/{object_id}.fits", of_galaxy, bands, wcs)
        else:
            for band, plane in zip(bands, of_galaxy, strict=True):
                write_plane(folder / f"images/{object_id}_{band}.fits", plane, wcs, FILTER=band)
    catalog.to_csv(folder / "catalog.csv", index=False)
    return catalog
