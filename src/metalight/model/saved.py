"""The saved model: a folder that holds all that prediction needs, and never runs code when it is loaded.

- `model.safetensors`: the weights.
- `config.json`: the network's form, the images it takes, its targets with units and scaling, how it was trained.
- `README.md`: the model card, for people and for the hub.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize

from metalight.atomic import replace_folder
from metalight.errors import ModelError
from metalight.model.network import Network, build_network
from metalight.model.scaling import TargetScaling
from metalight.recipe import AugmentationSettings, CutoutsSettings, Framing, LuptonSettings, ModelSettings

FORMAT_VERSION = 1
"""Raised when older code could no longer read what newer code saves."""

_WEIGHTS, _CONFIG, _CARD = "model.safetensors", "config.json", "README.md"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageDescription(_Record):
    """The images that a model takes."""

    side: int
    """Pixels."""

    framing: Framing
    """What part of the sky around a galaxy an image shows."""

    source: str
    """The survey and service that made them."""

    channels: tuple[str, ...] = ("i", "r", "g")
    """The bands, 1 to 8, in order; of pictures, those of red, green and blue."""

    is_fits: bool = False
    """Whether they are made from FITS files, or else from JPEG and PNG."""

    file_bands: tuple[str, ...] = ()
    """Of FITS: the bands of a file's planes, where its keywords do not name them."""

    field_arcsec: float = 0.0
    """Of FITS: side of the square that is used; 0 is all of an image."""

    stretch: Literal["none", "lupton"] = "none"
    """Of FITS: what fluxes become. Without a stretch the model takes them as they are."""

    lupton: LuptonSettings = LuptonSettings()
    """How `lupton` maps them."""

    def to_settings(self) -> CutoutsSettings:
        """The settings by which a folder of such images is read."""
        return CutoutsSettings(
            framing=self.framing,
            source=self.source,
            bands=self.channels,
            file_bands=self.file_bands,
            field_arcsec=self.field_arcsec,
            stretch=self.stretch,
            lupton=self.lupton,
        )

    @classmethod
    def from_settings(cls, settings: CutoutsSettings, *, side: int, is_fits: bool) -> "ImageDescription":
        """The images that settings ask for."""
        return cls(
            side=side,
            framing=settings.framing,
            source=settings.source,
            channels=settings.bands,
            is_fits=is_fits,
            file_bands=settings.file_bands,
            field_arcsec=settings.field_arcsec,
            stretch=settings.stretch,
            lupton=settings.lupton,
        )


class TargetDescription(_Record):
    """One property that a model predicts."""

    name: str
    unit: str = ""
    description: str = ""
    mean: float
    """Of the training galaxies, in `unit`; 0 where targets are not scaled."""

    scale: float
    """Standard deviation of the training galaxies, in `unit`; 1 where targets are not scaled."""


class TrainingSummary(_Record):
    """How a model came about."""

    num_galaxies: int
    num_validation: int
    epochs: int
    seed: int
    precision: str
    optimizer: str
    loss: str
    starting_weights: str
    """`hub`, `none` or `file`."""

    validation_rmse: dict[str, float]
    """After the last epoch, for each target in its unit; empty where there was no validation set."""

    versions: dict[str, str]
    """Of metalight and of the libraries that define the network."""


