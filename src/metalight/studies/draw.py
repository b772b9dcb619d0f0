"""The results of a study as its figures take them."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from metalight.metrics import Interval
from metalight.run_folder import name_endings
from metalight.studies.plan import Plan
from metalight.studies.resolution import Resolution
from metalight.studies.results import SCORED, Summary


def draw_study(
    plan: Plan,
    summaries: Sequence[Summary],
    resolutions: Sequence[Resolution],
    units: dict[str, str],
    folder: Path,
) -> list[Path]:
    """Draw and save the figure of each target as PNG and PDF, and its numbers as CSV; gives the paths.

    A study of resolution has that of the paper; the others show their variants one below the other, or against a
    number.
    """
    from metalight.figures import draw_study_resolution, draw_study_variants

    paths: list[Path] = []
    targets = plan.recipe.catalog.targets
    endings = name_endings(targets)

    def name(stem: str, target: str) -> Path:
        return folder / f"{stem}{endings[target]}"

    for resolution in resolutions:
        paths += draw_study_resolution(
            build_sizes(resolution), path_stem=name("resolution", resolution.target), unit=resolution.unit
        )
    for target in targets:
        variants = build_variants(plan, [summary for summary in summaries if summary.target == target])
        if variants.empty:
            continue
        axis = plan.study.table.axis
        paths += draw_study_variants(
            variants,
            path_stem=name("variants", target),
            name=target,
            unit=units.get(target, ""),
            reference=plan.reference,
            axis=axis.label if axis else "",
            is_logarithmic=axis.is_logarithmic if axis else False,
            is_repeated=plan.seeds > 1,
        )
    return paths


def build_sizes(resolution: Resolution) -> pd.DataFrame:
    """What the figure of resolution shows: kind (network, forest or mean), side, and each metric with its interval."""
    rows: list[dict[str, object]] = []
    for size in resolution.sizes:
        if size.has_diverged:
            continue
        spreads = _spread("rmse", size.rmse) | _spread("nmad", size.nmad)
        rows.append({"kind": "network", "side": size.side, **spreads})
    if resolution.forest is not None:
        metrics = resolution.forest.metrics
        spreads = _spread("rmse", metrics["rmse"]) | _spread("nmad", metrics["nmad"])
        rows.append({"kind": "forest", "side": 1, **spreads})
    rows.append({"kind": "mean", "side": math.nan, **{name: resolution.mean[name] for name in SCORED}})
    return pd.DataFrame(rows)


def build_variants(plan: Plan, summaries: Sequence[Summary]) -> pd.DataFrame:
    """What the figure of variants shows, one row a variant with results, in order; none that diverged.

    Columns variant, axis (NaN without one), and of each metric its value, low and high, those of predicting the mean
    (`rmse_of_mean`, …), and of the difference to the reference (`rmse_difference`, …; NaN where there is none).
    """
    rows = []
    for summary in summaries:
        if not summary.results or summary.has_diverged:
            continue
        row: dict[str, object] = {"variant": summary.variant}
        row["axis"] = plan.axis_value(summary.variant) if plan.study.table.axis else math.nan
        for metric in SCORED:
            row |= _spread(metric, summary.describe(metric))
            row[f"{metric}_of_mean"] = summary.describe_baseline(metric)
            row |= _spread(f"{metric}_difference", summary.describe_difference(metric))
        rows.append(row)
    return pd.DataFrame(rows)


def _spread(name: str, interval: Interval) -> dict[str, object]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
