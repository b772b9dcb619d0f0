"""The label noise: how much the metallicities of one galaxy differ from spectrum to spectrum."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.intervals import PERCENTILES_68, Interval
from metalight.metrics import NMAD_FACTOR

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelNoise:
    """Scatter of one label about the mean of its galaxy's, in dex; all NaN where no galaxy has two."""

    robust_dex: Interval
    """1.4826 times the median of |difference| / √2 of the pairs, which a few failures do not move."""

    plain_dex: Interval
    """Square root of the variance within galaxies."""

    num_galaxies: int
    """Galaxies with at least two spectra."""

    num_spectra: int
    num_pairs: int
    degrees_of_freedom: int
    """Spectra less galaxies: the number of independent differences."""


@dataclass(frozen=True, eq=False)
class _Repeats:
    """Sums that each bootstrap sample weights by how often it drew a galaxy; galaxies are numbered."""

    squares: Floats
    """Sum of squared deviations from the galaxy's mean, by galaxy."""
    freedom: Floats
    """Spectra less one, by galaxy."""
    distances: Floats
    """|difference| of each pair, ascending."""
    galaxies: npt.NDArray[np.intp]
    """Of each pair."""


def compute_label_noise(
    repeats: pd.DataFrame, *, label: str = "oh_p50", num_bootstrap: int = 1000, seed: int = 0
) -> LabelNoise:
    """The label noise by repeated measurements: the within-subject standard deviation of Bland & Altman 1996.

    With d the difference of two spectra of one galaxy, whose errors are independent and alike, d / √2 has the scatter
    of one label. Of galaxies with n > 2 spectra all n (n − 1) / 2 pairs are used, though only n − 1 are independent:
    the plain scatter is the sum over galaxies of squared deviations from the galaxy's mean, over the sum of n − 1 (a
    one-way analysis of variance); in the median every pair weighs 2 / n, which makes n − 1 a galaxy. For pairs alone
    the plain scatter is √(Σ d² / 2N). Intervals are of 68 %, from bootstrap samples of galaxies (Efron & Tibshirani
    1993), as pairs of one galaxy are not independent.

    What all spectra of a galaxy share, such as the models behind the metallicities, is not in it: it is a lower bound
    of the labels' errors. The spectra are of the mean signal to noise of galaxies that were observed again.

    Args:
        repeats: Columns `object_id` and that of the label; rows without a label are left out.
        label: Name of its column, in dex.
        num_bootstrap: Bootstrap samples; 0 leaves the intervals NaN.
        seed: Of the samples.

    Raises:
        ValueError: A column is not there.

    References:
        Bland & Altman 1996, BMJ 313, 744; Bland J. M., Altman D. G., "Measurement error".
    """
    lacking = {"object_id", label} - set(repeats.columns)
    if lacking:
        raise ValueError(f"repeats have no column {sorted(lacking)[0]}")
    known = repeats[np.isfinite(repeats[label].to_numpy(dtype=np.float64, na_value=np.nan))]
    sizes = known.groupby("object_id")[label].transform("size")
    # By value too: sums are then the same whatever the order of the rows.
    known = known[(sizes > 1).to_numpy()].sort_values(["object_id", label])
    values = known[label].to_numpy(dtype=np.float64)
    _, galaxies, counts = np.unique(known["object_id"].to_numpy(), return_inverse=True, return_counts=True)
    found = _gather(values, galaxies, counts)
    everyone = np.ones(len(counts))
    drawn = np.array([_measure(found, weights) for weights in _draw_weights(len(counts), num_bootstrap, seed)])
    robust, plain = _measure(found, everyone)
    return LabelNoise(
        _build_interval(robust, drawn[:, 0] if len(drawn) else np.empty(0)),
        _build_interval(plain, drawn[:, 1] if len(drawn) else np.empty(0)),
        num_galaxies=len(counts),
        num_spectra=len(values),
        num_pairs=len(found.distances),
        degrees_of_freedom=len(values) - len(counts),
    )


def _gather(values: Floats, galaxies: npt.NDArray[Any], counts: npt.NDArray[Any]) -> _Repeats:
    num_galaxies = len(counts)
    means = np.bincount(galaxies, values, num_galaxies) / np.maximum(counts, 1)
    squares = np.bincount(galaxies, (values - means[galaxies]) ** 2, num_galaxies).astype(np.float64)
    starts = np.cumsum(counts) - counts
    distances, owners = [np.empty(0)], [np.empty(0, dtype=np.intp)]
    for size in np.unique(counts):
        first, second = np.triu_indices(size, 1)
        of_size = np.flatnonzero(counts == size)
        block = values[starts[of_size][:, np.newaxis] + np.arange(size)]
        distances.append(np.abs(block[:, first] - block[:, second]).ravel())
        owners.append(np.repeat(of_size, len(first)))
    joined: Floats = np.concatenate(distances)
    owner: npt.NDArray[np.intp] = np.concatenate(owners)
    order = np.argsort(joined, kind="stable")
    freedom = counts.astype(np.float64) - 1
    return _Repeats(squares, freedom, joined[order], owner[order])


def _measure(found: _Repeats, weights: Floats) -> tuple[float, float]:
    """Robust and plain scatter, each galaxy counted as often as its weight says."""
    freedom = float((weights * found.freedom).sum())
    if freedom == 0:
        return float("nan"), float("nan")
    # A pair weighs 2 / n, n being the degrees of freedom plus one.
    of_pairs = (2 * weights / (found.freedom + 1))[found.galaxies]
    median = _compute_weighted_median(found.distances, of_pairs)
    return float(NMAD_FACTOR * median / np.sqrt(2)), float(np.sqrt((weights * found.squares).sum() / freedom))


def _compute_weighted_median(ascending: Floats, weights: Floats) -> float:
    """The value with half of the weight on either side; between two, their mean, as of the plain median."""
    reached = np.cumsum(weights)
    half = reached[-1] / 2
    # A sum of thirds that should be half may miss it by a rounding.
    slack = 1e-9 * reached[-1]
    low, high = np.searchsorted(reached, [half - slack, half + slack])
    while weights[high] == 0:
        high += 1
    return float((ascending[low] + ascending[high]) / 2)


def _draw_weights(num_galaxies: int, num_bootstrap: int, seed: int) -> Iterator[Floats]:
    """How often each galaxy is in each bootstrap sample."""
    generator = np.random.default_rng(seed)
    for _ in range(num_bootstrap if num_galaxies else 0):
        rows = generator.integers(0, num_galaxies, size=num_galaxies)
        yield np.bincount(rows, minlength=num_galaxies).astype(np.float64)


def _build_interval(value: float, drawn: Floats) -> Interval:
    if len(drawn) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(drawn, PERCENTILES_68)
    return Interval(value, float(low), float(high))
