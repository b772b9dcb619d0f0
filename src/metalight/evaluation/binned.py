"""How predictions fare along the range of the true value, or of the prediction, bin by bin."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.intervals import FloatArray, draw_numbers
from metalight.metrics import compute_nmads

Binning = Literal["truth", "prediction"]
"""What bins are of. In bins of the truth the best possible predictions are biased towards the mean, as they cannot
follow what images do not show; whether a prediction can be taken at its word is seen in bins of prediction."""

METALLICITY_RANGE = (8.0, 9.5)
"""Where nearly all gas-phase metallicities 12 + log(O/H) of SDSS galaxies lie."""

PAPER_CENTRES = tuple(round(8.2 + 0.1 * step, 1) for step in range(12))
"""The bins of the paper's figure 2, 8.2 to 9.3: its `np.arange(8.2, 9.3, 0.1)` has 12 values by rounding alone."""

PAPER_HALF_WIDTH = 0.05
"""Half the width of those bins, in dex."""

MIN_GALAXIES_FOR_ERRORS = 5
"""Of fewer galaxies a bootstrap says nothing on the error of a median or of a width."""

ERROR_SAMPLES = 200
"""Bootstrap samples that are enough for a standard error: it is then known to 5 %."""

STATISTICS = ("median", "rmse", "nmad", "mean_bias", "median_bias", "mean", "std", "residual_std")
"""Columns of numbers of a bin."""

_WIDTHS = ("nmad", "std", "residual_std")
_NUM_BINS_AIMED_AT = 12
_MIN_METALLICITY_FRACTION = 0.9


def is_metallicity_like(values: npt.ArrayLike) -> bool:
    """Whether at least 90 % of the values lie in the range of metallicities, 8 to 9.5."""
    low, high = METALLICITY_RANGE
    numbers = np.asarray(values, dtype=np.float64)
    return bool(np.mean((numbers > low) & (numbers < high)) >= _MIN_METALLICITY_FRACTION)


