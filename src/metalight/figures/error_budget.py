"""Errors of a metallicity through a mass, part by part, beside the direct way; the draft, section 5."""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.figures.style import BLACK, POINT_GREY, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_LETTERS_A_LINE = 34
_DPI = 150


def draw_error_budget(budget: pd.DataFrame, *, path_stem: Path) -> list[Path]:
    """Draw and save the parts of the budget below each other, as PNG and PDF, and them as CSV.

    Args:
        budget: Columns what, rms, rms_low, rms_high in dex, in order; the last row, the direct way, is drawn in red.
        path_stem: Where to write, without a suffix.

    Returns:
        The paths written; none if the budget is empty.
    """
    if budget.empty:
        return []
    with use_style():
        paths = save_figure(build_figure(budget), path_stem, dpi=_DPI)
    return [*paths, save_numbers(budget, path_stem)]


def build_figure(budget: pd.DataFrame) -> Figure:
    """The figure; the argument as of `draw_error_budget`."""
    height = 1.0 + 0.62 * len(budget)
    figure = make_figure(8, height)
    axes = figure.add_axes((0.44, 0.8 / height, 0.53, 1 - 0.9 / height))
    places = np.arange(len(budget))[::-1]
    colours = [POINT_GREY] * (len(budget) - 1) + [RMSE_RED]
    values = budget["rms"].to_numpy(dtype=np.float64)
    axes.barh(places, np.nan_to_num(values), color=colours, height=0.6)
    lows, highs = (budget[name].to_numpy(dtype=np.float64) for name in ("rms_low", "rms_high"))
    errors = np.nan_to_num(np.stack([values - lows, highs - values]), nan=0.0).clip(min=0)
    axes.errorbar(values, places, xerr=errors, ls="", color=BLACK, capsize=3)
    reach = float(np.nanmax([*values, *highs, 1e-6]))
    for place, value, high in zip(places, values, highs, strict=True):
        if np.isfinite(value):
            axes.text((high if np.isfinite(high) else value) + 0.02 * reach, place, f"{value:.3f}", va="center")
    axes.set_xlim(0, 1.2 * reach)
    axes.set_yticks(places, [textwrap.fill(str(what), _LETTERS_A_LINE) for what in budget["what"]], fontsize=12)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("Root mean square [dex]")
    return figure
