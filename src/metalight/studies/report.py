"""The results of a study as plain text: a table a target, and what must be known to read it."""

import math
import textwrap
from collections.abc import Sequence

from metalight.evaluation import align_rows, choose_decimals, format_interval, format_number
from metalight.metrics import Interval
from metalight.pipeline import format_seconds
from metalight.published import FORESTS, PREDICT_THE_MEAN
from metalight.studies.plan import Plan
from metalight.studies.resolution import Resolution
from metalight.studies.results import EXTREME_FRACTION, Summary

_FOREST = FORESTS["forest_gri"]

_WIDTH = 120


def format_study(plan: Plan, summaries: Sequence[Summary], units: dict[str, str]) -> str:
    """A table of the variants for each target, with notes below."""
    blocks = [_format_head(plan)]
    for target in plan.recipe.catalog.targets:
        of_target = [summary for summary in summaries if summary.target == target]
        blocks.append(_format_target(plan, of_target, target, units.get(target, "")))
    blocks.append("\n".join(_list_notes(plan, summaries)))
    return "\n\n".join(block for block in blocks if block)


def format_resolution(resolution: Resolution) -> str:
    """Ours beside the published values, in ratios; the forest; and the steps of size."""
    decimals = choose_decimals(resolution.mean["rmse"])
    unit = f" ({resolution.unit})" if resolution.unit else ""
    rows = [("size", f"RMSE{unit}", f"NMAD{unit}", "RMSE/σ", "published", "NMAD/RMSE", "published", "enlarged to")]
    for size in resolution.sizes:
        rows.append(
            (
                f"{size.side} × {size.side}",
                format_number(size.rmse.value, decimals),
                format_number(size.nmad.value, decimals),
                format_number(size.rmse_over_sigma, 3),
                format_number(size.published_rmse_over_sigma, 3),
                format_number(size.nmad_over_rmse, 3),
                format_number(size.published_nmad_over_rmse, 3),
                f"{size.enlarged_to} px" if size.enlarged_to else "–",
            )
        )
    sigma = resolution.mean["rmse"]
    if resolution.forest is not None:
        rmse, nmad = resolution.forest.metrics["rmse"].value, resolution.forest.metrics["nmad"].value
        rows.append(
            (
                "forest, 1 × 1",
                format_number(rmse, decimals),
                format_number(nmad, decimals),
                format_number(rmse / sigma, 3),
                f"{_FOREST.rmse / PREDICT_THE_MEAN.rmse:.3f}",
                format_number(nmad / rmse, 3),
                f"{_FOREST.nmad / _FOREST.rmse:.3f}",
                "–",
            )
        )
    rows.append(
        (
            "the mean",
            format_number(sigma, decimals),
            format_number(resolution.mean["nmad"], decimals),
            "1.000",
            "1.000",
            format_number(resolution.mean["nmad"] / sigma if sigma > 0 else math.nan, 3),
            f"{PREDICT_THE_MEAN.nmad / PREDICT_THE_MEAN.rmse:.3f}",
            "–",
        )
    )
    lines = [f"{resolution.target} against image size, beside the paper's figure 4", "", *align_rows(rows), ""]
    lines += _format_steps(resolution, decimals)
    lines += textwrap.wrap(
        "Published: 20,466 test galaxies of SDSS, σ = 0.2002 dex; another sample is to be compared in ratios to σ, the "
        "RMSE of predicting the training mean, only. The published forest had magnitudes, ours the three numbers of "
        "1 × 1, both 40 trees of leaves of at least 8 galaxies.",
        _WIDTH,
    )
    return "\n".join(lines)


def _format_steps(resolution: Resolution, decimals: int) -> list[str]:
    rows = [("step", "RMSE, second − first", "95 % interval", "NMAD, second − first", "95 % interval")]
    pairs = [(f"{step.smaller} → {step.larger} px", step.differences) for step in resolution.steps if step.differences]
    if resolution.forest is not None and resolution.forest.differences:
        pairs.append(("1 px: network → forest", resolution.forest.differences))
    for name, differences in pairs:
        cells = [name]
        for metric in ("rmse", "nmad"):
            interval = differences[metric].interval_95
            mark = "*" if differences[metric].is_clear else " "
            cells += [
                format_number(interval.value, decimals, sign="+") + mark,
                format_interval(interval, decimals, sign="+"),
            ]
        rows.append(tuple(cells))  # type: ignore[arg-type]
    return (
        [*align_rows(rows), "", "* the 95 % interval, of the same galaxies in pairs, excludes 0.", ""] if pairs else []
    )


def _format_head(plan: Plan) -> str:
    table = plan.study.table
    lines = [f"{plan.study.name}: {table.purpose}"]
    if table.claim:
        lines += textwrap.wrap(f"Tested: {' '.join(table.claim.split())}", _WIDTH)
    return "\n".join(lines)


def _format_target(plan: Plan, summaries: Sequence[Summary], target: str, unit: str) -> str:
    has_reference = bool(plan.reference) and len(summaries) > 1
    has_extremes = plan.study.table.extremes
    repeated = plan.seeds > 1
    spread = "± s.e." if repeated else "68 % interval"
    rows = [["variant", "galaxies", "RMSE", spread, "NMAD", "RMSE/σ"]]
    if has_reference:
        rows[0] += ["Δ RMSE", "± s.e." if repeated else "95 % interval", "Δ NMAD"]
    if has_extremes:
        rows[0] += ["RMSE, extremes", *(["Δ"] if has_reference else [])]
    rows[0] += ["time"]
    known = [summary for summary in summaries if summary.results]
    decimals = max((choose_decimals(summary.describe("rmse").value) for summary in known), default=4)
    for summary in summaries:
        if not summary.results:
            rows.append([summary.variant, "failed", *["–"] * (len(rows[0]) - 2)])
            continue
        rows.append(_format_row(plan, summary, decimals, has_reference=has_reference, has_extremes=has_extremes))
    title = f"{target} ({unit})" if unit else target
    compared = f"; Δ: less that of '{plan.reference}'" if has_reference else ""
    return "\n".join([f"{title} of the test galaxies{compared}", "", *align_rows(rows)])


