"""Galaxies in a plane: many as a grey histogram, few as points."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, ListedColormap, LogNorm

from metalight.figures.style import POINT_GREY

MIN_GALAXIES_FOR_HISTOGRAM = 500
"""Fewer galaxies are drawn as points: a histogram of so few is a scatter of single cells."""

MIN_GALAXIES_IN_BIN = 3
"""Bins of the true value with fewer are not drawn: what is computed of so few says little."""

FloatArray = npt.NDArray[np.float64]


def count_galaxies(x: FloatArray, y: FloatArray, cells: FloatArray, names: tuple[str, str]) -> pd.DataFrame:
    """The centres of the occupied cells of a histogram and the galaxies in them, `num`; or every galaxy by itself.

    Args:
        x: Of each galaxy, shape (galaxies,).
        y: Likewise.
        cells: Edges of the cells, the same along both axes; empty for no histogram.
        names: Columns for x and y.
    """
    if len(cells) == 0:
        return pd.DataFrame({names[0]: x, names[1]: y, "num": np.ones(len(x), dtype=np.int64)})
    counts, _, _ = np.histogram2d(x, y, bins=[cells, cells])
    columns, rows = np.nonzero(counts)
    centres = _find_centres(cells)
    return pd.DataFrame(
        {names[0]: centres[columns], names[1]: centres[rows], "num": counts[columns, rows].astype(np.int64)}
    )


def draw_galaxies(axes: Axes, counted: pd.DataFrame, cells: FloatArray) -> QuadMesh | None:
    """Draw what `count_galaxies` gives of the same cells; the histogram, if it is one, for a colour bar."""
    x, y, num = (counted[column].to_numpy() for column in counted.columns)
    if len(cells) == 0:
        axes.scatter(x, y, s=22, color=POINT_GREY, alpha=0.65, linewidths=0)
        return None
    centres = _find_centres(cells)
    counts = np.zeros((len(centres), len(centres)))
    counts[np.searchsorted(centres, y), np.searchsorted(centres, x)] = num
    norm = LogNorm(1, _choose_last_count(int(counts.max(initial=1))))
    return axes.pcolormesh(cells, cells, np.ma.masked_equal(counts, 0), cmap=make_greys(), norm=norm, rasterized=True)


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
