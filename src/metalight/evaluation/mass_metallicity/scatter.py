"""The mass–metallicity relation in bins of mass, and how its scatter shrinks with predictions; the draft, section 5."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Estimate, bootstrap
from metalight.intervals import FloatArray, RowArray
from metalight.metrics import NMAD_FACTOR, compute_nmad
from metalight.scaling_relations import TREMONTI_2004

MASS_CENTRES = tuple(round(8.4 + 0.2 * step, 1) for step in range(15))
"""Bins of the paper's figure 6: 8.4 to 11.2."""

MASS_HALF_WIDTH = 0.1

LEAST_FOR_RATIO = 10
"""A ratio of scatters is not taken in bins with fewer galaxies than this, of either kind."""

HARD_CUT = (8.25, 9.15)
"""Measured metallicities of the authors' other definition of the ratio."""

_GROUPS, _GALAXIES_PER_GROUP = 100, (5, 100)
"""Galaxies that exchange something: a hundredth of all, if that is between these."""

_ROUNDING = 1e-9
"""Masses have few decimals: without this, one on an edge would be in two bins, by rounding."""


@dataclass(frozen=True, eq=False)
class ScatterRatio:
    """NMAD of one set of metallicities over that of another, in bins of mass."""

    bins: pd.DataFrame
    """centre, num, nmad, num_measured, nmad_measured, ratio; NaN where a bin has too few galaxies."""
    mean: Estimate
    """Over the bins, weighted by their galaxies."""
    spread_over_bins: float
    """Weighted standard deviation of the bins' ratios, which the paper gives as the error."""


def compute_relation(log_mass: FloatArray, metallicity: FloatArray) -> pd.DataFrame:
    """One row a bin of mass: centre, num, median, p16, p84, mean, rms, nmad, rmse_tremonti.

    `rms` is about the mean of the bin, `nmad` about its median, both NaN for a single galaxy; `rmse_tremonti` is about
    Tremonti et al. 2004, eq. 3, at each galaxy's own mass. A bin without galaxies has num 0 and NaN elsewhere.

    Args:
        log_mass: Shape (galaxies,); galaxies without one are in no bin.
        metallicity: Finite, shape (galaxies,).
    """
    residual = metallicity - TREMONTI_2004.predict(log_mass, imf=TREMONTI_2004.imf, scale=TREMONTI_2004.scale)
    names = ["centre", "num", "median", "p16", "p84", "mean", "rms", "nmad", "rmse_tremonti"]
    rows = []
    for centre in MASS_CENTRES:
        is_inside = _is_in_bin(log_mass, centre)
        inside = metallicity[is_inside]
        row: list[float] = [centre, len(inside)]
        if len(inside):
            row += [float(np.percentile(inside, part)) for part in (50, 16, 84)]
            row.append(float(inside.mean()))
            row += [float(inside.std()), compute_nmad(inside)] if len(inside) > 1 else [np.nan, np.nan]
            about = residual[is_inside]
            about = about[np.isfinite(about)]
            row.append(float(np.sqrt(np.mean(about**2))) if len(about) else np.nan)
        rows.append(row + [np.nan] * (len(names) - len(row)))
    return pd.DataFrame(rows, columns=names).astype({"num": np.int64})


def compute_scatter_ratio(
    log_mass: FloatArray,
    metallicity: FloatArray,
    measured_log_mass: FloatArray,
    measured_metallicity: FloatArray,
    *,
    num_bootstrap: int = 0,
    seed: int = 0,
) -> ScatterRatio:
    """Scatter of metallicities at a mass, over that of measured ones at measured masses; the draft, section 5.

    Args:
        log_mass: Masses of the one kind, shape (galaxies,); galaxies without one are in no bin.
        metallicity: Metallicities of the one kind.
        measured_log_mass: Of the same galaxies.
        measured_metallicity: Likewise.
        num_bootstrap: Samples behind the interval of the mean.
        seed: Of the bootstrap.
    """
    places, measured_places = _assign_bins(log_mass), _assign_bins(measured_log_mass)
    bins = _list_ratios(metallicity, places, measured_metallicity, measured_places)

    def compute_mean(rows: RowArray) -> float:
        drawn = (metallicity[rows], places[rows], measured_metallicity[rows], measured_places[rows])
        found = _list_ratios(*drawn)
        return _average(found["num"], found["ratio"])[0]

    mean = bootstrap(compute_mean, len(log_mass), num_samples=num_bootstrap, seed=seed)
    spread = _average(bins["num"], bins["ratio"])[1]
    return ScatterRatio(pd.DataFrame({"centre": MASS_CENTRES, **bins}), mean, spread)


