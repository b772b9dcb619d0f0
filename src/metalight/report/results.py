"""The numbers of a run beside those of the paper, one by one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from metalight import published
from metalight.evaluation import BesideScores, Scores, choose_decimals, choose_decimals_of, format_label
from metalight.intervals import Interval

NAN = float("nan")

NOTHING = published.Scatter(NAN, NAN)
"""Of what the paper does not have."""

_COMPARED = (
    *("rmse", "nmad", "rmse_over_sigma", "nmad_over_rmse", "r2", "pearson_r", "mean_bias", "median_bias", "mae"),
    *("slope_predicted_on_true", "slope_true_on_predicted", "predicted_std", "predicted_min", "predicted_max"),
    *("fraction_within_0.1", "fraction_over_0.2", "fraction_over_0.3", "fraction_over_3_nmad", "fraction_over_5_nmad"),
)
"""Metrics of the page, in its order."""


_IN_UNIT = ("nmad", "nmad_inverse_variance", "low", "high")
"""Numbers of a breakdown that are in the unit of the target."""


@dataclass(frozen=True)
class Result:
    """One number of a run, and the same of the paper where it has one."""

    section: str
    quantity: str
    value: Interval
    published: float = NAN
    published_error: float = NAN
    source: str = ""
    """Where the paper or its draft has it."""
    decimals: int = 4


def list_results(
    scores: Mapping[str, Scores], kinds: Mapping[str, str], units: Mapping[str, str], nums: Mapping[str, int]
) -> list[Result]:
    """The numbers of the sample and of each target.

    Args:
        scores: Of the test galaxies, by target.
        kinds: Which property each target is, such as `metallicity` and `log_mass`; empty: none that the paper has.
        units: Of the targets that have one.
        nums: Galaxies by what they are: `selected`, `with an image`, and by set.
    """
    results = _list_counts(nums)
    for target, of_target in scores.items():
        kind = kinds.get(target, "")
        section = f"{target} of the test galaxies"
        results += _list_metrics(of_target, kind, units.get(target, ""), section)
        results += _list_behaviour(of_target, kind, units.get(target, ""), section)
    return results


def _list_counts(nums: Mapping[str, int]) -> list[Result]:
    theirs = {
        "selected": (published.NUM_SELECTED, "section 2; the draft has 142,176"),
        "with an image": (published.NUM_WITH_IMAGE, "the authors' catalogue: of 18 % the images failed"),
        **{name: (num, "the authors' catalogue") for name, num in published.NUM_BY_SET.items()},
    }
    results = []
    for name, num in nums.items():
        value, source = theirs.get(name, (NAN, ""))
        results.append(
            Result("Galaxies", name, Interval(float(num), NAN, NAN), published=value, source=source, decimals=0)
        )
    return results


def _list_metrics(scores: Scores, kind: str, unit: str, section: str) -> list[Result]:
    theirs = _find_published(kind)
    decimals = choose_decimals(scores.metrics["rmse"].value)
    results = []
    for name in _COMPARED:
        if name in scores.metrics:
            value, source = theirs.get(name, (NAN, ""))
            label, shown = format_label(name, unit), choose_decimals_of(name, decimals)
            results.append(Result(section, label, scores.metrics[name], value, source=source, decimals=shown))
    mean = published.PREDICT_THE_MEAN if kind == "metallicity" else NOTHING
    for name in ("rmse", "nmad"):
        label = f"{format_label(name, unit)} of predicting the mean"
        value = getattr(mean, name)
        results.append(Result(section, label, scores.baseline[name], value, source=mean.source, decimals=decimals))
    return results


def _find_published(kind: str) -> dict[str, tuple[float, str]]:
    """The paper's metrics of a target, and where it has them."""
    if kind == "log_mass":
        scatter, source, others = published.STELLAR_MASS, published.STELLAR_MASS.source, {}
    elif kind == "metallicity":
        scatter, others = published.BY_SIDE[128], published.METALLICITY
        source = f"{scatter.source}, 128 px"
    else:
        return {}
    found = {"rmse": (scatter.rmse, source), "nmad": (scatter.nmad, source)}
    return found | {name: (value, "figure 2") for name, value in others.items()}


