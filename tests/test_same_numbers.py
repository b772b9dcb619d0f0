"""Promises of numbers: those of a galaxy do not depend on the galaxies beside it, on how many, or on threads.

`make soak` repeats these tests with other kernels of OpenBLAS and other numbers of threads.
"""

import functools
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from PIL import Image

from make import FIRST_ID, make_blobs, make_model, predict_pixels
from metalight import intervals
from metalight.baselines import fit_gaussian_process
from metalight.baselines.regressors import Examples, fit_boosting, fit_forest, fit_process
from metalight.catalog import compute_label_noise
from metalight.evaluation.binned import compute_binned_errors
from metalight.images import PICTURE_CURVES, measure_apertures, measure_mean_levels, measure_petrosian
from metalight.metrics import compute_metrics, compute_paired_metrics
from metalight.model import SavedModel, build_network, inference, open_inference
from metalight.prediction import open_predictor
from metalight.recipe import ModelSettings
from metalight.simulation import INSTRUMENTS, Universe, draw_cutout, draw_population, iterate_galaxies
from metalight.training.normalization import measure_fluxes

FloatArray = npt.NDArray[np.float64]
Predict = Callable[[FloatArray], FloatArray]

NUM = 30
IDS = FIRST_ID + np.arange(NUM)

in_parts = pytest.mark.parametrize("size", [1, 7, 25, NUM])
"""Galaxies a part."""


def divide(num: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, num)) for first in range(0, num, size))


def join(work: Callable[[slice], Any], size: int, num: int = NUM) -> npt.NDArray[Any]:
    return np.concatenate([work(part) for part in divide(num, size)])


@functools.cache
def make_images(side: int, kind: str) -> npt.NDArray[Any]:
    """Images with noise, so that no sum is exact by chance."""
    levels = make_blobs(NUM, side)[0].astype(np.float64)
    noisy = levels + np.random.default_rng(side).normal(4, 2, levels.shape)
    return noisy.clip(0, 255).astype(np.uint8) if kind == "levels" else (0.37 * noisy).astype(np.float32)


@in_parts
@pytest.mark.parametrize("kind", ["levels", "fluxes"])
@pytest.mark.parametrize("side", [8, 33, 128])
@pytest.mark.parametrize("measure", [measure_apertures, measure_mean_levels])
def test_numbers_of_an_image_are_its_own(measure: Callable[..., FloatArray], side: int, kind: str, size: int) -> None:
    images, rows = make_images(side, kind), np.arange(NUM)
    measured = join(lambda part: measure(images, rows[part]), size)
    np.testing.assert_array_equal(measured, measure(images, rows[::-1])[::-1])


@in_parts
def test_a_simulated_galaxy_and_its_image_are_its_own(size: int) -> None:
    whole = draw_population(NUM, 3)
    pieces = [draw_population(part.stop - part.start, 3, first=part.start) for part in divide(NUM, size)]
    joined = pd.concat(pieces, ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole, check_exact=True)
    assert draw(joined, NUM - 1) == draw(whole, NUM - 1)


def draw(population: pd.DataFrame, row: int) -> bytes:
    galaxy = next(iterate_galaxies(population.iloc[row : row + 1]))
    return draw_cutout(galaxy, frame_arcsec=40.0, side=64, seed=3, instrument=INSTRUMENTS["sdss"], universe=Universe())


@functools.cache
def draw_first_looks() -> list[npt.NDArray[np.uint8]]:
    scene: dict[str, Any] = {"seed": 3, "instrument": INSTRUMENTS["sdss"], "universe": Universe()}
    galaxies = iterate_galaxies(draw_population(8, 3))
    jpegs = [draw_cutout(galaxy, frame_arcsec=256 * 0.396, side=256, **scene) for galaxy in galaxies]
    return [np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in jpegs]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_measured_size_is_that_of_its_image(size: int) -> None:
    pytest.importorskip("sep", reason="sizes are measured with sep, which is not installed")
    looks = draw_first_looks()

    def measure(part: slice) -> list[tuple[float, float]]:
        measured = [measure_petrosian(levels, 0.396, stretch=PICTURE_CURVES["simulated"]) for levels in looks[part]]
        return [(each.r90_arcsec, each.r50_arcsec) for each in measured]

    backwards = [measure(slice(row, row + 1))[0] for row in reversed(range(len(looks)))]
    np.testing.assert_array_equal(join(measure, size, len(looks)), backwards[::-1])


@functools.cache
def fit_regressions() -> dict[str, Predict]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 28))
    examples = Examples(features, features[:, 0] - features[:, 1] ** 2 + 0.1 * generator.normal(size=300))
    validation = Examples(features[:50], examples.target[:50])
    projected = fit_gaussian_process(features, examples.target, most_exact=90, most_tuned=60)
    return {
        "forest": fit_forest(examples, num_trees=10, min_samples_leaf=1, seed=0).predict,
        "boosting": fit_boosting(examples, validation, seed=0).predict,
        "exact process": fit_process(examples, seed=0).predict,
        "projected process": projected.predict,
    }


