"""Gaussian-process regression with a length scale for every feature: exact for few galaxies, projected for many.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning: the posterior mean, eq. 2.25; the marginal
likelihood and its gradient, eqs. 5.8 and 5.9; the kernels, eqs. 4.14 and 4.17; the projected process, eq. 8.26, which
learns from all galaxies through the kernel functions of some. Features and target are standardised first.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

MOST_EXACT = 2000
"""Training galaxies up to which the process is exact; beyond, so many of them carry its kernel functions."""

MOST_TUNED = 1000
"""Training galaxies, at most, by which length scales and noise are found."""

KernelName = Literal["rbf", "matern_5_2"]

FloatArray = npt.NDArray[np.float64]

_MOST_STEPS = 40
_PRIOR_WIDTH = 1.0
_PRIOR_FACTOR = 1.5
_BOUNDS_LENGTH, _BOUNDS_AMPLITUDE, _BOUNDS_NOISE = (-3.0, 7.0), (-4.0, 4.0), (-5.0, 2.0)
_JITTER = 1e-6
_FAR = 1e6
"""Standard deviations of a feature beyond which galaxies count as equally far away."""

_ROWS_A_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process."""

    kernel: KernelName
    centre: FloatArray
    """(feature,): training mean."""
    spread: FloatArray
    """(feature,): training standard deviation; 1 where it is 0."""
    lengths: FloatArray
    """(feature,): length scales of standardised features."""
    basis: FloatArray
    """(carrier, feature): galaxies that carry kernel functions, standardised and over the length scales."""
    weights: FloatArray
    """(carrier,): of their kernel functions, in the unit of the target."""
    mean: float
    """Training mean of the target."""
    noise: float
    """Noise that no feature explains, in the unit of the target."""
    num_training: int
    """Galaxies that it learnt from."""

    def predict(self, features: FloatArray) -> FloatArray:
        """Predictions (galaxy,) from features (galaxy, feature), all finite."""
        # Nothing is known so far away in any case, and squares beyond all bounds are not distances.
        scaled = np.clip((features - self.centre) / self.spread, -_FAR, _FAR) / self.lengths
        of_basis = np.sum(self.basis**2, axis=1)
        predicted = np.empty(len(features))
        # One by one: the order in which a product of matrices adds depends on how many galaxies it is for.
        for row, galaxy in enumerate(scaled):
            squares = np.maximum(of_basis + galaxy @ galaxy - 2 * (self.basis @ galaxy), 0)
            predicted[row] = _compute_kernel(squares, self.kernel)[0] @ self.weights
        return predicted + self.mean


