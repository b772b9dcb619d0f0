"""The content of a saved model's `config.json`: its network, the images it takes, its targets, how it came about."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import to_json

from metalight.errors import ModelError, shorten
from metalight.model_files.likeness import TrainingImages
from metalight.model_files.record import Record
from metalight.model_files.saved import CONFIG_FILE, FORMAT_VERSION, load_description
from metalight.model_files.sides import list_sides
from metalight.model_files.verdict import TargetVerdict
from metalight.recipe import (
    AugmentationSettings,
    CutoutsSettings,
    FieldArcsec,
    Fraction,
    Framing,
    HiddenFeatures,
    LuptonSettings,
    Side,
    Stretch,
    check_bands,
    check_extinction,
    check_picture_bands,
)

MAX_TARGETS = 1000
"""Properties that one model predicts; more are taken for damage."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ImageDescription(Record):
    """The images that a model takes."""

    side: Side
    """Pixels."""

    framing: Framing
    """The part of the sky around a galaxy that an image shows."""

    source: str
    """The survey and service that made them."""

    channels: tuple[str, ...] = ("i", "r", "g")
    """The bands, 1 to 8, in the order of the pixels' channels: of colour pictures, red, green and blue."""

    is_fits: bool = False
    """Whether they are made from FITS files, or else from pictures."""

    picture_bands: tuple[str, ...] = ()
    """Of colour pictures: what red, green and blue are, where the channels are not these, in order."""

    file_bands: tuple[str, ...] = ()
    """Of FITS: the bands of a file's planes, where its keywords do not name them."""

    field_arcsec: FieldArcsec = 0.0
    """Of FITS: side of the square that is used; 0 is all of an image."""

    stretch: Stretch = "none"
    """Of FITS: what fluxes become. Without a stretch the model takes them as they are."""

    lupton: LuptonSettings = LuptonSettings()
    """How `lupton` maps them."""

    deredden: str = ""
    """Of FITS: the training catalogue's column of E(B−V), for which fluxes are corrected before the stretch; empty:
    they are not."""

    extinction: tuple[float, ...] = ()
    """A / E(B−V) of each channel, where fluxes are corrected."""

    enlarged_to: int = 0
    """Side in pixels that the network enlarges them to, by nearest neighbour, as its backbone takes none so small; 0
    where they stay as they are."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ImageDescription":
        # A stranger's model could ask for so large a side that one batch fills the memory.
        if self.enlarged_to not in (0, *list_sides(self.side)):
            raise ValueError(f"images of {self.side} px are never enlarged to {self.enlarged_to}")
        check_bands(self.channels, self.file_bands, self.stretch)
        check_picture_bands(self.picture_bands)
        check_extinction(self.channels, self.deredden, self.extinction)
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
            picture_bands=self.picture_bands,
            file_bands=self.file_bands,
            field_arcsec=self.field_arcsec,
            stretch=self.stretch,
            lupton=self.lupton,
            deredden=self.deredden,
            extinction=self.extinction,
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
            picture_bands=() if is_fits else settings.picture_bands,
            file_bands=settings.file_bands,
            field_arcsec=settings.field_arcsec,
            stretch=settings.stretch,
            lupton=settings.lupton,
            deredden=settings.deredden,
            # In numbers, so that the model keeps its meaning whatever metalight takes for usual.
            extinction=settings.list_extinction(),
            enlarged_to=enlarged_to,
        )


class TargetDescription(Record):
    """One property that a model predicts."""

    name: _Name
    unit: str = ""
    description: str = ""
    mean: float
    """Of the training galaxies, in `unit`; 0 where targets are not scaled."""

    scale: Annotated[float, Field(gt=0)]
    """Standard deviation of the training galaxies, in `unit`; 1 where targets are not scaled."""

    label_range: tuple[float, float] | None = None
    """Lowest and highest label of the training galaxies, in `unit`; None where it is not known."""

    trusted_range: tuple[float, float] | None = None
    """Predictions of the validation galaxies that are not biased, by `metalight.evaluation.find_trusted_range`; None
    where there were too few of them to tell, or all are biased."""


class TrainingSummary(Record):
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

    verdict: dict[str, TargetVerdict] = Field(default_factory=dict)
    """Whether the training worked, for each target."""

    images: TrainingImages = TrainingImages()
    """Statistics of the training images."""

    versions: dict[str, str]
    """Of metalight and of the libraries that define the network."""


class ModelConfig(Record):
    """The content of `config.json`."""

    format_version: int = FORMAT_VERSION
    backbone: _Name
    hidden_features: HiddenFeatures
    dropout: tuple[Fraction, Fraction]
    images: ImageDescription
    targets: Annotated[tuple[TargetDescription, ...], Field(min_length=1, max_length=MAX_TARGETS)]
    augmentation: AugmentationSettings
    """Of training, for the augmented test-time views."""

    training: TrainingSummary

    @property
    def units(self) -> dict[str, str]:
        """Unit of each target; empty where it has none."""
        return {target.name: target.unit for target in self.targets}

    @model_validator(mode="after")
    def _targets_differ(self) -> "ModelConfig":
        if len({target.name for target in self.targets}) < len(self.targets):
            raise ValueError("two targets have the same name")
        return self


def load_config(folder: Path) -> ModelConfig:
    """The description of the model that is saved in a folder.

    Raises:
        ModelError: It is not there or damaged, or a newer metalight saved it.
    """
    values = load_description(folder)
    try:
        # As JSON, whose lists strict settings take for tuples.
        return ModelConfig.model_validate_json(to_json(values))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        setting = shorten(".".join(str(part) for part in problem["loc"])) or "as a whole"
        reason = problem["msg"].removeprefix("Value error, ")
        raise ModelError(f"{folder / CONFIG_FILE} is damaged: {setting}: {reason}; copy the model again.") from None
