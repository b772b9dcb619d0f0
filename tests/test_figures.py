"""Promises of the figures: they show the computed numbers, legibly, and the same bytes each time."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from legible import assert_legible, texts_of
from metalight.errors import EvaluationError
from metalight.evaluation import compute_binned_statistics, compute_score_tables, evaluate_predictions, select_examples
from metalight.figures import draw_example_grid, draw_prediction_summary, draw_training_history
from metalight.figures import example_grid as grid_module
from metalight.figures import prediction_summary as summary_module
from metalight.figures import stellar_mass as stellar_mass_module
from metalight.figures import training_history as history_module
from metalight.figures import trusted_range as trusted_module
from metalight.figures.galaxies import compute_marker_areas, make_greys
from metalight.figures.style import NMAD_BLUE, RMSE_RED, use_style

FloatArray = npt.NDArray[np.float64]


def make_metallicities(num: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    truth = np.clip(9.35 - generator.gamma(3, 0.14, num), 8.25, 9.28)
    return truth, np.clip(8.9 + 0.85 * (truth - 8.9) + generator.normal(0, 0.07, num), 8.21, 9.29)


def make_masses(num: int) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(1)
    truth = generator.normal(10.1, 0.6, num)
    return truth, truth + generator.normal(0, 0.22, num)


def make_summary(truth: FloatArray, predicted: FloatArray, name: str = "12 + log(O/H)", unit: str = "dex") -> Figure:
    with use_style():
        return summary_module.build_figure(summary_module.compute_summary(truth, predicted), name, unit)


def make_history(steps_per_epoch: int, *, is_validated: bool = True) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for step in range(10 * steps_per_epoch):
        epoch = step // steps_per_epoch
        is_last = step % steps_per_epoch == steps_per_epoch - 1
        frozen = np.nan if epoch < 2 else 1.0
        rows.append(
            {
                "phase": "frozen" if epoch < 2 else "unfrozen" if epoch < 3 else "cycles",
                "epoch": epoch,
                "step": step,
                "train_loss": 0.4 + np.exp(-epoch) + generator.normal(0, 0.03),
                "validation_rmse": 0.085 + 0.05 * np.exp(-epoch) if is_last and is_validated else np.nan,
                "learning_rate_early": 0.01 * frozen,
                "learning_rate_late": 0.03 * frozen,
                "learning_rate_head": 0.1,
            }
        )
    return pd.DataFrame(rows)


def make_examples(num: int = 30) -> tuple[pd.DataFrame, npt.NDArray[np.uint8]]:
    examples = select_examples(np.arange(num) + 1237648702973411443, *make_metallicities(num))
    images = np.random.default_rng(0).integers(0, 256, (len(examples), 16, 16, 3), dtype=np.uint8)
    return examples, images


def lines_of(axes: Axes, colour: str, style: str) -> list[Line2D]:
    return [line for line in axes.lines if to_hex(str(line.get_color())) == colour and line.get_linestyle() == style]


def test_a_summary_is_written_with_the_numbers_it_shows(tmp_path: Path) -> None:
    truth, predicted = make_metallicities(6000)
    paths = draw_prediction_summary([*truth, np.nan], [*predicted, 9.0], path_stem=tmp_path / "figures/summary.v2")
    names = ["summary.v2.png", "summary.v2.pdf", "summary.v2.csv", "summary.v2_density.csv", "summary.v2_residuals.csv"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(names)
    bins = pd.read_csv(paths[2])
    expected = compute_binned_statistics(truth, predicted, np.round(np.arange(8.2, 9.3, 0.1), 1))
    pd.testing.assert_frame_equal(bins[expected.columns], expected)
    assert bins["rmse_of_all"].unique() == pytest.approx([np.sqrt(np.mean((predicted - truth) ** 2))])
    assert pd.read_csv(paths[3])["num"].sum() == 6000
    residuals = pd.read_csv(paths[4])
    assert len(residuals) == 40
    # All but the hundredth part that lies beyond the inset.
    assert residuals["num"].sum() == pytest.approx(0.99 * 6000, abs=2)
    counts = np.histogram(predicted - truth, bins=[*residuals["low"], residuals["high"].iloc[-1]])[0]
    np.testing.assert_array_equal(residuals["num"], counts)


def test_a_summary_is_laid_out_as_the_paper_s_figure_2() -> None:
    truth, predicted = make_metallicities(20_000)
    figure = make_summary(truth, predicted)
    main, scatter, bar = figure.axes
    assert figure.get_size_inches().tolist() == [7, 7]
    assert main.get_xlim() == main.get_ylim() == scatter.get_xlim() == (8.2, 9.3)
    assert scatter.get_ylim() == (0, 0.3)
    assert (scatter.get_ylabel(), bar.get_ylabel()) == ("Scatter [dex]", "Number of galaxies")
    assert (main.get_xlabel(), main.get_ylabel()) == ("True 12 + log(O/H)", "Predicted 12 + log(O/H)")
    binned = compute_binned_statistics(truth, predicted, np.round(np.arange(8.2, 9.3, 0.1), 1))
    (median,) = lines_of(main, RMSE_RED, "-")
    assert median.get_linewidth() == 4
    drawn = binned[binned["num"] >= 3]
    np.testing.assert_array_equal(np.asarray(median.get_xydata()), drawn[["centre", "median"]])
    for colour, column in ((RMSE_RED, "rmse"), (NMAD_BLUE, "nmad")):
        low, high = (np.asarray(line.get_ydata()) for line in lines_of(main, colour, "--"))
        np.testing.assert_allclose(low, drawn["median"] - drawn[column])
        np.testing.assert_allclose(high, drawn["median"] + drawn[column])
    (ideal,) = lines_of(main, "#000000", "-")
    assert ideal.get_xydata().tolist() == [[0, 0], [1, 1]]  # type: ignore[union-attr]
    assert ideal.get_transform() == main.transAxes


def test_the_grey_histogram_counts_galaxies_on_a_logarithmic_scale() -> None:
    truth, predicted = make_metallicities(20_000)
    (mesh,) = (artist for artist in make_summary(truth, predicted).axes[0].collections if isinstance(artist, QuadMesh))
    counts: FloatArray = np.ma.filled(np.ma.asarray(mesh.get_array()), 0)
    expected = np.histogram2d(predicted, truth, bins=100, range=[(8.2, 9.3)] * 2)[0]
    np.testing.assert_array_equal(counts, expected)
    assert mesh.get_cmap().name == "Greys"
    assert isinstance(mesh.norm, LogNorm)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (1, 100)
    assert max(make_greys()(0.0)[:3]) < 0.95, "a cell with one galaxy differs from an empty one"


def test_the_panel_of_scatter_shows_bins_by_size_and_all_galaxies_as_lines() -> None:
    truth, predicted = make_metallicities(20_000)
    scatter = make_summary(truth, predicted).axes[1]
    binned = compute_binned_statistics(truth, predicted, np.round(np.arange(8.2, 9.3, 0.1), 1))
    drawn = binned[binned["num"] >= 3]
    rmse_points, nmad_points = (points for points in scatter.collections if isinstance(points, PathCollection))
    for points, column in ((rmse_points, "rmse"), (nmad_points, "nmad")):
        np.testing.assert_array_equal(points.get_offsets(), drawn[["centre", column]])
        np.testing.assert_allclose(points.get_sizes(), np.maximum(drawn["num"] / 25, 14))
        assert np.asarray(points.get_edgecolor())[0].tolist() == [1, 1, 1, 1]
    heights = [float(np.asarray(line.get_ydata())[0]) for line in scatter.lines]
    residuals = predicted - truth
    nmad = 1.4826 * np.median(np.abs(residuals - np.median(residuals)))
    assert heights == pytest.approx([np.sqrt(np.mean(residuals**2)), nmad])


def test_the_published_predictions_fit_the_paper_s_frame(shared_folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(shared_folder / "published/predictions_128px.csv")
    summary = summary_module.compute_summary(table["oh_p50"], table["prediction"])
    assert (summary.frame, len(summary.cells), summary.num_galaxies) == ((8.2, 9.3), 101, 20_366)
    assert (summary.rmse, summary.nmad) == pytest.approx((0.084950, 0.065031), abs=5e-7)
    assert summary.density["num"].sum() + summary.num_outside == 20_366
    with use_style():
        figure = summary_module.build_figure(summary, "12 + log(O/H)", "dex")
    assert figure.axes[1].get_ylim() == (0, 0.3)
    (mesh,) = (artist for artist in figure.axes[0].collections if isinstance(artist, QuadMesh))
    assert (mesh.norm.vmin, mesh.norm.vmax) == (1, 100)
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == ["RMSE of all: 0.0850 dex", "NMAD of all: 0.0650 dex"]
    assert_legible(figure)


def test_every_galaxy_of_a_small_sample_is_a_point_within_the_frame() -> None:
    truth, predicted = make_metallicities(78)
    truth[0], predicted[1] = 7.9, 9.6
    figure = make_summary(truth, predicted)
    main = figure.axes[0]
    points = np.asarray(main.collections[0].get_offsets())
    np.testing.assert_array_equal(points, np.column_stack([truth, predicted]))
    low, high = main.get_xlim()
    assert low < points.min() < points.max() < high
    assert len(figure.axes) == 2, "there is no colour bar"
    (median,) = lines_of(main, RMSE_RED, "-")
    nums = compute_binned_statistics(truth, predicted, np.asarray(median.get_xdata()))["num"]
    assert nums.min() >= 3, "a bin with one or two galaxies is not drawn"
    assert not [artist for artist in main.collections if isinstance(artist, QuadMesh)]


@pytest.mark.parametrize("num", [2, 3, 40])
def test_every_residual_of_a_small_sample_is_in_the_inset(num: int) -> None:
    truth = np.linspace(8.3, 9.2, num)
    residuals = np.random.default_rng(num).normal(0, 0.1, num)
    assert summary_module.compute_summary(truth, truth + residuals).residuals["num"].sum() == num


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_targets_of_any_size_are_legible_in_the_figure_of_the_trusted_range(scale: float) -> None:
    predicted = np.random.default_rng(0).normal(8.8, 0.03, 60)
    truth = predicted + np.random.default_rng(1).normal(0, 0.01, 60)
    scores = evaluate_predictions(scale * truth, scale * predicted, baseline_mean=None, num_bootstrap=0)
    bins = compute_score_tables(scale * truth, scale * predicted, num_bootstrap=0).by_prediction
    with use_style():
        figure = trusted_module.build_figure(bins[bins["num"] > 0], scores.breakdown["trusted_range"], "size", "kpc")
    assert_legible(figure)
    assert all("[" in label for label in (figure.axes[0].get_ylabel(), figure.axes[1].get_xlabel()))


def test_marker_areas_are_those_of_the_paper_or_scaled_to_the_fullest_bin() -> None:
    areas = compute_marker_areas
    np.testing.assert_array_equal(areas(np.array([500.0, 5000.0])), [20, 200])
    np.testing.assert_array_equal(areas(np.array([10.0, 40.0])), [50, 200])
    np.testing.assert_array_equal(areas(np.array([1e5, 1e6])), [20, 200])
    np.testing.assert_array_equal(areas(np.array([5.0, 5000.0])), [14, 200])
    assert areas(np.array([])).tolist() == []


@pytest.mark.parametrize(
    ("galaxies", "name", "unit"),
    [
        (make_metallicities(6000), "12 + log(O/H)", "dex"),
        (make_metallicities(900), "12 + log(O/H)", "dex"),
        (make_metallicities(60), "12 + log(O/H)", "dex"),
        (make_metallicities(2), "12 + log(O/H)", "dex"),
        (make_masses(4000), "log(M*/Msun)", "dex"),
        (make_masses(40), "log_mass", "dex"),
        (tuple(4e4 * values for values in make_masses(300)), "age", "Myr"),
        (tuple(1e-5 * values for values in make_masses(700)), "size", ""),
        ((np.ones(3), np.ones(3)), "constant", ""),
    ],
    ids=["large", "medium", "small", "two", "masses", "few masses", "huge values", "tiny values", "constant"],
)
def test_no_text_overlaps_or_leaves_the_figure(galaxies: tuple[FloatArray, FloatArray], name: str, unit: str) -> None:
    figure = make_summary(*galaxies, name=name, unit=unit)
    assert_legible(figure)
    low, high = figure.axes[0].get_xlim()
    inside = np.mean((np.stack(galaxies) > low) & (np.stack(galaxies) < high))
    assert inside > 0.98


def test_a_unit_that_is_not_dex_stands_at_the_axes() -> None:
    figure = make_summary(*make_masses(50), name="age", unit="Gyr")
    assert figure.axes[0].get_xlabel() == "True age [Gyr]"
    assert figure.axes[1].get_ylabel() == "Scatter [Gyr]"
    assert make_summary(*make_masses(50), name="x", unit="").axes[1].get_ylabel() == "Scatter"


def test_a_summary_of_too_few_galaxies_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least 2 are needed"):
        draw_prediction_summary([8.9, np.nan], [8.9, 8.9], path_stem=tmp_path / "summary")
    assert list(tmp_path.iterdir()) == []


def test_the_grid_shows_each_image_as_it_is_with_its_values() -> None:
    examples, images = make_examples()
    with use_style():
        figure = grid_module.build_figure(examples, images, "12 + log(O/H)")
    assert figure.get_size_inches().tolist() == [20, 28]
    assert len(figure.axes) == 35
    for axes, image, (truth, predicted) in zip(
        figure.axes, images, examples[["truth", "predicted"]].to_numpy(), strict=True
    ):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
        (text,) = axes.texts
        assert text.get_text() == f"{truth:.2f} / {predicted:.2f}"
        assert text.get_color() == "white"
        x, y = text.get_position()
        assert x > 0.9
        assert y < 0.1
        assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0
    titles = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert titles == examples["title"].drop_duplicates().tolist()
    lefts = {round(axes.get_position().x0, 6) for axes in figure.axes if axes.get_ylabel()}
    assert lefts == {min(round(axes.get_position().x0, 6) for axes in figure.axes)}
    assert_legible(figure)


@pytest.mark.parametrize("num", [1, 2, 4])
def test_a_grid_of_few_galaxies_has_narrower_rows(num: int) -> None:
    examples, images = make_examples(num)
    with use_style():
        figure = grid_module.build_figure(examples, images, "12 + log(O/H)")
    assert len(figure.axes) == 7 * num
    assert_legible(figure)


def test_the_grid_of_real_galaxies_is_a_file_of_a_reasonable_size(shared_folder: Path, tmp_path: Path) -> None:
    catalog = pd.read_csv(shared_folder / "real-sample/catalog.csv")
    predicted = catalog["oh_p50"] + np.random.default_rng(0).normal(0, 0.1, len(catalog))
    examples = select_examples(catalog["objID"], catalog["oh_p50"], predicted)
    folder = shared_folder / "real-sample/images"
    images = np.stack([np.asarray(Image.open(folder / f"{each}.jpg").convert("RGB")) for each in examples["object_id"]])
    paths = draw_example_grid(examples, images, path_stem=tmp_path / "grid")
    assert [path.name for path in paths] == ["grid.png", "grid.pdf", "grid.csv"]
    assert all(path.stat().st_size < 3e6 for path in paths)
    assert pd.read_csv(paths[2])["object_id"].tolist() == examples["object_id"].tolist()


def test_images_that_do_not_fit_the_examples_are_refused(tmp_path: Path) -> None:
    examples, images = make_examples()
    for wrong in (images[:-1], images.astype(float), images[..., 0]):
        with pytest.raises(ValueError, match=r"images must be uint8 of shape \(35, side, side, 3 or 1\)"):
            draw_example_grid(examples, wrong, path_stem=tmp_path / "grid")
    with pytest.raises(ValueError, match="no example"):
        draw_example_grid(examples[:0], images[:0], path_stem=tmp_path / "grid")


def test_a_history_shows_losses_validation_and_rates(tmp_path: Path) -> None:
    history = make_history(40)
    paths = draw_training_history(history, path_stem=tmp_path / "training_history", name="", unit="dex")
    assert [path.name for path in paths] == [f"training_history.{kind}" for kind in ("png", "pdf", "csv")]
    written = pd.read_csv(paths[2])
    pd.testing.assert_frame_equal(written[history.columns], history)
    with use_style():
        figure = history_module.build_figure(written, "", "dex")
    losses, rates, validation = figure.axes
    np.testing.assert_array_equal(np.asarray(losses.lines[0].get_ydata()), history["train_loss"])
    np.testing.assert_array_equal(np.asarray(losses.lines[1].get_ydata()), written["train_loss_smoothed"])
    assert np.asarray(validation.lines[0].get_xdata()).tolist() == list(range(39, 400, 40))
    assert (losses.get_ylabel(), validation.get_ylabel()) == ("Training loss (scaled targets)", "Validation RMSE [dex]")
    assert rates.get_yscale() == "log"
    assert rates.get_xlim() == losses.get_xlim()
    np.testing.assert_array_equal(np.asarray(rates.lines[0].get_ydata()), history["learning_rate_early"])
    # The phases begin at steps 80 and 120.
    for axes in (losses, rates):
        boundaries = [np.asarray(line.get_xdata())[0] for line in axes.lines if line.get_linestyle() == ":"]
        assert boundaries == [79.5, 119.5]
    assert [text.get_text() for text in losses.texts] == ["frozen", "unfrozen", "cycles"]
    assert_legible(figure)


@pytest.mark.parametrize(
    "history",
    [
        make_history(1),
        make_history(3, is_validated=False),
        make_history(1)[:1],
        make_history(40).assign(learning_rate_early=np.nan, learning_rate_late=np.nan, learning_rate_head=np.nan),
        make_history(40).assign(train_loss=np.nan),
        make_history(40).assign(phase=[f"a longer name {step // 50}" for step in range(400)]),
    ],
    ids=["one step an epoch", "no validation", "one step", "no rates", "diverged", "many phases"],
)
def test_a_history_of_any_kind_is_legible(history: pd.DataFrame, tmp_path: Path) -> None:
    draw_training_history(history, path_stem=tmp_path / "history", name="", unit="")
    with use_style():
        assert_legible(history_module.build_figure(pd.read_csv(tmp_path / "history.csv"), "", ""))


def test_of_several_targets_the_one_that_is_validated_is_named() -> None:
    history = make_history(3).assign(train_loss_smoothed=0.4)
    with use_style():
        figure = history_module.build_figure(history, "lgm_tot_p50", "dex")
    assert figure.axes[2].get_ylabel() == "Validation RMSE of lgm_tot_p50 [dex]"
    assert_legible(figure)


def test_without_validation_there_is_no_second_axis() -> None:
    history = make_history(3, is_validated=False)
    with use_style():
        figure = history_module.build_figure(history.assign(train_loss_smoothed=history["train_loss"]), "", "dex")
    assert len(figure.axes) == 2


def test_the_running_mean_is_centred_and_keeps_a_constant() -> None:
    np.testing.assert_allclose(history_module.smooth_loss(np.full(500, 0.3)), 0.3)
    ramp = np.arange(500.0)
    np.testing.assert_allclose(history_module.smooth_loss(ramp)[10:-10], ramp[10:-10])
    np.testing.assert_array_equal(history_module.smooth_loss(ramp[:60]), ramp[:60])


def test_a_phase_that_comes_back_is_a_phase_of_its_own() -> None:
    history = pd.DataFrame({"phase": ["a", "a", "b", "a"], "step": [0, 1, 2, 3]})
    assert history_module.find_phases(history) == [("a", 0), ("b", 2), ("a", 3)]


def test_a_history_that_lacks_something_is_refused(tmp_path: Path) -> None:
    lacking = make_history(1).drop(columns=["phase", "train_loss"])
    with pytest.raises(ValueError, match="history lacks phase, train_loss"):
        draw_training_history(lacking, path_stem=tmp_path / "history", name="", unit="")
    with pytest.raises(ValueError, match="history lacks rows"):
        draw_training_history(make_history(1)[:0], path_stem=tmp_path / "history", name="", unit="")


def test_the_same_numbers_give_the_same_bytes_and_settings_stay_as_they_were(tmp_path: Path) -> None:
    examples, images = make_examples(4)
    written = []
    for folder, size in (("first", 10.0), ("second", 30.0)):
        # What the user sets for figures of their own neither shows in ours nor is lost.
        with mpl.rc_context({"font.size": size, "axes.grid": True}):
            before = dict(mpl.rcParams.copy())
            before.pop("backend")
            written.append(
                [
                    *draw_prediction_summary(*make_metallicities(700), path_stem=tmp_path / folder / "summary"),
                    *draw_example_grid(examples, images, path_stem=tmp_path / folder / "grid"),
                    *draw_training_history(make_history(5), path_stem=tmp_path / folder / "history", name="", unit=""),
                ]
            )
            assert all(mpl.rcParams[key] == value for key, value in before.items())
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_masses_are_shown_beside_the_metallicities_that_follow_from_them(tmp_path: Path) -> None:
    truth, predicted = make_masses(4000)
    metallicity = stellar_mass_module.compute_metallicity_by_mass(truth)
    paths = stellar_mass_module.draw_stellar_mass(truth, predicted, metallicity, path_stem=tmp_path / "mass")
    assert [path.name for path in paths] == ["mass.png", "mass.pdf", "mass.csv", "mass_through_relation.csv"]
    masses, metallicities = (pd.read_csv(path) for path in paths[2:])
    assert masses["centre"].tolist() == pytest.approx(np.arange(8.4, 11.3, 0.2))
    is_within = (predicted >= 8.5) & (predicted <= 11.5) & np.isfinite(metallicity)
    residual = stellar_mass_module.compute_metallicity_by_mass(predicted[is_within]) - metallicity[is_within]
    assert metallicities["rmse_of_all"].iloc[0] == pytest.approx(np.sqrt((residual**2).mean()))
    with use_style():
        figure = stellar_mass_module.build_figure(
            summary_module.compute_summary(truth, predicted), summary_module.compute_summary(metallicity, metallicity)
        )
    assert_legible(figure)


def test_the_labels_of_the_axes_of_masses_are_no_longer_than_their_axes() -> None:
    truth, predicted = make_masses(200)
    metallicity = stellar_mass_module.compute_metallicity_by_mass(truth)
    of_predicted = stellar_mass_module.compute_metallicity_by_mass(predicted)
    with use_style():
        figure = stellar_mass_module.build_figure(
            summary_module.compute_summary(truth, predicted), summary_module.compute_summary(metallicity, of_predicted)
        )
    assert_legible(figure)
    panels = [axes for axes in figure.findobj(Axes) if isinstance(axes, Axes) and "redicted" in axes.get_ylabel()]
    assert len(panels) == 2
    for axes in panels:
        assert axes.yaxis.label.get_window_extent().height <= axes.get_window_extent().height


def test_masses_outside_the_relation_s_range_are_not_drawn(tmp_path: Path) -> None:
    truth = np.linspace(7, 8, 30)
    assert stellar_mass_module.draw_stellar_mass(truth, truth, truth, path_stem=tmp_path / "mass") == []


def test_metallicities_of_masses_are_those_of_the_relation_within_its_range() -> None:
    # Table 3 of Tremonti et al. (2004): medians at these masses, from which eq. 3 is up to 0.02 dex off.
    found = stellar_mass_module.compute_metallicity_by_mass([8.57, 9.96, 11.25, 8.4, 11.6, np.nan])
    assert found[:3] == pytest.approx([8.44, 8.94, 9.12], abs=0.02)
    assert np.isnan(found[3:]).all()


def test_every_word_can_be_read_when_the_figure_is_as_wide_as_a_column_of_a_journal() -> None:
    figure = make_summary(*make_metallicities(20_000))
    # A column of MNRAS is 84 mm wide; letters of less than 5 points are too small for its printers.
    shrinkage = 84 / 25.4 / figure.get_size_inches()[0]
    for text in texts_of(figure):
        assert text.get_fontsize() * shrinkage >= 5, text.get_text()
