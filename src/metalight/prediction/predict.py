"""A network over many galaxies, a batch at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from metalight.errors import NotFiniteError, PredictionError
from metalight.identifiers import name_of
from metalight.model import Inference, Precision, SavedModel, build_test_views, open_inference, to_unit_range
from metalight.model_files import ImageDescription, ModelConfig
from metalight.progress import Progress, no_progress
from metalight.recipe import TestViews
from metalight.run_folder import name_predicted
from metalight.tables import ColumnInfo, Table


class Predictor:
    """A saved model ready to predict; `open_predictor` makes one."""

    def __init__(self, model: SavedModel, inference: Inference, device: torch.device) -> None:
        self._config = model.config
        self._scaling = model.scaling
        self._inference = inference
        self._device = device
        self._flux_spread = model.network.std if model.config.images.takes_fluxes else None

    def predict(
        self,
        pixels: npt.NDArray[Any],
        rows: npt.NDArray[np.intp],
        object_ids: npt.NDArray[np.int64],
        *,
        views: TestViews,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> npt.NDArray[np.float64]:
        """The mean prediction over the views of each galaxy, (galaxy, target), in physical units.

        The prediction of a galaxy depends on its image, its identifier and the seed. It does not depend on the galaxies
        beside it, on how many there are, or on the number of threads.

        Args:
            pixels: (row, side, side, channel), of the side and the channels that the model takes.
            rows: (galaxy,) rows of `pixels`, in the order wanted.
            object_ids: (galaxy,) their identifiers.
            views: Test-time views: `none`, `paper` (the image and four augmented views; section 3.2), or `eight`.
            seed: Of the augmented views.
            progress: Shows how many galaxies are done.

        Raises:
            PredictionError: The images have another side or other channels than the model takes, or a prediction is not
                finite.
        """
        _check_pixels(pixels, self._config.images)

        def predict_batch(batch: slice) -> npt.NDArray[np.float32]:
            return self._predict_batch(pixels[rows[batch]], object_ids[batch], views, seed)

        size = self._inference.batch_size
        batches = [slice(first, min(first + size, len(rows))) for first in range(0, len(rows), size)]
        scaled = np.empty((len(rows), len(self._config.targets)), dtype=np.float32)
        with progress("Predicting", len(rows)) as advance:
            for batch, of_batch in zip(batches, self._inference.map(predict_batch, batches), strict=True):
                scaled[batch] = of_batch
                advance(len(of_batch))
        predicted = self._scaling.to_physical(scaled)
        _check_finite(predicted, object_ids)
        return predicted

    def _predict_batch(
        self, pixels: npt.NDArray[Any], object_ids: npt.NDArray[np.int64], views: TestViews, seed: int
    ) -> npt.NDArray[np.float32]:
        """Scaled targets (galaxy, target), the mean over the views of each galaxy."""
        num, num_lacking = len(pixels), self._inference.batch_size - len(pixels)
        # Filled up, so that views are made of equally many images in every batch.
        whole = np.concatenate([pixels, np.zeros((num_lacking, *pixels.shape[1:]), dtype=pixels.dtype)])
        of_views = build_test_views(
            to_unit_range(torch.from_numpy(whole).to(self._device)),
            np.concatenate([object_ids, np.zeros(num_lacking, dtype=np.int64)]),
            views,
            seed=seed,
            settings=self._config.augmentation,
            flux_spread=self._flux_spread,
        )
        scaled = torch.stack([self._inference.compute(view) for view in of_views]).mean(dim=0)
        in_float32: npt.NDArray[np.float32] = scaled[:num].float().cpu().numpy()
        return in_float32


@contextmanager
def open_predictor(
    model: SavedModel, *, device: torch.device, precision: Precision = "float32", batch_size: int = 64
) -> Iterator[Predictor]:
    """A block in which a model predicts, in the fastest way that the processor has.

    Args:
        model: Its network is moved to `device`.
        device: Where to compute.
        precision: `bf16` computes the backbone in mixed precision.
        batch_size: Galaxies that a GPU, or a thread of a CPU, computes at once at most.
    """
    side = model.config.images.side
    opened = open_inference(model.network, side=side, device=device, precision=precision, batch_size=batch_size)
    with opened as inference:
        yield Predictor(model, inference, device)


def build_prediction_table(
    config: ModelConfig, object_ids: npt.NDArray[np.int64], predicted: npt.NDArray[np.float64]
) -> Table:
    """A table of object_id and of each target's predictions (galaxy, target), with units and descriptions."""
    frame = pd.DataFrame({"object_id": object_ids.astype(np.int64)})
    info = {}
    for column, target in enumerate(config.targets):
        name = name_predicted(target.name)
        frame[name] = predicted[:, column]
        info[name] = ColumnInfo(target.unit, f"predicted {target.description or target.name}")
    return Table(frame, info)


def _check_pixels(pixels: npt.NDArray[Any], wanted: ImageDescription) -> None:
    if pixels.shape[1] != wanted.side:
        raise PredictionError(
            f"The decoded images are {pixels.shape[1]} pixels wide, but the model takes {wanted.side}; "
            f"decode them with [pixels] side = {wanted.side}."
        )
    are_fluxes = pixels.dtype == np.float32
    if pixels.shape[3] != len(wanted.channels) or are_fluxes != wanted.takes_fluxes:
        values, taken = ("fluxes" if is_flux else "levels" for is_flux in (are_fluxes, wanted.takes_fluxes))
        raise PredictionError(
            f"The decoded images have {values} of {pixels.shape[3]} bands, but the model takes {taken} of "
            f"{len(wanted.channels)}: {', '.join(wanted.channels)}. Decode them with the [cutouts] settings of its run."
        )


def _check_finite(predicted: npt.NDArray[np.float64], object_ids: npt.NDArray[np.int64]) -> None:
    flawed = object_ids[~np.isfinite(predicted).all(axis=1)]
    if len(flawed):
        raise NotFiniteError(
            f"The model predicts no finite number for {len(flawed)} galaxies, such as {name_of(flawed[0])}: its "
            "weights are damaged, or its training diverged; retrain it."
        )
