"""Promises of the figure of paired differences: the computed numbers, legibly, and the same bytes each time."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from legible import assert_legible
from metalight.evaluation import choose_bin_centres, compute_binned_differences
from metalight.figures import draw_paired_difference
from metalight.figures import paired_difference as figure_module
from metalight.figures.style import use_style
from metalight.metrics import compute_paired_metrics

FloatArray = npt.NDArray[np.float64]
Galaxies = tuple[FloatArray, FloatArray, FloatArray]


def make_galaxies(num: int, *, sigma_b: float = 0.07) -> Galaxies:
    generator = np.random.default_rng(0)
    truth = np.clip(9.35 - generator.gamma(3, 0.14, num), 8.25, 9.28)
    shared = generator.normal(0, 0.05, num)
    return truth, truth + shared + generator.normal(0, 0.05, num), truth + shared + generator.normal(0, sigma_b, num)


def scale(galaxies: Galaxies, factor: float) -> Galaxies:
    truth, a, b = galaxies
    return factor * truth, factor * a, factor * b


def make_summary(galaxies: Galaxies) -> figure_module.PairedSummary:
    rmse = compute_paired_metrics(*galaxies, num_bootstrap=100)["rmse"]
    return figure_module.compute_summary(*galaxies, rmse)


def make_figure(galaxies: Galaxies, name: str = "12 + log(O/H)", unit: str = "dex") -> Figure:
    with use_style():
        return figure_module.build_figure(make_summary(galaxies), ("first run", "second_run"), name, unit)


def test_the_figure_is_written_with_the_numbers_it_shows(tmp_path: Path) -> None:
    galaxies = make_galaxies(3000)
    rmse = compute_paired_metrics(*galaxies, num_bootstrap=200)["rmse"]
    written = [
        draw_paired_difference(*galaxies, rmse, path_stem=tmp_path / folder / "pair.v2", names=("one", "two"))
        for folder in ("first", "second")
    ]
    names = [f"pair.v2{ending}" for ending in (".png", ".pdf", ".csv", "_residuals.csv", "_bootstrap.csv")]
    assert [path.name for path in written[0]] == names
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    expected = compute_binned_differences(*galaxies, *choose_bin_centres(galaxies[0]))
    pd.testing.assert_frame_equal(pd.read_csv(written[0][2]), expected)
    residuals, bootstrap = pd.read_csv(written[0][3]), pd.read_csv(written[0][4])
    summary = figure_module.compute_summary(*galaxies, rmse)
    assert residuals["num"].sum() + summary.num_outside == 3000
    assert bootstrap["num"].sum() == 200
    assert bootstrap["low"].min() == pytest.approx(rmse.drawn.min())
    assert bootstrap["high"].max() == pytest.approx(rmse.drawn.max())


def test_each_panel_shows_its_numbers() -> None:
    galaxies = make_galaxies(3000)
    summary = make_summary(galaxies)
    residuals, bins, bootstrap = make_figure(galaxies).axes
    (mesh,) = (artist for artist in residuals.collections if isinstance(artist, QuadMesh))
    counts: FloatArray = np.ma.filled(np.ma.asarray(mesh.get_array()), 0)
    truth, a, b = galaxies
    np.testing.assert_array_equal(counts, np.histogram2d(b - truth, a - truth, bins=[summary.cells] * 2)[0])
    drawn = summary.bins[summary.bins["num"] >= 3]
    (points,) = bins.containers
    np.testing.assert_array_equal(points[0].get_xydata(), drawn[["centre", "mae_difference"]])
    assert bins.get_ylim()[0] < 0 < bins.get_ylim()[1]
    value = next(line for line in bootstrap.lines if line.get_label() == "B − A")
    assert float(np.asarray(value.get_xdata())[0]) == summary.rmse.difference.value
    assert bootstrap.get_xlim()[0] < 0 < bootstrap.get_xlim()[1]
    assert residuals.get_xlabel() == "Residual of A [dex]"
    assert bins.get_xlabel() == "True 12 + log(O/H)"
    assert bootstrap.get_xlabel() == "RMSE, B − A [dex]"


def test_every_galaxy_of_a_small_sample_is_a_point_within_the_frame() -> None:
    truth, a, b = make_galaxies(60)
    a[0] = truth[0] + 3
    axes = make_figure((truth, a, b)).axes[0]
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(points, np.column_stack([a - truth, b - truth]))
    assert np.abs(points).max() < axes.get_xlim()[1]


@pytest.mark.parametrize(
    ("galaxies", "name", "unit"),
    [
        (make_galaxies(6000), "12 + log(O/H)", "dex"),
        (make_galaxies(3000, sigma_b=0.02), "12 + log(O/H)", "dex"),
        (make_galaxies(60), "12 + log(O/H)", "dex"),
        (make_galaxies(2), "12 + log(O/H)", "dex"),
        (scale(make_galaxies(300), 4e4), "age", "Myr"),
        (scale(make_galaxies(700), 1e-5), "size", ""),
        ((np.ones(3), np.ones(3), np.ones(3)), "constant", ""),
        ((make_galaxies(50)[0], make_galaxies(50)[1], make_galaxies(50)[1]), "the same", "dex"),
        ((np.array([1.0, 2.0]), np.array([1.1, 2.1]), np.array([1.2, 2.2])), "alike", ""),
    ],
    ids=["large", "better", "small", "two", "huge", "tiny", "constant", "identical", "a difference that is the same"],
)
def test_no_text_overlaps_or_leaves_the_figure(galaxies: Galaxies, name: str, unit: str) -> None:
    assert_legible(make_figure(galaxies, name, unit))


def test_long_and_odd_names_stay_on_the_figure() -> None:
    summary = make_summary(make_galaxies(60))
    names = ("a/very/long/path/" * 20 + "$x_1$.csv", "$\\frac{")
    with use_style():
        assert_legible(figure_module.build_figure(summary, names, "x", ""))
