"""How residuals go with what is known of a galaxy beside its image: running medians, and rank correlations."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

_AIMED_AT, _LEAST_IN_BIN, _MOST_BINS = 60, 10, 12
_LEAST_GALAXIES = 2 * _LEAST_IN_BIN

FloatArray = npt.NDArray[np.float64]


def compute_trends(properties: Mapping[str, npt.ArrayLike], residuals: npt.ArrayLike) -> pd.DataFrame:
    """Residuals in bins of each property that hold equally many galaxies, one row a bin.

    Args:
        properties: Values of each galaxy by name; a galaxy without a value is left out of that property. Properties
            that fewer than 20 galaxies have, or that are equal for all, are left out.
        residuals: predicted − true, shape (galaxies,); galaxies without one are left out.

    Returns:
        Columns property, low, high (of the values in the bin), centre (their median), num, median, p16, p84 (of the
        residuals), and median_error: the standard error of the median, 1.2533 σ / √num of a Gaussian with half the
        distance of p16 and p84 as its σ.
    """
    residuals = np.asarray(residuals, dtype=np.float64)
    rows = []
    for name, given in properties.items():
        values, of_values = _keep_known(given, residuals)
        for inside in _divide(values):
            low, high = float(values[inside].min()), float(values[inside].max())
            p16, median, p84 = (float(value) for value in np.percentile(of_values[inside], [16, 50, 84]))
            error = 1.2533 * (p84 - p16) / 2 / math.sqrt(len(inside))
            rows.append((name, low, high, float(np.median(values[inside])), len(inside), median, p16, p84, error))
    columns = ["property", "low", "high", "centre", "num", "median", "p16", "p84", "median_error"]
    return pd.DataFrame(rows, columns=columns)


def correlate_ranks(
    properties: Mapping[str, npt.ArrayLike], residuals: npt.ArrayLike, *, num_shuffles: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Spearman's rank correlation of the residuals with each property, and how often chance gives as much.

    Args:
        properties: As of `compute_trends`; the same are left out.
        residuals: Likewise.
        num_shuffles: How often the residuals are shuffled among the galaxies.
        seed: Seed of that.

    Returns:
        Columns property, num, spearman, and chance: the part of the shuffles with a correlation at least as far from 0,
        counting the one that was found, so that it is never below 1 / (num_shuffles + 1).
    """
    residuals = np.asarray(residuals, dtype=np.float64)
    rows = []
    for place, (name, given) in enumerate(properties.items()):
        values, of_values = _keep_known(given, residuals)
        if len(values) == 0:
            continue
        a, b = _standardize_ranks(values), _standardize_ranks(of_values)
        found = float(np.sum(a * b)) / len(a)
        generator = np.random.default_rng([seed, place])
        shuffled = np.array([np.sum(a * generator.permutation(b)) for _ in range(num_shuffles)]) / len(a)
        chance = (1 + int(np.sum(np.abs(shuffled) >= abs(found) - 1e-12))) / (1 + num_shuffles)
        rows.append((name, len(values), found, chance))
    return pd.DataFrame(rows, columns=["property", "num", "spearman", "chance"])


def _keep_known(given: npt.ArrayLike, residuals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values and residuals of the galaxies that have both; none where too few have, or all values are equal."""
    values = np.asarray(given, dtype=np.float64)
    if values.shape != residuals.shape:
        raise ValueError(f"a property of {len(values)} galaxies does not fit {len(residuals)} residuals")
    is_known = np.isfinite(values) & np.isfinite(residuals)
    values, residuals = values[is_known], residuals[is_known]
    if len(values) < _LEAST_GALAXIES or np.ptp(values) == 0 or np.ptp(residuals) == 0:
        return np.empty(0), np.empty(0)
    return values, residuals


def _divide(values: FloatArray) -> list[npt.NDArray[np.intp]]:
    """Rows of the galaxies of each bin, by increasing value; equal values are in one bin."""
    if len(values) == 0:
        return []
    num_bins = min(_MOST_BINS, max(2, len(values) // _AIMED_AT))
    edges = np.unique(np.percentile(values, np.linspace(0, 100, num_bins + 1)))
    # Many galaxies with the largest value, as of a property with few values, are a bin of their own.
    last = len(edges) - (1 if np.sum(values == edges[-1]) >= _LEAST_IN_BIN else 2)
    places = np.minimum(np.searchsorted(edges, values, side="right") - 1, last)
    found = [np.flatnonzero(places == place) for place in range(last + 1)]
    return [rows for rows in found if len(rows) >= _LEAST_IN_BIN]


def _standardize_ranks(values: FloatArray) -> FloatArray:
    """Ranks with mean 0 and spread 1; equal values share the mean of theirs."""
    ranks = pd.Series(values).rank().to_numpy()
    standardized: FloatArray = (ranks - ranks.mean()) / ranks.std()
    return standardized
