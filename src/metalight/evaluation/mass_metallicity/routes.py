"""Ways to a metallicity: straight from the image, or through a mass and its relation; the draft, section 5.

All ways are judged by the same galaxies and by the same measures: RMSE beside RMSE, NMAD beside NMAD.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Estimate, bootstrap, bootstrap_means, estimate
from metalight.evaluation.mass_metallicity.galaxies import LEAST_GALAXIES, StudyGalaxies
from metalight.evaluation.mass_metallicity.slopes import name_bounds
from metalight.evaluation.mass_metallicity.smooth import SmoothRelation, fit_smooth
from metalight.metrics import compute_nmad
from metalight.published import ROUTES, Scatter
from metalight.scaling_relations import TREMONTI_2004

FloatArray = npt.NDArray[np.float64]


BUDGET_MASSES = (9.0, 9.5, 10.0, 10.5, 11.0)
BUDGET_HALF_WIDTH = 0.25


@dataclass(frozen=True, eq=False)
class Routes:
    """Metallicities by way; each array of the shape (galaxies,), of those galaxies that all ways reach."""

    galaxies: StudyGalaxies
    by_name: dict[str, FloatArray]
    relation: SmoothRelation
    """Fitted to the reference galaxies: metallicity at measured mass."""
    num_left_out: int
    """Galaxies that a way does not reach: outside the range of a relation, or without a predicted mass."""


def compute_routes(galaxies: StudyGalaxies, reference: StudyGalaxies, known: StudyGalaxies | None = None) -> Routes:
    """Each way's metallicities.

    Args:
        galaxies: The galaxies that judge.
        reference: Galaxies with measured mass and metallicity that do not judge: to fit the relation to.
        known: Galaxies with predicted masses that neither judge nor were learnt from, such as the validation set:
            to fit metallicity at *predicted* mass to.
    """
    relation = fit_smooth([reference.log_mass], reference.metallicity)
    by_name: dict[str, FloatArray] = {}
    if galaxies.predicted is not None:
        by_name["direct"] = galaxies.predicted
    masses = {"measured": galaxies.log_mass}
    if galaxies.log_mass_predicted is not None and galaxies.has_predicted_mass:
        masses["predicted"] = galaxies.log_mass_predicted
    for kind, mass in masses.items():
        by_name[f"{kind} mass through Tremonti 2004"] = _predict_tremonti(mass)
        by_name[f"{kind} mass through the relation refitted"] = relation.predict(mass)
    if "predicted" in masses and known is not None and known.log_mass_predicted is not None:
        has_mass = np.isfinite(known.log_mass_predicted)
        if has_mass.sum() >= LEAST_GALAXIES:
            at_predicted = fit_smooth([known.log_mass_predicted[has_mass]], known.metallicity[has_mass])
            by_name["predicted mass through a relation fitted to predicted masses"] = at_predicted.predict(
                masses["predicted"]
            )
    is_reached = np.all([np.isfinite(values) for values in by_name.values()], axis=0)
    return Routes(
        galaxies.select(is_reached),
        {name: values[is_reached] for name, values in by_name.items()},
        relation,
        int((~is_reached).sum()),
    )


def score_routes(routes: Routes, *, num_bootstrap: int = 0, seed: int = 0) -> pd.DataFrame:
    """One row a way: route, num, rmse and nmad with 68 % intervals, the paper's rmse and nmad.

    The last row is no way to a metallicity, but the scatter of predicted metallicities about the relation of Tremonti
    et al. at measured mass, which the paper's abstract quotes.
    """
    residuals = {name: values - routes.galaxies.metallicity for name, values in routes.by_name.items()}
    if routes.galaxies.predicted is not None:
        about = routes.galaxies.predicted - _predict_tremonti(routes.galaxies.log_mass)
        residuals["predicted about Tremonti 2004 at measured mass"] = about
    rows = []
    for name, residual in residuals.items():
        paper = ROUTES.get(name, Scatter(math.nan, math.nan))
        rows.append(
            {
                "route": name,
                "num": len(residual),
                **name_bounds("rmse", compute_rms(residual, num_bootstrap=num_bootstrap, seed=seed)),
                **name_bounds("nmad", _compute_nmad(residual, num_bootstrap=num_bootstrap, seed=seed)),
                "rmse_paper": paper.rmse,
                "nmad_paper": paper.nmad,
            }
        )
    return pd.DataFrame(rows)


def compute_budget(routes: Routes, *, num_bootstrap: int = 0, seed: int = 0) -> pd.DataFrame:
    """The error budget of a metallicity through a predicted mass: what, rms with its interval, nmad.

    Scatter of the relation at measured mass; slope × error of the predicted mass; what the two make together if they
    have nothing to do with each other; what is seen; and what the direct way gives. Without predicted masses only the
    first and the last.
    """
    terms = _list_terms(routes)
    rows: list[dict[str, Any]] = []
    for name, residual in terms.items():
        rms = compute_rms(residual, num_bootstrap=num_bootstrap, seed=seed)
        nmad = compute_nmad(residual) if len(residual) else float("nan")
        rows.append({"what": name, **name_bounds("rms", rms), "nmad": nmad})
        if name == _TERM_MASS:
            parts = [rows[0], rows[-1]]
            rows.append(
                {
                    "what": "expected through predicted mass, if the two are independent",
                    "rms": math.hypot(*(float(part["rms"]) for part in parts)),
                    "nmad": math.hypot(*(float(part["nmad"]) for part in parts)),
                }
            )
    return pd.DataFrame(rows, columns=["what", "rms", "rms_low", "rms_high", "nmad"])


def compute_budget_by_mass(routes: Routes) -> pd.DataFrame:
    """The same root mean squares in bins of measured mass, 0.5 dex wide, and the slope of the relation there."""
    rows = []
    terms = _list_terms(routes)
    for centre in BUDGET_MASSES:
        is_inside = np.abs(routes.galaxies.log_mass - centre) < BUDGET_HALF_WIDTH
        row: dict[str, float] = {"centre": centre, "num": int(is_inside.sum())}
        slope = routes.relation.compute_slopes(np.array([centre]))[0, 0] if is_inside.any() else np.nan
        row["slope"] = float(slope)
        for name, residual in terms.items():
            row[name] = compute_rms(residual[is_inside]).value
        if _TERM_MASS in terms:
            row["expected through predicted mass"] = float(np.hypot(row[_TERM_RELATION], row[_TERM_MASS]))
        rows.append(row)
    return pd.DataFrame(rows)


def compute_error_correlation(routes: Routes, *, num_bootstrap: int = 0, seed: int = 0) -> Estimate:
    """Correlation of a galaxy's excess in metallicity for its mass with slope × error of its predicted mass.

    Above 0 where galaxies that are rich for their mass are taken for more massive ones: then a metallicity through the
    predicted mass is better than the two errors would make it. NaN without predicted masses.
    """
    terms = _list_terms(routes)
    if _TERM_MASS not in terms:
        return Estimate(float("nan"))
    # The first is predicted − true.
    a, b = -terms[_TERM_RELATION], terms[_TERM_MASS]
    return correlate(a, b, num_bootstrap=num_bootstrap, seed=seed)


def correlate(a: FloatArray, b: FloatArray, *, num_bootstrap: int = 0, seed: int = 0) -> Estimate:
    """Pearson's correlation, NaN where one of the two does not vary."""
    columns = np.stack([a, b, a * a, b * b, a * b], axis=1)

    def compute(means: FloatArray) -> FloatArray:
        x, y, xx, yy, xy = means.T
        with np.errstate(invalid="ignore", divide="ignore"):
            found: FloatArray = (xy - x * y) / np.sqrt((xx - x * x) * (yy - y * y))
        return found

    drawn = compute(bootstrap_means(columns, num_samples=num_bootstrap, seed=seed))
    return estimate(float(compute(columns.mean(axis=0, keepdims=True))[0]), drawn)