def put_residuals_back(predicted: FloatArray, truth: FloatArray, seed: int) -> FloatArray:
    """Predictions with the residuals of others alike: what drawing from each predictive distribution would give.

    Galaxies with nearly the same prediction exchange their residuals at random, so that the spread that a prediction
    averages away is there again, and nothing else.

    Args:
        predicted: Finite, shape (galaxies,).
        truth: What is predicted, likewise.
        seed: Of the exchange.
    """
    generator = np.random.default_rng(seed)
    residuals = truth - predicted
    drawn = np.empty_like(predicted)
    for rows in _group(predicted):
        drawn[rows] = predicted[rows] + residuals[generator.permutation(rows)]
    return drawn


def exchange_predictions(predicted: FloatArray, truth: FloatArray, seed: int) -> FloatArray:
    """Predictions exchanged at random among galaxies of nearly the same truth: shrinkage alone.

    Just as accurate, just as narrow, and knowing of nothing but the truth: neither mass nor anything that goes with it.

    Args:
        predicted: Finite, shape (galaxies,).
        truth: What is predicted, likewise.
        seed: Of the exchange.
    """
    generator = np.random.default_rng(seed)
    exchanged = np.empty_like(predicted)
    for rows in _group(truth):
        exchanged[rows] = predicted[generator.permutation(rows)]
    return exchanged


def _group(values: FloatArray) -> list[npt.NDArray[np.intp]]:
    """Rows of nearly the same value together."""
    order = np.argsort(values, kind="stable")
    size = int(np.clip(len(order) // _GROUPS, *_GALAXIES_PER_GROUP))
    return np.array_split(order, max(1, len(order) // size))


def _list_ratios(
    one: FloatArray, places: npt.NDArray[np.int64], other: FloatArray, other_places: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Columns of the table of bins: galaxies, scatters and ratios, by bin."""
    nums, nmads = _compute_nmads(one, places)
    other_nums, other_nmads = _compute_nmads(other, other_places)
    is_enough = (np.minimum(nums, other_nums) >= LEAST_FOR_RATIO) & (other_nmads > 0)
    ratios = np.where(is_enough, nmads, np.nan) / np.where(is_enough, other_nmads, np.nan)
    return {"num": nums, "nmad": nmads, "num_measured": other_nums, "nmad_measured": other_nmads, "ratio": ratios}


def _compute_nmads(values: FloatArray, places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Galaxies and NMAD of each bin; NaN for fewer than two galaxies."""
    known = places >= 0
    order = np.argsort(places[known], kind="stable")
    nums = np.bincount(places[known], minlength=len(MASS_CENTRES))
    nmads = np.full(len(nums), np.nan)
    for index, inside in enumerate(np.split(values[known][order], np.cumsum(nums)[:-1])):
        if len(inside) > 1:
            nmads[index] = NMAD_FACTOR * _find_median(np.abs(inside - _find_median(inside)))
    return nums, nmads


def _find_median(values: FloatArray) -> float:
    """As numpy's, without its checks, which take longer than the work for a bin of a bootstrap sample."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((low + high) / 2)


def _average(nums: npt.NDArray[np.int64], ratios: FloatArray) -> tuple[float, float]:
    """Mean of the bins' ratios, weighted by their galaxies, and the standard deviation about it."""
    known = np.isfinite(ratios)
    if not known.any():
        return float("nan"), float("nan")
    weights = nums[known] / nums[known].sum()
    mean = float(weights @ ratios[known])
    return mean, float(np.sqrt(weights @ (ratios[known] - mean) ** 2))


def _assign_bins(log_mass: FloatArray) -> npt.NDArray[np.int64]:
    """The bin of each galaxy, −1 for those in none."""
    places = np.full(len(log_mass), -1, dtype=np.int64)
    for index, centre in enumerate(MASS_CENTRES):
        places[_is_in_bin(log_mass, centre)] = index
    return places


def _is_in_bin(log_mass: FloatArray, centre: float) -> npt.NDArray[np.bool_]:
    # A mass on an edge is in neither bin, as in the authors' bins of metallicity.
    return np.abs(log_mass - centre) < MASS_HALF_WIDTH - _ROUNDING
