"""Promises of bands taken from colour pictures: the right channels, in training and in prediction."""

import json
from pathlib import Path

import numpy as np

from call import refuse, refuse_run, run, succeed
from metalight.images import load_pixels

OF_PICTURES = ["--set", 'cutouts.picture_bands=["i", "r", "g"]']


def test_bands_are_the_channels_of_that_name_in_the_order_asked_for(sample: Path) -> None:
    run(sample, "--only", "catalog")
    run(sample)
    everything = np.array(load_pixels(sample / "run/pixels").array)
    for bands, channels in ((["r"], [1]), (["g", "r"], [2, 1]), (["g", "r", "i"], [2, 1, 0])):
        asked = ["--set", f"cutouts.bands={json.dumps(bands)}"]
        run(sample, *OF_PICTURES, *asked, "--set", "training.first_cycle_epochs=1")
        np.testing.assert_array_equal(load_pixels(sample / "run/pixels").array, everything[..., channels])


def test_a_model_of_some_bands_takes_the_same_from_new_pictures(sample: Path) -> None:
    run(sample, *OF_PICTURES, "--set", 'cutouts.bands=["g", "r"]')
    succeed(
        "predict", sample / "run", "--images", sample / "images", "-o", sample / "predictions.parquet", "--views=none"
    )
    import pandas as pd

    new = pd.read_parquet(sample / "predictions.parquet").set_index("object_id")
    run(sample, *OF_PICTURES, "--set", 'cutouts.bands=["g", "r"]', "--set", "prediction.views=none")
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
