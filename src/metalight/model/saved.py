"""The saved model: a folder that holds all that prediction needs, and never runs code when it is loaded.

- `model.safetensors`: the weights.
- `config.json`: the network's form, the images it takes, its targets with units and scaling, how it was trained.
- `README.md`: the model card, for people and for the hub.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import to_json
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from metalight.atomic import replace_folder
from metalight.errors import ModelError
from metalight.model.network import Network, assemble_network
from metalight.model.scaling import TargetScaling
from metalight.model_files import (
    CONFIG_FILE,
    FORMAT_VERSION,
    WEIGHTS_FILE,
    TensorForm,
    check_saved_model,
    find_saved_model,
    load_description,
    shorten,
)
from metalight.recipe import (
    AugmentationSettings,
    CutoutsSettings,
    FieldArcsec,
    Fraction,
    Framing,
    HiddenFeatures,
    LuptonSettings,
    ModelSettings,
    Side,
    Stretch,
    check_bands,
)

MAX_TARGETS = 1000
"""Properties that one model predicts; more are taken for damage."""

_CARD_FILE = "README.md"
_DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.bool: "BOOL",
}
"""Of parameters and buffers, in safetensors' words."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImageDescription(_Record):
    """The images that a model takes."""

    side: Side
    """Pixels."""

    framing: Framing
    """What part of the sky around a galaxy an image shows."""

    source: str
    """The survey and service that made them."""

    channels: tuple[str, ...] = ("i", "r", "g")
    """The bands, 1 to 8, in the order of the pixels' channels: of colour pictures, red, green and blue."""

    is_fits: bool = False
    """Whether they are made from FITS files, or else from JPEG and PNG."""

    file_bands: tuple[str, ...] = ()
    """Of FITS: the bands of a file's planes, where its keywords do not name them."""

    field_arcsec: FieldArcsec = 0.0
    """Of FITS: side of the square that is used; 0 is all of an image."""

    stretch: Stretch = "none"
    """Of FITS: what fluxes become. Without a stretch the model takes them as they are."""

    lupton: LuptonSettings = LuptonSettings()
    """How `lupton` maps them."""

    enlarged_to: Annotated[int, Field(ge=0, le=2048)] = 0
    """Side in pixels that the network enlarges them to, by nearest neighbour, as its backbone takes none so small; 0
    where they stay as they are."""

    @model_validator(mode="after")
    def _bands_fit(self) -> "ImageDescription":
        check_bands(self.channels, self.file_bands, self.stretch)
        return self

    @property
    def takes_fluxes(self) -> bool:
        """Whether the network takes fluxes, or else levels."""
        return self.is_fits and self.stretch == "none"

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
    def from_settings(
        cls, settings: CutoutsSettings, *, side: int, is_fits: bool, enlarged_to: int = 0
    ) -> "ImageDescription":
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
            enlarged_to=enlarged_to,
        )


class TargetDescription(_Record):
    """One property that a model predicts."""

    name: _Name
    unit: str = ""
    description: str = ""
    mean: float
    """Of the training galaxies, in `unit`; 0 where targets are not scaled."""

    scale: Annotated[float, Field(gt=0)]
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
    """`hub`, `none`, `file`, or `model`: the backbone of a model that metalight trained."""

    validation_rmse: dict[str, float]
    """After the last epoch, for each target in its unit; empty where there was no validation set."""

    versions: dict[str, str]
    """Of metalight and of the libraries that define the network."""


