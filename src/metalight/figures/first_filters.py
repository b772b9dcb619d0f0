"""The filters that an image meets first, before and after training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from metalight.evaluation import format_percentage
from metalight.figures.style import make_figure, save_figure, save_numbers, use_style

_MOST_FILTERS = 64
_FILTERS_A_ROW = 8
_DPI = 150

FloatArray = npt.NDArray[np.floating]


def draw_first_filters(before: FloatArray, after: FloatArray, *, bands: Sequence[str], path_stem: Path) -> list[Path]:
    """Draw and save filters before and after training, and what training has changed; the weights as CSV.

    Filters of three bands are coloured as images are, the first band red; of other numbers of bands their mean is
    grey. Each filter has its own range of brightness, the same before and after, with 0 in the middle. What has changed
    is drawn many times as large, as the title tells. At most 64 are shown, those that have changed most, from the top
    left; the CSV has all.

    Args:
        before: Weights (filter, channel, side, side).
        after: The same after training.
        bands: What the channels are, in order.
        path_stem: Where to write, without a suffix.

    Returns:
        The paths written; none if there are no filters larger than one pixel.

    Raises:
        ValueError: The shapes differ.
    """
    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 4:
        raise ValueError(f"filters of the shapes {before.shape} and {after.shape} must be alike and of four dimensions")
    if len(before) == 0 or before.shape[-1] < 2:
        return []
    changes = np.sqrt(((after - before) ** 2).mean(axis=(1, 2, 3)))
    order = np.argsort(-changes, kind="stable")[:_MOST_FILTERS]
    share = float(np.sqrt(((after - before) ** 2).sum() / max((before**2).sum(), np.finfo(np.float64).tiny)))
    with use_style():
        figure = build_figure(before[order], after[order], share=share, num_filters=len(before))
        paths = save_figure(figure, path_stem, dpi=_DPI)
    return [*paths, save_numbers(_tabulate(before, after, bands), path_stem)]


def build_figure(before: FloatArray, after: FloatArray, *, share: float, num_filters: int) -> Figure:
    """Three panels beside each other: before, after, and what has changed.

    Args:
        before: Of the filters that are shown.
        after: Likewise.
        share: Root-mean-square change of all filters, in units of their root-mean-square weight before.
        num_filters: How many there are in all.
    """
    num_rows = -(-len(before) // _FILTERS_A_ROW)
    width, height = 11.0, 0.5 + 3.55 * num_rows / _FILTERS_A_ROW
    figure = make_figure(width, height)
    ranges = np.abs(np.stack([before, after])).max(axis=(0, 2, 3, 4)).clip(min=np.finfo(np.float64).tiny)
    told = f"after ({len(before)} of {num_filters} shown)" if len(before) < num_filters else "after"
    shown = (after - before) / ranges[:, None, None, None]
    # A round factor that brings the larger changes to the ends of the colours, and leaves a change of nothing grey.
    factor = max(1, round(1 / max(float(np.percentile(np.abs(shown), 99)), 1e-6)))
    change = f"change ({format_percentage(share)} rms)" + (f" × {factor}" if factor > 1 else "")
    panels = (("before training", before), (told, after), (change, factor * (after - before)))
    for place, (title, filters) in enumerate(panels):
        axes = figure.add_axes((0.01 + 0.331 * place, 0.02, 0.318, 1 - 0.02 - 0.4 / height))
        axes.imshow(_arrange(filters, ranges), interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, fontsize=13)
    return figure


def _arrange(filters: FloatArray, ranges: FloatArray) -> FloatArray:
    """Filters as one picture (height, width, 3) of levels from 0 to 1, a white pixel between them."""
    num, num_channels, side, _ = filters.shape
    num_rows = -(-num // _FILTERS_A_ROW)
    picture = np.ones((num_rows * (side + 1) - 1, _FILTERS_A_ROW * (side + 1) - 1, 3))
    levels = np.clip(0.5 + 0.5 * filters / ranges[:, None, None, None], 0, 1)
    if num_channels != 3:
        levels = np.repeat(levels.mean(axis=1, keepdims=True), 3, axis=1)
    for place, level in enumerate(levels):
        row, column = (index * (side + 1) for index in divmod(place, _FILTERS_A_ROW))
        picture[row : row + side, column : column + side] = level.transpose(1, 2, 0)
    return picture


def _tabulate(before: FloatArray, after: FloatArray, bands: Sequence[str]) -> pd.DataFrame:
    """One row a weight: filter, band, row, column, before, after."""
    filters, channels, rows, columns = np.indices(before.shape).reshape(4, -1)
    names = list(bands) if len(bands) == before.shape[1] else [str(channel) for channel in range(before.shape[1])]
    return pd.DataFrame(
        {
            "filter": filters,
            "band": np.array(names)[channels],
            "row": rows,
            "column": columns,
            "before": before.ravel(),
            "after": after.ravel(),
        }
    )
