"""How two quantities go together at fixed mass (and star formation), when those are measured with errors.

Two quantities that both follow mass and nothing else go together also at fixed *measured* mass: a galaxy more massive
than measured is richer than others of its measured mass, and is predicted richer. For Gaussian errors of covariance Σₑ
in controls whose measured values have the covariance Σ, the true controls at given measured ones have the covariance
Λ Σₑ, Λ = (Σ − Σₑ) Σ⁻¹ being the reliability of the controls; and slopes on true controls are Λ⁻ᵀ times those on
measured ones. So two quantities with the slopes s_a and s_b on the measured controls have, by errors of these alone,
the covariance s_a · Σₑ Λ⁻ᵀ s_b. It is taken away here, galaxy by galaxy, as slopes change with mass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metalight.evaluation.mass_metallicity.estimates import Estimate, bootstrap_means, estimate
from metalight.evaluation.mass_metallicity.smooth import fit_smooth

FloatArray = npt.NDArray[np.float64]

LARGEST_ERROR_FACTORS = (1.5, 1.2)
"""Errors of masses, and of star formation rates, may be so many times the stated ones before a finding is doubted.
Errors of star formation rates are most of their spread at one mass, so that they cannot be much larger."""

_MOST_FACTOR = 20.0

_ROUNDING, _OF_SIZE = 1e-6, 1e-12
"""Of a quantity's standard deviation, and of its size: what varies by no more does not vary."""


@dataclass(frozen=True, eq=False)
class FixedControls:
    """Two quantities at fixed controls."""

    residuals: FloatArray
    """Of both about smooth functions of the controls, shape (galaxies, 2)."""
    slopes: tuple[FloatArray, FloatArray]
    """Of both on the controls, each of shape (galaxies, controls)."""
    covariance: FloatArray
    """Of the measured controls, shape (controls, controls)."""
    errors: FloatArray
    """Errors of the controls, standard deviations, shape (controls,)."""


@dataclass(frozen=True)
class PartialCorrelation:
    """How two quantities go together at fixed controls."""

    num_galaxies: int
    raw: Estimate
    """At fixed measured controls."""
    from_errors: float
    """The value that errors of the controls alone would give."""
    corrected: Estimate
    """At fixed true controls."""
    corrected_for_larger_errors: Estimate
    """Likewise, if errors of the controls were `LARGEST_ERROR_FACTORS` times the stated ones."""
    factor_needed: float
    """So many times the stated errors would be needed to explain all of it; infinite if no errors could."""
    num_controls: int

    @property
    def is_beyond_controls(self) -> bool:
        """Whether the two go together whatever the controls, also if the errors of these were larger than stated."""
        larger = self.corrected_for_larger_errors
        has_one_sign = larger.value * self.raw.value > 0
        return larger.excludes_zero and self.corrected.excludes_zero and has_one_sign


def fix_controls(
    a: FloatArray, b: FloatArray, controls: Sequence[FloatArray], errors: Sequence[float]
) -> FixedControls:
    """Two quantities at fixed controls.

    Args:
        a: Finite, shape (galaxies,).
        b: Likewise.
        controls: Likewise, each.
        errors: Standard deviation of the error of each control.
    """
    relations = [fit_smooth(controls, each) for each in (a, b)]
    residuals = []
    for each, relation in zip((a, b), relations, strict=True):
        left = each - relation.predict(*controls)
        # What follows from the controls entirely leaves rounding, which would go with anything.
        is_rounding = left.std() <= _ROUNDING * each.std() + _OF_SIZE * np.abs(each).max()
        residuals.append(np.zeros_like(left) if is_rounding else left)
    return FixedControls(
        np.stack(residuals, axis=1),
        (relations[0].compute_slopes(*controls), relations[1].compute_slopes(*controls)),
        np.atleast_2d(np.cov(np.stack(list(controls)))),
        np.asarray(errors, dtype=np.float64),
    )


