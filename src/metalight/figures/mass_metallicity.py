"""The mass–metallicity relation beside that of Tremonti et al. (2004): the paper's figure 6."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
    RMSE_RED,
    make_figure,
    make_halo,
    save_figure,
    save_numbers,
    use_style,
)
from metalight.scaling_relations import TREMONTI_2004, TREMONTI_2004_PERCENTILES

PAPER_MASSES, PAPER_METALLICITIES = (8.4, 11.4), (8.2, 9.3)
"""Ranges of the axes of the paper's figure 6."""

_MOST_CELLS = 100
_DPI = 150

FloatArray = npt.NDArray[np.float64]


def draw_mass_metallicity(
    log_mass: npt.ArrayLike,
    metallicity: npt.ArrayLike,
    relation: pd.DataFrame,
    *,
    path_stem: Path,
    labels: tuple[str, str] = (r"$\log_{10}(M_\star/M_\odot)$", "Predicted 12 + log(O/H)"),
) -> list[Path]:
    """Draw and save the paper's figure 6, as PNG and PDF, and the numbers in it as CSV.

    In the main panel the galaxies, the running median with the scatter about it, and the relation of Tremonti et al.:
    its median as a line, its 16th and 84th percentiles dashed. Above it the scatter in bins of mass, and as a dashed
    line the 0.10 dex that Tremonti et al. found.

    Args:
        log_mass: log10(M*/Msun) with the initial mass function of Kroupa, shape (galaxies,).
        metallicity: 12 + log10(O/H) on the scale of Tremonti et al. (2004).
        relation: Bins of mass, columns centre, num, median, nmad and rmse_tremonti, as of
            `metalight.evaluation.mass_metallicity.compute_relation`.
        path_stem: Where to write, without a suffix.
        labels: Of the axes.

    Returns:
        The paths written.
    """
    x, y = np.asarray(log_mass, dtype=np.float64), np.asarray(metallicity, dtype=np.float64)
    is_known = np.isfinite(x) & np.isfinite(y)
    with use_style():
        figure = build_figure(x[is_known], y[is_known], relation, labels)
        paths = save_figure(figure, path_stem, dpi=_DPI)
    return [*paths, save_numbers(relation, path_stem)]


def build_figure(
    log_mass: FloatArray, metallicity: FloatArray, relation: pd.DataFrame, labels: tuple[str, str]
) -> Figure:
    """The figure of 7 × 7 inches; arguments as of `draw_mass_metallicity`, finite."""
    figure = make_figure(7, 7)
    grid = figure.add_gridspec(20, 1, left=0.125, right=0.965, bottom=0.085, top=0.975, hspace=0)
    axes = figure.add_subplot(grid[5:])
    scatter_axes = figure.add_subplot(grid[:5], sharex=axes)
    num_beyond = _draw_galaxies(axes, log_mass, metallicity)
    bins = relation[relation["num"] >= MIN_GALAXIES_IN_BIN]
    _draw_relations(axes, bins)
    note = f"{len(log_mass):,} galaxies"
    note += f"\n({num_beyond:,} beyond the frame)" if num_beyond else ""
    axes.legend(
        loc="lower right",
        title=note,
        alignment="left",
        title_fontsize=12,
        frameon=True,
        framealpha=0.6,  # outliers behind it are to be seen
        edgecolor="none",
    )
    axes.set(xlim=PAPER_MASSES, ylim=PAPER_METALLICITIES, xlabel=labels[0], ylabel=labels[1])
    axes.yaxis.set_major_locator(MaxNLocator(7, prune="lower"))
    _draw_scatter(scatter_axes, bins)
    figure.align_ylabels([axes, scatter_axes])
    return figure


def _draw_galaxies(axes: Axes, log_mass: FloatArray, metallicity: FloatArray) -> int:
    """Draw those within the frame; get the number of the others."""
    is_inside = (log_mass >= PAPER_MASSES[0]) & (log_mass <= PAPER_MASSES[1])
    is_inside &= (metallicity >= PAPER_METALLICITIES[0]) & (metallicity <= PAPER_METALLICITIES[1])
    x, y = log_mass[is_inside], metallicity[is_inside]
    num_cells = 0
    if len(x) >= MIN_GALAXIES_FOR_HISTOGRAM:
        num_cells = min(_MOST_CELLS, 10 * round(1.4 * math.sqrt(len(x)) / 10))
    cells, cells_of_y = (
        np.linspace(*limits, num_cells + 1) if num_cells else np.empty(0)
        for limits in (PAPER_MASSES, PAPER_METALLICITIES)
    )
    names = ("log_mass", "metallicity")
    draw_galaxies(axes, count_galaxies(x, y, cells, names, cells_of_y=cells_of_y), cells, cells_of_y=cells_of_y)
    return int(np.sum(~is_inside))


def _draw_relations(axes: Axes, bins: pd.DataFrame) -> None:
    draw_running_median(axes, bins, rmse="rmse_tremonti")
    masses = TREMONTI_2004_PERCENTILES.log_mass
    for percentile, style, label in (
        (50, "-", "Tremonti et al. (2004)"),
        (16, ":", "16th and 84th percentile"),
        (84, ":", "_nolegend_"),
    ):
        values = TREMONTI_2004_PERCENTILES.predict(masses, percentile)  # type: ignore[arg-type]
        axes.plot(masses, values, color=BLACK, lw=2, ls=style, path_effects=make_halo(2), label=label, zorder=6)


def _draw_scatter(axes: Axes, bins: pd.DataFrame) -> None:
    areas = compute_marker_areas(bins["num"].to_numpy(dtype=np.float64))
    for column, colour, label in (
        ("rmse_tremonti", RMSE_RED, "RMSE about Tremonti et al."),
        ("nmad", NMAD_BLUE, "NMAD about the median"),
    ):
        axes.scatter(bins["centre"], bins[column], s=areas, color=colour, edgecolors="white", zorder=4)
        axes.scatter([], [], s=60, color=colour, label=label)
    axes.axhline(TREMONTI_2004.scatter_dex, color=BLACK, lw=1.5, ls="--", zorder=2)
    largest = float(np.nanmax([TREMONTI_2004.scatter_dex, *bins["rmse_tremonti"], *bins["nmad"]]))
    axes.set_ylim(0, 1.45 * largest)
    axes.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(labelbottom=False)
    axes.set_ylabel("Scatter [dex]")
    axes.legend(loc="upper center", ncols=2, borderaxespad=0.3, handletextpad=0.2, columnspacing=1.3)
