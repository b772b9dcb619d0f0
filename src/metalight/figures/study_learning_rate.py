"""The loss against a learning rate that grows from mini-batch to mini-batch."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metalight.figures.style import LOSS_COLOUR, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_DPI = 200
_SHOWN = 2.5
"""Times the first smoothed loss that the axis reaches at most: what diverges must not flatten the rest."""


def draw_learning_rates(history: pd.DataFrame, *, path_stem: Path, suggested: float) -> list[Path]:
    """Draw and save the loss against the rate, as PNG and PDF, and the numbers as CSV.

    Args:
        history: Columns learning_rate, loss, loss_smoothed, one row a mini-batch.
        path_stem: Where to write, without a suffix.
        suggested: The rate to mark; NaN: none.

    Returns:
        The paths written.

    Raises:
        ValueError: There is no row.
    """
    if history.empty:
        raise ValueError("history has no rows")
    with use_style():
        paths = save_figure(build_figure(history, suggested), path_stem, dpi=_DPI)
    return [*paths, save_numbers(history, path_stem)]


def build_figure(history: pd.DataFrame, suggested: float) -> Figure:
    """The figure of 7 × 4.6 inches."""
    figure = make_figure(7, 4.6)
    axes = figure.add_axes((0.12, 0.15, 0.85, 0.81))
    axes.set_xscale("log")
    rates, smoothed = history["learning_rate"], history["loss_smoothed"].to_numpy(dtype=np.float64)
    axes.plot(rates, history["loss"], color=LOSS_COLOUR, lw=0.8, alpha=0.4, label="each mini-batch")
    axes.plot(rates, smoothed, color=LOSS_COLOUR, lw=2.4, label="running mean")
    if math.isfinite(suggested):
        axes.axvline(suggested, color=RMSE_RED, lw=1.6, ls="--", label=f"steepest fall: {suggested:.2g}")
    low = float(smoothed.min())
    high = max(min(float(smoothed.max()), _SHOWN * float(smoothed[0])), 1.2 * float(smoothed[0]))
    axes.set_ylim(low - 0.15 * (high - low), high + 0.05 * (high - low))
    axes.set_xlabel("Learning rate of the head")
    axes.set_ylabel("Training loss (scaled targets)")
    axes.legend(loc="upper left", frameon=True, framealpha=0.85, edgecolor="none")
    return figure
