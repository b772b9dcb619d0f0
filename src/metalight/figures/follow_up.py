"""How a list of the most extreme predictions would fare at the telescope: its purity against its length."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from metalight.figures.style import (
    BLACK,
    NMAD_BLUE,
    RMSE_RED,
    escape_math,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)

_COLOURS = {"lowest": NMAD_BLUE, "highest": RMSE_RED}
_STYLES = {"lowest": "--", "highest": "-"}
_DPI = 150


def draw_follow_up(curve: pd.DataFrame, *, path_stem: Path, name: str = "12 + log(O/H)") -> list[Path]:
    """Draw and save purity and completeness of lists of the lowest and highest predictions, as PNG and PDF, and as CSV.

    To the left lists of N predictions where the N most extreme galaxies are wanted: purity and completeness are one. To
    the right lists of growing length where always the same number is wanted: how long a list must be to have them all.
    Bands are 68 % intervals, thin lines what a list drawn at random would reach.

    Args:
        curve: As of `metalight.evaluation.compute_selection_curve`.
        path_stem: Where to write, without a suffix.
        name: What is predicted.

    Returns:
        The paths written; none if the curve is empty.
    """
    if curve.empty:
        return []
    with use_style():
        paths = save_figure(build_figure(curve, name), path_stem, dpi=_DPI)
    return [*paths, save_numbers(curve, path_stem)]


def build_figure(curve: pd.DataFrame, name: str) -> Figure:
    """The figure of two panels; arguments as of `draw_follow_up`."""
    figure = make_figure(11, 4.8)
    grid = figure.add_gridspec(1, 2, left=0.075, right=0.985, bottom=0.145, top=0.9, wspace=0.19)
    left, right = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    name = escape_math(name)
    _draw_panel(left, curve[curve["kind"] == "as many"], "purity", name)
    # Above the panels: within, curves of a small sample go everywhere.
    figure.legend(*left.get_legend_handles_labels(), loc="upper center", ncols=3)
    left.set(xlabel="Galaxies listed, and as many wanted", ylabel="Purity and completeness")
    fixed = curve[curve["kind"] == "fixed"]
    _draw_panel(right, fixed, "completeness", name)
    num_wanted = int(fixed["num_wanted"].iloc[0])
    right.set(xlabel=f"Galaxies listed, where {num_wanted:,} are wanted", ylabel="Completeness")
    return figure


def _draw_panel(axes: Axes, curve: pd.DataFrame, quantity: str, name: str) -> None:
    for end, colour in _COLOURS.items():
        rows = curve[curve["end"] == end]
        x = rows["num_listed"].to_numpy(dtype=np.float64)
        axes.fill_between(x, rows[f"{quantity}_low"], rows[f"{quantity}_high"], color=colour, alpha=0.25, lw=0)
        marker = "o" if len(rows) == 1 else ""  # a single list makes no line
        axes.plot(x, rows[quantity], color=colour, lw=2.5, ls=_STYLES[end], marker=marker, label=f"{end} {name}")
        if end == "lowest":
            axes.plot(x, rows[f"chance_{quantity}"], color=BLACK, lw=1.2, ls=":", label="by chance")
    first, last = float(curve["num_listed"].min()), float(curve["num_listed"].max())
    axes.set_xscale("log")
    axes.set_xlim(first / 1.1, 1.1 * last)
    axes.set_xticks(_choose_ticks(first, last))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(MaxNLocator(5, prune="lower"))  # its 0 would meet the other axis's first label


def _choose_ticks(first: float, last: float) -> list[float]:
    """Powers of ten; of less than two decades also 2 and 5 times these; never none."""
    steps = (1, 2, 5) if last < 100 * first else (1,)
    ticks = [10.0**power * step for power in range(math.ceil(math.log10(last)) + 1) for step in steps]
    return [tick for tick in ticks if first <= tick <= last] or [first]
