"""A random forest on the numbers of the smallest images: what the same three numbers say without a network."""

from pathlib import Path

import numpy as np
import pandas as pd

from metalight.images import load_pixels
from metalight.run_folder import RunFolder
from metalight.tables import load_galaxies

NUM_TREES, MIN_GALAXIES_A_LEAF = 40, 8
"""The settings of Acquaviva (2016), of the paper's baseline."""


def predict_by_forest(run_dir: Path, target: str, *, seed: int) -> "pd.Series[float]":
    """Predictions of the test galaxies, by object_id, of a forest that has learnt from the training galaxies.

    Args:
        run_dir: A run whose images are so small that each of their numbers is a feature: it needs catalogue, pixels
            and splits.
        target: What to predict; training galaxies that lack it are left out.
        seed: Of the forest.

    Raises:
        ImageError: The decoded images are not there.
    """
    from sklearn.ensemble import RandomForestRegressor

    run = RunFolder(run_dir)
    pixels = load_pixels(run.pixels)
    splits = load_galaxies(run.splits).frame.set_index("object_id")["split"]
    truth = load_galaxies(run.catalog).frame.set_index("object_id")[target].astype("float64")
    training = [object_id for object_id in splits.index[splits == "train"] if np.isfinite(truth.loc[object_id])]
    test = splits.index[splits == "test"]

    def features(object_ids: "pd.Index[int] | list[int]") -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        rows = pixels.rows_of(np.asarray(object_ids, dtype=np.int64))
        return pixels.array[rows].reshape(len(rows), -1).astype(np.float64)

    forest = RandomForestRegressor(n_estimators=NUM_TREES, min_samples_leaf=MIN_GALAXIES_A_LEAF, random_state=seed)
    forest.fit(features(training), truth.loc[training].to_numpy())
    return pd.Series(forest.predict(features(test)), index=test, name=target)
