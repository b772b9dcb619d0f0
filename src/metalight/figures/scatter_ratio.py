"""How much narrower the mass–metallicity relation is with predictions, bin by bin; the draft, section 5."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.figures.galaxies import compute_marker_areas
from metalight.figures.style import BLACK, NMAD_BLUE, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_DPI = 150


def draw_scatter_ratio(bins: pd.DataFrame, lines: Mapping[str, float], *, path_stem: Path) -> list[Path]:
    """Draw and save the ratio of scatters against mass, as PNG and PDF, and the bins as CSV.

    Args:
        bins: Columns centre, num, ratio: NMAD of predicted over NMAD of measured metallicities at a mass.
        lines: Ratios over all bins, by what they are of: those seen, those that shrinkage alone gives, …
        path_stem: Where to write, without a suffix.

    Returns:
        The paths written; none if no bin has a ratio.
    """
    if not np.isfinite(bins["ratio"]).any():
        return []
    with use_style():
        paths = save_figure(build_figure(bins, lines), path_stem, dpi=_DPI)
    return [*paths, save_numbers(bins, path_stem)]


def build_figure(bins: pd.DataFrame, lines: Mapping[str, float]) -> Figure:
    """The figure; arguments as of `draw_scatter_ratio`."""
    figure = make_figure(6.4, 4.8)
    axes = figure.add_axes((0.13, 0.145, 0.84, 0.83))
    axes.axhline(1, color=BLACK, lw=1)
    styles = (("-", RMSE_RED), ("--", BLACK), (":", NMAD_BLUE), ("-.", BLACK))
    for (label, value), (style, colour) in zip(lines.items(), styles, strict=False):
        if np.isfinite(value):
            axes.axhline(value, color=colour, ls=style, lw=2, label=f"{label}: {value:.2f}")
    axes.set_xlim(bins["centre"].min() - 0.1, bins["centre"].max() + 0.1)
    bins = bins[np.isfinite(bins["ratio"])]
    areas = compute_marker_areas(bins["num"].to_numpy(dtype=np.float64))
    axes.scatter(bins["centre"], bins["ratio"], s=areas, color=RMSE_RED, edgecolors="white", zorder=4)
    values = [1.0, *bins["ratio"], *(value for value in lines.values() if np.isfinite(value))]
    axes.set_ylim(min(0.9 * min(values), 0.5), 1.25 * max(values))
    axes.set_xlabel(r"$\log_{10}(M_\star/M_\odot)$")
    axes.set_ylabel("NMAD at a mass, predicted / measured")
    axes.yaxis.set_major_locator(MaxNLocator(6, prune="lower"))  # its lowest label would meet that of the other axis
    axes.legend(loc="upper left", ncols=1)
    return figure