def _list_behaviour(scores: Scores, kind: str, unit: str, section: str) -> list[Result]:
    """Statements of the draft's section 4 on the predictions, as numbers."""
    results = []
    parts, decimals = scores.breakdown, choose_decimals(scores.metrics["rmse"].value)
    is_metallicity, draft = kind == "metallicity", "the draft, section 4"
    for part, name, label, value, source in (
        ("bins_of_truth", "nmad", "NMAD in bins of truth, by galaxies", published.BINNED_NMAD, "figure 2"),
        (
            *("bins_of_truth", "nmad_inverse_variance", "NMAD in bins of truth, by inverse variance"),
            *(published.DRAFT_BINNED_NMAD, draft),
        ),
        (
            *("draft_range", "fraction_outside", "fraction predicted outside 8.5 to 9.1"),
            *(published.DRAFT_FRACTION_OUTSIDE, draft),
        ),
        ("trusted_range", "low", "lowest prediction that is trusted", NAN, ""),
        ("trusted_range", "high", "highest prediction that is trusted", NAN, ""),
        ("trusted_range", "fraction_outside", "fraction predicted outside of these", NAN, ""),
        ("nmad_over_rmse", "gaussian", "NMAD / RMSE of Gaussians of these widths", NAN, ""),
        ("nmad_over_rmse", "kurtosis_standardised", "kurtosis in units of the width", NAN, ""),
        ("lowest", "purity", "purity of the list of the lowest", NAN, ""),
        ("highest", "purity", "purity of the list of the highest", NAN, ""),
    ):
        found = parts.get(part, {}).get(name)
        if found is None or not math.isfinite(found.value) or (part == "draft_range" and not is_metallicity):
            continue
        if name == "fraction_outside" and not math.isfinite(parts[part]["low"].value):
            continue  # outside of nothing
        theirs, where = (value, source) if is_metallicity else (NAN, "")
        shown = 4
        if name == "purity":
            label = f"{label} {parts[part]['num_wanted'].value:,.0f}"
        elif name in _IN_UNIT:
            label, shown = f"{label} ({unit})" if unit else label, decimals
        results.append(Result(section, label, found, theirs, source=where, decimals=shown))
    return results


def list_scatter_ratios(ratios: Mapping[str, Mapping[str, Any]]) -> list[Result]:
    """How much narrower the mass–metallicity relation is with predictions, and what shrinkage alone would give.

    Args:
        ratios: By what is predicted: `mean`, with value, low and high, and `shrinkage_alone`.
    """
    section = "NMAD of metallicity at a mass, predicted over measured"
    results = []
    for name, found in ratios.items():
        bounds = (found["mean"][key] for key in ("value", "low", "high"))
        seen = Interval(*(NAN if bound is None else float(bound) for bound in bounds))
        theirs = published.SCATTER_RATIOS.get(name, published.Ratio(NAN, NAN, ""))
        results.append(Result(section, name, seen, theirs.value, theirs.error, theirs.source, decimals=3))
        alone = found["shrinkage_alone"]
        by_shrinkage = Interval(NAN if alone is None else float(alone), NAN, NAN)
        results.append(Result(section, f"{name}, by shrinkage alone", by_shrinkage, decimals=3))
    return results


