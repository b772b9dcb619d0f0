"""Scatter against image size: the paper's figure 4, and the draft's figure 3."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from metalight.figures.style import NMAD_BLUE, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_DPI = 200
_PLACE_OF_MEAN = 0.5
"""Where the paper draws predicting the mean, which has no image: half a pixel."""

_SHIFTS = {"rmse": 0.98, "nmad": 1.02}

_SHAPES = {"rmse": (RMSE_RED, "RMSE"), "nmad": (NMAD_BLUE, "NMAD")}


def draw_study_resolution(sizes: pd.DataFrame, *, path_stem: Path, unit: str) -> list[Path]:
    """Draw and save the scatter of the residuals against the size of images, as PNG and PDF, and the numbers as CSV.

    Filled circles are the network; open triangles at 1 × 1 a forest on the same three numbers; open squares, and
    arrows at the right, predicting the mean of the training set.

    Args:
        sizes: Columns kind (`network`, `forest` or `mean`), side (pixels), and rmse, rmse_low, rmse_high and likewise
            nmad; bars are left out where the bounds are not finite.
        path_stem: Where to write, without a suffix.
        unit: Unit of the target; empty if it has none.

    Returns:
        The paths written.

    Raises:
        ValueError: There is no network in it.
    """
    if not (sizes["kind"] == "network").any():
        raise ValueError("sizes has no network")
    with use_style():
        paths = save_figure(build_figure(sizes, unit), path_stem, dpi=_DPI)
    return [*paths, save_numbers(sizes, path_stem)]


def build_figure(sizes: pd.DataFrame, unit: str) -> Figure:
    """The figure of 7 × 5.2 inches."""
    figure = make_figure(7, 5.2)
    axes = figure.add_axes((0.13, 0.13, 0.84, 0.84))
    network = sizes[sizes["kind"] == "network"].sort_values("side")
    largest = float(network["side"].max())
    axes.set_xscale("log", base=2)
    axes.set_xlim(0.36, 2.4 * largest)
    for metric, (colour, label) in _SHAPES.items():
        _draw_points(axes, network, metric, colour, marker="o", label=f"network, {label}")
    for metric, (colour, label) in _SHAPES.items():
        forest = sizes[sizes["kind"] == "forest"]
        if len(forest):
            _draw_points(axes, forest, metric, colour, marker="^", label=f"forest on 3 numbers, {label}", is_open=True)
    for metric, (colour, label) in _SHAPES.items():
        of_mean = sizes.loc[sizes["kind"] == "mean", metric]
        if len(of_mean) and np.isfinite(of_mean.iloc[0]):
            _draw_mean(axes, float(of_mean.iloc[0]), colour, f"predict the mean, {label}")
    _set_range(axes, sizes)
    _label_sizes(axes, network["side"].astype(int).tolist())
    axes.set_ylabel(f"Scatter of the residuals [{unit}]" if unit else "Scatter of the residuals")
    axes.set_xlabel("Image size [pixels]")
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: labels[place].startswith("predict"))
    handles, labels = [handles[place] for place in order], [labels[place] for place in order]
    axes.legend(handles, labels, loc="upper right", bbox_to_anchor=(0.93, 1.0), fontsize=10.5, labelspacing=0.35)
    return figure


def _draw_points(
    axes: Axes, rows: pd.DataFrame, metric: str, colour: str, *, marker: str, label: str, is_open: bool = False
) -> None:
    values = rows[metric].to_numpy(dtype=np.float64)
    bounds = rows[[f"{metric}_low", f"{metric}_high"]].to_numpy(dtype=np.float64)
    errors = np.abs(bounds.T - values)
    # An interval of percentiles may leave out its value: its bar then begins there.
    errors = np.where(np.isfinite(errors), errors, 0.0)
    axes.errorbar(
        rows["side"] * _SHIFTS[metric],  # so that no bar hides another
        values,
        yerr=errors,
        fmt=marker,
        color=colour,
        mfc="white" if is_open else colour,
        mec=colour,
        mew=1.6,
        ms=9,
        lw=1.3,
        label=label,
        zorder=4 if is_open else 3,
    )


def _draw_mean(axes: Axes, value: float, colour: str, label: str) -> None:
    axes.plot([_PLACE_OF_MEAN], [value], "s", mfc="white", mec=colour, mew=1.6, ms=9, label=label, zorder=4)
    axes.annotate(
        "",
        xy=(0.955, value),
        xytext=(1.0, value),
        xycoords=("axes fraction", "data"),
        textcoords=("axes fraction", "data"),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2, "shrinkA": 0, "shrinkB": 0},
        zorder=4,
    )


def _set_range(axes: Axes, sizes: pd.DataFrame) -> None:
    names = [name for name in sizes.columns if name.split("_")[0] in _SHAPES]
    values = sizes[names].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    # Room for the legend above the circles of the large images.
    axes.set_ylim(max(0.0, 0.8 * float(values.min())), 1.16 * float(values.max()))


def _label_sizes(axes: Axes, sides: list[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator([_PLACE_OF_MEAN, *sides]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels(["mean", *(f"{side}²" for side in sides)])
