"""How a list of the most extreme predictions would fare at the telescope: its purity against its length."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from metalight.figures.style import BLACK, NMAD_BLUE, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_COLOURS = {"lowest": NMAD_BLUE, "highest": RMSE_RED}
_STYLES = {"lowest": "--", "highest": "-"}
_DPI = 150
_FEW_LABELS = 100
"""An axis that spans less than this factor has labels between the powers of ten."""


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
    grid = figure.add_gridspec(1, 2, left=0.075, right=0.985, bottom=0.145, top=0.965, wspace=0.16)
    left, right = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    _draw_panel(left, curve[curve["kind"] == "as many"], "purity", name)
    left.legend(loc="upper left")
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
        axes.plot(x, rows[quantity], color=colour, lw=2.5, ls=_STYLES[end], label=f"{end} {name}")
        if end == "lowest":
            axes.plot(x, rows[f"chance_{quantity}"], color=BLACK, lw=1.2, ls=":", label="by chance")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(MaxNLocator(5, prune="lower"))  # its 0 would meet the other axis's first label
    shortest, longest = float(curve["num_listed"].min()), float(curve["num_listed"].max())
    axes.set_xlim(shortest / 1.1, 1.1 * longest)
    has_room = longest < _FEW_LABELS * shortest
    axes.xaxis.set_minor_formatter(FuncFormatter(_label_twos_and_fives) if has_room else NullFormatter())


def _label_twos_and_fives(value: float, _: int | None) -> str:
    """Labels between the powers of ten of a short axis: of all of them, as matplotlib has it, some overlap."""
    return f"{value:,.0f}" if f"{value:e}"[0] in "25" else ""
