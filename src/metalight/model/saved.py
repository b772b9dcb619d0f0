"""The saved model: a folder that holds all that prediction needs, and never runs code when it is loaded.

- `model.safetensors`: the weights.
- `config.json`: the network's form, the images it takes, its targets with units and scaling, how it was trained.
- `README.md`: the model card, for people and for the hub.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from metalight.atomic import replace_folder
from metalight.errors import ModelError, explain_system, shorten
from metalight.model.network import Network, assemble_network
from metalight.model.scaling import TargetScaling
from metalight.model_files import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    ImageDescription,
    ModelConfig,
    TensorForm,
    check_saved_model,
    describe_failure,
    find_saved_model,
    load_config,
)
from metalight.recipe import ModelSettings
from metalight.safe_text import as_code, as_code_block, for_markdown

_DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.bool: "BOOL",
}
"""Of parameters and buffers, in safetensors' words."""


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A network ready to predict, and all that is to be known about it."""

    network: Network
    """On the CPU, in evaluation mode."""

    config: ModelConfig

    @property
    def scaling(self) -> TargetScaling:
        """From what the network gives to physical units, and back."""
        targets = self.config.targets
        return TargetScaling(tuple(target.mean for target in targets), tuple(target.scale for target in targets))


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
            (building / CARD_FILE).write_text(_write_card(model.config), encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"The model cannot be saved in {folder}: {explain_system(error)}. Fix that and run the same command again."
        ) from error


def load_model(path: Path) -> SavedModel:
    """The model saved in a folder, or in the `model` folder of a run.

    Nothing is allocated for what the files only claim: their tensors are compared with the network's, by name, shape
    and type, before either is made.

    Raises:
        ModelError: There is no saved model, it is damaged, or a newer metalight saved it.
    """
    folder = find_saved_model(path)
    stored = check_saved_model(folder)
    config = load_config(folder)
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
        raise ModelError(f"The weights {folder / WEIGHTS_FILE} cannot be read: {error}; copy them again.") from error
    flawed = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if flawed:
        raise ModelError(
            f"The weights {folder / WEIGHTS_FILE} are not finite numbers in '{flawed[0]}': they are damaged, or the "
            "training diverged; copy them again, or retrain."
        )
    return state


def _explain_misfit(folder: Path, flaw: str) -> str:
    return f"The weights {folder / WEIGHTS_FILE} do not fit {CONFIG_FILE} beside them: {flaw}; copy both again."


def _write_card(config: ModelConfig) -> str:
    """Text of the model card; the lines at its top are what the hub reads."""
    images, training = config.images, config.training
    targets = "\n".join(
        f"| {as_code(target.name)} | {for_markdown(target.description) or '–'} | {for_markdown(target.unit) or '–'} | "
        f"{_format_rmse(training.validation_rmse.get(target.name))} | {_format_range(target.label_range)} | "
        f"{_format_range(target.trusted_range)} |"
        for target in config.targets
    )
    versions = for_markdown(", ".join(f"{name} {version}" for name, version in training.versions.items()))
    side = images.enlarged_to
    failure = describe_failure(training.verdict, config.units)
    warning = "\n".join(["", "**Warning**", "", *as_code_block(failure), ""]) if failure else ""
    enlarged = f"; the network enlarges them to {side} × {side}, by nearest neighbour" if side else ""
    return f"""---
library_name: metalight
tags: [astronomy, galaxies]
---
# Properties of galaxies from images
{warning}
A {as_code(config.backbone)} network with the head of Wu & Boada (2019), made by metalight.

| target | description | unit | RMSE on validation galaxies | training labels | trusted predictions |
|---|---|---|---|---|---|
{targets}

- **Images it takes:** {images.side} × {images.side} pixels (other sizes are resampled{enlarged}), channels
  {for_markdown(", ".join(images.channels))}, framing {as_code(images.framing)}, source
  {as_code(images.source)}. It refuses images of another framing or source unless told
  otherwise.{_describe_files(images)}
- **Training:** {training.num_galaxies} galaxies ({training.num_validation} for validation), {training.epochs} epochs,
  optimizer {training.optimizer}, loss {training.loss}, seed {training.seed}, {training.precision}, starting weights:
  {for_markdown(training.starting_weights)}.
- **Made with:** {versions}.

    metalight predict THIS_FOLDER --images FOLDER_OF_IMAGES -o predictions.csv

A prediction is only as good as the likeness of its galaxy to the training galaxies.
"""


def _describe_files(images: ImageDescription) -> str:
    """How a model treats image files beyond their size, as a line of the card; empty for most pictures."""
    if images.picture_bands:
        return f"\n- **Pictures:** red, green and blue are {for_markdown(', '.join(images.picture_bands))}."
    if not images.is_fits:
        return ""
    field = f"the central {images.field_arcsec:g} arcsec" if images.field_arcsec else "the whole central square"
    file_bands = for_markdown(", ".join(images.file_bands))
    planes = f", planes {file_bands} unless keywords name them" if file_bands else ""
    lupton = images.lupton
    values = "fluxes as they are, in the unit of the training files"
    if images.stretch == "lupton":
        values = (
            f"fluxes mapped to levels (Lupton et al. 2004) with q = {lupton.q:g}, stretch = {lupton.stretch:g}, "
            f"minimum = {list(lupton.minimum)}, scale = {list(lupton.scale)}"
        )
    if images.deredden:
        of_bands = zip(map(for_markdown, images.channels), images.extinction, strict=True)
        values += (
            f", corrected for the Milky Way's dust before by E(B−V), the column {as_code(images.deredden)} of the "
            f"catalogue, with A / E(B−V) = {', '.join(f'{value:g} in {band}' for band, value in of_bands)}"
        )
    return f"\n- **FITS files:** {field}{planes}; {values}."


def _format_rmse(rmse: float | None) -> str:
    return "–" if rmse is None else f"{rmse:.4f}"


def _format_range(known: tuple[float, float] | None) -> str:
    return "–" if known is None else f"{known[0]:.4g} to {known[1]:.4g}"