@in_parts
@pytest.mark.parametrize("name", ["forest", "boosting", "exact process", "projected process"])
def test_what_a_baseline_predicts_of_a_galaxy_is_its_own(name: str, size: int) -> None:
    predict, features = fit_regressions()[name], np.random.default_rng(1).normal(size=(NUM, 28))
    np.testing.assert_array_equal(join(lambda part: predict(features[part]), size), predict(features[::-1])[::-1])


@functools.cache
def make_predicted() -> tuple[FloatArray, FloatArray, FloatArray]:
    truth, a, b = np.random.default_rng(0).normal(8.9, 0.2, (3, NUM))
    return truth, truth + 0.3 * (a - 8.9), truth + 0.4 * (b - 8.9)


@pytest.mark.parametrize("samples_at_once", [1, 7, 25])
def test_a_bootstrap_interval_does_not_depend_on_how_many_samples_are_drawn_at_once(
    samples_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, a, b = make_predicted()

    def compute() -> list[str]:
        how: dict[str, int] = {"num_bootstrap": 30, "seed": 0}
        paired = {name: pair.difference for name, pair in compute_paired_metrics(truth, a, b, **how).items()}
        binned = compute_binned_errors(truth, a, [8.8, 9.0], 0.2, num_bootstrap=30, seed=0)
        return [repr(compute_metrics(truth, a, **how)), repr(paired), binned.to_csv()]

    expected = compute()
    monkeypatch.setattr(intervals, "NUM_DRAWN_AT_ONCE", NUM * samples_at_once)
    assert compute() == expected


def test_label_noise_does_not_depend_on_the_order_of_the_spectra() -> None:
    generator = np.random.default_rng(0)
    repeats = pd.DataFrame({"object_id": np.arange(90) % 31, "oh_p50": generator.normal(8.9, 0.1, 90)})
    shuffled = repeats.sample(frac=1, random_state=1)
    assert compute_label_noise(shuffled, num_bootstrap=20) == compute_label_noise(repeats, num_bootstrap=20)


def test_the_mean_of_fluxes_does_not_depend_on_the_order_of_the_galaxies() -> None:
    fluxes, rows = make_images(33, "fluxes"), np.arange(NUM)
    for one, other in zip(measure_fluxes(fluxes, rows), measure_fluxes(fluxes, rows[::-1]), strict=True):
        assert torch.equal(one, other)


@in_parts
@pytest.mark.parametrize(("precision", "views"), [("float32", "paper"), ("float32", "eight"), ("bf16", "paper")])
def test_a_prediction_is_that_of_its_galaxy(precision: Any, views: Any, size: int) -> None:
    model, images, rows = make_model(side=33), make_images(33, "levels"), np.arange(NUM)
    with open_predictor(model, device=torch.device("cpu"), precision=precision) as predictor:

        def predict(rows: npt.NDArray[np.intp]) -> FloatArray:
            return predictor.predict(images, rows, IDS[rows], views=views)

        np.testing.assert_array_equal(join(lambda part: predict(rows[part]), size), predict(rows[::-1])[::-1])


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", ["levels", "fluxes"])
def test_a_prediction_does_not_depend_on_threads_or_batches(precision: Any, kind: str) -> None:
    model, images, rows = make_model(side=33), make_images(33, kind), np.arange(NUM)
    if kind == "fluxes":
        described = model.config.images.model_copy(update={"is_fits": True})
        model = SavedModel(model.network, model.config.model_copy(update={"images": described}))
    predictions = []
    for num_threads, batch_size in ((1, 16), (1, 64), (2, 64), (3, 17)):
        torch.set_num_threads(num_threads)
        how: dict[str, Any] = {"precision": precision, "batch_size": batch_size, "views": "paper"}
        predictions.append(predict_pixels(model, images, rows, IDS, **how))
    for other in predictions[1:]:
        np.testing.assert_array_equal(other, predictions[0])


@pytest.mark.parametrize("has_512_bits", [False, True])
def test_a_wide_network_predicts_an_image_by_itself(has_512_bits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its convolutions are of the widths that libraries, and Winograd's way, treat in their own manner."""
    monkeypatch.setattr(inference, "_has_512_bits", lambda: has_512_bits)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(ModelSettings(backbone="resnet18.tv_in1k"), 1, side=72)
        images = torch.rand(16, 3, 72, 72)
    with open_inference(network, side=72, device=torch.device("cpu"), precision="float32") as opened:
        together = opened.compute(images)
        for part in (slice(3, 4), slice(9, 16)):
            assert torch.equal(opened.compute(images[part]), together[part])
        assert torch.equal(opened.compute(images.flip(0)).flip(0), together)