def list_study(name: str, table: pd.DataFrame, kinds: Mapping[str, str]) -> list[Result]:
    """RMSE, NMAD and RMSE / σ of each variant of a study; of repetitions their mean.

    The interval of such a mean is Student's, of the scatter of the repetitions: what other seeds would give.

    Args:
        name: Of the study; of `resolution` and `bands` the paper has values.
        table: Columns variant, target, rmse, rmse_low, rmse_high, the same of nmad, and rmse_over_sigma; failure, where
            a training failed.
        kinds: Which property each target is.
    """
    results = []
    for (target, variant), rows in table.groupby(["target", "variant"], sort=False):
        is_metallicity = kinds.get(str(target)) == "metallicity"
        theirs = _find_published_variant(name, str(variant)) if is_metallicity else {}
        section = f"Study '{name}' of {target}"
        failures = rows["failure"].dropna().unique().tolist() if "failure" in rows else []
        named = f"{variant} (training {failures[0]})" if len(failures) else str(variant)
        for metric, label in (("rmse", "RMSE"), ("nmad", "NMAD"), ("rmse_over_sigma", "RMSE / σ")):
            values = rows[metric].dropna()
            if values.empty:
                continue
            value = _average(values.to_numpy(dtype=np.float64))
            if len(values) == 1:
                bounds = (rows.get(f"{metric}_{end}", pd.Series([NAN])).iloc[0] for end in ("low", "high"))
                value = Interval(value.value, *(float(bound) for bound in bounds))
            paper = theirs.get(metric, NAN)
            source = "figure 4" if name == "resolution" else "a later work quotes it"
            where = source if math.isfinite(paper) else ""
            results.append(Result(section, f"{label}, {named}", value, published=paper, source=where))
    return results


def _average(values: npt.NDArray[np.float64]) -> Interval:
    if len(values) == 1:
        return Interval(float(values[0]), NAN, NAN)
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    half_width = error * float(stdtrit(len(values) - 1, 0.84))
    return Interval(mean, mean - half_width, mean + half_width)


def _find_published_variant(study: str, variant: str) -> dict[str, float]:
    if study == "resolution" and variant.endswith(" px") and variant[:-3].isdigit():
        scatter = published.BY_SIDE.get(int(variant[:-3]))
        if scatter is not None:
            ratio = scatter.rmse / published.SIGMA
            return {"rmse": scatter.rmse, "nmad": scatter.nmad, "rmse_over_sigma": ratio}
    if study == "bands" and variant in published.BY_BANDS:
        rmse = published.BY_BANDS[variant]
        return {"rmse": rmse, "rmse_over_sigma": rmse / published.SIGMA}
    return {}


def list_sections(results: Sequence[Result]) -> list[str]:
    """Names of the sections, in order."""
    return list(dict.fromkeys(result.section for result in results))


def list_baselines(target: str, baselines: Sequence[BesideScores], kind: str) -> list[Result]:
    """RMSE and NMAD of each baseline that was fitted, and how much better the network is.

    Args:
        target: What is predicted.
        baselines: Of the test galaxies.
        kind: Which property the target is.
    """
    section = f"{target}: baselines"
    results = []
    for each in baselines:
        if not each.network_better_by:
            continue
        theirs = find_published_baseline(each.facts.name) if kind == "metallicity" else NOTHING
        for name in ("rmse", "nmad"):
            label, value = f"{name.upper()} of {each.facts.name}", getattr(each, name)
            results.append(Result(section, label, value, getattr(theirs, name), source=theirs.source))
        results.append(Result(section, f"network better by (RMSE), {each.facts.name}", each.network_better_by["rmse"]))
    return results


def find_published_baseline(name: str) -> published.Scatter:
    """The paper's scatter of metallicity by a baseline of that name; NaN if it has none."""
    if name == "mass_metallicity":
        return published.ROUTES["measured mass through Tremonti 2004"]
    if name == "mean":
        return published.PREDICT_THE_MEAN
    return published.FORESTS.get(name, NOTHING)


def list_routes(routes: pd.DataFrame | None) -> list[Result]:
    """RMSE and NMAD of metallicity by the way it is told: straight, through masses.

    Args:
        routes: Columns route, rmse, rmse_low, rmse_high, nmad, nmad_low, nmad_high; None: there are none.
    """
    results = []
    for row in [] if routes is None else routes.to_dict("records"):
        theirs = published.ROUTES.get(str(row["route"]), NOTHING)
        for name in ("rmse", "nmad"):
            value = Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
            label, paper = f"{name.upper()}, {row['route']}", getattr(theirs, name)
            results.append(Result("Metallicity by the way it is told", label, value, paper, source=theirs.source))
    return results
