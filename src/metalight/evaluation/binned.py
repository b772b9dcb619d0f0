"""How predictions fare along the range of the true value, bin by bin."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.metrics import compute_nmad, compute_rmse

METALLICITY_RANGE = (8.0, 9.5)
"""Where nearly all gas-phase metallicities 12 + log(O/H) of SDSS galaxies lie."""

PAPER_CENTRES = tuple(round(8.2 + 0.1 * step, 1) for step in range(12))
"""The bins of the paper's figure 2, 8.2 to 9.3: its `np.arange(8.2, 9.3, 0.1)` has 12 values by rounding alone."""

PAPER_HALF_WIDTH = 0.05
"""Half the width of those bins, in dex."""

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


def compute_binned_statistics(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, centres: npt.ArrayLike, half_width: float = PAPER_HALF_WIDTH
) -> pd.DataFrame:
    """One row a bin of the true value: centre, num, median, rmse, nmad, mean_bias and median_bias.

    `median` is of the predictions; the rest is of residuals, predicted − true. A bin without galaxies has num 0 and NaN
    elsewhere. The paper, figure 2.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, finite, shape (galaxies,).
        centres: Centres of the bins, in the unit of the target.
        half_width: A galaxy is in a bin if |truth − centre| is less than this, as in the authors' code: one exactly on
            an edge is in neither bin.

    Raises:
        ValueError: The lengths differ, or `half_width` is not positive.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if len(truth) != len(predicted):
        raise ValueError(f"truth has {len(truth)} values and predicted {len(predicted)}; they must be as many")
    if not half_width > 0:
        raise ValueError(f"half_width must be positive, not {half_width}")
    rows = []
    for centre in np.asarray(centres, dtype=np.float64):
        is_inside = np.abs(truth - centre) < half_width
        rows.append({"centre": centre, **_compute_statistics(truth[is_inside], predicted[is_inside])})
    table = pd.DataFrame(rows, columns=["centre", "num", "median", "rmse", "nmad", "mean_bias", "median_bias"])
    return table.astype({"num": np.int64})


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


def _compute_statistics(truth: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> dict[str, float]:
    if len(truth) == 0:
        return {"num": 0}
    residuals = predicted - truth
    return {
        "num": len(truth),
        "median": float(np.median(predicted)),
        "rmse": compute_rmse(truth, predicted),
        "nmad": compute_nmad(residuals),
        "mean_bias": float(residuals.mean()),
        "median_bias": float(np.median(residuals)),
    }


def _round_width(width: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return min((power * step for step in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda step: abs(math.log(step / width)))