def compute_partial_correlation(
    a: FloatArray,
    b: FloatArray,
    controls: Sequence[FloatArray],
    errors: Sequence[float],
    *,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> PartialCorrelation:
    """How two quantities go together at fixed controls that are measured with errors.

    NaN where one of the two follows from the controls entirely.

    Args:
        a: Finite, shape (galaxies,).
        b: Likewise.
        controls: Likewise, each: mass, or mass and star formation, in this order.
        errors: Standard deviation of the error of each control.
        num_bootstrap: Samples behind the intervals. The smooth functions are not refitted for each.
        seed: Of the bootstrap.
    """
    fixed = fix_controls(a, b, controls, errors)
    stated, largest = np.ones(len(controls)), np.array(LARGEST_ERROR_FACTORS[: len(controls)])
    raw = _correlate(fixed, np.zeros(len(controls)), num_bootstrap, seed)
    leak = compute_leak(fixed, stated).mean(axis=0)
    variances = np.mean(fixed.residuals**2, axis=0)
    scale = float(np.sqrt(np.prod(variances)))
    return PartialCorrelation(
        num_galaxies=len(a),
        raw=raw,
        from_errors=float(leak[1] / scale) if scale > 0 else float("nan"),
        corrected=_correlate(fixed, stated, num_bootstrap, seed),
        corrected_for_larger_errors=_correlate(fixed, largest, num_bootstrap, seed),
        factor_needed=_find_factor(fixed),
        num_controls=len(controls),
    )


def compute_leak(fixed: FixedControls, factors: FloatArray) -> FloatArray:
    """Variance of the first, covariance, variance of the second that errors make, shape (galaxies, 3).

    NaN if the errors would be larger than what the controls vary.

    Args:
        fixed: Of `fix_controls`.
        factors: How many times the stated error of each control.
    """
    of_errors = np.diag((factors * fixed.errors) ** 2)
    true = fixed.covariance - of_errors
    if np.linalg.eigvalsh(true).min() <= 0:
        return np.full((len(fixed.residuals), 3), np.nan)
    reliability = true @ np.linalg.inv(fixed.covariance)
    kernel = of_errors @ np.linalg.inv(reliability).T
    a, b = fixed.slopes
    pairs = ((a, a), (a, b), (b, b))
    return np.stack([np.einsum("gi,ij,gj->g", one, kernel, other) for one, other in pairs], axis=1)


def _correlate(fixed: FixedControls, factors: FloatArray, num_bootstrap: int, seed: int) -> Estimate:
    a, b = fixed.residuals.T
    columns = np.stack([a * a, a * b, b * b], axis=1) - compute_leak(fixed, factors)

    def compute(means: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            left = np.where((means[:, 0] > 0) & (means[:, 2] > 0), means[:, 0] * means[:, 2], np.nan)
            # Errors larger than the true ones leave too little variance: no correlation is more than 1.
            found: FloatArray = np.clip(means[:, 1] / np.sqrt(left), -1, 1)
        return found

    value = float(compute(columns.mean(axis=0, keepdims=True))[0])
    return estimate(value, compute(bootstrap_means(columns, num_samples=num_bootstrap, seed=seed)))


def _find_factor(fixed: FixedControls) -> float:
    """How many times the stated errors bring about all of the covariance, by halving."""
    seen = float(np.mean(fixed.residuals[:, 0] * fixed.residuals[:, 1]))

    def make(factor: float) -> float:
        return float(compute_leak(fixed, np.full(len(fixed.errors), factor))[:, 1].mean())

    if not make(1.0) * seen > 0:
        return float("inf")
    low, high = 0.0, _MOST_FACTOR
    for _ in range(40):
        middle = (low + high) / 2
        made = make(middle)
        # Errors larger than the spread itself are not errors of these measurements: there, the factor is too large.
        is_too_much = not np.isfinite(made) or abs(made) > abs(seen)
        low, high = (low, middle) if is_too_much else (middle, high)
    return low if abs(make(low)) > 0.99 * abs(seen) else float("inf")
