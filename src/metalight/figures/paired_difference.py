"""Two sets of predictions of the same galaxies: how alike their residuals are, and where which is better."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.evaluation import choose_bin_centres, compute_binned_differences
from metalight.figures.galaxies import MIN_GALAXIES_FOR_HISTOGRAM, MIN_GALAXIES_IN_BIN, count_galaxies, draw_galaxies
from metalight.figures.style import (
    BLACK,
    FAINT_GREY,
    POINT_GREY,
    RMSE_RED,
    escape_math,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)
from metalight.metrics import PairedMetric

_NUM_CELLS = 60
_LONGEST_NAME = 85  # what finds room beside the legend of the last panel
_DPI = 150

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class PairedSummary:
    """The numbers that the figure shows."""

    residuals: pd.DataFrame
    """residual_a, residual_b, num: centres of the occupied cells of the histogram, or the galaxies drawn as points."""
    cells: FloatArray
    """Edges of the cells, the same along both axes; empty where galaxies are drawn as points."""
    reach: float
    """Both axes of residuals go from −reach to reach."""
    num_outside: int
    """Galaxies beyond them."""
    bins: pd.DataFrame
    """As of `compute_binned_differences`; bins with few galaxies are there, though not drawn."""
    drawn: pd.DataFrame
    """low, high, num: the histogram of B − A in RMSE of the bootstrap samples."""
    rmse: PairedMetric
    """RMSE of A, B and B − A."""


def draw_paired_difference(
    truth: npt.ArrayLike,
    predicted_a: npt.ArrayLike,
    predicted_b: npt.ArrayLike,
    rmse: PairedMetric,
    *,
    path_stem: Path,
    names: tuple[str, str],
    name: str = "12 + log(O/H)",
    unit: str = "dex",
) -> list[Path]:
    """Draw and save residuals of B against A, B − A along the true value, and B − A in RMSE, as PNG and PDF.

    The numbers lie beside them as CSV: the one named for the figure holds the bins, `_residuals.csv` the occupied cells
    of the grey histogram or the points of a small sample, `_bootstrap.csv` the histogram of the bootstrap samples.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted_a: Predictions of A, finite, shape (galaxies,).
        predicted_b: Predictions of B, likewise.
        rmse: Of these galaxies.
        path_stem: Where to write, without a suffix.
        names: What A and B are called.
        name: What is predicted, for the axes.
        unit: Its unit; empty if it has none.

    Returns:
        The paths written.
    """
    summary = compute_summary(truth, predicted_a, predicted_b, rmse)
    with use_style():
        paths = save_figure(build_figure(summary, names, name, unit), path_stem, dpi=_DPI)
    paths.append(save_numbers(summary.bins, path_stem))
    paths.append(save_numbers(summary.residuals, path_stem, "_residuals"))
    paths.append(save_numbers(summary.drawn, path_stem, "_bootstrap"))
    return paths


def compute_summary(
    truth: npt.ArrayLike, predicted_a: npt.ArrayLike, predicted_b: npt.ArrayLike, rmse: PairedMetric
) -> PairedSummary:
    """The numbers of the figure; arguments as of `draw_paired_difference`."""
    truth, a, b = (np.asarray(values, dtype=np.float64) for values in (truth, predicted_a, predicted_b))
    residual_a, residual_b = a - truth, b - truth
    largest = np.maximum(np.abs(residual_a), np.abs(residual_b))
    is_small = len(truth) < MIN_GALAXIES_FOR_HISTOGRAM
    # A few outliers among many galaxies must not shrink the rest; of a small sample every galaxy is shown.
    reach = 1.05 * float(largest.max() if is_small else np.percentile(largest, 99.5)) or 1.0
    is_inside = largest <= reach
    cells = np.empty(0) if is_small else np.linspace(-reach, reach, _NUM_CELLS + 1)
    return PairedSummary(
        residuals=count_galaxies(residual_a[is_inside], residual_b[is_inside], cells, ("residual_a", "residual_b")),
        cells=cells,
        reach=reach,
        num_outside=int(np.sum(~is_inside)),
        bins=compute_binned_differences(truth, a, b, *choose_bin_centres(truth)),
        drawn=_compute_histogram(rmse.drawn, scale=rmse.a.value),
        rmse=rmse,
    )


def _compute_histogram(values: FloatArray, *, scale: float) -> pd.DataFrame:
    """Up to 30 bins; where all values are the same, one about them, a hundredth of `scale` wide to both sides."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        half_width = 0.01 * scale or 1.0
        return pd.DataFrame({"low": [low - half_width], "high": [low + half_width], "num": [len(values)]})
    counts, edges = np.histogram(values, bins=min(30, max(8, round(math.sqrt(len(values))))), range=(low, high))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "num": counts})


