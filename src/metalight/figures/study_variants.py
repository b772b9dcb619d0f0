"""The variants of a study: their scatter, and how each differs from the one that all are compared with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from metalight.figures.style import (
    BLACK,
    FAINT_GREY,
    NMAD_BLUE,
    RMSE_RED,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)

_DPI = 200
_LONGEST_NAME = 24

_METRICS = {"rmse": (RMSE_RED, "RMSE", "o", -0.13), "nmad": (NMAD_BLUE, "NMAD", "D", 0.13)}
"""Colour, label, marker (two of them, for greyscale) and shift within a row."""


def draw_study_variants(
    variants: pd.DataFrame,
    *,
    path_stem: Path,
    name: str,
    unit: str,
    reference: str = "",
    axis: str = "",
    is_logarithmic: bool = False,
    is_repeated: bool = False,
) -> list[Path]:
    """Draw and save RMSE and NMAD of every variant, and the differences to the reference; PNG, PDF, and CSV.

    Args:
        variants: One row a variant, in order: variant, axis (a number, where `axis` is given), and of rmse and nmad
            the value, _low and _high, _of_mean, and _difference with its _low and _high (NaN of the reference).
        path_stem: Where to write, without a suffix.
        name: What is predicted.
        unit: Its unit; empty if it has none.
        reference: Name of the variant that the others are compared with; empty: nothing is compared.
        axis: Label of the number that variants are drawn against; empty: they stand one below the other.
        is_logarithmic: Whether that axis is logarithmic.
        is_repeated: Whether bars are standard errors of several repetitions, and not bootstrap intervals.

    Returns:
        The paths written.
    """
    with use_style():
        figure = build_figure(variants, name, unit, reference, axis, is_logarithmic, is_repeated)
        paths = save_figure(figure, path_stem, dpi=_DPI)
    return [*paths, save_numbers(variants, path_stem)]


def build_figure(
    variants: pd.DataFrame, name: str, unit: str, reference: str, axis: str, is_logarithmic: bool, is_repeated: bool
) -> Figure:
    """The figure: scatter and differences side by side, or above each other where there is an axis."""
    has_differences = bool(reference and variants["rmse_difference"].notna().any())
    bars = ("standard errors", "standard errors") if is_repeated else ("68 % intervals", "95 % intervals")
    in_unit = f" [{unit}]" if unit else ""
    compared = reference if len(reference) <= _LONGEST_NAME else f"{reference[: _LONGEST_NAME - 1]}…"
    labels = (f"Scatter of {name}{in_unit},\n{bars[0]}", f"Less that of '{compared}'{in_unit},\n{bars[1]}")
    if axis:
        return _build_against(variants, labels, axis, is_logarithmic, has_differences)
    return _build_rows(variants, labels, has_differences)


def _build_against(
    variants: pd.DataFrame, labels: tuple[str, str], axis: str, is_logarithmic: bool, has_differences: bool
) -> Figure:
    figure = make_figure(7.5, 8.4 if has_differences else 5)
    grid = figure.add_gridspec(
        2 if has_differences else 1, 1, left=0.15, right=0.97, bottom=0.09, top=0.97, hspace=0.08
    )
    upper = figure.add_subplot(grid[0])
    panels = [(upper, "", labels[0])]
    if has_differences:
        panels.append((figure.add_subplot(grid[1], sharex=upper), "_difference", labels[1]))
        upper.tick_params(labelbottom=False)
    values = variants["axis"].to_numpy(dtype=np.float64)
    for axes, ending, label in panels:
        if is_logarithmic and (values > 0).all():
            axes.set_xscale("log")
        _draw_metrics(axes, variants, values, ending, is_vertical=True)
        axes.set_ylabel(label, fontsize=13)
    last = panels[-1][0]
    ticks = sorted(set(values.tolist()))
    last.xaxis.set_major_locator(FixedLocator(ticks))
    last.xaxis.set_minor_locator(NullLocator())
    last.set_xticklabels([f"{tick:g}" for tick in ticks])
    last.set_xlabel(axis)
    upper.legend(loc="best")
    return figure


def _build_rows(variants: pd.DataFrame, labels: tuple[str, str], has_differences: bool) -> Figure:
    num = len(variants)
    longest = max(len(str(variant)) for variant in variants["variant"])
    left = min(0.35, 0.02 + 0.0115 * longest)
    height = 2.1 + 0.55 * num
    figure = make_figure(12 if has_differences else 8, height)
    grid = figure.add_gridspec(
        1, 2 if has_differences else 1, left=left, right=0.975, bottom=1.05 / height, top=1 - 0.55 / height, wspace=0.06
    )
    first = figure.add_subplot(grid[0])
    panels = [(first, "", labels[0])]
    if has_differences:
        panels.append((figure.add_subplot(grid[1], sharey=first), "_difference", labels[1]))
        panels[1][0].tick_params(labelleft=False)
    places = np.arange(num, dtype=np.float64)
    for axes, ending, label in panels:
        _draw_metrics(axes, variants, places, ending, is_vertical=False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(label, fontsize=12)
    first.set_yticks(places.tolist(), [str(variant) for variant in variants["variant"]], parse_math=False)
    first.set_ylim(num - 0.5, -0.5)
    first.yaxis.set_minor_locator(NullLocator())
    first.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, columnspacing=1.2, handletextpad=0.3)
    return figure


def _draw_metrics(
    axes: Axes,
    variants: pd.DataFrame,
    places: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    ending: str,
    *,
    is_vertical: bool,
) -> None:
    if ending:
        (axes.axhline if is_vertical else axes.axvline)(0, color=BLACK, lw=1.2, zorder=1)
    for metric, (colour, label, marker, shift) in _METRICS.items():
        values = variants[f"{metric}{ending}"].to_numpy(dtype=np.float64)
        bounds = variants[[f"{metric}{ending}_low", f"{metric}{ending}_high"]].to_numpy(dtype=np.float64)
        errors = np.abs(bounds.T - values)
        is_there = np.isfinite(values)
        errors = np.where(np.isfinite(errors), errors, 0.0)[:, is_there]
        style: dict[str, Any] = {
            "fmt": marker,
            "color": colour,
            "ms": 8,
            "lw": 1.6,
            "capsize": 3,
            "label": label,
            "zorder": 3,
        }
        if is_vertical:
            axes.errorbar(places[is_there], values[is_there], yerr=errors, **style)
        else:
            axes.errorbar(values[is_there], places[is_there] + shift, xerr=errors, **style)
        of_mean = variants[f"{metric}_of_mean"].median()
        if not ending and np.isfinite(of_mean):
            line = axes.axhline if is_vertical else axes.axvline
            line(float(of_mean), color=colour, lw=1.4, ls=":", label=f"predict the mean, {label}", zorder=2)
    if not is_vertical:
        for place in places[:-1] + 0.5:
            axes.axhline(place, color=FAINT_GREY, lw=0.6, zorder=0)
