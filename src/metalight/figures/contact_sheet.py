"""Images of many galaxies beside each other, each with a few words under it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from metalight.figures.style import make_figure, save_figure, save_numbers, use_style

_INCHES_AN_IMAGE = 1.75
_INCHES_A_LINE = 0.16
_INCHES_OF_TITLE, _INCHES_OF_EDGE = 0.55, 0.12
_LETTERS_A_LINE, _MOST_LINES = 26, 4
_FONT_SIZE = 8
_DPI = 110


def draw_contact_sheet(
    images: Sequence[npt.NDArray[np.uint8]],
    captions: Sequence[str],
    *,
    path_stem: Path,
    title: str,
    num_columns: int = 8,
    numbers: pd.DataFrame | None = None,
) -> list[Path]:
    """Draw and save images in rows, as PNG and PDF.

    Args:
        images: One a galaxy, (height, width, 3 or 1), shown as they are; their sizes may differ.
        captions: What stands under each; its lines are kept, and long ones broken.
        path_stem: Where to write, without a suffix.
        title: What stands above all.
        num_columns: Images in a row.
        numbers: What is shown, to lie beside the figure as CSV.

    Returns:
        The paths written.

    Raises:
        ValueError: There is no image, or not as many captions.
    """
    if not len(images) or len(images) != len(captions):
        raise ValueError(f"there are {len(images)} images and {len(captions)} captions")
    with use_style():
        paths = save_figure(build_figure(images, captions, title, num_columns), path_stem, dpi=_DPI)
    return paths if numbers is None else [*paths, save_numbers(numbers, path_stem)]


def build_figure(
    images: Sequence[npt.NDArray[np.uint8]], captions: Sequence[str], title: str, num_columns: int = 8
) -> Figure:
    """The figure: as wide as `num_columns` images, or fewer where there are not as many, and as high as needed."""
    broken = [_break_lines(caption) for caption in captions]
    num_columns = min(num_columns, max(len(images), 4))
    num_rows = -(-len(images) // num_columns)
    below = (max(caption.count("\n") for caption in broken) + 1) * _INCHES_A_LINE + 0.06
    width = num_columns * _INCHES_AN_IMAGE + 2 * _INCHES_OF_EDGE
    height = num_rows * (_INCHES_AN_IMAGE + below) + _INCHES_OF_TITLE
    figure = make_figure(width, height)
    side = _INCHES_AN_IMAGE - 0.06
    for place, (image, caption) in enumerate(zip(images, broken, strict=True)):
        row, column = divmod(place, num_columns)
        left = _INCHES_OF_EDGE + column * _INCHES_AN_IMAGE + 0.03
        bottom = height - _INCHES_OF_TITLE - row * (_INCHES_AN_IMAGE + below) - side
        axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
        # Not resampled in the PDF, which then holds the very pixels.
        axes.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), interpolation="none")
        axes.set_axis_off()
        figure.text(
            (left + side / 2) / width,
            (bottom - 0.04) / height,
            caption,
            fontsize=_FONT_SIZE,
            ha="center",
            va="top",
            linespacing=1.15,
            parse_math=False,
        )
    figure.text(
        0.5, 1 - 0.27 / height, title, fontsize=13 if num_columns > 5 else 10, ha="center", va="center", wrap=False
    )
    return figure


def _break_lines(caption: str) -> str:
    lines = [part for line in caption.split("\n") for part in textwrap.wrap(line, _LETTERS_A_LINE) or [""]]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][: _LETTERS_A_LINE - 2] + " …"]
    return "\n".join(lines)