def build_figure(summary: PairedSummary, names: tuple[str, str], name: str, unit: str) -> Figure:
    """The figure of 16 × 5.4 inches with its three panels side by side, and the names of A and B above them."""
    figure = make_figure(16, 5.4)
    grid = figure.add_gridspec(1, 3, left=0.062, right=0.985, bottom=0.145, top=0.86, wspace=0.29)
    panels = [figure.add_subplot(grid[0, column]) for column in range(3)]
    name, unit = escape_math(name), escape_math(unit)
    _draw_residuals(panels[0], summary, unit)
    _draw_bins(panels[1], summary, name, unit)
    _draw_bootstrap(panels[2], summary, unit)
    for letter, called, height in (("A", names[0], 0.955), ("B", names[1], 0.905)):
        figure.text(0.062, height, f"{letter}: {_cut(called)}", fontsize=14, va="center", parse_math=False)
    return figure


def _draw_residuals(axes: Axes, summary: PairedSummary, unit: str) -> None:
    draw_galaxies(axes, summary.residuals, summary.cells)
    axes.axline((0, 0), slope=1, color=BLACK, lw=1.5)
    axes.axhline(0, color=FAINT_GREY, lw=1, zorder=0)
    axes.axvline(0, color=FAINT_GREY, lw=1, zorder=0)
    axes.set(xlim=(-summary.reach, summary.reach), ylim=(-summary.reach, summary.reach))
    _label(axes, "Residual of A", "Residual of B", unit, unit)
    note = f"{int(summary.residuals['num'].sum()) + summary.num_outside:,} galaxies"
    if summary.num_outside:
        note += f"\n({summary.num_outside:,} beyond the frame)"
    _write_note(axes, note)


def _draw_bins(axes: Axes, summary: PairedSummary, name: str, unit: str) -> None:
    bins = summary.bins[summary.bins["num"] >= MIN_GALAXIES_IN_BIN]
    axes.axhline(0, color=BLACK, lw=1.5, zorder=2)
    axes.errorbar(
        bins["centre"],
        bins["mae_difference"],
        yerr=bins["standard_error"],
        fmt="o",
        color=RMSE_RED,
        ms=7,
        lw=2,
        capsize=3,
        zorder=4,
    )
    if bins.empty:
        axes.text(
            0.5, 0.6, f"fewer than {MIN_GALAXIES_IN_BIN} galaxies in every bin", transform=axes.transAxes, ha="center"
        )
    occupied = summary.bins.loc[summary.bins["num"] > 0, "centre"]
    if len(occupied):
        margin = 0.05 * float(np.ptp(occupied)) or 0.5 * abs(float(occupied.iloc[0])) or 0.5
        axes.set_xlim(occupied.min() - margin, occupied.max() + margin)
    _keep_zero_inside(axes, bins["mae_difference"], bins["standard_error"])
    # Logarithms have no unit of their own; dex is the unit of their differences.
    _label(axes, f"True {name}", "Mean |residual|, B − A", "" if unit == "dex" else unit, unit)
    _say_who_is_better(axes)


def _keep_zero_inside(axes: Axes, values: "pd.Series[float]", errors: "pd.Series[float]") -> None:
    """Limits with the line of no difference well inside, and room above and below for what is written there."""
    low, high = float(min([0.0, *(values - errors)])), float(max([0.0, *(values + errors)]))
    margin = 0.35 * max(-low, high) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _say_who_is_better(axes: Axes) -> None:
    for height, text, anchor in ((0.975, "↑ A better", "top"), (0.025, "↓ B better", "bottom")):
        axes.text(0.03, height, text, transform=axes.transAxes, va=anchor, fontsize=12, color=POINT_GREY)


def _draw_bootstrap(axes: Axes, summary: PairedSummary, unit: str) -> None:
    drawn, rmse = summary.drawn, summary.rmse
    edges = [*drawn["low"], drawn["high"].iloc[-1]]
    for interval, alpha, label in (
        (rmse.difference_95, 0.15, "95 % interval"),
        (rmse.difference, 0.3, "68 % interval"),
    ):
        axes.axvspan(interval.low, interval.high, color=RMSE_RED, alpha=alpha, lw=0, zorder=1, label=label)
    axes.stairs(drawn["num"].to_numpy(), edges, color=POINT_GREY, lw=1.5, zorder=3)
    axes.axvline(rmse.difference.value, color=RMSE_RED, lw=2, zorder=4, label="B − A")
    axes.axvline(0, color=BLACK, lw=1.5, zorder=4)
    low, high = min(0.0, edges[0]), max(0.0, edges[-1])
    margin = 0.08 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(0, 1.08 * max(1, int(drawn["num"].max())))
    _label(axes, "RMSE, B − A", "Bootstrap samples", unit, "")
    axes.xaxis.set_major_locator(MaxNLocator(4))  # their labels are long
    # Above the panel: within it, it would hide an end of an interval or the line of no difference.
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=3, handlelength=1.3, columnspacing=1.3)
    for place, text, anchor in ((0.0, "← B better", "left"), (1.0, "A better →", "right")):
        axes.text(place, 1.02, text, transform=axes.transAxes, ha=anchor, fontsize=12, color=POINT_GREY)


def _label(axes: Axes, x: str, y: str, x_unit: str, y_unit: str) -> None:
    axes.set_xlabel(f"{x} [{x_unit}]" if x_unit else x)
    axes.set_ylabel(f"{y} [{y_unit}]" if y_unit else y)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _write_note(axes: Axes, note: str) -> None:
    axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", fontsize=12)


def _cut(name: str) -> str:
    """The end of a long name, where files and folders differ."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
