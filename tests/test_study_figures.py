"""Promises of the figures of studies: they show what they were given, and can be read."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from legible import assert_legible, texts_of
from metalight.figures import draw_learning_rates, draw_study_resolution, draw_study_variants
from metalight.figures.study_learning_rate import build_figure as build_rates
from metalight.figures.study_resolution import build_figure as build_resolution
from metalight.figures.study_variants import build_figure as build_variants
from metalight.published import BY_SIDE, FORESTS, PREDICT_THE_MEAN


def published() -> pd.DataFrame:
    rows = [
        {"kind": "network", "side": side, "rmse": scatter.rmse, "nmad": scatter.nmad}
        for side, scatter in BY_SIDE.items()
    ]
    rows.append({"kind": "forest", "side": 1, "rmse": FORESTS["forest_gri"].rmse, "nmad": FORESTS["forest_gri"].nmad})
    rows.append({"kind": "mean", "side": math.nan, "rmse": PREDICT_THE_MEAN.rmse, "nmad": PREDICT_THE_MEAN.nmad})
    table = pd.DataFrame(rows)
    for metric in ("rmse", "nmad"):
        table[f"{metric}_low"] = table[metric] - 0.002
        table[f"{metric}_high"] = table[metric] + 0.002
    return table


def variants(names: list[str], num_with_axis: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"variant": names, "axis": [2.0**k for k in range(len(names))]})
    for metric in ("rmse", "nmad"):
        for ending, centre in (("", 0.1), ("_difference", 0.0)):
            table[f"{metric}{ending}"] = centre + random.normal(0, 0.01, len(names))
            table[f"{metric}{ending}_low"] = table[f"{metric}{ending}"] - 0.005
            table[f"{metric}{ending}_high"] = table[f"{metric}{ending}"] + 0.008
        table[f"{metric}_of_mean"] = 0.2
    for name in (str(name) for name in table if "difference" in str(name)):
        table.loc[0, name] = np.nan
    return table


def test_the_published_values_are_those_of_the_papers_figure() -> None:
    # Facts that the paper and its draft state beside the figure.
    assert BY_SIDE[128].nmad == 0.0668
    assert all(
        BY_SIDE[large].rmse < BY_SIDE[small].rmse
        for small, large in zip((1, 2, 4, 8, 16, 32, 64), (2, 4, 8, 16, 32, 64, 128), strict=True)
    )
    assert all(0.74 < scatter.nmad / scatter.rmse < 0.81 for scatter in BY_SIDE.values())
    assert 1 - (BY_SIDE[128].rmse / PREDICT_THE_MEAN.rmse) ** 2 == pytest.approx(0.819, abs=5e-4)


def test_resolution_shows_circles_triangles_and_squares_where_they_belong() -> None:
    table = published()
    figure = build_resolution(table, "dex")
    (axes,) = figure.axes
    assert_legible(figure)
    handles, labels = axes.get_legend_handles_labels()
    assert sorted(labels) == sorted(
        f"{kind}, {metric}"
        for kind in ("network", "forest on 3 numbers", "predict the mean")
        for metric in ("RMSE", "NMAD")
    )
    by_label = dict(zip(labels, handles, strict=True))
    circles = by_label["network, RMSE"][0]
    np.testing.assert_allclose(
        np.asarray(circles.get_ydata(), dtype=float), [BY_SIDE[side].rmse for side in sorted(BY_SIDE)]
    )
    np.testing.assert_allclose(np.asarray(circles.get_xdata(), dtype=float), sorted(BY_SIDE), rtol=0.03)
    assert by_label["forest on 3 numbers, NMAD"][0].get_markerfacecolor() == "white"
    square = by_label["predict the mean, NMAD"]
    assert (square.get_xdata()[0], square.get_ydata()[0]) == (0.5, PREDICT_THE_MEAN.nmad)
    arrows = [text for text in axes.texts if text.arrow_patch is not None]  # type: ignore[attr-defined]
    assert sorted(arrow.xy[1] for arrow in arrows) == [PREDICT_THE_MEAN.nmad, PREDICT_THE_MEAN.rmse]  # type: ignore[attr-defined]
    # Every point lies inside, and none beneath the legend.
    low, high = axes.get_ylim()
    assert low < BY_SIDE[128].nmad
    assert high > PREDICT_THE_MEAN.rmse
    legend = axes.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    for side, scatter in BY_SIDE.items():
        assert not box.contains(*axes.transData.transform((side, scatter.rmse)))


@pytest.mark.parametrize("axis", ["", "Galaxies a batch"])
@pytest.mark.parametrize("names", [["a", "b"], [f"a variant of a long name {k}" for k in range(9)]])
def test_variants_can_be_read_and_stand_by_name_or_by_number(names: list[str], axis: str) -> None:
    figure = build_variants(variants(names), "oh_p50", "dex", names[0], axis, True, False)
    assert_legible(figure)
    assert len(figure.axes) == 2
    texts = [text.get_text() for text in texts_of(figure)]
    assert (names[-1] in texts) == (not axis)
    assert any("95 % intervals" in text.replace("\n", " ") for text in texts)
    alone = build_variants(variants(names), "oh_p50", "dex", "", axis, False, True)
    assert len(alone.axes) == 1
    assert not any("Less that of" in text.get_text() for text in texts_of(alone))


def test_learning_rates_mark_the_suggested_one() -> None:
    rates = np.logspace(-6, 0, 40)
    history = pd.DataFrame({"learning_rate": rates, "loss": 1.0 / (1 + 1e3 * rates)})
    history["loss_smoothed"] = history["loss"]
    figure = build_rates(history, 0.002)
    assert_legible(figure)
    assert any("0.002" in text.get_text() for text in texts_of(figure))
    assert not any("steepest" in text.get_text() for text in texts_of(build_rates(history, math.nan)))


def test_figures_are_saved_thrice_and_their_numbers_are_those_given(tmp_path: Path) -> None:
    paths = draw_study_resolution(published(), path_stem=tmp_path / "a.b", unit="dex")
    assert [path.name for path in paths] == ["a.b.png", "a.b.pdf", "a.b.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[2]), published())
    with pytest.raises(ValueError, match="no network"):
        draw_study_resolution(published().iloc[-1:], path_stem=tmp_path / "a", unit="dex")
    with pytest.raises(ValueError, match="no rows"):
        draw_learning_rates(pd.DataFrame(), path_stem=tmp_path / "a", suggested=1.0)
    table = variants(["a", "b"])
    drawn = draw_study_variants(table, path_stem=tmp_path / "v", name="oh", unit="dex", reference="a")
    pd.testing.assert_frame_equal(pd.read_csv(drawn[2]), table)
