"""Promises of the figures of trends, distributions and filters, and of the numbers in them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from scipy.stats import spearmanr

from legible import assert_legible
from metalight.evaluation import compute_selection_curve, compute_trends, correlate_ranks
from metalight.figures import draw_first_filters, draw_residual_trends, draw_value_distributions
from metalight.figures import first_filters as filters_module
from metalight.figures import follow_up as follow_up_module
from metalight.figures import residual_trends as trends_module
from metalight.figures import value_distributions as distributions_module
from metalight.figures.style import BLACK, RMSE_RED, use_style

FloatArray = npt.NDArray[np.float64]


def make_galaxies(num: int, slope: float = 0.0, seed: int = 0) -> tuple[dict[str, FloatArray], FloatArray]:
    generator = np.random.default_rng(seed)
    properties = {"redshift": generator.gamma(4, 0.02, num), "axis_ratio": generator.uniform(0.2, 1, num)}
    return properties, slope * (properties["redshift"] - 0.08) + generator.normal(0, 0.08, num)


def test_a_trend_that_is_there_is_found_and_none_where_there_is_none() -> None:
    properties, residuals = make_galaxies(3000, slope=1.0)
    ranks = correlate_ranks(properties, residuals)
    assert ranks["property"].tolist() == ["redshift", "axis_ratio"]
    of_redshift, of_axis_ratio = ranks["chance"].tolist()
    assert of_redshift < 0.002
    assert of_axis_ratio > 0.02
    bins = compute_trends(properties, residuals)
    trend = bins[bins["property"] == "redshift"]
    expected = trend["centre"] - 0.08
    assert (np.abs(trend["median"] - expected) < 4 * trend["median_error"]).all()
    assert trend["num"].sum() == 3000


@settings(deadline=None)
@given(seed=st.integers(0, 100), num=st.integers(0, 200), share=st.floats(0, 1))
def test_every_galaxy_that_has_both_values_is_in_one_bin(seed: int, num: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    values, residuals = np.round(generator.normal(size=num), 1), generator.normal(size=num)
    values[generator.random(num) < share] = np.nan
    residuals[generator.random(num) < share / 2] = np.inf
    is_known = np.isfinite(values) & np.isfinite(residuals)
    bins = compute_trends({"a": values}, residuals)
    if is_known.sum() < 20:
        assert bins.empty
        return
    assert bins["num"].sum() <= is_known.sum()
    assert bins["num"].sum() >= is_known.sum() - 9 * 12  # bins of fewer than ten are left out
    assert (bins["p16"] <= bins["median"]).all()
    assert (bins["median"] <= bins["p84"]).all()
    assert (bins["low"].to_numpy()[1:] > bins["high"].to_numpy()[:-1]).all()


@settings(deadline=None)
@given(seed=st.integers(0, 100))
def test_rank_correlations_are_those_of_scipy_and_do_not_see_the_scale(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.round(generator.normal(size=40), 1)
    residuals = values + generator.normal(size=40)
    found = correlate_ranks({"a": values, "b": np.exp(values)}, residuals, num_shuffles=10)
    assert found["spearman"].to_numpy() == pytest.approx(spearmanr(values, residuals).statistic)


def test_properties_that_say_nothing_are_left_out_and_nothing_is_drawn_of_none(tmp_path: Path) -> None:
    properties = {"constant": np.ones(50), "rare": np.r_[np.arange(19.0), np.full(31, np.nan)]}
    residuals = np.random.default_rng(0).normal(size=50)
    assert compute_trends(properties, residuals).empty
    assert correlate_ranks(properties, residuals).empty
    assert draw_residual_trends(properties, residuals, path_stem=tmp_path / "trends") == []
    assert list(tmp_path.iterdir()) == []
    assert compute_trends({"a": np.arange(50.0)}, np.zeros(50)).empty


@pytest.mark.parametrize("num", [30, 250, 4000])
def test_trends_are_drawn_with_their_numbers_and_can_be_read(num: int, tmp_path: Path) -> None:
    properties, residuals = make_galaxies(num, slope=1.0)
    properties["log_mass"] = np.where(np.arange(num) % 3, 10 + residuals, np.nan)
    stem = tmp_path / "trends"
    paths = draw_residual_trends(properties, residuals, path_stem=stem, names={"redshift": "Redshift"})
    assert [path.name for path in paths] == ["trends.png", "trends.pdf", "trends.csv", "trends_correlations.csv"]
    trends, ranks = pd.read_csv(paths[2]), pd.read_csv(paths[3])
    with use_style():
        figure = trends_module.build_figure(properties, residuals, trends, ranks, {}, "dex")
    assert len(figure.axes) == len(ranks)
    for axes, name in zip(figure.axes, ranks["property"], strict=True):
        assert axes.get_xlabel() == name
        (drawn,) = (container for container in axes.containers if isinstance(container, ErrorbarContainer))
        line = drawn.lines[0]
        np.testing.assert_array_equal(line.get_ydata(), trends.loc[trends["property"] == name, "median"])
    assert_legible(figure)


def test_distributions_count_every_galaxy_in_the_same_bins(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = np.r_[generator.normal(8.9, 0.2, 500), np.nan]
    predicted = 8.9 + 0.8 * (truth - 8.9)
    paths = draw_value_distributions(truth, predicted, path_stem=tmp_path / "figure.v1")
    assert [path.name for path in paths] == ["figure.v1.png", "figure.v1.pdf", "figure.v1.csv"]
    numbers = pd.read_csv(paths[2])
    assert len(numbers) == 40
    assert numbers["num_true"].sum() == numbers["num_predicted"].sum() == 500
    with use_style():
        figure = distributions_module.build_figure(numbers, (0.2, 0.16), "12 + log(O/H)", "dex")
    (axes,) = figure.axes
    assert [to_hex(patch.get_edgecolor()) for patch in axes.patches] == [BLACK, RMSE_RED]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [  # type: ignore[union-attr]
        "true, σ = 0.200 dex",
        "predicted, σ = 0.160 dex",
    ]
    assert_legible(figure)


def test_filters_are_shown_by_how_much_they_have_changed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    before = generator.normal(size=(70, 3, 5, 5))
    after = before + generator.normal(size=before.shape) * np.linspace(0, 0.1, 70)[:, None, None, None]
    paths = draw_first_filters(before, after, bands=("i", "r", "g"), path_stem=tmp_path / "filters")
    numbers = pd.read_csv(paths[2])
    assert len(numbers) == before.size
    row = numbers[numbers["filter"].eq(3) & numbers["band"].eq("r") & numbers["row"].eq(2) & numbers["column"].eq(4)]
    assert row[["before", "after"]].to_numpy()[0] == pytest.approx([before[3, 1, 2, 4], after[3, 1, 2, 4]])
    with use_style():
        figure = filters_module.build_figure(before[::-1][:64], after[::-1][:64], share=0.05, num_filters=70)
    assert [axes.get_title() for axes in figure.axes][:2] == ["before training", "after (64 of 70 shown)"]
    picture = figure.axes[0].images[0].get_array()
    assert picture is not None
    largest = np.abs(np.stack([before[-1], after[-1]])).max()
    np.testing.assert_allclose(picture[:5, :5], 0.5 + 0.5 * before[-1].transpose(1, 2, 0) / largest, atol=1e-12)


@pytest.mark.parametrize("num_bands", [1, 5])
def test_filters_of_any_number_of_bands_are_drawn_and_of_none_nothing(num_bands: int, tmp_path: Path) -> None:
    filters = np.random.default_rng(0).normal(size=(9, num_bands, 3, 3))
    bands = tuple("ugriz"[:num_bands])
    assert len(draw_first_filters(filters, filters, bands=bands, path_stem=tmp_path / "same")) == 3
    nothing = np.empty((0, num_bands, 1, 1))
    assert draw_first_filters(nothing, nothing, bands=bands, path_stem=tmp_path / "nothing") == []
    with pytest.raises(ValueError, match="must be alike"):
        draw_first_filters(filters, filters[:4], bands=bands, path_stem=tmp_path / "x")


def test_the_largest_of_a_few_values_has_a_bin_of_its_own() -> None:
    generator = np.random.default_rng(0)
    residuals = np.concatenate([generator.normal(mean, 0.01, 200) for mean in (0.1, 0.2, 0.3)])
    bins = compute_trends({"class": np.repeat([1.0, 2.0, 3.0], 200)}, residuals)
    assert bins["num"].tolist() == [200, 200, 200]
    assert bins["median"].tolist() == pytest.approx([0.1, 0.2, 0.3], abs=0.01)


@pytest.mark.parametrize("num", [2, 3, 5, 30, 80, 700, 20_000])
def test_purity_of_lists_can_be_read_for_any_number_of_galaxies(num: int) -> None:
    truth = np.random.default_rng(num).normal(size=num)
    curve = compute_selection_curve(truth, truth + np.random.default_rng(1).normal(size=num))
    with use_style():
        figure = follow_up_module.build_figure(curve, "metallicity")
    assert_legible(figure)
    for axes in figure.axes:
        numbers = [text.get_text() for text in axes.get_xticklabels(which="both") if text.get_text()]
        assert numbers
        assert all(number.replace(",", "").isdigit() for number in numbers)
        assert np.size(axes.lines[0].get_xdata()) > 1 or axes.lines[0].get_marker() == "o"


def test_widths_of_distributions_are_told_without_powers_of_ten() -> None:
    truth = np.linspace(1000, 9000, 50)
    histograms = distributions_module.compute_histograms_of_both(truth, truth)
    with use_style():
        figure = distributions_module.build_figure(histograms, (1962.4, 0.1234), "age", "Myr")
    told = figure.axes[0].get_legend_handles_labels()[1]
    assert told == ["true, σ = 1962 Myr", "predicted, σ = 0.123 Myr"]