class ModelConfig(_Record):
    """What `config.json` holds."""

    format_version: int = FORMAT_VERSION
    backbone: str
    hidden_features: int
    dropout: tuple[float, float]
    images: ImageDescription
    targets: tuple[TargetDescription, ...]
    augmentation: AugmentationSettings
    """Of training, for the augmented test-time views."""

    training: TrainingSummary

    @property
    def scaling(self) -> TargetScaling:
        """From what the network gives to physical units, and back."""
        return TargetScaling(
            tuple(target.mean for target in self.targets), tuple(target.scale for target in self.targets)
        )


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A network ready to predict, and all that is to be known about it."""

    network: Network
    """On the CPU, in evaluation mode."""

    config: ModelConfig


def save_model(model: SavedModel, folder: Path) -> None:
    """Write a model's folder, in one step; a folder there is replaced if it is a saved model.

    Raises:
        ModelError: The folder holds something else, or cannot be written.
    """
    if folder.exists() and not (folder / _CONFIG).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is there and is not a saved model, so it is not replaced; choose another place.")
    try:
        with replace_folder(folder) as building:
            state = {name: tensor.contiguous().cpu() for name, tensor in model.network.state_dict().items()}
            (building / _WEIGHTS).write_bytes(serialize(state, metadata={"format": "pt"}))
            (building / _CONFIG).write_text(model.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
            (building / _CARD).write_text(_write_card(model.config), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"The model cannot be saved in {folder}: {error.strerror or error}.") from error


def load_model(path: Path) -> SavedModel:
    """The model saved in a folder, or in the `model` folder of a run.

    Raises:
        ModelError: There is no saved model, it is damaged, or a newer metalight saved it.
    """
    folder = path if (path / _CONFIG).is_file() else path / "model"
    if not (folder / _CONFIG).is_file():
        what = "There is no folder" if not path.exists() else "There is no saved model in"
        raise ModelError(f"{what} {path}; give the folder that holds {_CONFIG}, or a run that has trained one.")
    config = _load_config(folder / _CONFIG)
    settings = ModelSettings(
        backbone=config.backbone, weights="none", hidden_features=config.hidden_features, dropout=config.dropout
    )
    with torch.random.fork_rng(devices=[]):
        network = build_network(settings, len(config.targets), len(config.images.channels))
    try:
        state = load_file(folder / _WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {folder / _WEIGHTS} are missing or damaged: {error}; copy them anew.") from error
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The weights {folder / _WEIGHTS} do not fit {_CONFIG} beside them; copy both anew."
        ) from error
    network.eval()
    return SavedModel(network, config)


def _load_config(path: Path) -> ModelConfig:
    try:
        text = path.read_text(encoding="utf-8")
        version = json.loads(text)["format_version"]
        if version != FORMAT_VERSION:
            raise ModelError(
                f"{path} has the format version {version}, and this metalight reads {FORMAT_VERSION}; update metalight."
            )
        return ModelConfig.model_validate_json(text)  # as JSON, whose lists strict settings take for tuples
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        setting = ".".join(str(part) for part in problem["loc"])
        raise ModelError(f"{path} is damaged: {setting}: {problem['msg']}; copy the model anew.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as a model's description: {error!r}; copy the model anew.") from error


def _write_card(config: ModelConfig) -> str:
    """Text of the model card; the lines at its top are what the hub reads."""
    images, training = config.images, config.training
    targets = "\n".join(
        f"| `{target.name}` | {target.description or '–'} | {target.unit or '–'} | "
        f"{_format_rmse(training.validation_rmse.get(target.name))} |"
        for target in config.targets
    )
    versions = ", ".join(f"{name} {version}" for name, version in training.versions.items())
    return f"""---
library_name: metalight
tags: [astronomy, galaxies]
---
# Properties of galaxies from three-colour images

A `{config.backbone}` network with the head of Wu & Boada (2019), made by metalight.

| target | description | unit | RMSE on validation galaxies |
|---|---|---|---|
{targets}

- **Images it takes:** {images.side} × {images.side} pixels (other sizes are resampled), channels
  {", ".join(images.channels)}, framing `{images.framing}`, source `{images.source}`. It refuses images of another
  framing or source unless told otherwise.{_describe_fluxes(images)}
- **Training:** {training.num_galaxies} galaxies ({training.num_validation} for validation), {training.epochs} epochs,
  optimizer {training.optimizer}, loss {training.loss}, seed {training.seed}, {training.precision}, starting weights:
  {training.starting_weights}.
- **Made with:** {versions}.

    metalight predict THIS_FOLDER --images FOLDER_OF_IMAGES -o predictions.csv

A prediction is only as good as the likeness of its galaxy to the training galaxies.
"""


def _describe_fluxes(images: ImageDescription) -> str:
    """What a model of FITS files makes of them, as a line of the card; nothing for other models."""
    if not images.is_fits:
        return ""
    field = f"the central {images.field_arcsec:g} arcsec" if images.field_arcsec else "the whole central square"
    planes = f", planes {', '.join(images.file_bands)} unless keywords name them" if images.file_bands else ""
    lupton = images.lupton
    values = "fluxes as they are, in the unit of the training files"
    if images.stretch == "lupton":
        values = (
            f"fluxes mapped to levels (Lupton et al. 2004) with q = {lupton.q:g}, stretch = {lupton.stretch:g}, "
            f"minimum = {list(lupton.minimum)}, scale = {list(lupton.scale)}"
        )
    return f"\n- **FITS files:** {field}{planes}; {values}."


def _format_rmse(rmse: float | None) -> str:
    return "–" if rmse is None else f"{rmse:.4f}"
