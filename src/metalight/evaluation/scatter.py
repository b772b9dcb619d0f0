"""Parts of the scatter of predictions: in bins and in all, from widths, from biases and from tails."""

import math

import numpy as np
import numpy.typing as npt

from metalight.evaluation.binned import PAPER_HALF_WIDTH, find_bins
from metalight.intervals import FloatArray
from metalight.metrics import NMAD_FACTOR, compute_nmad

NUM_WIDTH_BINS = 40
"""Bins of prediction along which the width of the residuals is followed."""

MIN_GALAXIES_FOR_WIDTH = 25
"""Galaxies that each of these bins has at least: a standard deviation is then known to 15 %."""

_NAN = float("nan")


def compute_bin_averages(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    values: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
) -> dict[str, float]:
    """Averages of the scatter in bins over the bins b of `values`, which are the truths or the predictions.

    - nmad and rmse are Σ N_b s_b / Σ N_b: of the scatters themselves, not of their squares, over the galaxies that are
      in a bin. In bins of the truth this gives the digits of the authors' published predictions.
    - nmad_inverse_variance is Σ w_b NMAD_b / Σ w_b with w_b = N_b / NMAD_b², the inverse square of NMAD_b / √N_b, to
      which the error of a Gaussian's NMAD is proportional. Narrow bins count most. The "weighted average of the binned
      NMAD (∼ 0.05)" of the draft (section 4) is this one: it is 0.0515 for the published predictions at 128 pixels,
      whose average by numbers is 0.0650.
    - num_in_bins counts the galaxies in bins with two galaxies or more; others have no width and are left out. NaN
      stands for averages over no bin.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, likewise.
        values: What the bins are of, likewise.
        centres: As of `find_bins`.
        half_width: Likewise.
    """
    residuals = _subtract(predicted, truth)
    inside = [residuals[rows] for rows in find_bins(values, centres, half_width) if len(rows) > 1]
    if not inside:
        return {"nmad": _NAN, "rmse": _NAN, "nmad_inverse_variance": _NAN, "num_in_bins": 0}
    nums = np.array([len(each) for each in inside], dtype=np.float64)
    nmads = np.array([compute_nmad(each) for each in inside])
    rmses = np.sqrt([np.mean(each**2) for each in inside])
    has_width = nmads > 0
    weights = nums[has_width] / nmads[has_width] ** 2
    return {
        "nmad": float(nums @ nmads / nums.sum()),
        "rmse": float(nums @ rmses / nums.sum()),
        "nmad_inverse_variance": float(weights @ nmads[has_width] / weights.sum()) if has_width.any() else _NAN,
        "num_in_bins": int(nums.sum()),
    }


def compute_nmad_excess(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    centres: npt.ArrayLike,
    half_width: float = PAPER_HALF_WIDTH,
) -> dict[str, float]:
    """Why the NMAD of all galaxies differs from that in bins of the truth: three steps from one to the other.

    in_bins is the average of `compute_bin_averages`. If the residuals of each bin, less their own median, are thrown
    together, their NMAD differs from it because the bins are not equally wide (from_widths): most galaxies are in
    narrow bins, and a median follows them, so that this is negative as a rule. With the medians put back, the biases
    of the bins against each other widen it (from_biases). Galaxies in no bin do the rest (from_unbinned). The three add
    up to excess = all − in_bins.

    The draft (section 4) has the different widths for the reason; in the published predictions they work the other
    way, and the biases between bins are the reason: regression to the mean, which no bin of the truth contains.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, likewise.
        centres: Of bins of the truth, as of `find_bins`.
        half_width: Likewise.

    Returns:
        all, in_bins, excess, from_widths, from_biases, from_unbinned, in the unit of the target; all but the first are
        NaN if no bin has two galaxies.
    """
    residuals = _subtract(predicted, truth)
    rows_of_bins = [rows for rows in find_bins(truth, centres, half_width) if len(rows) > 1]
    of_all = compute_nmad(residuals)
    if not rows_of_bins:
        return {"all": of_all, **dict.fromkeys(("in_bins", "excess", *_STEPS), _NAN)}
    in_bins = compute_bin_averages(truth, predicted, truth, centres, half_width)["nmad"]
    centred = compute_nmad(np.concatenate([residuals[rows] - np.median(residuals[rows]) for rows in rows_of_bins]))
    together = compute_nmad(residuals[np.concatenate(rows_of_bins)])
    return {
        "all": of_all,
        "in_bins": in_bins,
        "excess": of_all - in_bins,
        "from_widths": centred - in_bins,
        "from_biases": together - centred,
        "from_unbinned": of_all - together,
    }