def compute_rms(residual: FloatArray, *, num_bootstrap: int = 0, seed: int = 0) -> Estimate:
    """Root mean square, NaN without galaxies."""
    if len(residual) == 0:
        return Estimate(float("nan"))
    squares = (residual**2)[:, None]
    drawn = np.sqrt(bootstrap_means(squares, num_samples=num_bootstrap, seed=seed))
    return estimate(float(np.sqrt(squares.mean())), drawn)


_TERM_RELATION = "scatter of the relation: measured mass through it"
_TERM_MASS = "slope × error of the predicted mass"


def _list_terms(routes: Routes) -> dict[str, FloatArray]:
    galaxies, truth = routes.galaxies, routes.galaxies.metallicity
    terms = {_TERM_RELATION: routes.by_name["measured mass through the relation refitted"] - truth}
    if "predicted mass through the relation refitted" in routes.by_name:
        assert galaxies.log_mass_predicted is not None
        slopes = routes.relation.compute_slopes(galaxies.log_mass)[:, 0]
        terms[_TERM_MASS] = slopes * (galaxies.log_mass_predicted - galaxies.log_mass)
        terms["seen through predicted mass"] = routes.by_name["predicted mass through the relation refitted"] - truth
    if "direct" in routes.by_name:
        terms["direct"] = routes.by_name["direct"] - truth
    return terms


def _predict_tremonti(log_mass: FloatArray) -> FloatArray:
    return TREMONTI_2004.predict(log_mass, imf=TREMONTI_2004.imf, scale=TREMONTI_2004.scale)


def _compute_nmad(residual: FloatArray, *, num_bootstrap: int, seed: int) -> Estimate:
    return bootstrap(lambda rows: compute_nmad(residual[rows]), len(residual), num_samples=num_bootstrap, seed=seed)
