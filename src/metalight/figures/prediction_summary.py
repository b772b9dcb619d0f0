"""Predicted against true values, with their scatter along the range: the paper's figure 2."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, MaxNLocator

from metalight.evaluation import (
    choose_bin_centres,
    compute_binned_statistics,
    find_scorable,
    is_metallicity_like,
)
from metalight.figures.galaxies import (
    MIN_GALAXIES_FOR_HISTOGRAM,
    MIN_GALAXIES_IN_BIN,
    compute_marker_areas,
    count_galaxies,
    draw_galaxies,
    draw_running_median,
)
from metalight.figures.style import (
    BLACK,
    NMAD_BLUE,
    POINT_GREY,
    RMSE_RED,
    escape_math,
    label_axis,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)
from metalight.metrics import compute_nmad, compute_rmse

PAPER_FRAME = (8.2, 9.3)
"""Range of both axes of the paper's figure 2, in 12 + log(O/H)."""

PAPER_MAX_SCATTER = 0.3
"""Upper end of its panel of scatter, in dex."""

_NUM_CELLS = 100
_NUM_RESIDUAL_BINS = 40
_TICK_STEPS = (1, 2, 2.5, 5, 10)
_DPI = 150

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class PredictionSummary:
    """The numbers that the figure shows."""

    bins: pd.DataFrame
    """As of `compute_binned_statistics`; bins with few galaxies are there, though not drawn."""
    density: pd.DataFrame
    """truth, predicted, num: the centres of the occupied cells of the histogram, or the galaxies drawn as points."""
    cells: FloatArray
    """Edges of the cells, the same along both axes; empty where galaxies are drawn as points."""
    residuals: pd.DataFrame
    """low, high, num: the histogram of residuals."""
    frame: tuple[float, float]
    """Range of both axes."""
    num_galaxies: int
    """Galaxies that the statistics are of."""
    num_outside: int
    """Those of them that lie outside the frame."""
    rmse: float
    """Of all galaxies."""
    nmad: float
    """Of all galaxies."""


def draw_prediction_summary(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    path_stem: Path,
    name: str = "12 + log(O/H)",
    unit: str = "dex",
) -> list[Path]:
    """Draw and save the paper's figure 2, as PNG and PDF, and the numbers in it as CSV.

    The CSV named for the figure holds the bins, with the RMSE and NMAD of all galaxies repeated in each row;
    `_density.csv` holds the occupied cells of the grey histogram, or the points of a small sample; `_residuals.csv` the
    inset.

    Args:
        truth: True values, shape (galaxies,); galaxies without a true value or a prediction are left out.
        predicted: Predictions, shape (galaxies,).
        path_stem: Where to write, without a suffix.
        name: What is predicted, for the axes.
        unit: Its unit; empty if it has none.

    Returns:
        The paths written.

    Raises:
        EvaluationError: Fewer than 2 galaxies have both values.
        ValueError: The lengths differ.
    """
    summary = compute_summary(truth, predicted)
    with use_style():
        paths = save_figure(build_figure(summary, name, unit), path_stem, dpi=_DPI)
    bins = summary.bins.assign(rmse_of_all=summary.rmse, nmad_of_all=summary.nmad)
    paths.append(save_numbers(bins, path_stem))
    paths.append(save_numbers(summary.density, path_stem, "_density"))
    paths.append(save_numbers(summary.residuals, path_stem, "_residuals"))
    return paths


