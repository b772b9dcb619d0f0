"""A network over many galaxies, a batch at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from metalight.errors import PredictionError
from metalight.identifiers import name_of
from metalight.model import Precision, SavedModel, TestViews, build_test_views, open_inference, to_unit_range
from metalight.model_files import ImageDescription, ModelConfig
from metalight.progress import Progress, no_progress
from metalight.run import name_predicted
from metalight.tables import ColumnInfo, Table


class Predictor:
    """A saved model ready to predict; `open_predictor` makes one."""

    def __init__(
        self, model: SavedModel, compute: Callable[[torch.Tensor], torch.Tensor], device: torch.device
    ) -> None:
        self._config = model.config
        self._scaling = model.scaling
        self._compute = compute
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
        batch_size: int = 64,
        progress: Progress = no_progress,
    ) -> npt.NDArray[np.float64]:
        """The mean prediction over the views of each galaxy, (galaxy, target), in physical units.

        The views of a galaxy depend on the seed and its identifier alone, so that results do not depend on what stands
        beside it, beyond the rounding of the precision.

        Args:
            pixels: (row, side, side, channel), of the side and the channels that the model takes.
            rows: (galaxy,) rows of `pixels`, in the order wanted.
            object_ids: (galaxy,) their identifiers.
            views: Test-time views: `none`, `paper` (the image and four augmented views; section 3.2), or `eight`.
            seed: Of the augmented views.
            batch_size: Galaxies a batch.
            progress: Shows how many galaxies are done.

        Raises:
            PredictionError: The images have another side or other channels than the model takes, or a prediction is not
                finite.
        """
        config = self._config
        _check_pixels(pixels, config.images)
        scaled = np.empty((len(rows), len(config.targets)), dtype=np.float32)
        with progress("Predicting", len(rows)) as advance:
            for first in range(0, len(rows), batch_size):
                batch = slice(first, first + batch_size)
                images = to_unit_range(torch.from_numpy(pixels[rows[batch]]).to(self._device))
                of_views = build_test_views(
                    images,
                    object_ids[batch],
                    views,
                    seed=seed,
                    settings=config.augmentation,
                    flux_spread=self._flux_spread,
                )
                total = torch.stack([self._compute(_order_channels_last(view)) for view in of_views])
                scaled[batch] = total.mean(dim=0).float().cpu().numpy()
                advance(len(images))
        predicted = self._scaling.to_physical(scaled)
        _check_finite(predicted, object_ids)
        return predicted


@contextmanager
def open_predictor(model: SavedModel, *, device: torch.device, precision: Precision = "float32") -> Iterator[Predictor]:
    """A block in which a model predicts, in the fastest way that the processor has.

    Args:
        model: Its network is moved to `device`.
        device: Where to compute.
        precision: `bf16` computes the backbone in mixed precision.
    """
    with open_inference(model.network, side=model.config.images.side, device=device, precision=precision) as compute:
        yield Predictor(model, compute, device)


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


def _order_channels_last(view: torch.Tensor) -> torch.Tensor:
    return view.contiguous(memory_format=torch.channels_last)


def _check_finite(predicted: npt.NDArray[np.float64], object_ids: npt.NDArray[np.int64]) -> None:
    flawed = object_ids[~np.isfinite(predicted).all(axis=1)]
    if len(flawed):
        raise PredictionError(
            f"The model predicts no finite number for {len(flawed)} galaxies, such as {name_of(flawed[0])}: its "
            "weights are damaged, or its training diverged; train it anew."
        )