def fit_gaussian_process(
    features: FloatArray,
    target: FloatArray,
    *,
    kernel: KernelName = "rbf",
    seed: int = 0,
    most_exact: int = MOST_EXACT,
    most_tuned: int = MOST_TUNED,
) -> GaussianProcess:
    """The process of the most probable length scales and noise.

    ln of the length scales have a Gaussian prior about ln(1.5 √features) with a width of 1, so that few galaxies do not
    make a feature matter by accident.

    Args:
        features: Of the training galaxies, (galaxy, feature), all finite; a feature that is constant plays no part.
        target: Their true values, (galaxy,), all finite and not all the same.
        kernel: Form of the covariance: `rbf` (squared exponential) or `matern_5_2`.
        seed: Of the galaxies that are drawn where there are more than `most_tuned` or `most_exact`.
        most_exact: As of `MOST_EXACT`.
        most_tuned: As of `MOST_TUNED`.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(centre), spread, 1.0)
    mean, unit = float(target.mean()), float(target.std())
    standard, values = (features - centre) / spread, (target - mean) / unit
    order = np.random.default_rng(seed).permutation(len(values))
    tuned = np.sort(order[:most_tuned])
    lengths, amplitude, noise = _tune(standard[tuned], values[tuned], kernel)
    carriers = np.sort(order[:most_exact])
    scaled = standard / lengths
    weights = _find_weights(scaled, values, scaled[carriers], kernel, amplitude, noise)
    return GaussianProcess(
        kernel=kernel,
        centre=centre,
        spread=spread,
        lengths=lengths,
        basis=scaled[carriers],
        weights=unit * weights,
        mean=mean,
        noise=unit * noise,
        num_training=len(values),
    )


def _tune(features: FloatArray, values: FloatArray, kernel: KernelName) -> tuple[FloatArray, float, float]:
    """Length scales, amplitude and noise with the largest marginal likelihood times prior."""
    from scipy.optimize import minimize

    num_features = features.shape[1]
    usual = np.log(_PRIOR_FACTOR * np.sqrt(num_features))
    start = np.concatenate([np.full(num_features, usual), [0.0, np.log(0.5)]])
    bounds = [_BOUNDS_LENGTH] * num_features + [_BOUNDS_AMPLITUDE, _BOUNDS_NOISE]

    def compute_loss(logs: FloatArray) -> tuple[float, FloatArray]:
        loss, gradient = _compute_likelihood(features, values, kernel, logs)
        offsets = (logs[:num_features] - usual) / _PRIOR_WIDTH
        gradient[:num_features] += offsets / _PRIOR_WIDTH
        return loss + float(offsets @ offsets) / 2, gradient

    found = minimize(
        compute_loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MOST_STEPS}
    ).x
    return np.exp(found[:num_features]), float(np.exp(found[-2])), float(np.exp(found[-1]))


def _compute_likelihood(
    features: FloatArray, values: FloatArray, kernel: KernelName, logs: FloatArray
) -> tuple[float, FloatArray]:
    """−ln of the marginal likelihood and its gradient by ln of length scales, amplitude and noise."""
    from scipy.linalg import cho_solve, cholesky, lapack

    scaled = features * np.exp(-logs[:-2])
    variance, noise = np.exp(2 * logs[-2]), np.exp(2 * logs[-1])
    shape, slope = _compute_kernel(_compute_squares(scaled, scaled), kernel)
    covariance = variance * shape
    covariance.flat[:: len(values) + 1] += noise
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), values, check_finite=False)
    inverse, _ = lapack.dpotri(factor, lower=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    loss = float(values @ weights / 2 + np.log(np.diag(factor)).sum())
    residual = np.outer(weights, weights) - inverse  # R & W eq. 5.9: αα' − K⁻¹
    by_square = variance * residual * slope
    gradient = np.empty_like(logs)
    # Sum over pairs of by_square · (x_i − x_j)², without an array of (galaxy, galaxy, feature).
    gradient[:-2] = -(by_square.sum(axis=1) @ scaled**2 - np.sum(scaled * (by_square @ scaled), axis=0))
    gradient[-2] = -variance * np.sum(residual * shape)
    gradient[-1] = -noise * np.trace(residual)
    return loss, gradient


def _find_weights(
    scaled: FloatArray, values: FloatArray, basis: FloatArray, kernel: KernelName, amplitude: float, noise: float
) -> FloatArray:
    """Weights of the kernel functions of `basis`, by all galaxies: exact where those are the basis."""
    from scipy.linalg import cho_solve, cholesky, solve_triangular

    own = amplitude**2 * _compute_kernel(_compute_squares(basis, basis), kernel)[0]
    if len(basis) == len(scaled):
        own.flat[:: len(basis) + 1] += noise**2
        solved = cho_solve((cholesky(own, lower=True), True), values)
        return np.asarray(amplitude**2 * solved)
    own.flat[:: len(basis) + 1] += _JITTER * amplitude**2
    factor = cholesky(own, lower=True)
    # R & W eq. 8.26, through the factor of the basis's own covariance, which keeps it well-conditioned.
    system, right = noise**2 * np.eye(len(basis)), np.zeros(len(basis))
    for first in range(0, len(scaled), _ROWS_A_BLOCK):
        block = slice(first, first + _ROWS_A_BLOCK)
        across = amplitude**2 * _compute_kernel(_compute_squares(basis, scaled[block]), kernel)[0]
        projected = solve_triangular(factor, across, lower=True, check_finite=False)
        system += projected @ projected.T
        right += projected @ values[block]
    solved = cho_solve((cholesky(system, lower=True), True), right)
    return np.asarray(amplitude**2 * solve_triangular(factor, solved, lower=True, trans="T"))


def _compute_squares(one: FloatArray, other: FloatArray) -> FloatArray:
    """Squared distances of all pairs."""
    squares: FloatArray = np.sum(one**2, axis=1)[:, None] + np.sum(other**2, axis=1) - 2 * one @ other.T
    if one is other:
        np.fill_diagonal(squares, 0)
    return np.maximum(squares, 0, out=squares)


def _compute_kernel(squares: FloatArray, kernel: KernelName) -> tuple[FloatArray, Any]:
    """The covariance at squared distances, for an amplitude of 1; and −2 times its slope by the squared distance."""
    if kernel == "rbf":
        shape = np.exp(-squares / 2)
        return shape, shape
    distances = np.sqrt(5 * squares)
    decay = np.exp(-distances)
    return (1 + distances + distances**2 / 3) * decay, 5 / 3 * (1 + distances) * decay
