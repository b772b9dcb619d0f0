"""Whether a fourth parameter tightens the relations of mass, star formation and metallicity; the draft, section 5."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metalight.figures.style import BLACK, NMAD_BLUE, RMSE_RED, make_figure, save_figure, save_numbers, use_style

_MARKS = (("o", RMSE_RED), ("s", NMAD_BLUE), ("^", BLACK))
_DPI = 150


def draw_fourth_parameter(
    gains: pd.DataFrame, *, path_stem: Path, names: Mapping[str, str] | None = None
) -> list[Path]:
    """Draw and save the gain in scatter by each parameter beside each relation, as PNG and PDF, and them as CSV.

    Args:
        gains: Columns relation, parameter, gain, gain_low_95, gain_high_95 in dex: cross-validated scatter without the
            parameter less that with it.
        path_stem: Where to write, without a suffix.
        names: What parameters are called, where that is not their name.

    Returns:
        The paths written; none if no parameter was tried.
    """
    if gains.empty:
        return []
    with use_style():
        paths = save_figure(build_figure(gains, names or {}), path_stem, dpi=_DPI)
    return [*paths, save_numbers(gains, path_stem)]


def build_figure(gains: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """The figure; arguments as of `draw_fourth_parameter`."""
    parameters = list(dict.fromkeys(gains["parameter"]))
    relations = list(dict.fromkeys(gains["relation"]))
    height = 1.5 + 0.6 * len(parameters)
    figure = make_figure(7.4, height)
    axes = figure.add_axes((0.36, 0.8 / height, 0.61, 1 - 1.45 / height))
    axes.axvline(0, color=BLACK, lw=1.2)
    for place, (relation, (mark, colour)) in enumerate(zip(relations, _MARKS, strict=False)):
        rows = gains[gains["relation"] == relation]
        y = np.array([len(parameters) - 1 - parameters.index(name) for name in rows["parameter"]], dtype=np.float64)
        y += 0.13 * ((len(relations) - 1) / 2 - place) * 2
        values, lows, highs = (
            1000 * rows[name].to_numpy(dtype=np.float64) for name in ("gain", "gain_low_95", "gain_high_95")
        )
        errors = np.nan_to_num(np.stack([values - lows, highs - values]), nan=0.0).clip(min=0)
        axes.errorbar(values, y, xerr=errors, ls="", marker=mark, color=colour, capsize=3, label=f"beside {relation}")
    axes.set_yticks(range(len(parameters)), [names.get(name, name) for name in reversed(parameters)])
    axes.set_ylim(-0.6, len(parameters) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Scatter less by [0.001 dex], 95 % interval")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(relations))
    return figure
