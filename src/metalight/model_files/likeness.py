"""Whether images look like those that a model has learnt from, by a few numbers of each image.

A model predicts images of any kind without a complaint. Their framing and their survey are often not stated; their
pixels tell.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from metalight.model_files.record import Record

_ALLOWED_SHIFT = 0.5
_CHANCE = 5.0
"""Images do not match if the median of one of their numbers differs from that of the training images by more than
0.5 + 5 √(1 / images + 1 / training images), in units of the spread between training galaxies (half of the 16th to 84th
percentile, each side by itself). Of 1,000 random halves of the 400 real SDSS galaxies, with 1 to 200 images of the
other half, 0.1 % or fewer differ by more, by `benchmarks/likeness.py`. Images of other framings and surveys, inverted,
smoothed or of noise differ by 1.3 to 70."""

_PERCENTILES = (16, 50, 84)
_SMALLEST_RATIO = 0.05
_SMALLEST_FRACTION = 0.01
"""Spreads below these are not told from none: the training images may be equal in a number."""

FloatArray = npt.NDArray[np.float64]


class ImageNumber(Record):
    """A number of the training images: its 16th, 50th and 84th percentile over the galaxies."""

    low: float
    median: float
    high: float


class TrainingImages(Record):
    """Statistics of the images of the training galaxies."""

    num_galaxies: Annotated[int, Field(ge=0)] = 0
    """How many there were; 0: nothing is known."""

    smallest_file_px: Annotated[int, Field(ge=0)] = 0
    """Shorter side of the smallest image file, before it is brought to the model's side; 0: not known."""

    largest_file_px: Annotated[int, Field(ge=0)] = 0
    """Shorter side of the largest image file."""

    numbers: dict[str, ImageNumber] = Field(default_factory=dict)
    """By the names of `metalight.images.name_statistics`."""


def summarise_images(names: Sequence[str], numbers: FloatArray, file_sides: npt.NDArray[np.int64]) -> TrainingImages:
    """Summary of the training images, to compare others with.

    Args:
        names: Of the numbers.
        numbers: (galaxy, number), NaN where one is undefined. A number that fewer than half of the galaxies have is
            left out.
        file_sides: (galaxy,) shorter side of each image file in pixels.
    """
    of_training = {}
    for name, values in zip(names, numbers.T, strict=True):
        known = values[np.isfinite(values)]
        if len(known) and 2 * len(known) >= len(values):
            low, median, high = np.percentile(known, _PERCENTILES).tolist()
            of_training[name] = ImageNumber(low=low, median=median, high=high)
    return TrainingImages(
        num_galaxies=len(numbers),
        smallest_file_px=int(file_sides.min(initial=np.iinfo(np.int64).max)) if len(file_sides) else 0,
        largest_file_px=int(file_sides.max(initial=0)),
        numbers=of_training,
    )


def find_mismatches(
    training: TrainingImages, names: Sequence[str], numbers: FloatArray, file_sides: npt.NDArray[np.int64]
) -> list[str]:
    """In what images differ from those of the training, in words, the largest difference first; empty if they match.

    Args:
        training: What is known of the training images.
        names: Of the numbers.
        numbers: (galaxy, number) of the images at hand, NaN where one is undefined.
        file_sides: (galaxy,) shorter side of each image file in pixels; empty if it is not known.
    """
    if not training.num_galaxies or not len(numbers):
        return []
    found = _compare_sides(training, file_sides)
    limit = _ALLOWED_SHIFT + _CHANCE * math.sqrt(1 / len(numbers) + 1 / training.num_galaxies)
    shifts = _measure_shifts(training, names, numbers)
    for name in sorted(shifts, key=lambda name: -shifts[name][1]):
        median, shift = shifts[name]
        if shift > limit:
            known = training.numbers[name]
            found.append(
                f"{_name_in_words(name)} {median:.3g} (training images: {known.median:.3g}, most between "
                f"{known.low:.3g} and {known.high:.3g})"
            )
    return found


def _compare_sides(training: TrainingImages, file_sides: npt.NDArray[np.int64]) -> list[str]:
    if not len(file_sides) or not training.largest_file_px:
        return []
    side = int(np.median(file_sides))
    low, high = training.smallest_file_px, training.largest_file_px
    if low <= side <= high:
        return []
    of_training = f"{low} px" if low == high else f"{low} to {high} px"
    return [f"side of the files {side} px (training images: {of_training})"]


def _measure_shifts(
    training: TrainingImages, names: Sequence[str], numbers: FloatArray
) -> Mapping[str, tuple[float, float]]:
    """The median of each number, and how far it is from that of the training images in units of their spread."""
    shifts = {}
    for name, values in zip(names, numbers.T, strict=True):
        known = values[np.isfinite(values)]
        # Where most images lack a number, the few that have it tell nothing of the others.
        if name in training.numbers and 2 * len(known) >= len(values) and len(known):
            median = float(np.median(known))
            shifts[name] = (median, _measure_shift(median, training.numbers[name], is_fraction="fraction" in name))
    return shifts


def _measure_shift(value: float, known: ImageNumber, *, is_fraction: bool) -> float:
    edge = known.high if value > known.median else known.low
    if is_fraction:
        return abs(value - known.median) / max(abs(edge - known.median), _SMALLEST_FRACTION)
    if known.low > 0 and value > 0:
        # Brightness, contrast and grain vary by factors from galaxy to galaxy.
        ratio, spread = abs(math.log(value / known.median)), abs(math.log(edge / known.median))
        return ratio / max(spread, _SMALLEST_RATIO)
    spread = max(abs(edge - known.median), _SMALLEST_RATIO * abs(known.median))
    return abs(value - known.median) / spread if spread > 0 else (math.inf if value != known.median else 0.0)


def _name_in_words(name: str) -> str:
    if name == "noise_lag":
        return "correlation length of the sky noise"
    if name == "black_fraction":
        return "fraction of black pixels"
    what, _, band = name.partition("_")
    words = {"mean": "mean level in", "spread": "contrast in", "colour": "ratio of the contrasts"}
    return f"{words[what]} {band.replace('_', ' / ')}"
