"""Numbers with bootstrap intervals, of 68 and of 95 %."""

import dataclasses
from collections.abc import Callable
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from metalight.intervals import PERCENTILES_68, PERCENTILES_95, FloatArray, RowArray, draw_rows

_DRAWN_AT_ONCE = 2**21
_MANY = 10_000


class Draws(TypedDict):
    """How intervals are found; as keywords."""

    num_bootstrap: int
    """Samples."""
    seed: int
    """Of the samples."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number and where it would lie for other galaxies of the same kind; NaN where it is not known."""

    value: float
    low: float = float("nan")
    """Lower end of the 68 % interval."""
    high: float = float("nan")
    low_95: float = float("nan")
    high_95: float = float("nan")

    @property
    def excludes_zero(self) -> bool:
        """Whether the 95 % interval lies on one side of 0."""
        return self.low_95 > 0 or self.high_95 < 0


def estimate(value: float, drawn: npt.ArrayLike) -> Estimate:
    """A value with the intervals of its bootstrap samples; those that are not finite are left out."""
    samples = np.asarray(drawn, dtype=np.float64)
    samples = samples[np.isfinite(samples)]
    if len(samples) == 0 or not np.isfinite(value):
        return Estimate(float(value))
    bounds = np.percentile(samples, [*PERCENTILES_68, *PERCENTILES_95])
    return Estimate(float(value), *(float(bound) for bound in bounds))


def bootstrap(statistic: Callable[[RowArray], float], num_galaxies: int, *, num_samples: int, seed: int) -> Estimate:
    """A statistic of all galaxies, with bootstrap intervals.

    Args:
        statistic: Of the rows that it is given; NaN where it is not defined.
        num_galaxies: How many rows there are.
        num_samples: How often they are drawn; 0: no intervals.
        seed: Of the draws.
    """
    if num_galaxies == 0:
        return Estimate(float("nan"))
    value = statistic(np.arange(num_galaxies))
    drawn = [statistic(rows) for chunk in draw_rows(num_galaxies, num_samples, seed) for rows in chunk]
    return estimate(value, drawn)


def bootstrap_means(columns: FloatArray, *, num_samples: int, seed: int) -> FloatArray:
    """Means of several columns in each bootstrap sample, shape (samples, columns).

    Of more than 10,000 galaxies means are drawn at once, as the Gaussian with their covariance that they follow.

    Args:
        columns: Shape (galaxies, columns).
        num_samples: Samples; the galaxies of each are drawn as often as a Poisson number of mean 1 says.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    num_galaxies = len(columns)
    if num_galaxies > _MANY and np.isfinite(columns).all():
        covariance = np.atleast_2d(np.cov(columns, rowvar=False)) / num_galaxies
        values, vectors = np.linalg.eigh(covariance)
        deviates = generator.standard_normal((num_samples, len(values))) * np.sqrt(np.clip(values, 0, None))
        drawn: FloatArray = columns.mean(axis=0) + deviates @ vectors.T
        return drawn
    at_once = max(1, _DRAWN_AT_ONCE // max(num_galaxies, 1))
    parts = [np.empty((0, columns.shape[1]))]
    for start in range(0, num_samples, at_once):
        times = generator.poisson(1.0, (min(at_once, num_samples - start), num_galaxies)).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(times @ columns / times.sum(axis=1, keepdims=True))
    return np.concatenate(parts)
