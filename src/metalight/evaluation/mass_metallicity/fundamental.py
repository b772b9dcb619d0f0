"""Metallicity, mass and star formation: residuals at fixed mass, and fundamental relations refitted to the sample.

Published relations of the three are on other scales of metallicity, so their forms are refitted. Errors are robust
to scatter that changes with mass (White 1980, Econometrica 48, 817). They know nothing of errors in mass and star
formation, which draw coefficients towards 0.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Draws, Estimate, bootstrap, bootstrap_means, estimate
from metalight.evaluation.mass_metallicity.folds import assign_folds
from metalight.evaluation.mass_metallicity.galaxies import LEAST_GALAXIES
from metalight.evaluation.mass_metallicity.partial import compute_leak, fix_controls
from metalight.evaluation.mass_metallicity.slopes import WINDOWS, compute_slope, name_bounds
from metalight.intervals import FloatArray, RowArray
from metalight.metrics import compute_nmad
from metalight.scaling_relations import (
    KROUPA_TO_CHABRIER,
    LARA_LOPEZ_2010,
    MANNUCCI_2010,
    TREMONTI_2004,
    predict_sfr_offset,
)

_ALPHAS = np.linspace(-0.2, 1.0, 31)
_DEGREE = 4
"""Of the polynomial in μ: that of Mannucci et al. 2010, eq. 4."""


@dataclass(frozen=True, eq=False)
class FittedRelation:
    """A linear regression: metallicity, or mass, on terms of the other quantities."""

    name: str
    coefficients: pd.DataFrame
    """term, value, error (one standard error), published (NaN if there is none)."""
    num_galaxies: int
    rms: float
    """Residual, by cross-validation, dex."""
    nmad: float

    def get(self, term: str) -> tuple[float, ...]:
        """A coefficient and its error."""
        is_it = (self.coefficients["term"] == term).to_numpy()
        return tuple(float(self.coefficients[name].to_numpy()[is_it][0]) for name in ("value", "error"))


def compute_sfr_residuals(
    metallicity: FloatArray,
    log_mass: FloatArray,
    log_sfr: FloatArray,
    *,
    mass_error_dex: float,
    sfr_error_dex: float,
    num_bootstrap: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """How metallicity at fixed mass changes with star formation at fixed mass, one row a window of mass.

    Args:
        metallicity: Finite, shape (galaxies,), as the others.
        log_mass: Measured.
        log_sfr: Measured, NaN where missing.
        mass_error_dex: Standard deviation of the error of masses.
        sfr_error_dex: Likewise of star formation rates.
        num_bootstrap: Samples behind the intervals.
        seed: Of the bootstrap.

    Returns:
        Columns window, num; slope of the residuals with its 68 % interval (dex of O/H a dex of SFR); slope_corrected
        likewise, for errors of mass, which raise it, and of star formation, which draw it to 0; and mannucci, the slope
        of the differences of Mannucci et al. 2010, eq. 2, at the same galaxies.
    """
    columns = ["window", "num", "slope", "slope_low", "slope_high", "slope_corrected", "slope_corrected_low"]
    columns += ["slope_corrected_high", "mannucci"]
    has_sfr = np.isfinite(log_sfr)
    if has_sfr.sum() < LEAST_GALAXIES:
        return pd.DataFrame(columns=columns)
    z, mass, sfr = metallicity[has_sfr], log_mass[has_sfr], log_sfr[has_sfr]
    fixed = fix_controls(sfr, z, [mass], [mass_error_dex])
    of_errors = compute_leak(fixed, np.ones(1))
    of_errors[:, 0] += sfr_error_dex**2
    offset = predict_sfr_offset(
        mass,
        sfr,
        sfr - fixed.residuals[:, 0],
        imf=TREMONTI_2004.imf,
        conversions=[KROUPA_TO_CHABRIER],
        relation=MANNUCCI_2010,
        accept_unverified=True,
    )
    rows = []
    for window, (low, high) in WINDOWS.items():
        inside = (mass >= low) & (mass < high)
        how: Draws = {"num_bootstrap": num_bootstrap, "seed": seed}
        residuals, known = fixed.residuals[inside], inside & np.isfinite(offset)
        row: dict[str, float | str] = {"window": window, "num": int(inside.sum())}
        row |= name_bounds("slope", compute_slope(residuals[:, 0], residuals[:, 1], **how))
        row |= name_bounds("slope_corrected", _compute_corrected_slope(residuals, of_errors[inside], **how))
        row["mannucci"] = compute_slope(fixed.residuals[known, 0], offset[known]).value
        rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def _compute_corrected_slope(
    residuals: FloatArray, of_errors: FloatArray, *, num_bootstrap: int, seed: int
) -> Estimate:
    """Covariance over variance, both without what errors make of them."""
    if len(residuals) < LEAST_GALAXIES:
        return Estimate(float("nan"))
    x, y = residuals.T
    columns = np.stack([x * x, x * y], axis=1) - of_errors[:, :2]

    def compute(means: FloatArray) -> FloatArray:
        slopes: FloatArray = means[:, 1] / np.where(means[:, 0] > 0, means[:, 0], np.nan)
        return slopes

    value = float(compute(columns.mean(axis=0, keepdims=True))[0])
    return estimate(value, compute(bootstrap_means(columns, num_samples=num_bootstrap, seed=seed)))


def fit_mannucci(metallicity: FloatArray, log_mass: FloatArray, log_sfr: FloatArray) -> FittedRelation:
    """The form of Mannucci et al. 2010, eq. 2, with its six coefficients fitted; m = log M − 10, s = log SFR."""
    m, s = log_mass - 10, log_sfr
    terms = {"1": np.ones_like(m), "m": m, "s": s, "m²": m**2, "m s": m * s, "s²": s**2}
    return _fit("Mannucci 2010, eq. 2, refitted", terms, metallicity, (8.90, 0.37, -0.14, -0.19, 0.12, -0.054))


def fit_plane(metallicity: FloatArray, log_mass: FloatArray, log_sfr: FloatArray) -> FittedRelation:
    """A plane: metallicity on m = log M − 10 and s = log SFR."""
    m = log_mass - 10
    terms = {"1": np.ones_like(m), "m": m, "s": log_sfr}
    return _fit("plane of metallicity", terms, metallicity, (np.nan,) * 3)


def fit_mass_plane(metallicity: FloatArray, log_mass: FloatArray, log_sfr: FloatArray) -> FittedRelation:
    """The plane of Lara-López et al. 2010: mass on metallicity and star formation, in the direction it was made in."""
    terms = {"1": np.ones_like(metallicity), "metallicity": metallicity, "s": log_sfr}
    published = (-0.097, 1.122, 0.474)
    return _fit("Lara-López 2010, plane of mass, refitted", terms, log_mass, published)


def score_published_mass_plane(metallicity: FloatArray, log_mass: FloatArray, log_sfr: FloatArray) -> dict[str, float]:
    """Masses by the published plane of Lara-López et al. 2010 against measured ones: num, mean residual, rms, nmad."""
    predicted = LARA_LOPEZ_2010.predict(
        metallicity, log_sfr, imf=TREMONTI_2004.imf, scale=TREMONTI_2004.scale, accept_unverified=True
    )
    residual = (predicted - log_mass)[np.isfinite(predicted)]
    if len(residual) < 2:
        return {"num": len(residual), "mean": np.nan, "rms": np.nan, "nmad": np.nan}
    return {
        "num": len(residual),
        "mean": float(residual.mean()),
        "rms": float(np.sqrt(np.mean(residual**2))),
        "nmad": compute_nmad(residual),
    }


def fit_projection(
    metallicity: FloatArray, log_mass: FloatArray, log_sfr: FloatArray, *, num_bootstrap: int = 50, seed: int = 0
) -> Estimate:
    """The α of μ = log M − α log SFR with which metallicities scatter least about a polynomial of μ.

    Mannucci et al. 2010 found 0.32.
    """

    def find(rows: RowArray) -> float:
        z, m, s = metallicity[rows], log_mass[rows] - 10, log_sfr[rows]
        left = np.array([_compute_left_over(z, m - alpha * s) for alpha in _ALPHAS])
        best = int(np.clip(np.argmin(left), 1, len(_ALPHAS) - 2))
        near = left[best - 1 : best + 2]
        bend = near[0] - 2 * near[1] + near[2]
        step = _ALPHAS[1] - _ALPHAS[0]
        shift = 0.5 * (near[0] - near[2]) / bend if bend > 0 else 0.0
        return float(_ALPHAS[best] + step * np.clip(shift, -1, 1))

    return bootstrap(find, len(metallicity), num_samples=num_bootstrap, seed=seed)


def _compute_left_over(metallicity: FloatArray, mu: FloatArray) -> float:
    design = np.vander((mu - mu.mean()) / (mu.std() or 1.0), _DEGREE + 1)
    coefficients = np.linalg.solve(design.T @ design + 1e-9 * np.eye(_DEGREE + 1), design.T @ metallicity)
    return float(np.mean((metallicity - design @ coefficients) ** 2))


def _fit(name: str, terms: dict[str, FloatArray], target: FloatArray, published: tuple[float, ...]) -> FittedRelation:
    design = np.stack(list(terms.values()), axis=1)
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ target
    residual = target - design @ coefficients
    spread = design * residual[:, None]
    free = max(1, len(target) - len(terms))
    covariance = inverse @ (spread.T @ spread) @ inverse * len(target) / free
    left = np.empty_like(target)
    folds = assign_folds(len(target))
    for fold in range(folds.max() + 1):
        is_held = folds == fold
        learnt = np.linalg.lstsq(design[~is_held], target[~is_held], rcond=None)[0]
        left[is_held] = target[is_held] - design[is_held] @ learnt
    table = pd.DataFrame(
        {"term": list(terms), "value": coefficients, "error": np.sqrt(np.diag(covariance)), "published": published}
    )
    return FittedRelation(name, table, len(target), float(np.sqrt(np.mean(left**2))), compute_nmad(left))
