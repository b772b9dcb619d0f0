"""Promises of bands taken from colour pictures: the right channels, in training and in prediction."""

from pathlib import Path
from typing import Any

import numpy as np

from call import refuse, refuse_run, run, succeed
from make import make_sample
from metalight.cutouts import find_cutouts
from metalight.images import build_pixels, load_pixels
from metalight.recipe import CutoutsSettings

OF_PICTURES = ["--set", 'cutouts.picture_bands=["i", "r", "g"]']


def test_bands_are_the_channels_of_that_name_in_the_order_asked_for(tmp_path: Path) -> None:
    catalog = make_sample(tmp_path, 6)
    found = find_cutouts(tmp_path / "images", catalog["objID"].to_numpy(), None).found

    def read(*bands: str, picture_bands: tuple[str, ...] = ("i", "r", "g")) -> np.ndarray[Any, np.dtype[np.uint8]]:
        settings = CutoutsSettings(bands=bands, picture_bands=picture_bands)
        build_pixels(tmp_path / "images", found, tmp_path / "pixels", side=16, settings=settings)
        return np.array(load_pixels(tmp_path / "pixels").array)

    everything = read("i", "r", "g", picture_bands=())
    for bands, channels in ((("r",), [1]), (("g", "r"), [2, 1]), (("g", "r", "i"), [2, 1, 0])):
        np.testing.assert_array_equal(read(*bands), everything[..., channels])


def test_a_model_of_some_bands_takes_the_same_from_new_pictures(sample: Path) -> None:
    run(sample, *OF_PICTURES, "--set", 'cutouts.bands=["g", "r"]', "--set", "prediction.views=none")
    succeed(
        "predict", sample / "run", "--images", sample / "images", "-o", sample / "predictions.parquet", "--views=none"
    )
    import pandas as pd

    new = pd.read_parquet(sample / "predictions.parquet").set_index("object_id")
    known = pd.read_parquet(sample / "run/predictions/test.parquet").set_index("object_id")
    np.testing.assert_allclose(new.loc[known.index, "oh_p50_predicted"], known["oh_p50_predicted"], atol=1e-6)
    assert "red, green and blue are i, r, g" in (sample / "run/model/README.md").read_text()


def test_bands_that_pictures_lack_are_refused(sample: Path) -> None:
    message = refuse_run(sample, *OF_PICTURES, "--set", 'cutouts.bands=["z"]')
    assert "[cutouts] picture_bands lacks z, which bands asks for" in message
    message = refuse_run(sample, "--set", 'cutouts.picture_bands=["i", "r"]', "--set", 'cutouts.bands=["i"]')
    assert "[cutouts] picture_bands are what red, green and blue are: 3, not 2" in message
    message = refuse("recipe", "check", "demo", "--set", 'cutouts.picture_bands=["i", "I"]', status=2)
    assert "picture_bands has a name twice" in message
