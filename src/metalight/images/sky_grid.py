"""Where the pixels of FITS images lie on the sky, and one band brought onto the pixels of another."""

from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.errors import ImageError
from metalight.fits_file import load_celestial
from metalight.images.fits_planes import Plane, Plane32

_SAME_PLACE_PX = 0.05
"""Planes whose corners fall this near to each other are taken to have the same pixels."""

_LARGEST_RATIO = 1.01
"""Of the two sides of a pixel, where they must be equal."""

_ROWS_A_BLOCK = 256


class SkyGrid:
    """The pixels of a plane: how many there are and, if the header tells, where on the sky."""

    def __init__(self, plane: Plane) -> None:
        self.shape = plane.shape
        self._header = plane.header
        self._wcs: Any = load_celestial(plane.header)

    @property
    def pixel_scale_arcsec(self) -> float:
        """Arcsec a pixel, the geometric mean of both directions; NaN if the header does not tell."""
        scales = self._pixel_sides_arcsec()
        return float(np.sqrt(scales[0] * scales[1]))

    def require_square_pixels(self) -> float:
        """The side of a pixel in arcsec.

        Raises:
            ImageError: The header does not tell, or the pixels are not square.
        """
        scales = self._pixel_sides_arcsec()
        if not np.isfinite(scales).all():
            raise ImageError("has no pixel scale in its header (no WCS), which [cutouts] field_arcsec needs")
        if max(scales) > _LARGEST_RATIO * min(scales):
            raise ImageError(f"has pixels that are not square: {scales[0]:.3g} × {scales[1]:.3g} arcsec")
        return self.pixel_scale_arcsec

    def bring(self, plane: Plane) -> Plane32:
        """The values of another plane at the pixels of this grid; NaN where it has none.

        A plane that has the same pixels is left as it is. Others are interpolated bilinearly, as surface brightness:
        the value of a pixel is not changed for its size.

        Raises:
            ImageError: The plane lies elsewhere, or has another shape and no WCS.
        """
        # Planes of one cube have one header, and reading a WCS takes longer than reading the plane.
        if plane.header is self._header:
            return plane.read()
        other = SkyGrid(plane)
        if self.shape == other.shape and (self._wcs is None or other._wcs is None):
            return plane.read()
        if self._wcs is None or other._wcs is None:
            sizes = " and ".join(f"{height} × {width}" for height, width in (self.shape, other.shape))
            raise ImageError(f"has bands of different sizes, and no WCS to bring them together: {sizes} pixels")
        corners = np.array([[0, 0], [0, self.shape[1] - 1], [self.shape[0] - 1, 0], [n - 1 for n in self.shape]])
        there = self._find_in(other, corners[:, 0], corners[:, 1])
        if self.shape == other.shape and np.abs(np.stack(there, axis=1) - corners).max() < _SAME_PLACE_PX:
            return plane.read()
        return self._interpolate(other, plane.read())

    def _interpolate(self, other: "SkyGrid", values: Plane32) -> Plane32:
        brought = np.full(self.shape, np.nan, dtype=np.float32)
        for first in range(0, self.shape[0], _ROWS_A_BLOCK):
            y, x = np.mgrid[first : min(first + _ROWS_A_BLOCK, self.shape[0]), : self.shape[1]]
            block = _take_bilinear(values, *self._find_in(other, y.ravel(), x.ravel()))
            brought[first : first + _ROWS_A_BLOCK] = block.reshape(y.shape)
        if not np.isfinite(brought).any():
            raise ImageError("has bands of different parts of the sky")
        return brought

    def _find_in(
        self, other: "SkyGrid", y: npt.NDArray[Any], x: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Row and column in another grid of pixels of this one; NaN where the sky does not fall on it."""
        sky = self._wcs.wcs_pix2world(x, y, 0)
        there_x, there_y = other._wcs.wcs_world2pix(*sky, 0)
        return there_y, there_x

    def _pixel_sides_arcsec(self) -> npt.NDArray[np.float64]:
        if self._wcs is None:
            return np.full(2, np.nan)
        from astropy.wcs.utils import proj_plane_pixel_scales

        scales = 3600 * np.asarray(proj_plane_pixel_scales(self._wcs), dtype=np.float64)
        return scales if np.isfinite(scales).all() and scales.min() > 0 else np.full(2, np.nan)


def _take_bilinear(values: Plane32, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    height, width = values.shape
    # Half a pixel beyond the middle of the outermost pixels is still theirs.
    is_inside = (y >= -0.5) & (y <= height - 0.5) & (x >= -0.5) & (x <= width - 0.5)
    y, x = np.where(is_inside, y, 0).clip(0, height - 1), np.where(is_inside, x, 0).clip(0, width - 1)
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, along = y - top, x - left
    upper = values[top, left] * (1 - along) + values[top, right] * along
    lower = values[bottom, left] * (1 - along) + values[bottom, right] * along
    return np.where(is_inside, upper * (1 - down) + lower * down, np.nan)
