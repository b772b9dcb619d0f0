"""Predictions of many galaxies in parts: an interrupted one resumes, and only one part is in memory.

Parts are whole batches, and the same ones whether or not there was an interruption: so are the numbers.
"""

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.images import (
    ImageKind,
    Pixels,
    check_any_usable,
    divide_into_parts,
    measure_statistics,
    name_statistics,
    read_images,
    refuse_duplicates,
)
from metalight.progress import Progress, part_of
from metalight.recipe import TestViews
from metalight.unfinished import UnfinishedWork

if TYPE_CHECKING:
    import torch

    from metalight.model import Precision, SavedModel
    from metalight.prediction import Predictor

_GALAXIES_A_PART = 2048


@dataclass(frozen=True)
class HowToPredict:
    """Settings that the numbers of a prediction depend on, besides the model and the images."""

    views: TestViews
    seed: int
    batch_size: int
    device: "torch.device"
    precision: "Precision"


@dataclass(frozen=True, eq=False)
class PredictionOutcome:
    """Outcome of predicting galaxies."""

    object_ids: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.float64]
    """(galaxy, target) in physical units."""

    refused: pd.DataFrame
    """Columns object_id, path, reason."""

    image_numbers: npt.NDArray[np.float64]
    """(galaxy, number), as of `metalight.images.measure_statistics`."""

    file_sides: npt.NDArray[np.int64]
    """(galaxy,) shorter side of each image file in pixels."""


def predict_galaxies(
    model: "SavedModel",
    pixels: Pixels,
    object_ids: npt.NDArray[np.int64],
    how: HowToPredict,
    *,
    work: UnfinishedWork,
    label: str = "Predicting",
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """Predictions (galaxy, target) of galaxies whose images are decoded, in physical units.

    Args:
        model: What predicts.
        pixels: Decoded images of these galaxies and of others.
        object_ids: The galaxies, in the order wanted.
        how: Views and batches.
        work: The parts that are there already; new ones are kept in it.
        label: Of the bar.
        progress: Shows one bar.
    """
    size = how.batch_size * max(1, _GALAXIES_A_PART // how.batch_size)
    rows = pixels.rows_of(object_ids)
    with _open_predictor(model, how) as predictor, progress(label, len(rows)) as advance:
        parts = []
        for first in range(0, len(rows), size):
            part = slice(first, min(first + size, len(rows)))
            table = work.load(part)
            if table is None:
                predicted = _predict(predictor, pixels.array, rows[part], object_ids[part], how, part_of(advance))
                table = work.keep(part, _as_frame(predicted))
            else:
                advance(part.stop - part.start)
            parts.append(table.to_numpy(dtype=np.float64))
        return np.concatenate(parts) if parts else np.empty((0, len(model.config.targets)))


def predict_folder(
    model: "SavedModel",
    folder: Path,
    found: pd.DataFrame,
    kind: ImageKind,
    how: HowToPredict,
    *,
    work: UnfinishedWork,
    progress: Progress,
) -> PredictionOutcome:
    """Predictions of a folder's images, decoded a part at a time.

    Args:
        model: What predicts.
        folder: Folder of the images.
        found: Columns object_id, path, num_bytes, modified_ns, as `metalight.cutouts` gives them.
        kind: What the images are, and what they are brought to.
        how: Views and batches.
        work: The parts that are there already; new ones are kept in it.
        progress: Shows one bar.

    Raises:
        ImageError: No image can be used.
    """
    names = name_statistics(kind.settings.bands)
    with _open_predictor(model, how) as predictor, progress("Predicting", len(found)) as advance:
        parts = []
        for part in divide_into_parts(len(found), kind):
            table = work.load(part)
            # A file that could not be read is tried again.
            if table is None or table["is_unread"].any():
                read = read_images(folder, found[part], kind)
                usable = np.flatnonzero(read.outcomes["reason"] == "")
                object_ids = read.outcomes["object_id"].to_numpy()[usable]
                predicted = np.full((len(read.outcomes), len(model.config.targets)), np.nan)
                predicted[usable] = _predict(predictor, read.pixels, usable, object_ids, how, part_of(advance))
                advance(len(read.outcomes) - len(usable))
                numbers = pd.DataFrame(measure_statistics(read.pixels, np.arange(len(read.pixels))), columns=names)
                table = work.keep(part, pd.concat([read.outcomes, _as_frame(predicted), numbers], axis=1))
            else:
                advance(part.stop - part.start)
            parts.append(table)
    outcomes = pd.concat(parts, ignore_index=True)
    refuse_duplicates(outcomes)
    check_any_usable(folder, outcomes)
    return _sort_out(outcomes, len(model.config.targets), names)


def identify_prediction(model: "SavedModel", how: HowToPredict, images: object) -> str:
    """A digest of all that predictions depend on.

    Args:
        model: What predicts.
        how: Views and batches.
        images: What tells the images from others, for JSON.
    """
    digest = hashlib.sha256(model.config.model_dump_json().encode())
    for name, tensor in model.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    digest.update(json.dumps([how.views, how.seed, how.batch_size, str(how.device), how.precision, images]).encode())
    return digest.hexdigest()


def _open_predictor(model: "SavedModel", how: HowToPredict) -> AbstractContextManager["Predictor"]:
    from metalight.prediction import open_predictor

    return open_predictor(model, device=how.device, precision=how.precision, batch_size=how.batch_size)


def _predict(
    predictor: "Predictor",
    pixels: npt.NDArray[Any],
    rows: npt.NDArray[np.intp],
    object_ids: npt.NDArray[np.int64],
    how: HowToPredict,
    progress: Progress,
) -> npt.NDArray[np.float64]:
    return predictor.predict(
        pixels,
        rows,
        object_ids,
        views=how.views,
        seed=how.seed,
        progress=progress,
    )


def _as_frame(predicted: npt.NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({_name(target): predicted[:, target] for target in range(predicted.shape[1])})


def _name(target: int) -> str:
    return f"target_{target}"


def _sort_out(outcomes: pd.DataFrame, num_targets: int, names: list[str]) -> PredictionOutcome:
    usable = outcomes[outcomes["reason"] == ""]
    predicted = usable[[_name(target) for target in range(num_targets)]].to_numpy(dtype=np.float64)
    refused = outcomes.loc[outcomes["reason"] != "", ["object_id", "path", "reason"]]
    return PredictionOutcome(
        usable["object_id"].to_numpy(),
        predicted,
        refused.reset_index(drop=True),
        usable[names].to_numpy(dtype=np.float64),
        usable[["height", "width"]].min(axis=1).to_numpy(dtype=np.int64),
    )
