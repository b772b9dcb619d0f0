"""Images of galaxies with their true and predicted values: the paper's figure 1."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from metalight.figures.style import escape_math, make_figure, save_figure, save_numbers, use_style

_INCHES_A_GALAXY = 4
_DPI = 72


def draw_example_grid(
    examples: pd.DataFrame,
    images: npt.NDArray[np.uint8],
    *,
    path_stem: Path,
    name: str = "12 + log(O/H)",
    note: str = "",
) -> list[Path]:
    """Draw and save the paper's figure 1, as PNG and PDF, and the examples as CSV.

    Args:
        examples: As of `metalight.evaluation.select_examples`: columns row, title, object_id, truth, predicted.
        images: Their images in the same order, shape (examples, side, side, 3), shown as they are; or
            (examples, side, side, 1), shown grey.
        path_stem: Where to write, without a suffix.
        name: What is predicted, for the caption.
        note: How the images are shown, for the caption; empty if as they are.

    Returns:
        The paths written.

    Raises:
        ValueError: There is no example, or the images are not uint8 of that shape.
    """
    if len(examples) == 0:
        raise ValueError("there is no example to draw")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or len(images) != len(examples):
        raise ValueError(
            f"images must be uint8 of shape ({len(examples)}, side, side, 3 or 1), not {images.dtype} of {images.shape}"
        )
    with use_style():
        paths = save_figure(build_figure(examples, images, name, note), path_stem, dpi=_DPI)
    return [*paths, save_numbers(examples, path_stem)]


def build_figure(examples: pd.DataFrame, images: npt.NDArray[np.uint8], name: str, note: str = "") -> Figure:
    """The figure, 4 inches a galaxy: 20 × 28 for the paper's 7 rows of 5."""
    rows = examples["row"].to_numpy()
    columns = examples.groupby("row").cumcount().to_numpy()
    row_numbers = np.unique(rows)
    num_rows, num_columns = len(row_numbers), int(columns.max()) + 1
    width, height = _INCHES_A_GALAXY * max(num_columns, 2), _INCHES_A_GALAXY * num_rows
    figure = make_figure(width, height)
    grid = figure.add_gridspec(
        num_rows,
        num_columns,
        left=0.9 / width,
        right=1 - 0.1 / width,
        bottom=0.9 / height,
        top=1 - 0.1 / height,
        wspace=0.03,
        hspace=0.03,
    )
    decimals = _choose_decimals(examples)
    for place, (truth, predicted) in enumerate(zip(examples["truth"], examples["predicted"], strict=True)):
        row = int(np.searchsorted(row_numbers, rows[place]))
        axes = figure.add_subplot(grid[row, int(columns[place])])
        # Not resampled in the PDF, which then holds the very pixels.
        axes.imshow(np.broadcast_to(images[place], (*images.shape[1:3], 3)), interpolation="none")
        axes.set(xticks=[], yticks=[])
        if columns[place] == 0:
            axes.set_ylabel(examples["title"].iloc[place], fontsize=21, labelpad=12)
        text = axes.text(
            0.965, 0.04, f"{truth:.{decimals}f} / {predicted:.{decimals}f}", transform=axes.transAxes, fontsize=28
        )
        text.set(color="white", ha="right", va="bottom", path_effects=[withStroke(linewidth=3, foreground="black")])
    figure.text(0.5, 0.3 / height, f"true / predicted {escape_math(name)}", fontsize=24, ha="center", va="bottom")
    if note:
        figure.text(0.5, 0.06 / height, escape_math(note), fontsize=15, ha="center", va="bottom")
    return figure


def _choose_decimals(examples: pd.DataFrame) -> int:
    """Two for metallicities; more or fewer for targets with a much smaller or larger spread."""
    values = examples[["truth", "predicted"]].to_numpy(dtype=np.float64)
    spread = float(np.ptp(values))
    if spread == 0:
        return 2
    return min(6, max(0, 1 - math.floor(math.log10(spread / 3))))
