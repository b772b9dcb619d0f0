"""The bias of galaxies that are predicted alike, and in which range predictions can be taken at their word."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.evaluation import format_percentage
from metalight.figures.galaxies import compute_marker_areas
from metalight.figures.style import (
    BLACK,
    FAINT_GREY,
    NMAD_BLUE,
    RMSE_RED,
    escape_math,
    label_axis,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)
from metalight.intervals import Interval

_DPI = 150


def draw_trusted_range(
    bins: pd.DataFrame,
    trusted: Mapping[str, Interval],
    *,
    path_stem: Path,
    name: str = "12 + log(O/H)",
    unit: str = "dex",
) -> list[Path]:
    """Draw and save the mean residual in bins of prediction with its error, as PNG and PDF, and the bins as CSV.

    Above it the scatter in the same bins. The trusted range is white, what is outside is grey.

    Args:
        bins: In bins of prediction, columns centre, num, mean_bias, mean_bias_error, rmse and nmad, as of
            `metalight.evaluation.compute_binned_metrics`.
        trusted: low, high and fraction_outside, as scores have it by `trusted_range`.
        path_stem: Where to write, without a suffix.
        name: What is predicted, for the axis.
        unit: Its unit; empty if it has none.

    Returns:
        The paths written; none if no bin has a galaxy.
    """
    filled = bins[bins["num"] > 0]
    if filled.empty:
        return []
    with use_style():
        paths = save_figure(build_figure(filled, trusted, name, unit), path_stem, dpi=_DPI)
    return [*paths, save_numbers(bins, path_stem)]


def build_figure(bins: pd.DataFrame, trusted: Mapping[str, Interval], name: str, unit: str) -> Figure:
    """The figure; arguments as of `draw_trusted_range`, bins without galaxies left out."""
    figure = make_figure(6.4, 6.4)
    grid = figure.add_gridspec(2, 1, left=0.165, right=0.96, bottom=0.105, top=0.975, hspace=0, height_ratios=(2, 3))
    scatter_axes = figure.add_subplot(grid[0])
    axes = figure.add_subplot(grid[1], sharex=scatter_axes)
    width = float(np.diff(bins["centre"]).min()) if len(bins) > 1 else 0.1
    axes.set_xlim(bins["centre"].iloc[0] - width, bins["centre"].iloc[-1] + width)
    for each in (axes, scatter_axes):
        _shade_outside(each, trusted["low"].value, trusted["high"].value)
    areas = compute_marker_areas(bins["num"].to_numpy(dtype=np.float64))
    for column, colour in (("rmse", RMSE_RED), ("nmad", NMAD_BLUE)):
        scatter_axes.scatter(bins["centre"], bins[column], s=areas, color=colour, edgecolors="white", zorder=4)
        scatter_axes.scatter([], [], s=60, color=colour, label=column.upper())
    scatter_axes.set_ylim(0, 1.35 * float(np.nanmax([*bins["rmse"], *bins["nmad"], 1e-9])))
    scatter_axes.legend(loc="upper center", ncols=2)
    scatter_axes.tick_params(labelbottom=False)
    scatter_axes.yaxis.set_major_locator(MaxNLocator(4, prune="lower"))
    axes.axhline(0, color=BLACK, lw=1.2)
    axes.errorbar(
        bins["centre"], bins["mean_bias"], yerr=bins["mean_bias_error"], color=BLACK, ls="", capsize=4, lw=1.6, zorder=3
    )
    axes.scatter(bins["centre"], bins["mean_bias"], s=areas, color=BLACK, edgecolors="white", zorder=4)
    # The upper quarter is that of the words.
    reach = float(np.nanmax(np.abs(bins["mean_bias"]) + bins["mean_bias_error"].fillna(0))) or 1.0
    axes.set_ylim(-1.15 * reach, 1.55 * reach)
    axes.yaxis.set_major_locator(MaxNLocator(5, prune="both"))
    axes.xaxis.set_major_locator(MaxNLocator(7))  # of a single bin matplotlib would label more than there is room for
    name, unit = escape_math(name), escape_math(unit)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    label_axis(axes.xaxis, f"Predicted {name}", "" if unit == "dex" else unit, axes.get_xlim())
    label_axis(axes.yaxis, "Mean of predicted − true", unit, axes.get_ylim())
    label_axis(scatter_axes.yaxis, "Scatter", unit, scatter_axes.get_ylim())
    is_trusted = np.isfinite(trusted["low"].value)
    outside = format_percentage(trusted["fraction_outside"].value)
    words = f"{outside} predicted outside the trusted range" if is_trusted else "no range is trusted"
    axes.set_title(words, y=0.88, fontsize=12.5)
    figure.align_ylabels([axes, scatter_axes])
    return figure


def _shade_outside(axes: Axes, low: float, high: float) -> None:
    first, last = axes.get_xlim()
    low, high = (low, high) if np.isfinite(low) else (last, last)
    for start, end in ((first, low), (high, last)):
        if end > start:
            axes.axvspan(start, end, color=FAINT_GREY, alpha=0.4, lw=0, zorder=0)
