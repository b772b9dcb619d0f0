"""How every figure looks, and how it is saved: the same bytes whenever the same numbers are drawn."""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import pandas as pd
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FuncFormatter

from metalight.atomic import replace_file
from metalight.safe_text import guard_formulas

RMSE_RED = "#ce1504"
"""The running median and all that is RMSE; the paper, figure 2."""

NMAD_BLUE = "#8888ed"
"""All that is NMAD; the paper, figure 2."""

BLACK = "#000000"
POINT_GREY = "#5a5a5a"
FAINT_GREY = "#b5b5b5"

GROUP_COLOURS = {"early": "#0072b2", "late": "#d55e00", "head": "#009e73"}
"""Layer groups of the network, in colours of Okabe & Ito, which the colour-blind can tell apart."""

LOSS_COLOUR = "#0072b2"
VALIDATION_COLOUR = "#d55e00"


def make_halo(width: float) -> list[AbstractPathEffect]:
    """A white edge that sets a line of that width apart from a dark crowd of galaxies, also without colours."""
    return [withStroke(linewidth=width + 1.6, foreground="white")]


STYLE: dict[str, Any] = {
    "axes.axisbelow": False,
    "axes.labelsize": 15,
    "axes.linewidth": 1.0,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # Type 3 fonts are refused by journals
    "xtick.direction": "in",
    "xtick.top": True,
    "ytick.direction": "in",
    "ytick.right": True,
}
"""On top of matplotlib's own defaults, never of the user's settings."""

# What would tell when, and with which version, a file was made: two drawings of the same numbers must be equal.
_NO_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextlib.contextmanager
def use_style() -> Iterator[None]:
    """Within the block, figures are made and saved in our style; matplotlib's settings are left as they were."""
    with mpl.style.context(["default", STYLE]):
        yield


def escape_math(text: str) -> str:
    """Words of a user, such as the name of a column, as they are to be shown: a `$` in them begins no formula."""
    return text.replace("$", r"\$")


def label_axis(axis: XAxis | YAxis, label: str, unit: str, limits: tuple[float, float]) -> None:
    """Label with the unit, and a power of ten where the tick labels would be too wide for their margin."""
    largest = max(abs(limit) for limit in limits)
    if not 0.01 <= largest < 1e4:
        power = math.floor(math.log10(largest))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.6g}".replace("-", "−")))
        unit = f"$10^{{{power}}}$ {unit}".strip()
    axis.set_label_text(f"{label} [{unit}]" if unit else label)


def make_figure(width: float, height: float, **options: Any) -> Figure:
    """An empty figure of `width` × `height` inches that needs no display."""
    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path_stem: Path, *, dpi: int) -> list[Path]:
    """Write the figure as PNG and PDF beside each other, each whole or not at all.

    Args:
        figure: What to save.
        path_stem: Path without a suffix.
        dpi: Pixels per inch, of the PNG and of the raster parts of the PDF.

    Returns:
        The paths written.
    """
    paths = []
    for suffix, metadata in _NO_METADATA.items():
        path = name_file(path_stem, suffix)
        # In memory first: on a full disk, matplotlib and Pillow raise errors that do not say so.
        content = io.BytesIO()
        figure.savefig(content, format=suffix.removeprefix("."), dpi=dpi, metadata=metadata)
        with replace_file(path) as temporary:
            temporary.write_bytes(content.getbuffer())
        paths.append(path)
    return paths


def save_numbers(table: pd.DataFrame, path_stem: Path, ending: str = "") -> Path:
    """Write numbers that a figure shows as CSV beside it, and get the path: its stem, `ending` and .csv."""
    path = name_file(path_stem, f"{ending}.csv")
    with replace_file(path) as temporary:
        guard_formulas(table).to_csv(temporary, index=False, lineterminator="\n")
    return path


def name_file(path_stem: Path, ending: str) -> Path:
    """The path whose name ends in `ending`; dots in the stem are kept, which `with_suffix` would cut."""
    return path_stem.with_name(path_stem.name + ending)