def choose_bin_centres(truth: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], float]:
    """Centres of bins of the true value, and half their width: neighbouring bins touch.

    Metallicities get the 12 bins of the paper's figure 2. Any other target gets about 12 bins (8 to 18) over the 1st
    to 99th percentile, with a width of 1, 2, 2.5 or 5 times a power of ten and centres at its multiples.

    Args:
        truth: True values, shape (galaxies,); those that are not finite are left out.

    Raises:
        ValueError: There is no finite value.
    """
    values = np.asarray(truth, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        raise ValueError("truth has no finite value to choose bins for")
    if is_metallicity_like(values):
        return np.array(PAPER_CENTRES), PAPER_HALF_WIDTH
    low, high = np.percentile(values, [1, 99])
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return np.array([low]), PAPER_HALF_WIDTH
    width = _round_width((high - low) / _NUM_BINS_AIMED_AT)
    multiples = np.arange(round(low / width), round(high / width) + 1)
    # Rounded, so that 3 × 0.1 is the 0.3 that a reader expects in the table.
    decimals = 2 - math.floor(math.log10(width))
    return np.round(multiples * width, decimals), width / 2


def find_bins(
    values: npt.ArrayLike, centres: npt.ArrayLike, half_width: float = PAPER_HALF_WIDTH
) -> list[npt.NDArray[np.intp]]:
    """The rows of the galaxies in each bin: those with |value − centre| < half_width.

    As in the authors' code, a galaxy exactly on an edge is in neither bin.

    Raises:
        ValueError: `half_width` is not positive.
    """
    if not half_width > 0:
        raise ValueError(f"half_width must be positive, not {half_width}")
    numbers = np.asarray(values, dtype=np.float64)
    return [np.flatnonzero(np.abs(numbers - centre) < half_width) for centre in np.asarray(centres, dtype=np.float64)]


def compute_binned_statistics(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
    *,
    by: Binning = "truth",
) -> pd.DataFrame:
    """One row a bin: centre, num, median, rmse, nmad, mean_bias, median_bias, mean, std and residual_std.

    `median`, `mean` and `std` are of the predictions in bins of the truth, and of the truths in bins of prediction. The
    rest is of residuals, predicted − true; standard deviations are divided by num. A bin without galaxies has num 0 and
    NaN elsewhere; one galaxy has no width, so that its nmad, std and residual_std are NaN. The paper, figure 2.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, finite, shape (galaxies,).
        centres: Centres of the bins, in the unit of the target.
        half_width: As of `find_bins`.
        by: What the bins are of.

    Raises:
        ValueError: The lengths differ, or `half_width` is not positive.
    """
    truth, predicted, bins = _find_bins_of(truth, predicted, centres, half_width, by)
    rows = []
    for centre, inside in zip(np.asarray(centres, dtype=np.float64), bins, strict=True):
        numbers = _compute_statistics(truth[np.newaxis, inside], predicted[np.newaxis, inside], by)
        rows.append({"centre": centre, "num": len(inside), **{name: float(each[0]) for name, each in numbers.items()}})
    table = pd.DataFrame(rows, columns=["centre", "num", *STATISTICS])
    return table.astype({"num": np.int64})


def compute_binned_errors(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
    *,
    by: Binning = "truth",
    num_bootstrap: int = ERROR_SAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The standard errors of `compute_binned_statistics`, one row a bin: `median_error`, `rmse_error`, and so on.

    Those of mean and mean_bias are standard deviation / √(num − 1), from two galaxies on. The others are the standard
    deviations of bootstrap samples of the galaxies of the bin, × √(num / (num − 1)), from five galaxies on; they are
    NaN for fewer, and for less than two samples. A bin's errors depend on its own galaxies only.

    Args:
        truth: As of `compute_binned_statistics`, like the four arguments after it.
        predicted: Likewise.
        centres: Likewise.
        half_width: Likewise.
        by: Likewise.
        num_bootstrap: Number of bootstrap samples of each bin.
        seed: Of the draws.
    """
    truth, predicted, bins = _find_bins_of(truth, predicted, centres, half_width, by)
    rows = []
    for inside in bins:
        drawn = _draw_errors(truth[inside], predicted[inside], by, num_bootstrap, seed)
        other = (predicted if by == "truth" else truth)[inside]
        for name, values in (("mean", other), ("mean_bias", predicted[inside] - truth[inside])):
            drawn[name] = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
        rows.append({f"{name}_error": drawn[name] for name in STATISTICS})
    return pd.DataFrame(rows, columns=[f"{name}_error" for name in STATISTICS])


def compute_binned_metrics(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
    *,
    by: Binning = "truth",
    num_bootstrap: int = ERROR_SAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """`compute_binned_statistics` with each number's standard error in the column after it; arguments as of both.

    Between centre and num stand low and high, the edges of the bin.
    """
    numbers = compute_binned_statistics(truth, predicted, centres, half_width, by=by)
    errors = compute_binned_errors(truth, predicted, centres, half_width, by=by, num_bootstrap=num_bootstrap, seed=seed)
    # Rounded, so that 9.1 − 0.05 is the 9.05 that a reader expects in the table.
    decimals = 6 - math.floor(math.log10(half_width))
    edges = {name: (numbers["centre"] + sign * half_width).round(decimals) for name, sign in (("low", -1), ("high", 1))}
    columns = ["centre", "low", "high", "num"]
    columns += [column for name in STATISTICS for column in (name, f"{name}_error")]
    return pd.concat([numbers.assign(**edges), errors], axis=1)[columns]


def compute_binned_differences(
    truth: npt.ArrayLike,
    predicted_a: npt.ArrayLike,
    predicted_b: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
) -> pd.DataFrame:
    """How two sets of predictions differ, one row a bin of the true value: centre, num, mae_difference, standard_error.

    `mae_difference` is the mean of |residual of B| − |residual of A| over the galaxies of the bin, so that it is
    negative where B is the better one; its standard error is that of a mean of paired differences, their standard
    deviation over √num. A bin with one galaxy has no standard error, a bin without any no difference.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted_a: Predictions of A, finite, shape (galaxies,).
        predicted_b: Predictions of B, likewise.
        centres: As of `compute_binned_statistics`.
        half_width: Likewise.
    """
    truth, a, b = (np.asarray(values, dtype=np.float64) for values in (truth, predicted_a, predicted_b))
    differences = np.abs(b - truth) - np.abs(a - truth)
    rows = []
    for centre in np.asarray(centres, dtype=np.float64):
        inside = differences[np.abs(truth - centre) < half_width]
        num = len(inside)
        mean = float(inside.mean()) if num else float("nan")
        error = float(inside.std(ddof=1) / math.sqrt(num)) if num > 1 else float("nan")
        rows.append((centre, num, mean, error))
    return pd.DataFrame(rows, columns=["centre", "num", "mae_difference", "standard_error"])


def _find_bins_of(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, centres: npt.ArrayLike, half_width: float, by: Binning
) -> tuple[FloatArray, FloatArray, list[npt.NDArray[np.intp]]]:
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if len(truth) != len(predicted):
        raise ValueError(f"truth has {len(truth)} values and predicted {len(predicted)}; they must be as many")
    return truth, predicted, find_bins(truth if by == "truth" else predicted, centres, half_width)


def _compute_statistics(truth: FloatArray, predicted: FloatArray, by: Binning) -> dict[str, FloatArray]:
    """Each number of each sample, by name; both arrays have the shape (samples, galaxies)."""
    num_samples, num_galaxies = truth.shape
    if num_galaxies == 0:
        return {name: np.full(num_samples, np.nan) for name in STATISTICS}
    residuals = predicted - truth
    other = predicted if by == "truth" else truth
    median_biases = np.median(residuals, axis=1)
    numbers: dict[str, FloatArray] = {
        "median": np.median(other, axis=1),
        "rmse": np.sqrt(np.mean(residuals**2, axis=1)),
        "nmad": compute_nmads(residuals, median_biases),
        "mean_bias": residuals.mean(axis=1),
        "median_bias": median_biases,
        "mean": other.mean(axis=1),
        "std": other.std(axis=1),
        "residual_std": residuals.std(axis=1),
    }
    if num_galaxies == 1:
        numbers.update({name: np.full(num_samples, np.nan) for name in _WIDTHS})
    return numbers


def _draw_errors(
    truth: FloatArray, predicted: FloatArray, by: Binning, num_bootstrap: int, seed: int
) -> dict[str, float]:
    num = len(truth)
    if num < MIN_GALAXIES_FOR_ERRORS or num_bootstrap < 2:
        return dict.fromkeys(STATISTICS, float("nan"))
    computes = [lambda rows: _compute_statistics(truth[rows], predicted[rows], by)]
    (drawn,) = draw_numbers(computes, num, num_bootstrap, seed)
    # The bootstrap's own spread is that of a sample about its mean: too small by this factor.
    factor = math.sqrt(num / (num - 1))
    return {name: factor * float(values.std(ddof=1)) for name, values in drawn.items()}


def _round_width(width: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return min((power * step for step in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda step: abs(math.log(step / width)))
