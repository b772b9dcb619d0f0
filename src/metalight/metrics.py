"""How good predictions are, in numbers: RMSE, NMAD and their kin, with bootstrap intervals.

Everywhere residual = predicted − true, in the unit of the target (dex for 12 + log(O/H)).
"""

import dataclasses

import numpy as np
import numpy.typing as npt

NMAD_FACTOR = 1.4826
"""What makes the median absolute deviation of Gaussian residuals equal to their standard deviation; the paper,
section 4."""

INTERVAL_PERCENTILES = (16.0, 84.0)
"""The percentiles of the bootstrap samples between which a 68 % interval lies."""

NUM_DRAWN_AT_ONCE = 2**20
"""Galaxies drawn before the metrics of a chunk of bootstrap samples are computed: it bounds the memory, and changes
no number."""

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A metric with its 68 % bootstrap interval; `low` and `high` are NaN where no bootstrap was asked for."""

    value: float
    low: float
    high: float


def compute_rmse(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Root-mean-square residual, in the unit of the target.

    Raises:
        ValueError: There is no galaxy, a value is not finite, or the lengths differ.
    """
    truth, predicted = _check_pairs(truth, predicted)
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def compute_nmad(residuals: npt.ArrayLike) -> float:
    """Normalised median absolute deviation, 1.4826 × median|x − median x|: a width that outliers hardly change.

    Raises:
        ValueError: There is no residual, or one is not finite.
    """
    residuals = _check_values(residuals, "residuals")
    return float(_compute_nmads(residuals[np.newaxis], np.median(residuals, keepdims=True))[0])


def compute_metrics(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, num_bootstrap: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Each metric with its interval, by name.

    rmse, nmad, mean_bias, median_bias and mae (mean |residual|) are in the unit of the target. r2 is 1 − MSE / variance
    of the truth, NaN where the truth does not vary. fraction_over_3_nmad and fraction_over_5_nmad are of the galaxies
    with |residual| above that many NMAD, fraction_over_0.2 and fraction_over_0.3 of those above that value.

    Args:
        truth: True values, shape (galaxies,).
        predicted: Predictions, shape (galaxies,).
        num_bootstrap: How often the galaxies are drawn anew, with replacement; all metrics of one draw are of the same
            galaxies. 0 leaves the intervals NaN.
        seed: Seed of the draws; the same seed draws the same rows for equally many galaxies.

    Raises:
        ValueError: There is no galaxy, a value is not finite, the lengths differ, or `num_bootstrap` is negative.
    """
    truth, predicted = _check_pairs(truth, predicted)
    if num_bootstrap < 0:
        raise ValueError(f"num_bootstrap must be 0 or more, not {num_bootstrap}")
    residuals = predicted - truth
    values = _compute_by_sample(truth[np.newaxis], residuals[np.newaxis])
    drawn = _bootstrap(truth, residuals, num_bootstrap, seed)
    return {name: Interval(float(value[0]), *_compute_interval(drawn[name])) for name, value in values.items()}


def compute_baseline(
    truth: npt.ArrayLike, mean: float, *, num_bootstrap: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """The metrics of predicting `mean` for every galaxy: what any model must beat.

    Args:
        truth: True values, shape (galaxies,).
        mean: The one prediction; in a run the mean of the training set, which has not seen `truth`.
        num_bootstrap: As of `compute_metrics`.
        seed: As of `compute_metrics`.

    Raises:
        ValueError: As of `compute_metrics`.
    """
    truth = _check_values(truth, "truth")
    return compute_metrics(truth, np.full_like(truth, mean), num_bootstrap=num_bootstrap, seed=seed)


def _compute_by_sample(truth: FloatArray, residuals: FloatArray) -> dict[str, FloatArray]:
    """Each metric of each sample, by name; both arrays have the shape (samples, galaxies)."""
    sizes = np.abs(residuals)
    medians = np.median(residuals, axis=1)
    nmads = _compute_nmads(residuals, medians)
    mean_squares = np.mean(residuals**2, axis=1)
    # Rounding gives a constant truth a variance of about 1e-32, and with it an R² that means nothing.
    variances = np.where(truth.max(axis=1) == truth.min(axis=1), 0.0, truth.var(axis=1))
    with np.errstate(over="ignore"):
        r2 = 1 - mean_squares / np.where(variances > 0, variances, np.nan)
    return {
        "rmse": np.sqrt(mean_squares),
        "nmad": nmads,
        "mean_bias": residuals.mean(axis=1),
        "median_bias": medians,
        "mae": sizes.mean(axis=1),
        "r2": r2,
        "fraction_over_3_nmad": np.mean(sizes > 3 * nmads[:, np.newaxis], axis=1),
        "fraction_over_5_nmad": np.mean(sizes > 5 * nmads[:, np.newaxis], axis=1),
        "fraction_over_0.2": np.mean(sizes > 0.2, axis=1),
        "fraction_over_0.3": np.mean(sizes > 0.3, axis=1),
    }


def _compute_nmads(residuals: FloatArray, medians: FloatArray) -> FloatArray:
    deviations = np.abs(residuals - medians[:, np.newaxis])
    nmads: FloatArray = NMAD_FACTOR * np.median(deviations, axis=1, overwrite_input=True)
    return nmads


def _bootstrap(truth: FloatArray, residuals: FloatArray, num_bootstrap: int, seed: int) -> dict[str, FloatArray]:
    """Each metric of each bootstrap sample, by name."""
    generator = np.random.default_rng(seed)
    num_galaxies = len(truth)
    samples_at_once = max(1, NUM_DRAWN_AT_ONCE // num_galaxies)
    names = _compute_by_sample(truth[np.newaxis, :1], residuals[np.newaxis, :1])
    drawn: dict[str, list[FloatArray]] = {name: [] for name in names}
    for start in range(0, num_bootstrap, samples_at_once):
        num_samples = min(samples_at_once, num_bootstrap - start)
        rows = generator.integers(0, num_galaxies, size=(num_samples, num_galaxies))
        for name, values in _compute_by_sample(truth[rows], residuals[rows]).items():
            drawn[name].append(values)
    return {name: np.concatenate(chunks) if chunks else np.empty(0) for name, chunks in drawn.items()}


def _compute_interval(values: FloatArray) -> tuple[float, float]:
    # A draw of a few galaxies may have a constant truth, and with it no R².
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(defined, INTERVAL_PERCENTILES)
    return float(low), float(high)


def _check_pairs(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth, predicted = _check_values(truth, "truth"), _check_values(predicted, "predicted")
    if len(truth) != len(predicted):
        raise ValueError(f"truth has {len(truth)} values and predicted {len(predicted)}; they must be as many")
    return truth, predicted


def _check_values(values: npt.ArrayLike, name: str) -> FloatArray:
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1 or len(checked) == 0:
        raise ValueError(f"{name} must be one-dimensional with at least one value, not of shape {checked.shape}")
    num_bad = int(np.sum(~np.isfinite(checked)))
    if num_bad:
        raise ValueError(f"{num_bad} of {len(checked)} values of {name} are not finite; leave these galaxies out")
    return checked