def compute_summary(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, bins: tuple[npt.ArrayLike, float] | None = None
) -> PredictionSummary:
    """The numbers of the figure; arguments and errors as of `draw_prediction_summary`.

    `bins` are the centres of the bins of the true value and half their width; None: those of `choose_bin_centres`.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_scorable = find_scorable(truth, predicted)
    truth, predicted = truth[is_scorable], predicted[is_scorable]
    frame = _choose_frame(truth, predicted)
    is_inside = (np.minimum(truth, predicted) >= frame[0]) & (np.maximum(truth, predicted) <= frame[1])
    cells = _choose_cells(len(truth), frame)
    residuals = predicted - truth
    return PredictionSummary(
        bins=compute_binned_statistics(truth, predicted, *(bins or choose_bin_centres(truth))),
        density=count_galaxies(truth[is_inside], predicted[is_inside], cells, ("truth", "predicted")),
        cells=cells,
        residuals=_compute_residual_histogram(residuals),
        frame=frame,
        num_galaxies=len(truth),
        num_outside=int(np.sum(~is_inside)),
        rmse=compute_rmse(truth, predicted),
        nmad=compute_nmad(residuals),
    )


def _choose_frame(truth: FloatArray, predicted: FloatArray) -> tuple[float, float]:
    """The paper's frame if it holds the metallicities; otherwise what holds the data, with a margin.

    A few outliers among many galaxies must not shrink the rest into a corner; of a small sample every galaxy is shown.
    """
    both = np.stack([truth, predicted])
    is_small = both.shape[1] < MIN_GALAXIES_FOR_HISTOGRAM
    if is_metallicity_like(truth):
        is_inside = (both.min(axis=0) >= PAPER_FRAME[0]) & (both.max(axis=0) <= PAPER_FRAME[1])
        if is_inside.mean() >= (1.0 if is_small else 0.98):
            return PAPER_FRAME
    tail = 0.0 if is_small else 0.2
    low, high = (float(edge) for edge in np.percentile(both, [tail, 100 - tail]))
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def _choose_cells(num_galaxies: int, frame: tuple[float, float]) -> FloatArray:
    if num_galaxies < MIN_GALAXIES_FOR_HISTOGRAM:
        return np.empty(0)
    # The paper's 100 cells from 5,000 galaxies on; fewer and larger ones keep the histogram from falling apart.
    num_cells = min(_NUM_CELLS, 10 * round(1.4 * math.sqrt(num_galaxies) / 10))
    return np.linspace(*frame, num_cells + 1)


def _compute_residual_histogram(residuals: FloatArray) -> pd.DataFrame:
    """Forty bins as far to both sides as 99 % of the residuals go; fewer bins for a small sample, and all of it."""
    part = 100 if len(residuals) < MIN_GALAXIES_FOR_HISTOGRAM else 99
    reach = float(np.percentile(np.abs(residuals), part)) or 1.0
    num_bins = min(_NUM_RESIDUAL_BINS, max(8, 2 * round(math.sqrt(len(residuals)))))
    counts, edges = np.histogram(residuals, bins=num_bins, range=(-reach, reach))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "num": counts})


def build_figure(summary: PredictionSummary, name: str, unit: str) -> Figure:
    """The figure of 7 × 7 inches."""
    figure = make_figure(7, 7)
    name = escape_math(name)
    draw_summary(figure, summary, (f"True {name}", f"Predicted {name}"), escape_math(unit))
    return figure


def draw_summary(figure: FigureBase, summary: PredictionSummary, labels: tuple[str, str], unit: str) -> None:
    """Fill a figure, or a part of one, of 7 × 7 inches: scatter above, predicted against true below, residuals inset.

    Args:
        figure: What to fill.
        summary: What to show.
        labels: Of the true and of the predicted values, for the axes, where `$` begins a formula.
        unit: Their unit; empty if they have none.
    """
    has_cells = len(summary.cells) > 0
    right = 0.925 if has_cells else 0.965
    grid = figure.add_gridspec(20, 20, left=0.115, right=right, bottom=0.085, top=0.975, hspace=0, wspace=0)
    last_column = 18 if has_cells else 20
    axes = figure.add_subplot(grid[5:, :last_column])
    scatter_axes = figure.add_subplot(grid[:5, :last_column], sharex=axes)
    histogram = draw_galaxies(axes, summary.density, summary.cells)
    if histogram is not None:
        _draw_colour_bar(figure.add_subplot(grid[5:, 18:].subgridspec(1, 3, wspace=0)[1]), histogram)
    bins = summary.bins[summary.bins["num"] >= MIN_GALAXIES_IN_BIN]
    draw_running_median(axes, bins)
    axes.plot([0, 1], [0, 1], transform=axes.transAxes, color=BLACK, lw=1.5, label="one to one", zorder=3)
    _label_axes(axes, summary, labels, unit)
    _draw_scatter(scatter_axes, bins, summary, unit)
    _draw_residuals(axes.inset_axes((0.62, 0.125, 0.34, 0.19)), summary, unit)
    figure.align_ylabels([axes, scatter_axes])


def _draw_colour_bar(axes: Axes, histogram: QuadMesh) -> None:
    bar = axes.figure.colorbar(histogram, cax=axes, format=FuncFormatter(lambda count, _: f"{count:g}"))
    bar.set_label("Number of galaxies", labelpad=2)
    _, last = histogram.get_clim()
    if last < 100:
        bar.set_ticks([count for count in (1, 2, 5, 10, 20, 50) if count <= last])


def _label_axes(axes: Axes, summary: PredictionSummary, labels: tuple[str, str], unit: str) -> None:
    axes.set(xlim=summary.frame, ylim=summary.frame)
    # Logarithms have no unit of their own; dex is the unit of their differences.
    unit = "" if unit == "dex" else unit
    label_axis(axes.xaxis, labels[0], unit, summary.frame)
    label_axis(axes.yaxis, labels[1], unit, summary.frame)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=_TICK_STEPS))
    # Without the lowest label, which would meet that of the other axis in the corner.
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=_TICK_STEPS, prune="lower"))
    handles, told = axes.get_legend_handles_labels()
    order = [told.index(label) for label in ("running median", "± RMSE", "± NMAD", "one to one")]
    note = f"{summary.num_galaxies:,} galaxies"
    if summary.num_outside:
        note += f"\n({summary.num_outside:,} beyond the frame)"
    axes.legend(
        [handles[index] for index in order],
        [told[index] for index in order],
        loc="upper left",
        title=note,
        alignment="left",
        title_fontsize=12,
        frameon=True,
        framealpha=0.6,  # outliers behind it are to be seen
        edgecolor="none",
    )


def _draw_scatter(axes: Axes, bins: pd.DataFrame, summary: PredictionSummary, unit: str) -> None:
    # Markers on the edge of the frame, as of the paper's first and last bin, are shown whole.
    bins = bins[bins["centre"].between(summary.frame[0] - 1e-9, summary.frame[1] + 1e-9)]
    areas = compute_marker_areas(bins["num"].to_numpy(dtype=np.float64))
    spoken_unit = f" {unit}" if unit else ""
    for column, colour, value in (("rmse", RMSE_RED, summary.rmse), ("nmad", NMAD_BLUE, summary.nmad)):
        points = axes.scatter(bins["centre"], bins[column], s=areas, color=colour, edgecolors="white", linewidths=0.8)
        points.set(zorder=4, clip_on=False)
        label = f"{column.upper()} of all: {format_scatter(value)}{spoken_unit}"
        axes.axhline(value, color=colour, lw=1.5, zorder=2, label=label)
    largest = float(np.nanmax([summary.rmse, summary.nmad, *bins["rmse"], *bins["nmad"]]))
    # The upper quarter is the legend's.
    is_as_in_paper = summary.frame == PAPER_FRAME and largest <= 0.75 * PAPER_MAX_SCATTER
    axes.set_ylim(0, PAPER_MAX_SCATTER if is_as_in_paper else (1.4 * largest or 1.0))
    axes.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    axes.tick_params(labelbottom=False)
    label_axis(axes.yaxis, "Scatter", unit, axes.get_ylim())
    axes.legend(loc="upper center", ncols=2, borderaxespad=0.3, handlelength=1.3, columnspacing=1.3)


def format_scatter(value: float) -> str:
    """Three significant digits, trailing zeros kept."""
    if not 1e-4 <= value < 1e5:
        return f"{value:.3g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _draw_residuals(axes: Axes, summary: PredictionSummary, unit: str) -> None:
    histogram = summary.residuals
    edges = [*histogram["low"], histogram["high"].iloc[-1]]
    axes.stairs(histogram["num"].to_numpy(), edges, fill=True, color=POINT_GREY)
    axes.axvline(0, color=BLACK, lw=1)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.08 * max(1, int(histogram["num"].max())))
    label_axis(axes.xaxis, "predicted − true", unit, axes.get_xlim())
    axes.xaxis.label.set_fontsize(12)
    axes.xaxis.labelpad = 2
    axes.tick_params(labelsize=11.5, left=False, right=False, labelleft=False, top=False)
    axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    axes.patch.set_alpha(0.8)
