"""Details behind the scores of all galaxies, in numbers and in sentences: bins, widths, tails, support, ends."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from metalight.evaluation.binned import (
    ERROR_SAMPLES,
    choose_bin_centres,
    compute_binned_errors,
    compute_binned_statistics,
    is_metallicity_like,
)
from metalight.evaluation.metric_text import format_interval, format_number, format_percentage
from metalight.evaluation.ranking import ENDS, Selection, choose_num_wanted, compute_selection, format_found
from metalight.evaluation.scatter import (
    MIN_GALAXIES_FOR_WIDTH,
    compute_bin_averages,
    compute_nmad_excess,
    compute_ratio_parts,
)
from metalight.evaluation.trusted import (
    DRAFT_RANGE,
    TrustedRange,
    count_outside,
    find_trusted_range,
    find_unbiased_range,
)
from metalight.intervals import FloatArray, Interval, RowArray, bootstrap_numbers, compute_fraction

Breakdown = dict[str, dict[str, Interval]]
"""Numbers by what they are about, and by name; a count or an edge has no interval."""

_NAN = float("nan")
_LINE_WIDTH = 120
_FEWEST_WANTED = 5
_SEPARATOR = "."
_JOINT = "\N{NO-BREAK SPACE}"


def compute_breakdown(truth: FloatArray, predicted: FloatArray, *, num_bootstrap: int, seed: int) -> Breakdown:
    """The numbers behind the scores.

    - bins_of_truth, bins_of_prediction: `compute_bin_averages` in the bins of `choose_bin_centres` of the truth.
    - nmad_excess: `compute_nmad_excess`. nmad_over_rmse: `compute_ratio_parts`.
    - trusted_range, unbiased_range: low, high, fraction_outside of `find_trusted_range` and `find_unbiased_range`.
    - draft_range, of metallicities only: the same of 8.5 to 9.1, and fraction_below and fraction_above.
    - lowest, highest: num_wanted galaxies of an end against as many listed: num_found, purity (which is completeness
      here), chance; the numbers of `compute_selection`.

    Intervals are value ± standard error from up to 200 bootstrap samples; of fractions, Wilson's.

    Args:
        truth: True values, finite, shape (galaxies,), at least one.
        predicted: Predictions, likewise.
        num_bootstrap: Bootstrap samples, of which no more than 200 are drawn; 0 leaves the errors NaN.
        seed: Of the draws.
    """
    centres, half_width = choose_bin_centres(truth)

    def compute(rows: RowArray) -> Mapping[str, float]:
        true, guess = truth[rows], predicted[rows]
        parts = {
            "bins_of_truth": compute_bin_averages(true, guess, true, centres, half_width),
            "bins_of_prediction": compute_bin_averages(true, guess, guess, centres, half_width),
            "nmad_excess": compute_nmad_excess(true, guess, centres, half_width),
            "nmad_over_rmse": compute_ratio_parts(true, guess),
        }
        return {f"{part}{_SEPARATOR}{name}": value for part, of in parts.items() for name, value in of.items()}

    numbers = bootstrap_numbers(compute, len(truth), num_bootstrap=min(num_bootstrap, ERROR_SAMPLES), seed=seed)
    breakdown: Breakdown = {}
    for joined, interval in numbers.items():
        part, _, name = joined.partition(_SEPARATOR)
        breakdown.setdefault(part, {})[name] = _plain(interval.value) if name == "num_in_bins" else interval
    bins = _compute_bins_of_prediction(truth, predicted, centres, half_width)
    breakdown["trusted_range"] = _describe_range(find_trusted_range(bins, predicted))
    breakdown["unbiased_range"] = _describe_range(find_unbiased_range(bins, predicted))
    if is_metallicity_like(truth):
        breakdown["draft_range"] = _describe_draft_range(predicted)
    num = choose_num_wanted(len(truth))
    for end in ENDS:
        selection = compute_selection(truth, predicted, num_listed=num, num_wanted=num, end=end)
        breakdown[end] = _describe_selection(selection)
    return breakdown


def find_trusted(truth: FloatArray, predicted: FloatArray) -> TrustedRange:
    """The trusted range of predictions, as `compute_breakdown` has it.

    Args:
        truth: True values, finite, shape (galaxies,), at least one.
        predicted: Predictions, likewise.
    """
    found = find_trusted_range(_compute_bins_of_prediction(truth, predicted, *choose_bin_centres(truth)), predicted)
    return replace(found, low=float(f"{found.low:.9g}"), high=float(f"{found.high:.9g}"))


def describe_breakdown(breakdown: Breakdown, unit: str, decimals: int, *, num_galaxies: int) -> list[str]:
    """The numbers in sentences, wrapped to lines; those without anything to report are left out.

    Args:
        breakdown: As of `compute_breakdown`; may lack parts, as that of older files does.
        unit: Unit of the target; empty if it has none.
        decimals: Of numbers in the unit of the target.
        num_galaxies: How many were scored; of fewer than 25 there is nothing to say of the form of their residuals.
    """
    of_form = breakdown if num_galaxies >= MIN_GALAXIES_FOR_WIDTH else {}
    sentences = (
        _tell_excess(of_form.get("nmad_excess", {}), unit, decimals),
        _tell_ratio(of_form.get("nmad_over_rmse", {})),
        _tell_range(breakdown.get("trusted_range", {}), unit),
        _tell_ends(breakdown),
    )
    # A per cent sign stays on the line of its number.
    lines = [line for each in sentences for line in textwrap.wrap(each.replace(" %", f"{_JOINT}%"), _LINE_WIDTH)]
    return [line.replace(_JOINT, " ") for line in lines]


def _plain(value: float) -> Interval:
    return Interval(float(value), _NAN, _NAN)


def _compute_bins_of_prediction(
    truth: FloatArray, predicted: FloatArray, centres: FloatArray, half_width: float
) -> pd.DataFrame:
    """Input of `find_trusted_range`; the error of a mean takes no bootstrap."""
    numbers = compute_binned_statistics(truth, predicted, centres, half_width, by="prediction")
    errors = compute_binned_errors(truth, predicted, centres, half_width, by="prediction", num_bootstrap=0)
    return pd.concat([numbers, errors], axis=1).assign(
        low=numbers["centre"] - half_width, high=numbers["centre"] + half_width
    )


def _describe_range(found: TrustedRange) -> dict[str, Interval]:
    # What floating point leaves of 9.1 − 0.05 is not a digit of an edge.
    low, high = (_plain(float(f"{edge:.9g}")) for edge in (found.low, found.high))
    return {"low": low, "high": high, "fraction_outside": found.fraction_outside}


def _describe_draft_range(predicted: FloatArray) -> dict[str, Interval]:
    low, high = DRAFT_RANGE
    below, above = int(np.sum(predicted < low)), int(np.sum(predicted > high))
    return {
        **_describe_range(count_outside(predicted, low, high)),
        "fraction_below": compute_fraction(below, len(predicted)),
        "fraction_above": compute_fraction(above, len(predicted)),
    }


def _describe_selection(selection: Selection) -> dict[str, Interval]:
    return {
        "num_wanted": _plain(selection.num_wanted),
        "num_found": _plain(selection.num_found),
        "purity": selection.purity,
        "chance": _plain(selection.chance_purity),
    }


def _is_known(part: Mapping[str, Interval], *names: str) -> bool:
    return all(name in part and np.isfinite(part[name].value) for name in names)


def _tell_excess(part: Mapping[str, Interval], unit: str, decimals: int) -> str:
    names = ("in_bins", "excess", "from_biases", "from_widths", "from_unbinned")
    if not _is_known(part, *names):
        return ""
    signs = {name: "" if name == "in_bins" else "+" for name in names}
    numbers = {name: format_number(part[name].value, decimals, sign=signs[name]) for name in names}
    spoken = f" {unit}" if unit else ""
    return (
        f"NMAD in bins of the true value: {numbers['in_bins']}{spoken} on average over galaxies. That of all is "
        f"{numbers['excess']} against it: {numbers['from_biases']} as the bins are biased against each other, "
        f"{numbers['from_widths']} as they are not equally wide, {numbers['from_unbinned']} by galaxies in no bin."
    )


def _tell_ratio(part: Mapping[str, Interval]) -> str:
    if not _is_known(part, "ratio", "gaussian", "kurtosis_standardised"):
        return ""
    ratio, gaussian = (format_number(part[name].value, 3) for name in ("ratio", "gaussian"))
    kurtosis = format_number(part["kurtosis_standardised"].value, 1)
    return (
        f"NMAD / RMSE: {ratio}. Gaussian residuals, as wide as these are along the predictions, would have {gaussian}; "
        f"in units of that width the kurtosis is {kurtosis}, where a Gaussian has 3 and tails have more."
    )


def _tell_range(part: Mapping[str, Interval], unit: str) -> str:
    if "low" not in part:
        return ""
    if not _is_known(part, "low", "high", "fraction_outside"):
        return "No range of predictions holds enough galaxies to tell whether they are biased, or all are."
    low, high = (f"{part[name].value:.6g}" for name in ("low", "high"))
    # Logarithms have no unit of their own; dex is the unit of their differences.
    spoken = f" {unit}" if unit not in ("", "dex") else ""
    outside = _format_percent(part["fraction_outside"])
    return (
        f"Trusted range: predictions from {low} to {high}{spoken} are biased by less than three errors or a quarter "
        f"of their scatter; {outside} of the galaxies are predicted outside."
    )


def _tell_ends(breakdown: Breakdown) -> str:
    lowest, highest = (breakdown.get(end, {}) for end in ENDS)
    if not _is_known(lowest, "num_wanted", "purity") or lowest["num_wanted"].value < _FEWEST_WANTED:
        return ""
    found, other = (format_found(end["num_found"].value) for end in (lowest, highest))
    num = f"{lowest['num_wanted'].value:.0f}"
    between = format_interval(Interval(*(100 * bound for bound in vars(lowest["purity"]).values())), 0)
    return (
        f"Of the {num} lowest predictions {found} are among the {num} lowest true values, 68 % interval {between} %, "
        f"where chance gives {format_percentage(lowest['chance'].value)}; of the {num} highest, {other} are among the "
        "highest."
    )


def _format_percent(fraction: Interval) -> str:
    return f"{100 * fraction.value:.1f} %"
