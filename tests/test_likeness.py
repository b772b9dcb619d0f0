"""Promises of the comparison with the training images: others of the same kind pass, and other kinds are told of."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from call import succeed
from make import make_blobs
from metalight.images import measure_statistics, name_statistics
from metalight.model_files import TrainingImages, find_mismatches, summarise_images

NAMES = name_statistics(("i", "r", "g"))
SIDE = 64
UNLIKE = "do not look like those that the model was trained on"

Images = npt.NDArray[np.uint8]


def measure(images: npt.NDArray[np.uint8 | np.float32]) -> npt.NDArray[np.float64]:
    return measure_statistics(images, np.arange(len(images)))


def summarise(images: Images) -> TrainingImages:
    return summarise_images(NAMES, measure(images), np.full(len(images), SIDE))


def find(training: TrainingImages, images: Images, side: int = SIDE) -> list[str]:
    return find_mismatches(training, NAMES, measure(images), np.full(len(images), side))


@pytest.fixture(scope="module")
def blobs() -> Images:
    return make_blobs(160, SIDE)[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_numbers_of_an_image_do_not_depend_on_those_beside_it(blobs: Images, dtype: type) -> None:
    images: npt.NDArray[np.uint8 | np.float32] = blobs[:25].astype(dtype)
    whole = measure(images)
    assert whole.shape == (25, len(NAMES))
    for size in (1, 7, 25):
        parts = [measure_statistics(images, np.arange(first, min(first + size, 25))) for first in range(0, 25, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(measure_statistics(images, np.array([7, 3])), whole[[7, 3]])


def test_the_numbers_are_those_that_their_names_say() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(100, 10, (1, 128, 128, 3)).round().astype(np.uint8)
    smooth = np.repeat(np.repeat(noise[:, :32, :32], 4, axis=1), 4, axis=2)
    black = noise.copy()
    black[:, :32] = 0
    of_noise, of_smooth, of_black = (
        dict(zip(NAMES, measure(image)[0], strict=True)) for image in (noise, smooth, black)
    )
    assert of_noise["mean_r"] == pytest.approx(100, abs=1)
    assert of_noise["spread_r"] == pytest.approx(10, abs=0.5)
    assert of_noise["colour_i_r"] == pytest.approx(1, abs=0.05)
    assert of_noise["noise_lag"] == pytest.approx(0.5, abs=0.1)
    assert of_smooth["noise_lag"] > 1.5
    assert (of_noise["black_fraction"], of_black["black_fraction"]) == (0, 0.25)
    assert np.isnan(measure(noise[:, :16, :16])[0][NAMES.index("noise_lag")])


@pytest.mark.parametrize("num", [1, 2, 10, 80])
def test_other_galaxies_of_the_same_kind_match(blobs: Images, num: int) -> None:
    generator = np.random.default_rng(num)
    alarms = 0
    for _ in range(20):
        order = generator.permutation(len(blobs))
        alarms += bool(find(summarise(blobs[order[:80]]), blobs[order[80 : 80 + num]]))
    assert alarms == 0


@pytest.mark.parametrize("num", [1, 10, 80])
def test_images_of_another_kind_do_not(blobs: Images, num: int) -> None:
    training, others = summarise(blobs[:80]), blobs[80 : 80 + num]
    noise = np.random.default_rng(0).integers(0, 256, others.shape, dtype=np.uint8)
    assert find(training, 255 - others)
    assert find(training, noise)
    assert any("side" in each for each in find(training, others, side=2 * SIDE))
    if num > 1:
        assert find(training, np.ascontiguousarray(others[:, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]))


def test_nothing_is_said_where_nothing_is_known(blobs: Images) -> None:
    assert find(TrainingImages(), blobs[:3]) == []
    assert find(summarise(blobs[:10]), blobs[:0]) == []


def test_equal_training_images_do_not_alarm_at_themselves(blobs: Images) -> None:
    same = np.repeat(blobs[:1], 5, axis=0)
    assert find(summarise(same), same) == []


def test_predict_warns_of_images_unlike_those_of_the_training(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "inverted").mkdir()
    for path in (finished / "images").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(tmp_path / "inverted" / path.name)
    given = ("predict", finished / "run", "--views", "none", "--images")
    assert UNLIKE in succeed(*given, tmp_path / "inverted", "-o", tmp_path / "a.csv")
    # Also when what was done before is taken up.
    assert UNLIKE in succeed(*given, tmp_path / "inverted", "-o", tmp_path / "a.csv")
    assert UNLIKE not in succeed(*given, finished / "images", "-o", tmp_path / "b.csv")
    shutil.copytree(finished, tmp_path / "other")
    assert UNLIKE not in succeed(*given, tmp_path / "other/run", "-o", tmp_path / "c.csv")


def test_halves_of_the_real_sample_match(shared_folder: Path) -> None:
    paths = sorted((shared_folder / "real-sample/images").glob("*.jpg"))[:200]
    images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    training = summarise(images[::2])
    for num in (1, 5, 100):
        assert find(training, images[1::2][:num]) == []
    assert find(training, np.ascontiguousarray(images[1::2][:, 32:96, 32:96]))
    assert find(training, np.ascontiguousarray(images[1::2][..., ::-1]))
