"""Galaxies in a plane: many as a grey histogram, few as points."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, ListedColormap, LogNorm

from metalight.figures.style import NMAD_BLUE, POINT_GREY, RMSE_RED, make_halo

MIN_GALAXIES_FOR_HISTOGRAM = 500
"""Fewer galaxies are drawn as points: a histogram of so few is a scatter of single cells."""

MIN_GALAXIES_IN_BIN = 3
"""Bins of the true value with fewer are not drawn: what is computed of so few says little."""

FloatArray = npt.NDArray[np.float64]


def count_galaxies(
    x: FloatArray, y: FloatArray, cells: FloatArray, names: tuple[str, str], *, cells_of_y: FloatArray | None = None
) -> pd.DataFrame:
    """The centres of the occupied cells of a histogram and the galaxies in them, `num`; or every galaxy by itself.

    Args:
        x: Of each galaxy, shape (galaxies,).
        y: Likewise.
        cells: Edges of the cells, the same along both axes; empty for no histogram.
        names: Columns for x and y.
        cells_of_y: Edges along the other axis, where they are not the same.
    """
    if len(cells) == 0:
        return pd.DataFrame({names[0]: x, names[1]: y, "num": np.ones(len(x), dtype=np.int64)})
    edges = (cells, cells if cells_of_y is None else cells_of_y)
    counts, _, _ = np.histogram2d(x, y, bins=list(edges))
    columns, rows = np.nonzero(counts)
    of_x, of_y = (_find_centres(each) for each in edges)
    return pd.DataFrame({names[0]: of_x[columns], names[1]: of_y[rows], "num": counts[columns, rows].astype(np.int64)})


def draw_galaxies(
    axes: Axes, counted: pd.DataFrame, cells: FloatArray, *, cells_of_y: FloatArray | None = None
) -> QuadMesh | None:
    """Draw what `count_galaxies` gives of the same cells; the histogram, if it is one, for a colour bar."""
    x, y, num = (counted[column].to_numpy() for column in counted.columns)
    if len(cells) == 0:
        axes.scatter(x, y, s=22, color=POINT_GREY, alpha=0.65, linewidths=0)
        return None
    edges = (cells, cells if cells_of_y is None else cells_of_y)
    of_x, of_y = (_find_centres(each) for each in edges)
    counts = np.zeros((len(of_y), len(of_x)))
    counts[np.searchsorted(of_y, y), np.searchsorted(of_x, x)] = num
    norm = LogNorm(1, _choose_last_count(int(counts.max(initial=1))))
    return axes.pcolormesh(*edges, np.ma.masked_equal(counts, 0), cmap=make_greys(), norm=norm, rasterized=True)


def draw_running_median(axes: Axes, bins: pd.DataFrame, *, rmse: str = "rmse") -> None:
    """Draw the median of each bin as a line, and the scatter about it to both sides, dashed; the paper, figure 2.

    Args:
        axes: Where.
        bins: Columns centre, median, nmad and that of the root mean square.
        rmse: Which that is.
    """
    for scatter, colour, label in ((rmse, RMSE_RED, "± RMSE"), ("nmad", NMAD_BLUE, "± NMAD")):
        for sign, shown in ((-1, "_nolegend_"), (1, label)):
            edge = bins["median"] + sign * bins[scatter]
            axes.plot(
                bins["centre"], edge, color=colour, lw=2, ls="--", path_effects=make_halo(2), label=shown, zorder=4
            )
    (line,) = axes.plot(bins["centre"], bins["median"], color=RMSE_RED, lw=4, label="running median", zorder=5)
    line.set(marker="o" if len(bins) == 1 else "", path_effects=make_halo(4))  # a single bin has a median but no line


def compute_marker_areas(nums: FloatArray) -> FloatArray:
    """Areas of the markers of bins with `nums` galaxies, in square points: N / 25 for samples like the paper's.

    Of any other sample the fullest bin gets the 200 square points that it has in the paper. None is too small to see.
    """
    if len(nums) == 0:
        return nums
    areas = nums / 25
    if not 100 <= areas.max() <= 400:
        areas = 200 * nums / nums.max()
    return np.maximum(areas, 14.0)


def make_greys() -> Colormap:
    """The colours `Greys`, beginning where a cell with one galaxy is told from the white of an empty one."""
    return ListedColormap(colormaps["Greys"](np.linspace(0.16, 1, 256)), name="Greys")


def _find_centres(cells: FloatArray) -> FloatArray:
    return (cells[:-1] + cells[1:]) / 2


def _choose_last_count(fullest: int) -> int:
    """Where the colours end: at the paper's 100 galaxies, or, if the fullest cell is far from it, near that cell.

    A few fuller cells in full black cost less than a scale that is pale throughout.
    """
    if 30 <= fullest <= 300:
        return 100
    power = 10 ** math.floor(math.log10(fullest))
    rounded = min([power, 2 * power, 5 * power, 10 * power], key=lambda count: abs(math.log(count / fullest)))
    return int(max(10, rounded))
