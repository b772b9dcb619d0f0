"""In which range predictions can be taken at their word: where they are not biased, in bins of prediction.

A user has predictions, not truths, so that what matters is the bias of the galaxies that are predicted alike.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.intervals import Interval, compute_fraction

MIN_GALAXIES = 25
"""Galaxies that a bin has at least: of fewer, hardly any bias could be shown."""

NUM_ERRORS = 3
"""A bias of up to this many standard errors may be chance: with a dozen bins, one beyond it turns up by chance in 3 %
of the cases, and beyond two in two of five."""

LARGEST_FRACTION_OF_SCATTER = 0.25
"""A bias of up to this part of the residuals' standard deviation in the bin is small: it adds 3 % to the RMSE there."""

DRAFT_RANGE = (8.5, 9.1)
"""Where predictions of 12 + log(O/H) are to be trusted according to the draft (section 4), which has 20 % of the
test galaxies outside."""


@dataclass(frozen=True)
class TrustedRange:
    """A range of predictions, and how many galaxies are predicted outside."""

    low: float
    """NaN if no bin is trusted."""
    high: float
    num_outside: int
    fraction_outside: Interval


def find_unbiased_range(bins: pd.DataFrame, predicted: npt.ArrayLike) -> TrustedRange:
    """The range in which the mean residual in bins of prediction is within its error.

    A bin is in it if it has at least 25 galaxies and its mean residual is at most 3 standard errors from 0. The range
    is contiguous: of several runs of such bins, the one with most galaxies. The more galaxies, the smaller the bias
    that ends it: of 20,000 one of 0.003 dex does.

    Args:
        bins: As of `metalight.evaluation.compute_binned_metrics` in bins of prediction: low, high, num, mean_bias,
            mean_bias_error.
        predicted: All predictions, finite.
    """
    is_unbiased = bins["mean_bias"].abs() <= NUM_ERRORS * bins["mean_bias_error"]
    return _find_range(bins, is_unbiased & (bins["num"] >= MIN_GALAXIES), predicted)


def find_trusted_range(bins: pd.DataFrame, predicted: npt.ArrayLike) -> TrustedRange:
    """The range in which the mean residual in bins of prediction is within its error, or too small to matter.

    As `find_unbiased_range`, but a bin is also in it if its mean residual is at most a quarter of the standard
    deviation of its residuals; so it does not shrink as galaxies are added.

    Args:
        bins: As there, with residual_std.
        predicted: All predictions, finite.
    """
    is_unbiased = bins["mean_bias"].abs() <= NUM_ERRORS * bins["mean_bias_error"]
    is_small = bins["mean_bias"].abs() <= LARGEST_FRACTION_OF_SCATTER * bins["residual_std"]
    return _find_range(bins, (is_unbiased | is_small) & (bins["num"] >= MIN_GALAXIES), predicted)


def count_outside(predicted: npt.ArrayLike, low: float, high: float) -> TrustedRange:
    """A given range, and how many galaxies are predicted below `low` or above `high`."""
    values = np.asarray(predicted, dtype=np.float64)
    is_inside = (values >= low) & (values <= high) if math.isfinite(low) else np.zeros(len(values), dtype=bool)
    num_outside = int(np.sum(~is_inside))
    return TrustedRange(low, high, num_outside, compute_fraction(num_outside, len(values)))


def _find_range(bins: pd.DataFrame, is_in: "pd.Series[bool]", predicted: npt.ArrayLike) -> TrustedRange:
    best, most, first, num = (float("nan"), float("nan")), 0, 0, 0
    flags, nums = is_in.tolist(), bins["num"].tolist()
    for place, is_trusted in enumerate(flags):
        if not is_trusted:
            num = 0
            continue
        first = first if num else place
        num += nums[place]
        if num > most:
            best, most = (float(bins["low"].iloc[first]), float(bins["high"].iloc[place])), num
    return count_outside(predicted, *best)
