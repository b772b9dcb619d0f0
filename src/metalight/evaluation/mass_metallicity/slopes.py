"""Slopes of the mass–metallicity relation from measured and predicted values, and why they differ.

The draft, section 5: with predicted metallicities the relation is too shallow, with predicted masses too steep.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Draws, Estimate, bootstrap_means, estimate
from metalight.evaluation.mass_metallicity.galaxies import LEAST_GALAXIES, StudyGalaxies
from metalight.evaluation.mass_metallicity.smooth import fit_smooth

FloatArray = npt.NDArray[np.float64]

WINDOWS = {"all": (8.5, 11.5), "8.5 to 9.5": (8.5, 9.5), "9.5 to 10.5": (9.5, 10.5), "10.5 to 11.5": (10.5, 11.5)}
"""Of mass. In the narrow ones the polynomial of Tremonti et al. has slopes of 0.40, 0.24 and 0.08."""


def list_relations(galaxies: StudyGalaxies) -> dict[tuple[str, str], tuple[FloatArray, FloatArray]]:
    """Masses and metallicities by the kinds of both: `("measured", "predicted")` is measured metallicity."""
    metallicities = {"measured": galaxies.metallicity, "predicted": galaxies.predicted}
    masses = {"measured": galaxies.log_mass, "predicted": galaxies.log_mass_predicted}
    if not galaxies.has_predicted_mass:
        masses["predicted"] = None
    return {
        (of_metallicity, of_mass): (mass, metallicity)
        for of_mass, mass in masses.items()
        for of_metallicity, metallicity in metallicities.items()
        if mass is not None and metallicity is not None
    }


def compute_slope(x: FloatArray, y: FloatArray, *, num_bootstrap: int = 0, seed: int = 0) -> Estimate:
    """Slope of the straight line of least squares of y on x; NaN for too few galaxies or where x does not vary.

    Args:
        x: Finite, shape (galaxies,).
        y: Likewise.
        num_bootstrap: Samples behind the intervals.
        seed: Of the bootstrap.
    """
    if len(x) < LEAST_GALAXIES or np.ptp(x) == 0:
        return Estimate(float("nan"))
    a, b = x - x.mean(), y - y.mean()
    columns = np.stack([a, b, a * a, a * b], axis=1)
    drawn = _slope_of_means(bootstrap_means(columns, num_samples=num_bootstrap, seed=seed))
    return estimate(float(_slope_of_means(columns.mean(axis=0, keepdims=True))[0]), drawn)


def compute_slopes(galaxies: StudyGalaxies, *, num_bootstrap: int = 0, seed: int = 0) -> pd.DataFrame:
    """One row a relation and window of mass: metallicity, mass, window, num, slope and its intervals, dex a dex."""
    rows = []
    for (of_metallicity, of_mass), (mass, metallicity) in list_relations(galaxies).items():
        for window, (low, high) in WINDOWS.items():
            is_inside = np.isfinite(mass) & (mass >= low) & (mass < high)
            slope = compute_slope(mass[is_inside], metallicity[is_inside], num_bootstrap=num_bootstrap, seed=seed)
            rows.append(
                {
                    "metallicity": of_metallicity,
                    "mass": of_mass,
                    "window": window,
                    "num": int(is_inside.sum()),
                    **name_bounds("slope", slope),
                }
            )
    return pd.DataFrame(rows)


def explain_slopes(galaxies: StudyGalaxies, *, num_bootstrap: int = 0, seed: int = 0) -> dict[str, Estimate]:
    """Reasons why relations from predictions are too shallow or too steep, over all masses of the study.

    `measured` is the slope of measured metallicity on measured mass. `predicted_metallicity` is that of predicted
    metallicity on measured mass, and `shrunken` what it would be if predictions shrank towards their mean whatever the
    mass: `measured` times the slope of predicted on measured metallicity. `predicted_mass` is the slope of measured
    metallicity on predicted mass, and `through_mass` that of the metallicity that the measured mass tells, on predicted
    mass: what a narrow range of predicted masses does by itself. What is left between these two is metallicity that the
    errors of predicted masses follow. `mass_range` is the standard deviation of predicted over that of measured masses.
    """
    low, high = WINDOWS["all"]
    is_inside = (galaxies.log_mass >= low) & (galaxies.log_mass <= high)
    inside = galaxies.select(is_inside)
    how: Draws = {"num_bootstrap": num_bootstrap, "seed": seed}
    found = {"measured": compute_slope(inside.log_mass, inside.metallicity, **how)}
    if inside.predicted is not None and len(inside):
        found["predicted_metallicity"] = compute_slope(inside.log_mass, inside.predicted, **how)
        shrinkage = compute_slope(inside.metallicity, inside.predicted, **how)
        found["shrinkage"] = shrinkage
        found["shrunken"] = Estimate(found["measured"].value * shrinkage.value)
    mass = inside.log_mass_predicted
    if mass is not None and inside.has_predicted_mass:
        has_mass = np.isfinite(mass)
        told = fit_smooth([inside.log_mass[has_mass]], inside.metallicity[has_mass]).predict(inside.log_mass[has_mass])
        found["predicted_mass"] = compute_slope(mass[has_mass], inside.metallicity[has_mass], **how)
        found["through_mass"] = compute_slope(mass[has_mass], told, **how)
        found["mass_range"] = Estimate(float(mass[has_mass].std() / inside.log_mass[has_mass].std()))
    return found


def describe_slopes(found: Mapping[str, Estimate]) -> list[str]:
    """The same in words."""
    lines = []
    measured = found["measured"].value
    if "predicted_metallicity" in found and np.isfinite(measured):
        seen, alone = found["predicted_metallicity"], found["shrunken"].value
        kind = "less steeply than" if seen.high_95 < measured else "as steeply as"
        kind = "more steeply than" if seen.low_95 > measured else kind
        lines.append(
            f"Predicted metallicities rise with measured mass {kind} measured ones, by {_tell(seen)} a dex where these "
            f"rise by {measured:.3f}; predictions that shrink towards their mean whatever the mass would rise by "
            f"{alone:.3f}."
        )
    if "predicted_mass" in found and np.isfinite(measured):
        seen, through = found["predicted_mass"], found["through_mass"]
        kind = "steeper" if seen.low_95 > measured else "shallower" if seen.high_95 < measured else "no steeper"
        lines.append(
            f"At predicted masses, whose range is {found['mass_range'].value:.2f} of the measured, the relation is "
            f"{kind} ({_tell(seen)} a dex); of that, {through.value:.3f} is what the masses' own errors do."
        )
    return lines


def name_bounds(name: str, found: Estimate) -> dict[str, float]:
    """A value and its 68 % interval as columns of a table."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _tell(found: Estimate) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _slope_of_means(means: FloatArray) -> FloatArray:
    """Of columns x, y, x², xy."""
    x, y, xx, xy = means.T
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes: FloatArray = (xy - x * y) / (xx - x * x)
    return slopes