_STEPS = ("from_widths", "from_biases", "from_unbinned")


def compute_ratio_parts(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Why NMAD / RMSE is below 1, which it would be of Gaussian residuals of one width and no bias.

    The residuals of each of 40 bins of prediction with equally many galaxies (fewer bins, of at least 25 galaxies, of a
    smaller sample) have a width of their own, their standard deviation. Gaussian residuals of these very widths would
    have the ratio gaussian; it is computed, not drawn. Residuals less the mean of their bin and over its width have the
    ratio standardised: what is left of heteroscedasticity, and with it only what tails do.

    ratio = from_bias × gaussian × from_tails: from_bias is σ(residuals) / RMSE, gaussian what the widths do, from_tails
    all that is left. share_of_widths is the part of the widths in the logarithm of the ratio. The kurtosis, m₄ / m₂²,
    is 3 of a Gaussian.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, likewise.

    Returns:
        ratio, gaussian, standardised, from_bias, from_tails, share_of_widths, kurtosis, kurtosis_standardised; NaN
        where it is not defined, as without residuals.
    """
    predictions, residuals = np.asarray(predicted, dtype=np.float64), _subtract(predicted, truth)
    rmse = math.sqrt(float(np.mean(residuals**2)))
    places = _find_places(predictions)
    nums = np.bincount(places)
    means = np.bincount(places, weights=residuals) / nums
    centred = residuals - means[places]
    widths = np.sqrt(np.bincount(places, weights=centred**2) / nums)
    ratio = compute_nmad(residuals) / rmse if rmse > 0 else _NAN
    from_bias = float(residuals.std()) / rmse if rmse > 0 else _NAN
    gaussian = _compute_gaussian_ratio(widths, nums / len(residuals))
    has_width = widths[places] > 1e-9 * rmse
    standardised = centred[has_width] / widths[places][has_width]
    spread = math.sqrt(float(np.mean(standardised**2))) if has_width.any() else 0.0
    return {
        "ratio": ratio,
        "gaussian": gaussian,
        "standardised": compute_nmad(standardised) / spread if spread > 0 else _NAN,
        "from_bias": from_bias,
        "from_tails": ratio / (from_bias * gaussian) if from_bias > 0 and gaussian > 0 else _NAN,
        "share_of_widths": math.log(gaussian) / math.log(ratio) if gaussian > 0 and 0 < ratio < 1 else _NAN,
        "kurtosis": _compute_kurtosis(residuals),
        "kurtosis_standardised": _compute_kurtosis(standardised),
    }


def _find_places(predictions: FloatArray) -> npt.NDArray[np.intp]:
    """The bin of each galaxy, from 0, none empty; equal predictions are in one bin."""
    num_bins = max(1, min(NUM_WIDTH_BINS, len(predictions) // MIN_GALAXIES_FOR_WIDTH))
    edges = np.quantile(predictions, np.arange(1, num_bins) / num_bins)
    _, places = np.unique(np.searchsorted(edges, predictions, side="right"), return_inverse=True)
    return places


def _compute_gaussian_ratio(widths: FloatArray, fractions: FloatArray) -> float:
    """NMAD / RMSE of a mixture of Gaussians about 0: its median |residual| is where half of it lies within."""
    from scipy.special import ndtr

    rms = math.sqrt(float(fractions @ widths**2))
    if not rms > 0:
        return _NAN
    has_width = widths > 0
    without = float(fractions[~has_width].sum())
    if without >= 0.5:
        return 0.0
    low, high = 0.0, float(widths.max())
    for _ in range(60):  # halved until no digit is left
        middle = (low + high) / 2
        inside = without + float(fractions[has_width] @ (2 * ndtr(middle / widths[has_width]) - 1))
        low, high = (middle, high) if inside < 0.5 else (low, middle)
    return NMAD_FACTOR * high / rms


def _compute_kurtosis(values: FloatArray) -> float:
    if len(values) == 0:
        return _NAN
    squares = (values - values.mean()) ** 2
    variance = float(squares.mean())
    return float(np.mean((squares / variance) ** 2)) if variance > 1e-18 * float(np.mean(values**2)) else _NAN


def _subtract(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> FloatArray:
    return np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
