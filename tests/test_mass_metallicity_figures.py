"""Promises of the figures of the mass–metallicity study: they show its tables, and can be read."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.container import BarContainer, ErrorbarContainer

from legible import assert_legible
from metalight.figures import draw_error_budget, draw_fourth_parameter, draw_scatter_ratio
from metalight.figures import error_budget as budget_module
from metalight.figures import fourth_parameter as parameter_module
from metalight.figures import scatter_ratio as ratio_module
from metalight.figures.style import use_style

BUDGET = pd.DataFrame(
    {
        "what": ["scatter of the relation: measured mass through it", "slope × error of the predicted mass", "direct"],
        "rms": [0.11, math.nan, 0.085],
        "rms_low": [0.10, math.nan, 0.08],
        "rms_high": [0.12, math.nan, 0.09],
    }
)


def test_the_ratio_of_scatters_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    bins = pd.DataFrame({"centre": [9.0, 9.2, 9.4], "num": [20, 3, 40], "ratio": [0.9, math.nan, 0.7]})
    lines = {"seen": 0.8, "by shrinkage alone": 1.01, "put back": math.nan}
    paths = draw_scatter_ratio(bins, lines, path_stem=tmp_path / "ratio")
    assert [path.name for path in paths] == ["ratio.png", "ratio.pdf", "ratio.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[2]), bins)
    with use_style():
        figure = ratio_module.build_figure(bins.dropna(), lines)
    (axes,) = figure.axes
    np.testing.assert_allclose(np.asarray(axes.collections[0].get_offsets()), np.array([[9.0, 0.9], [9.4, 0.7]]))
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["seen: 0.80", "by shrinkage alone: 1.01"]
    assert_legible(figure)
    assert draw_scatter_ratio(bins[1:2], lines, path_stem=tmp_path / "nothing") == []


def test_the_budget_is_drawn_part_by_part_with_its_numbers(tmp_path: Path) -> None:
    paths = draw_error_budget(BUDGET, path_stem=tmp_path / "budget")
    assert [path.name for path in paths] == ["budget.png", "budget.pdf", "budget.csv"]
    with use_style():
        figure = budget_module.build_figure(BUDGET)
    (axes,) = figure.axes
    (bars,) = (each for each in axes.containers if isinstance(each, BarContainer))
    assert [bar.get_width() for bar in bars] == [0.11, 0.0, 0.085]
    assert [text.get_text() for text in axes.texts] == ["0.110", "0.085"]  # nothing where nothing is known
    assert_legible(figure)
    assert draw_error_budget(BUDGET[:0], path_stem=tmp_path / "nothing") == []


def test_gains_are_drawn_beside_each_relation_with_their_intervals(tmp_path: Path) -> None:
    gains = pd.DataFrame(
        [
            (relation, parameter, 0.001 * gain, 0.001 * (gain - 2), 0.001 * (gain + 2))
            for relation, start in (("mass", 1), ("mass and SFR", 5))
            for gain, parameter in enumerate(("concentration", "axis_ratio", "g_r"), start)
        ],
        columns=["relation", "parameter", "gain", "gain_low_95", "gain_high_95"],
    )
    paths = draw_fourth_parameter(gains, path_stem=tmp_path / "gains", names={"g_r": "$g - r$"})
    assert [path.name for path in paths] == ["gains.png", "gains.pdf", "gains.csv"]
    with use_style():
        figure = parameter_module.build_figure(gains, {"g_r": "$g - r$"})
    (axes,) = figure.axes
    drawn = [each.lines[0].get_xdata() for each in axes.containers if isinstance(each, ErrorbarContainer)]
    np.testing.assert_allclose(np.array(drawn, dtype=np.float64), np.array([[1, 2, 3], [5, 6, 7]]))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$g - r$", "axis_ratio", "concentration"]
    assert_legible(figure)
    assert draw_fourth_parameter(gains[:0], path_stem=tmp_path / "nothing") == []
