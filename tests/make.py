"""Small inputs that several tests need: images, a catalogue, a network."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from metalight.model import Precision, SavedModel, build_network
from metalight.model_files import ImageDescription, ModelConfig, TargetDescription, TrainingSummary
from metalight.prediction import open_predictor
from metalight.recipe import AugmentationSettings, ModelSettings

TINY = ModelSettings(backbone="test_resnet", weights="none", hidden_features=16)
"""A network of timm that exists for tests: it has all parts of a ResNet and takes milliseconds."""

FIRST_ID = 1237648720693755918
"""19 digits: a float64 cannot hold it."""


def make_blobs(num_galaxies: int, side: int, seed: int = 0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Images of round galaxies (galaxy, side, side, 3) whose colour tells their metallicity, and that metallicity."""
    generator = np.random.default_rng(seed)
    metallicity = generator.uniform(8.3, 9.2, num_galaxies)
    redness = (metallicity - 8.75) / 0.45
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    width = generator.uniform(0.15, 0.25, num_galaxies)[:, None, None] * side
    light = np.exp(-0.5 * (x**2 + y**2) / width**2)[..., None]
    colour = np.stack([0.6 + 0.3 * redness, np.full(num_galaxies, 0.6), 0.6 - 0.3 * redness], axis=1)[:, None, None]
    noise = generator.normal(0, 0.02, (num_galaxies, side, side, 3))
    return (np.clip(light * colour + noise, 0, 1) * 255).astype(np.uint8), metallicity


def make_sample(folder: Path, num_galaxies: int, side: int = 16, seed: int = 0) -> pd.DataFrame:
    """A catalogue and PNG images in a folder, as a user would have: catalog.csv (objID, oh_p50) and images/."""
    images, metallicity = make_blobs(num_galaxies, side, seed)
    catalog = pd.DataFrame({"objID": FIRST_ID + np.arange(num_galaxies), "oh_p50": metallicity.round(5)})
    (folder / "images").mkdir(parents=True)
    for object_id, image in zip(catalog["objID"].tolist(), images, strict=True):
        Image.fromarray(image).save(folder / "images" / f"{object_id}.png")
    catalog.to_csv(folder / "catalog.csv", index=False)
    return catalog


def make_model(side: int = 16, num_targets: int = 1, seed: int = 0) -> SavedModel:
    """A saved model with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(TINY, num_targets).eval()
    return SavedModel(network, make_config(side=side, num_targets=num_targets, seed=seed))


def make_config(
    *,
    backbone: str = TINY.backbone,
    hidden_features: int = TINY.hidden_features,
    side: int = 16,
    channels: tuple[str, ...] = ("i", "r", "g"),
    enlarged_to: int = 0,
    num_targets: int = 1,
    seed: int = 0,
) -> ModelConfig:
    """What is told of a model that was hardly trained."""
    return ModelConfig(
        backbone=backbone,
        hidden_features=hidden_features,
        dropout=TINY.dropout,
        images=ImageDescription(
            side=side, framing="petrosian", source="simulated", channels=channels, enlarged_to=enlarged_to
        ),
        targets=tuple(
            TargetDescription(name=name, unit="dex", description=name, mean=8.9, scale=0.2)
            for name in ("oh_p50", "lgm_tot_p50")[:num_targets]
        ),
        augmentation=AugmentationSettings(),
        training=TrainingSummary(
            num_galaxies=10,
            num_validation=0,
            epochs=1,
            seed=seed,
            precision="float32",
            optimizer="sgd",
            loss="rmse",
            starting_weights="none",
            validation_rmse={},
            versions={},
        ),
    )


def predict_pixels(
    model: SavedModel,
    pixels: npt.NDArray[Any],
    rows: npt.NDArray[np.intp],
    object_ids: npt.NDArray[np.int64],
    *,
    device: torch.device | None = None,
    precision: Precision = "float32",
    batch_size: int = 64,
    **how: Any,
) -> npt.NDArray[np.float64]:
    """Predictions (galaxy, target) of a few galaxies."""
    cpu = torch.device("cpu")
    with open_predictor(model, device=device or cpu, precision=precision, batch_size=batch_size) as predictor:
        return predictor.predict(pixels, rows, object_ids, **how)
