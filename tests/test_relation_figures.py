"""Promises of the figures of the mass–metallicity relation, of the trusted range and of lists for follow-up."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex

from legible import assert_legible, texts_of
from metalight.evaluation import compute_score_tables, evaluate_predictions
from metalight.evaluation.mass_metallicity import compute_relation
from metalight.figures import draw_follow_up, draw_mass_metallicity, draw_trusted_range
from metalight.figures import follow_up as follow_up_module
from metalight.figures import mass_metallicity as relation_module
from metalight.figures import trusted_range as trusted_module
from metalight.figures.style import BLACK, RMSE_RED, use_style
from metalight.intervals import Interval
from metalight.scaling_relations import TREMONTI_2004_PERCENTILES, compute_tremonti

FloatArray = npt.NDArray[np.float64]


def make_galaxies(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    log_mass = np.clip(generator.normal(10, 0.6, num), 8.2, 11.4)
    return log_mass, compute_tremonti(log_mass) + generator.normal(0, 0.1, num)


def find_line(axes: Axes, colour: str, style: str) -> FloatArray:
    (line,) = (line for line in axes.lines if to_hex(str(line.get_color())) == colour and line.get_linestyle() == style)
    return np.asarray(line.get_xydata(), dtype=np.float64)


@pytest.mark.parametrize("num", [5, 200, 5000])
def test_the_relation_is_drawn_with_its_numbers_beside_the_published_one(num: int, tmp_path: Path) -> None:
    log_mass, metallicity = make_galaxies(num)
    relation = compute_relation(log_mass, metallicity)
    paths = draw_mass_metallicity(np.r_[log_mass, np.nan], np.r_[metallicity, 8.0], relation, path_stem=tmp_path / "mz")
    assert [path.name for path in paths] == ["mz.png", "mz.pdf", "mz.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[2]), relation)
    with use_style():
        figure = relation_module.build_figure(log_mass, metallicity, relation, ("log mass", "metallicity"))
    axes = figure.axes[0]
    drawn = relation[relation["num"] >= 3]
    np.testing.assert_allclose(find_line(axes, RMSE_RED, "-"), drawn[["centre", "median"]])
    published = find_line(axes, BLACK, "-")
    np.testing.assert_allclose(published[:, 1], TREMONTI_2004_PERCENTILES.predict(published[:, 0], 50))
    meshes = [each for each in axes.collections if isinstance(each, QuadMesh)]
    assert len(meshes) == (num == 5000)
    if meshes:
        num_beyond = int(np.sum((metallicity < 8.2) | (metallicity > 9.3) | (log_mass < 8.4)))
        counted = meshes[0].get_array()
        assert counted is not None
        assert counted.sum() == num - num_beyond
    assert_legible(figure)


def test_a_single_bin_of_predictions_can_be_read() -> None:
    one = {"num": 24, "mean_bias": -0.07, "mean_bias_error": 0.14, "rmse": 0.69, "nmad": 0.73}
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    trusted = {"low": unknown, "high": unknown, "fraction_outside": Interval(1.0, 1.0, 1.0)}
    with use_style():
        figure = trusted_module.build_figure(pd.DataFrame([{"centre": 0.0, **one}]), trusted, "log10(SFR)", "dex")
    assert_legible(figure)


def make_scores(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = np.clip(9.35 - generator.gamma(3, 0.14, num), 8.15, 9.3)
    return truth, 8.9 + 0.85 * (truth - 8.9) + generator.normal(0, 0.07, num)


@pytest.mark.parametrize("num", [40, 4000])
def test_the_trusted_range_is_drawn_as_it_was_found(num: int, tmp_path: Path) -> None:
    truth, predicted = make_scores(num)
    bins = compute_score_tables(truth, predicted, num_bootstrap=50).by_prediction
    trusted = evaluate_predictions(truth, predicted, baseline_mean=None, num_bootstrap=50).breakdown["trusted_range"]
    paths = draw_trusted_range(bins, trusted, path_stem=tmp_path / "range")
    assert [path.name for path in paths] == ["range.png", "range.pdf", "range.csv"]
    with use_style():
        figure = trusted_module.build_figure(bins[bins["num"] > 0], trusted, "12 + log(O/H)", "dex")
    edges = sorted({float(edge) for patch in figure.axes[1].patches for edge in patch.get_extents().intervalx})
    inside = figure.axes[1].transData.inverted().transform([(edge, 0) for edge in edges])[:, 0]
    if np.isfinite(trusted["low"].value):
        assert any(np.isclose(inside, trusted["low"].value))
        assert any(np.isclose(inside, trusted["high"].value))
        assert f"{100 * trusted['fraction_outside'].value:.2g} %" in figure.axes[1].get_title()
    else:
        assert figure.axes[1].get_title() == "no range is trusted"
    assert_legible(figure)


def test_lists_for_follow_up_are_drawn_for_both_ends(tmp_path: Path) -> None:
    curve = compute_score_tables(*make_scores(2000), num_bootstrap=0).selection
    paths = draw_follow_up(curve, path_stem=tmp_path / "lists")
    assert [path.name for path in paths] == ["lists.png", "lists.pdf", "lists.csv"]
    with use_style():
        figure = follow_up_module.build_figure(curve, "12 + log(O/H)")
    wanted = curve[curve["kind"].eq("as many") & curve["end"].eq("highest")]
    np.testing.assert_allclose(find_line(figure.axes[0], RMSE_RED, "-"), wanted[["num_listed", "purity"]])
    wanted = curve[curve["kind"].eq("fixed") & curve["end"].eq("highest")]
    np.testing.assert_allclose(find_line(figure.axes[1], RMSE_RED, "-"), wanted[["num_listed", "completeness"]])
    assert_legible(figure)
    assert draw_follow_up(curve[:0], path_stem=tmp_path / "nothing") == []


@pytest.mark.parametrize("num", [60, 200, 900, 5000])
def test_lengths_of_lists_can_be_read_whatever_the_number_of_galaxies(num: int) -> None:
    curve = compute_score_tables(*make_scores(num), num_bootstrap=0).selection
    with use_style():
        figure = follow_up_module.build_figure(curve, "12 + log(O/H)")
    assert_legible(figure)
    shown = [text.get_text() for text in texts_of(figure)]
    assert not [text for text in shown if "times" in text or "mathdefault" in text]
