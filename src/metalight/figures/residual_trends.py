"""Residuals against what is known of the galaxies beside their images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.evaluation import compute_trends, correlate_ranks, format_number
from metalight.figures.galaxies import make_greys
from metalight.figures.style import (
    BLACK,
    NMAD_BLUE,
    POINT_GREY,
    RMSE_RED,
    escape_math,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)

_PANELS_A_ROW = 3
_MOST_POINTS = 1500
"""More galaxies are drawn as a density, which keeps the file small and the crowd readable."""

_MANY_POINTS = 200
"""Of as many the outermost per cent at either end lies beyond the frame, so that a few do not squeeze the others."""

_CLEAR_CHANCE = 0.01
_DPI = 130

FloatArray = npt.NDArray[np.float64]


def draw_residual_trends(
    properties: Mapping[str, npt.ArrayLike],
    residuals: npt.ArrayLike,
    *,
    path_stem: Path,
    names: Mapping[str, str] | None = None,
    unit: str = "dex",
) -> list[Path]:
    """Draw and save a panel for each property, as PNG and PDF, and the bins as CSV; `_correlations.csv` has the ranks.

    A panel shows the galaxies in grey, the running median of the residuals with its standard error, and the range from
    the 16th to the 84th percentile; its title tells Spearman's rank correlation, with a star where chance gives as much
    in fewer than one in a hundred shuffles.

    Args:
        properties: Values of each galaxy by name.
        residuals: predicted − true, shape (galaxies,).
        path_stem: Where to write, without a suffix.
        names: What properties are called on the axes, with their unit, where that is not their name.
        unit: Unit of the residuals; empty if they have none.

    Returns:
        The paths written; none if there is no property that enough galaxies have.
    """
    residuals = np.asarray(residuals, dtype=np.float64)
    trends, ranks = compute_trends(properties, residuals), correlate_ranks(properties, residuals)
    if trends.empty:
        return []
    galaxies = {name: np.asarray(properties[name], dtype=np.float64) for name in dict.fromkeys(trends["property"])}
    with use_style():
        figure = build_figure(galaxies, residuals, trends, ranks, names or {}, unit)
        paths = save_figure(figure, path_stem, dpi=_DPI)
    return [*paths, save_numbers(trends, path_stem), save_numbers(ranks, path_stem, "_correlations")]


def build_figure(
    galaxies: Mapping[str, FloatArray],
    residuals: FloatArray,
    trends: pd.DataFrame,
    ranks: pd.DataFrame,
    names: Mapping[str, str],
    unit: str,
) -> Figure:
    """The figure, three panels a row; arguments as `compute_trends` and `correlate_ranks` give them."""
    num_columns = min(len(galaxies), _PANELS_A_ROW)
    num_rows = -(-len(galaxies) // num_columns)
    width, height = 3.9 * num_columns + 0.6, 3.1 * num_rows + 0.2
    figure = make_figure(width, height)
    grid = figure.add_gridspec(
        num_rows,
        num_columns,
        left=0.95 / width,
        right=1 - 0.15 / width,
        bottom=0.75 / height,
        top=1 - 0.4 / height,
        wspace=0.08,
        hspace=0.47,
    )
    unit = escape_math(unit)
    reach = 1.1 * float(np.nanpercentile(np.abs(residuals), 99)) or 1.0
    for place, (name, values) in enumerate(galaxies.items()):
        axes = figure.add_subplot(grid[divmod(place, num_columns)])
        _draw_galaxies(axes, values, residuals, reach)
        _draw_trend(axes, trends[trends["property"] == name])
        axes.set_ylim(-reach, reach)
        axes.set_xlabel(names.get(name, escape_math(name)))
        axes.set_title(_describe(ranks[ranks["property"] == name].iloc[0]), fontsize=12, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(5, prune="both"))
        axes.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))
        if place % num_columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(f"predicted − true [{unit}]" if unit else "predicted − true")
    return figure


def _draw_galaxies(axes: Axes, values: FloatArray, residuals: FloatArray, reach: float) -> None:
    is_known = np.isfinite(values) & np.isfinite(residuals)
    values, residuals = values[is_known], residuals[is_known]
    tail = 0.5 if len(values) >= _MOST_POINTS else 1.0 if len(values) >= _MANY_POINTS else 0.0
    low, high = (float(edge) for edge in np.percentile(values, [tail, 100 - tail]))
    margin = 0.03 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    if len(values) < _MOST_POINTS:
        axes.scatter(values, residuals, s=9, color=POINT_GREY, alpha=0.4, linewidths=0, rasterized=True)
        return
    counts, columns, rows = np.histogram2d(values, residuals, bins=60, range=[axes.get_xlim(), (-reach, reach)])
    norm = LogNorm(1, max(10.0, float(counts.max())))
    axes.pcolormesh(
        columns, rows, np.ma.masked_equal(counts, 0).T, cmap=make_greys(), norm=norm, alpha=0.8, rasterized=True
    )


def _draw_trend(axes: Axes, bins: pd.DataFrame) -> None:
    axes.axhline(0, color=BLACK, lw=1.2, zorder=3)
    for edge in ("p16", "p84"):
        axes.plot(bins["centre"], bins[edge], color=NMAD_BLUE, lw=2, ls="--", zorder=4)
    axes.errorbar(
        bins["centre"], bins["median"], yerr=bins["median_error"], color=RMSE_RED, lw=2.5, capsize=3, zorder=5
    )


def _describe(ranks: "pd.Series[float]") -> str:
    star = "*" if ranks["chance"] < _CLEAR_CHANCE else ""
    rank = format_number(float(ranks["spearman"]), 2).replace("-", "−")
    return f"ρ = {rank}{star}, {int(ranks['num']):,} galaxies"