def _format_row(plan: Plan, summary: Summary, decimals: int, *, has_reference: bool, has_extremes: bool) -> list[str]:
    rmse = summary.describe("rmse")
    is_reference = summary.variant == plan.reference
    spread = _format_error(rmse, decimals) if plan.seeds > 1 else format_interval(rmse, decimals)
    cells = [
        summary.variant,
        f"{summary.results[0].num_galaxies:,}",
        format_number(rmse.value, decimals),
        spread,
        format_number(summary.describe("nmad").value, decimals),
        format_number(summary.describe_relative().value, 3),
    ]
    if has_reference:
        difference = summary.describe_difference("rmse")
        told = (
            _format_error(difference, decimals) if plan.seeds > 1 else format_interval(difference, decimals, sign="+")
        )
        cells += (
            ["–", "–", "–"]
            if is_reference
            else [
                format_number(difference.value, decimals, sign="+") + _mark(plan, difference),
                told,
                format_number(summary.describe_difference("nmad").value, decimals, sign="+")
                + _mark(plan, summary.describe_difference("nmad")),
            ]
        )
    if has_extremes:
        cells.append(format_number(summary.describe("rmse_extremes").value, decimals))
        difference = summary.describe_difference("rmse_extremes")
        if has_reference:
            shown = format_number(difference.value, decimals, sign="+") + _mark(plan, difference)
            cells.append("–" if is_reference else shown)
    return [*cells, format_seconds(summary.seconds)]


def _mark(plan: Plan, difference: Interval) -> str:
    """A star where one repetition's 95 % interval excludes 0; of several, nothing: their number decides."""
    is_clear = plan.seeds == 1 and (difference.low > 0 or difference.high < 0)
    return "*" if is_clear else " "


def _format_error(interval: Interval, decimals: int) -> str:
    half = (interval.high - interval.low) / 2
    return f"± {format_number(half, decimals)}" if math.isfinite(half) else "–"


def _list_notes(plan: Plan, summaries: Sequence[Summary]) -> list[str]:
    notes = [" ".join(plan.study.table.note.split())] if plan.study.table.note else []
    notes += [f"'{variant}' has the same settings as '{other}'." for variant, other in plan.same_as.items()]
    notes += [f"'{variant}' was left out: {reason}." for variant, reason in plan.left_out.items()]
    enlarged = {
        (summary.variant, result.enlarged_to)
        for summary in summaries
        for result in summary.results
        if result.enlarged_to
    }
    notes += [
        f"'{variant}': the backbone takes no images so small; enlarged to {side} px by repeating pixels."
        for variant, side in sorted(enlarged)
    ]
    notes += [
        f"'{variant}' tests other galaxies than '{plan.reference}': its differences are of the {common:,} galaxies "
        "that both test."
        for variant, common in _find_partly_compared(plan, summaries).items()
    ]
    notes += _list_failures(plan, summaries)
    flaws = dict.fromkeys((summary.variant, flaw) for summary in summaries for flaw in summary.flaws)
    notes += [f"'{variant}' failed: {flaw}" for variant, flaw in flaws]
    if plan.seeds > 1:
        notes.append(
            f"Mean of {plan.seeds} repetitions ± its standard error; differences are of runs with the same seeds. The "
            "error is of the training's chance, not of the choice of test galaxies, unless those change too."
        )
    else:
        notes.append(
            "Intervals: 1,000 bootstrap samples of the test galaxies, the same for both sides of a difference; * "
            "excludes 0. "
            "Another training of the same settings is not in them: see the study of seeds."
        )
    if plan.study.table.extremes:
        notes.append(f"Extremes: the lowest and highest {50 * EXTREME_FRACTION:g} % of the true values.")
    notes.append("Time: a run's own records, of one repetition; what it took up from another run counts 0.")
    return [line for note in notes for line in textwrap.wrap(note, _WIDTH)]


def _list_failures(plan: Plan, summaries: Sequence[Summary]) -> list[str]:
    """Which variants have a training that failed."""
    notes = []
    for summary in summaries:
        of_reference = " Nothing can be compared with it." if summary.variant == plan.reference else ""
        for failure in summary.failures:
            num = sum(result.failure == failure for result in summary.results)
            times = f" in {num} of {len(summary.results)} repetitions" if summary.is_repeated else ""
            notes.append(
                f"'{summary.variant}': the training of {summary.target} {failure}{times}, so its numbers say nothing "
                f"of the variant, and no difference is told.{of_reference}"
            )
    return notes


def _find_partly_compared(plan: Plan, summaries: Sequence[Summary]) -> dict[str, int]:
    """Variants that do not test the reference's galaxies, or not them alone; and how many both test."""
    results = [(summary.variant, result) for summary in summaries for result in summary.results]
    of_reference = {
        (result.target, result.repetition): result.num_galaxies
        for variant, result in results
        if variant == plan.reference
    }
    return {
        variant: result.num_common
        for variant, result in results
        if result.differences
        and result.num_common < max(result.num_galaxies, of_reference[result.target, result.repetition])
    }
