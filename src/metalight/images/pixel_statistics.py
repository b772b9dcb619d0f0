"""A few numbers that tell what kind of image a decoded image is: levels, contrast, black parts, the grain of its sky.

They are for telling images of another survey, framing or processing from those that a model has learnt from. Each
number depends on one image alone, computed in float64.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SMALLEST_SIDE_FOR_NOISE = 32
"""Pixels a side; the corners of smaller images are too small to tell how the noise of the sky is correlated."""

_CORNER = 3 / 16
"""Side of a corner that is taken for sky, as a part of the image's side."""

_BLACK_LEVEL = 3
"""Highest of 255 levels that counts as black: JPEG does not keep a black border at exactly 0."""

FloatArray = npt.NDArray[np.float64]


def name_statistics(bands: Sequence[str]) -> list[str]:
    """The names of the numbers of images with these bands.

    - `mean_BAND`, `spread_BAND`: mean and standard deviation of the pixels of each band, in levels from 0 to 255, or
      in the unit of the fluxes.
    - `colour_BAND_NEXT`: spread of a band over that of the next one.
    - `black_fraction`: part of the pixels that are black in every band; of fluxes, exactly 0.
    - `noise_lag`: lag in pixels at which the noise in the image's corners is half as correlated as at none; 0.5 of
      white noise, more of an image that was enlarged or smoothed.
    """
    colours = [f"colour_{band}_{following}" for band, following in itertools.pairwise(bands)]
    levels = [f"{what}_{band}" for what in ("mean", "spread") for band in bands]
    return [*levels, *colours, "black_fraction", "noise_lag"]


def measure_statistics(array: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> FloatArray:
    """The numbers (galaxy, number) of some images, in the order of `name_statistics`; NaN where one is undefined.

    Args:
        array: (galaxy, side, side, band), uint8 levels or float32 fluxes; may be memory-mapped.
        rows: Which of them.
    """
    numbers = np.empty((len(rows), 3 * array.shape[3] + 1))
    # One image at a time: how numpy adds up the pixels of several together depends on how many there are.
    for place, row in enumerate(rows.tolist()):
        with np.errstate(all="ignore"):  # fluxes near the largest float: what comes of them is told by NaN
            numbers[place] = _measure(array[row])
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _measure(image: npt.NDArray[Any]) -> FloatArray:
    values = image.astype(np.float64)
    is_black = image == 0 if image.dtype == np.float32 else image <= _BLACK_LEVEL
    spreads = values.std(axis=(0, 1))
    return np.array(
        [
            *values.mean(axis=(0, 1)),
            *spreads,
            *(spreads[:-1] / spreads[1:]),
            is_black.all(axis=2).mean(),
            _measure_noise_lag(values.mean(axis=2)),
        ]
    )


def _measure_noise_lag(grey: FloatArray) -> float:
    """Median over the four corners, of which stars and other galaxies may spoil one; NaN if all of them are flat."""
    side = len(grey)
    if side < SMALLEST_SIDE_FOR_NOISE:
        return float("nan")
    size = round(_CORNER * side)
    ends = (slice(None, size), slice(-size, None))
    lags = [_measure_half_lag(grey[rows, columns]) for rows in ends for columns in ends]
    known = [lag for lag in lags if np.isfinite(lag)]
    return float(np.median(known)) if known else float("nan")


def _measure_half_lag(corner: FloatArray) -> float:
    noise = corner - corner.mean()
    variance = float((noise**2).mean())
    if variance <= 0:
        return float("nan")
    before = 1.0
    for lag in range(1, len(noise) // 2):
        along_rows = float((noise[:, :-lag] * noise[:, lag:]).mean())
        along_columns = float((noise[:-lag] * noise[lag:]).mean())
        correlation = (along_rows + along_columns) / (2 * variance)
        if correlation < 0.5:
            return lag - 1 + (before - 0.5) / (before - correlation)
        before = correlation
    return len(noise) / 2
