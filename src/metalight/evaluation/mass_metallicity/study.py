"""The draft's section 5 in one go: every table and number of the study, from arrays."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Draws, Estimate
from metalight.evaluation.mass_metallicity.fourth_parameter import (
    PARAMETERS,
    ParameterGain,
    build_gain_table,
    search_fourth_parameters,
)
from metalight.evaluation.mass_metallicity.fundamental import (
    FittedRelation,
    compute_sfr_residuals,
    fit_mannucci,
    fit_mass_plane,
    fit_plane,
    fit_projection,
    score_published_mass_plane,
)
from metalight.evaluation.mass_metallicity.galaxies import (
    LEAST_GALAXIES,
    MASS_ERROR_DEX,
    SFR_ERROR_DEX,
    MeasurementError,
    StudyGalaxies,
    find_error,
)
from metalight.evaluation.mass_metallicity.knowledge import Knowledge, judge_knowledge
from metalight.evaluation.mass_metallicity.routes import (
    compute_budget,
    compute_budget_by_mass,
    compute_error_correlation,
    compute_routes,
    score_routes,
)
from metalight.evaluation.mass_metallicity.scatter import (
    HARD_CUT,
    ScatterRatio,
    compute_relation,
    compute_scatter_ratio,
    exchange_predictions,
    put_residuals_back,
)
from metalight.evaluation.mass_metallicity.slopes import compute_slopes, describe_slopes, explain_slopes, list_relations
from metalight.progress import Progress, no_progress
from metalight.published import SCATTER_RATIOS
from metalight.scaling_relations import RELATIONS, TREMONTI_2004_PERCENTILES

FloatArray = npt.NDArray[np.float64]

SFR_KINDS = {"total": "log_sfr", "fibre": "log_sfr_fibre"}
"""Star formation rates by part of the galaxy, and the property that holds them."""

_LEAST_FOR_FIT = 100
"""Galaxies with a star formation rate below which fundamental relations are not refitted."""


@dataclass(frozen=True, eq=False)
class MassMetallicityStudy:
    """The result."""

    results: dict[str, Any]
    """Numbers by topic, made of dicts, lists, texts and floats; NaN where something is not known."""
    tables: dict[str, pd.DataFrame]
    """By the name of the file that they go to."""
    sentences: list[str]
    """The findings in words."""


def compute_study(
    test: StudyGalaxies,
    reference: StudyGalaxies,
    everyone: StudyGalaxies,
    known: StudyGalaxies | None = None,
    *,
    num_bootstrap: int = 1000,
    seed: int = 0,
    progress: Progress = no_progress,
) -> MassMetallicityStudy:
    """All of the draft's section 5.

    Args:
        test: Galaxies that judge, with predicted metallicities.
        reference: Galaxies with measured values that do not judge, to fit relations to: training and validation.
        everyone: All galaxies with measured values, for the fourth parameter.
        known: Galaxies with predicted masses that neither judge nor were learnt from: validation.
        num_bootstrap: Samples behind the intervals.
        seed: Of every draw.
        progress: Shows which part is being computed.

    Raises:
        ValueError: `test` has no predictions.
    """
    if test.predicted is None:
        raise ValueError("the study is of predictions, and there are none")
    how: Draws = {"num_bootstrap": num_bootstrap, "seed": seed}
    errors = {
        name: find_error(everyone.properties, name, default)
        for name, default in (("log_mass", MASS_ERROR_DEX), ("log_sfr", SFR_ERROR_DEX))
    }
    results: dict[str, Any] = {
        "num_galaxies": len(test),
        "num_reference": len(reference),
        "errors": {name: dataclasses.asdict(error) for name, error in errors.items()},
        "published_relations": _describe_relations(),
    }
    tables = {"relation": _build_relation_table(test), "slopes": compute_slopes(test, **how)}
    slopes = explain_slopes(test, **how)
    results["slopes"] = _to_dicts(slopes)
    sentences = describe_slopes(slopes)
    parts: list[Callable[[], MassMetallicityStudy]] = [
        lambda: _study_scatter(test, how),
        lambda: _study_routes(test, reference, known, how),
        lambda: _study_star_formation(test, errors, how),
        lambda: _study_knowledge(test, errors, how),
        lambda: _study_fourth_parameter(everyone, errors, how),
    ]
    with progress("Studying mass and metallicity", len(parts)) as advance:
        for study in parts:
            part = study()
            results |= part.results
            tables |= part.tables
            sentences += part.sentences
            advance(1)
    # As tables write what is not defined.
    return MassMetallicityStudy(results, tables, [re.sub(r"[+-]?\bnan\b", "–", text) for text in sentences])


def _build_relation_table(test: StudyGalaxies) -> pd.DataFrame:
    """The relations in bins of mass, of all kinds, beside the percentiles of Tremonti et al."""
    parts = []
    for (of_metallicity, of_mass), (mass, metallicity) in list_relations(test).items():
        bins = compute_relation(mass, metallicity)
        bins.insert(0, "mass", of_mass)
        bins.insert(0, "metallicity", of_metallicity)
        parts.append(bins)
    table = pd.concat(parts, ignore_index=True)
    centres = table["centre"].to_numpy()
    for percentile in (16, 50, 84):
        table[f"tremonti_p{percentile}"] = TREMONTI_2004_PERCENTILES.predict(centres, percentile)
    return table


def _study_scatter(test: StudyGalaxies, how: Draws) -> MassMetallicityStudy:
    """How much narrower the relation is with predictions, and whether shrinkage is all of it."""
    seed, truth, mass = how["seed"], test.metallicity, test.log_mass
    assert test.predicted is not None
    sets = _shrink(test.predicted, truth, seed)
    found = {"predicted metallicity": _compare_scatters(lambda z: (mass, z), sets, test, how)}
    low, high = HARD_CUT
    is_cut = (truth > low) & (truth < high)
    cut = test.select(is_cut)
    if len(cut) >= LEAST_GALAXIES:
        name = "predicted metallicity, measured one from 8.25 to 9.15"
        found[name] = _compare_scatters(lambda z: (cut.log_mass, z), [each[is_cut] for each in sets], cut, how)
    if test.log_mass_predicted is not None and test.has_predicted_mass:
        some = test.select(np.isfinite(test.log_mass_predicted))
        predicted = some.log_mass_predicted
        assert predicted is not None
        sets = _shrink(predicted, some.log_mass, seed)
        found["predicted mass"] = _compare_scatters(lambda m: (m, some.metallicity), sets, some, how)
    bins = []
    for name, (seen, *_) in found.items():
        part = seen.bins.copy()
        part.insert(0, "predicted", name)
        bins.append(part)
    results = {
        name: {
            "mean": dataclasses.asdict(seen.mean),
            "spread_over_bins": seen.spread_over_bins,
            "shrinkage_alone": alone_too,
            "residuals_put_back": put_back,
            "paper": [SCATTER_RATIOS[name].value, SCATTER_RATIOS[name].error],
        }
        for name, (seen, alone_too, put_back) in found.items()
    }
    seen, alone_too, put_back = found["predicted metallicity"]
    paper = SCATTER_RATIOS["predicted metallicity"]
    sentence = (
        f"At a mass, predicted metallicities scatter {seen.mean.value:.2f} times as much as measured ones (68 % "
        f"interval {seen.mean.low:.2f} to {seen.mean.high:.2f}; {seen.spread_over_bins:.2f} over the bins; the paper "
        f"{paper.value:.2f} ± {paper.error:.2f}). Predictions as accurate that "
        f"know of nothing but metallicity would scatter {alone_too:.2f} "
        f"times as much, and with their residuals put back they scatter {put_back:.2f} times as much."
    )
    return MassMetallicityStudy({"scatter_ratios": results}, {"scatter_ratios": pd.concat(bins)}, [sentence])


def _shrink(predicted: FloatArray, truth: FloatArray, seed: int) -> list[FloatArray]:
    """The predictions, those that are shrinkage alone, and those with residuals put back."""
    others = [change(predicted, truth, seed) for change in (exchange_predictions, put_residuals_back)]
    return [predicted, *others]


def _compare_scatters(
    place: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    sets: Sequence[FloatArray],
    galaxies: StudyGalaxies,
    how: Draws,
) -> tuple[ScatterRatio, float, float]:
    """The ratio seen, and the means of those that shrinkage alone gives and that residuals put back leave.

    `sets` are the predictions for each, in this order; `place` makes masses and metallicities of one.
    """
    measured = (galaxies.log_mass, galaxies.metallicity)
    seen = compute_scatter_ratio(*place(sets[0]), *measured, **how)
    others = [compute_scatter_ratio(*place(each), *measured).mean.value for each in sets[1:]]
    return seen, others[0], others[1]


def _study_routes(
    test: StudyGalaxies, reference: StudyGalaxies, known: StudyGalaxies | None, how: Draws
) -> MassMetallicityStudy:
    """Direct, through measured mass, through predicted mass; and the error budget."""
    routes = compute_routes(test, reference, known)
    if len(routes.galaxies) < LEAST_GALAXIES:
        text = f"Only {len(routes.galaxies)} galaxies have masses within the relations' ranges: no routes are compared."
        return MassMetallicityStudy({"routes": {"num_left_out": routes.num_left_out}}, {}, [text])
    scores = score_routes(routes, **how)
    correlation = compute_error_correlation(routes, **how)
    tables = {
        "routes": scores,
        "error_budget": compute_budget(routes, **how),
        "error_budget_by_mass": compute_budget_by_mass(routes),
    }
    rmse = dict(zip(scores["route"], scores["rmse"].to_numpy(dtype=np.float64).tolist(), strict=True))
    direct, through = rmse["direct"], rmse["measured mass through the relation refitted"]
    sentences = [
        f"The RMSE of metallicity is {direct:.4f} direct and {through:.4f} through the measured mass and this sample's "
        f"own relation, of the same {len(routes.galaxies):,} galaxies"
    ]
    seen = "predicted mass through the relation refitted"
    if seen in rmse:
        budget = tables["error_budget"].set_index("what")["rms"]
        expected = float(budget.loc["expected through predicted mass, if the two are independent"])
        sentences[0] += (
            f"; through the predicted mass it is {rmse[seen]:.4f}, where the scatter of the relation and the "
            f"errors of mass would make {expected:.4f} together: the two have a correlation of "
            f"{correlation.value:.2f} (95 % interval {correlation.low_95:.2f} to {correlation.high_95:.2f})"
        )
    sentences[0] += "."
    results = {"num_left_out": routes.num_left_out, "error_correlation": dataclasses.asdict(correlation)}
    return MassMetallicityStudy({"routes": results}, tables, sentences)


def _study_star_formation(
    test: StudyGalaxies, errors: Mapping[str, MeasurementError], how: Draws
) -> MassMetallicityStudy:
    """Residuals against star formation at fixed mass, and refitted fundamental relations."""
    residuals, fits, results = [], [], {}
    assert test.predicted is not None
    for kind, name in SFR_KINDS.items():
        sfr = test.properties.get(name)
        if sfr is None:
            continue
        has_sfr = np.isfinite(sfr)
        for of_metallicity, values in (("measured", test.metallicity), ("predicted", test.predicted)):
            labels = {"sfr": kind, "metallicity": of_metallicity}
            part = compute_sfr_residuals(
                values,
                test.log_mass,
                sfr,
                mass_error_dex=errors["log_mass"].dex,
                sfr_error_dex=errors["log_sfr"].dex,
                **how,
            )
            residuals.append(part.assign(**labels))
            if has_sfr.sum() < _LEAST_FOR_FIT:
                continue
            z, m, s = values[has_sfr], test.log_mass[has_sfr], sfr[has_sfr]
            fits += [_label_fit(fit(z, m, s), labels) for fit in (fit_mannucci, fit_plane, fit_mass_plane)]
            alpha = fit_projection(z, m, s, num_bootstrap=min(how["num_bootstrap"], 50), seed=how["seed"])
            results[f"{kind}, {of_metallicity}"] = {
                "projection_alpha": dataclasses.asdict(alpha),
                "lara_lopez_2010_as_published": score_published_mass_plane(z, m, s),
            }
    if not residuals:
        text = "The catalogue has no star formation rates, so no fundamental relation is studied."
        return MassMetallicityStudy({"star_formation": {}}, {}, [text])
    tables = {"sfr_residuals": _put_first(pd.concat(residuals), ["sfr", "metallicity"])}
    if fits:
        tables["fundamental_relations"] = _put_first(pd.concat(fits), ["relation", "sfr", "metallicity"])
    sentences = []
    whole = tables["sfr_residuals"]
    whole = whole[(whole["window"] == "all") & (whole["metallicity"] == "measured")]
    for row in whole.to_dict("records"):
        if np.isfinite(row["slope_corrected"]):
            sentences.append(
                f"At fixed mass, metallicity changes by {row['slope']:+.3f} ({row['slope_low']:+.3f} to "
                f"{row['slope_high']:+.3f}) for a dex of star formation ({row['sfr']}), and by "
                f"{row['slope_corrected']:+.3f} ({row['slope_corrected_low']:+.3f} to "
                f"{row['slope_corrected_high']:+.3f}) after allowing for errors; "
                f"differences of Mannucci et al. 2010 would have {row['mannucci']:+.3f}."
            )
    return MassMetallicityStudy({"star_formation": results}, tables, sentences)


def _study_knowledge(test: StudyGalaxies, errors: Mapping[str, MeasurementError], how: Draws) -> MassMetallicityStudy:
    """Metallicity, or mass through the relation?"""
    found = judge_knowledge(test, errors["log_mass"], errors["log_sfr"], num_shuffles=100, **how)
    return MassMetallicityStudy({"knowledge": describe_knowledge(found)}, {}, [found.sentence])


def describe_knowledge(found: Knowledge) -> dict[str, Any]:
    """The result of `judge_knowledge` as dicts, texts and floats."""
    beside_sfr = found.at_fixed_mass_and_sfr
    return {
        "verdict": found.verdict,
        "sentence": found.sentence,
        "at_fixed_mass": _describe_gain(found.at_fixed_mass),
        "at_fixed_mass_and_sfr": None if beside_sfr is None else dataclasses.asdict(beside_sfr),
        "at_fixed_masses": None if found.at_fixed_masses is None else dataclasses.asdict(found.at_fixed_masses),
        "null": dataclasses.asdict(found.null),
    }


def _study_fourth_parameter(
    everyone: StudyGalaxies, errors: Mapping[str, MeasurementError], how: Draws
) -> MassMetallicityStudy:
    """Whether the relations tighten when something else is known."""
    found = search_fourth_parameters(everyone, {name: error.dex for name, error in errors.items()}, **how)
    results = {f"{name} beside {relation}": _describe_gain(gain) for (relation, name), gain in found.items()}
    sentences = []
    for relation in dict.fromkeys(relation for relation, _ in found):
        of_this = {name: gain for (other, name), gain in found.items() if other == relation}
        words = [f"{PARAMETERS[name]} {_tell_gain(gain)}" for name, gain in of_this.items()]
        sentences.append(f"Metallicity beside {relation}: {'; '.join(words)}.")
    lacking = [what for name, what in PARAMETERS.items() if name not in {name for _, name in found}]
    if lacking:
        sentences.append(f"Not tried, as the catalogue does not have them: {', '.join(lacking)}.")
    return MassMetallicityStudy({"fourth_parameter": results}, {"fourth_parameter": build_gain_table(found)}, sentences)


def _tell_gain(gain: ParameterGain) -> str:
    return (
        f"{gain.verdict} ({gain.rms_without:.4f} → {gain.rms_with:.4f}, gain {gain.gain.value:+.4f}, 95 % interval "
        f"{gain.gain.low_95:+.4f} to {gain.gain.high_95:+.4f})"
    )


def _describe_gain(gain: ParameterGain) -> dict[str, Any]:
    return {**dataclasses.asdict(gain), "verdict": gain.verdict}


def _label_fit(fitted: FittedRelation, labels: Mapping[str, str]) -> pd.DataFrame:
    return fitted.coefficients.assign(
        relation=fitted.name, num=fitted.num_galaxies, rms=fitted.rms, nmad=fitted.nmad, **labels
    )


def _put_first(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return frame[[*names, *(name for name in frame.columns if name not in names)]].reset_index(drop=True)


def _to_dicts(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: dataclasses.asdict(each) for name, each in found.items()}


def _describe_relations() -> list[dict[str, Any]]:
    """The published relations with what is known of each, for readers of the results."""
    return [
        {
            "name": relation.name,
            "source": relation.source,
            "predicts": relation.predicts,
            "scale": relation.scale,
            "imf": relation.imf,
            "sfr": relation.sfr_kind,
            "range": {name: list(bounds) for name, bounds in relation.ranges.items()},
            "scatter_dex": relation.scatter_dex,
            "unverified": relation.unverified,
        }
        for relation in RELATIONS.values()
    ]
