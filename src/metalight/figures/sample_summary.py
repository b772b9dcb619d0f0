"""How redshifts, sizes and labels of a sample are distributed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.evaluation import compute_histograms, summarize_columns
from metalight.figures.style import BLACK, FAINT_GREY, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_PANELS_A_ROW = 3
_DPI = 130


def draw_sample_summary(
    columns: Mapping[str, npt.ArrayLike], *, path_stem: Path, names: Mapping[str, str] | None = None
) -> list[Path]:
    """Draw and save a histogram of each column, as PNG and PDF, and the histograms as CSV.

    A panel shows the median as a line, and the range from the 16th to the 84th percentile as a band.

    Args:
        columns: Values of each galaxy by name; what is no number is left out.
        path_stem: Where to write, without a suffix.
        names: What columns are called on the axes, with their unit, where that is not their name.

    Returns:
        The paths written.

    Raises:
        ValueError: No column has a number.
    """
    histograms, summary = compute_histograms(columns), summarize_columns(columns)
    if histograms.empty:
        raise ValueError("no column has a number to draw")
    with use_style():
        paths = save_figure(build_figure(histograms, summary, names or {}), path_stem, dpi=_DPI)
    return [*paths, save_numbers(histograms, path_stem)]


def build_figure(histograms: pd.DataFrame, summary: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """The figure, three panels a row; arguments as `compute_histograms` and `summarize_columns` give them."""
    drawn = list(dict.fromkeys(histograms["column"]))
    num_columns = min(len(drawn), _PANELS_A_ROW)
    num_rows = -(-len(drawn) // num_columns)
    width, height = 5.2 * num_columns, 4.1 * num_rows
    figure = make_figure(width, height)
    grid = figure.add_gridspec(
        num_rows,
        num_columns,
        left=0.85 / width,
        right=1 - 0.15 / width,
        bottom=0.75 / height,
        top=1 - 0.5 / height,
        wspace=0.25,
        hspace=0.5,
    )
    for place, name in enumerate(drawn):
        axes = figure.add_subplot(grid[divmod(place, num_columns)])
        of_column = summary[summary["column"] == name].iloc[0]
        _draw_panel(axes, histograms[histograms["column"] == name], of_column, names.get(name, name))
        axes.set_ylabel("Galaxies" if place % num_columns == 0 else "")
    return figure


def _draw_panel(axes: Axes, histogram: pd.DataFrame, summary: "pd.Series[float]", name: str) -> None:
    edges = np.append(histogram["low"].to_numpy(), histogram["high"].iloc[-1])
    if len(edges) > 3:
        # The outermost bins reach to the outermost values; drawn they are as wide as the others.
        step = float(np.median(np.diff(edges)))
        edges[0], edges[-1] = edges[1] - step, edges[-2] + step
    axes.axvspan(summary["p16"], summary["p84"], color=FAINT_GREY, alpha=0.35, lw=0, zorder=0)
    axes.stairs(histogram["num"].to_numpy(), edges, color=BLACK, lw=1.5)
    axes.axvline(summary["p50"], color=RMSE_RED, lw=1.8)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.06 * max(1, int(histogram["num"].max()))))
    axes.set_xlabel(name, parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    missing = f", {int(summary['num_missing']):,} missing" if summary["num_missing"] else ""
    title = f"{int(summary['num']):,} galaxies{missing}; median {summary['p50']:.3g}"
    axes.set_title(title, fontsize=12, loc="left")
