"""How redshifts, sizes and labels of a sample are distributed."""

import textwrap
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
_LETTERS_A_LINE = 36
_DPI = 130


def draw_sample_summary(
    columns: Mapping[str, npt.ArrayLike], *, path_stem: Path, names: Mapping[str, str] | None = None
) -> list[Path]:
    """Draw and save a histogram of each column, as PNG and PDF, and the histograms as CSV.

    A panel shows the median as a line, and the range from the 16th to the 84th percentile as a band.

    Args:
        columns: Values of each galaxy by name; what is not a number is left out.
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
    width, height = 5.2 * num_columns, 4.4 * num_rows
    figure = make_figure(width, height)
    grid = figure.add_gridspec(
        num_rows,
        num_columns,
        left=0.9 / width,
        right=1 - 0.15 / width,
        bottom=1.0 / height,
        top=1 - 0.5 / height,
        wspace=0.25,
        hspace=0.6,
    )
    for place, name in enumerate(drawn):
        axes = figure.add_subplot(grid[divmod(place, num_columns)])
        of_column = summary[summary["column"] == name].iloc[0]
        _draw_panel(axes, histograms[histograms["column"] == name], of_column, names.get(name, name))
        axes.set_ylabel("Galaxies" if place % num_columns == 0 else "")
    return figure


def _draw_panel(axes: Axes, histogram: pd.DataFrame, summary: "pd.Series[float]", name: str) -> None:
    edges = np.append(histogram["low"].to_numpy(), histogram["high"].iloc[-1])
    axes.axvspan(summary["p16"], summary["p84"], color=FAINT_GREY, alpha=0.35, lw=0, zorder=0)
    axes.stairs(histogram["num"].to_numpy(), edges, color=BLACK, lw=1.5)
    axes.axvline(summary["p50"], color=RMSE_RED, lw=1.8)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.06 * max(1, int(histogram["num"].max()))))
    axes.set_xlabel("\n".join(textwrap.wrap(name, _LETTERS_A_LINE)), parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    num_beyond = int(summary["num"] - histogram["num"].sum())
    asides = [(num_beyond, "not in the frame"), (int(summary["num_missing"]), "missing")]
    told = "".join(f", {num:,} {what}" for num, what in asides if num)
    axes.set_title(f"{int(summary['num']):,} galaxies{told}", fontsize=12, loc="left")