class ModelConfig(_Record):
    """What `config.json` holds."""

    format_version: int = FORMAT_VERSION
    backbone: _Name
    hidden_features: HiddenFeatures
    dropout: tuple[Fraction, Fraction]
    images: ImageDescription
    targets: Annotated[tuple[TargetDescription, ...], Field(min_length=1, max_length=MAX_TARGETS)]
    augmentation: AugmentationSettings
    """Of training, for the augmented test-time views."""

    training: TrainingSummary

    @model_validator(mode="after")
    def _targets_differ(self) -> "ModelConfig":
        if len({target.name for target in self.targets}) < len(self.targets):
            raise ValueError("two targets have the same name")
        return self

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
    if folder.exists() and not (folder / CONFIG_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is there and is not a saved model, so it is not replaced; choose another place.")
    try:
        with replace_folder(folder) as building:
            state = {name: tensor.contiguous().cpu() for name, tensor in model.network.state_dict().items()}
            (building / WEIGHTS_FILE).write_bytes(serialize(state, metadata={"format": "pt"}))
            (building / CONFIG_FILE).write_text(model.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
            (building / _CARD_FILE).write_text(_write_card(model.config), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"The model cannot be saved in {folder}: {error.strerror or error}.") from error


def load_model(path: Path) -> SavedModel:
    """The model saved in a folder, or in the `model` folder of a run.

    Nothing is allocated for what the files only claim: their tensors are compared with the network's, by name, shape
    and type, before either is made.

    Raises:
        ModelError: There is no saved model, it is damaged, or a newer metalight saved it.
    """
    folder = find_saved_model(path)
    stored = check_saved_model(folder)
    config = _load_config(folder)
    _check_forms(stored, _assemble(config, device="meta").state_dict(), folder)
    with torch.random.fork_rng(devices=[]):
        network = _assemble(config)
    state = _load_state(folder)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # the file was replaced since its header was read
        raise ModelError(_explain_misfit(folder, "their tensors changed")) from error
    return SavedModel(network.eval(), config)


def _assemble(config: ModelConfig, device: str = "cpu") -> Network:
    settings = ModelSettings(
        backbone=config.backbone, weights="none", hidden_features=config.hidden_features, dropout=config.dropout
    )
    return assemble_network(
        settings,
        len(config.targets),
        len(config.images.channels),
        device=device,
        enlarged_to=config.images.enlarged_to,
    )


def _check_forms(stored: Mapping[str, TensorForm], wanted: Mapping[str, Tensor], folder: Path) -> None:
    for name in sorted({*stored, *wanted}):
        if name not in stored:
            raise ModelError(_explain_misfit(folder, f"'{name}' is lacking"))
        if name not in wanted:
            raise ModelError(_explain_misfit(folder, f"'{shorten(name)}' is surplus"))
        form = TensorForm(tuple(wanted[name].shape), _DTYPES.get(wanted[name].dtype, ""))
        if stored[name] != form:
            given = f"{stored[name].dtype} {list(stored[name].shape)}"
            raise ModelError(_explain_misfit(folder, f"'{name}' is {given} instead of {form.dtype} {list(form.shape)}"))


def _load_state(folder: Path) -> dict[str, Tensor]:
    try:
        state = load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {folder / WEIGHTS_FILE} cannot be read: {error}; copy them anew.") from error
    flawed = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if flawed:
        raise ModelError(
            f"The weights {folder / WEIGHTS_FILE} are no finite numbers in '{flawed[0]}': they are damaged, or the "
            "training diverged; copy them anew, or train anew."
        )
    return state


def _explain_misfit(folder: Path, flaw: str) -> str:
    return f"The weights {folder / WEIGHTS_FILE} do not fit {CONFIG_FILE} beside them: {flaw}; copy both anew."


def _load_config(folder: Path) -> ModelConfig:
    values = load_description(folder)
    try:
        # As JSON, whose lists strict settings take for tuples.
        return ModelConfig.model_validate_json(to_json(values))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        setting = shorten(".".join(str(part) for part in problem["loc"])) or "as a whole"
        reason = problem["msg"].removeprefix("Value error, ")
        raise ModelError(f"{folder / CONFIG_FILE} is damaged: {setting}: {reason}; copy the model anew.") from None


def _write_card(config: ModelConfig) -> str:
    """Text of the model card; the lines at its top are what the hub reads."""
    images, training = config.images, config.training
    targets = "\n".join(
        f"| `{target.name}` | {target.description or '–'} | {target.unit or '–'} | "
        f"{_format_rmse(training.validation_rmse.get(target.name))} |"
        for target in config.targets
    )
    versions = ", ".join(f"{name} {version}" for name, version in training.versions.items())
    side = images.enlarged_to
    enlarged = f"; the network enlarges them to {side} × {side}, by nearest neighbour" if side else ""
    return f"""---
library_name: metalight
tags: [astronomy, galaxies]
---
# Properties of galaxies from images

A `{config.backbone}` network with the head of Wu & Boada (2019), made by metalight.

| target | description | unit | RMSE on validation galaxies |
|---|---|---|---|
{targets}

- **Images it takes:** {images.side} × {images.side} pixels (other sizes are resampled{enlarged}), channels
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
