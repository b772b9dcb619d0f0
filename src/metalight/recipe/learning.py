"""Settings of the stages that learn and predict: model, training, prediction, evaluation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalight.recipe.base import Settings

_MOST_EPOCHS = 100_000
"""Of a whole training."""

Epochs = Annotated[int, Field(ge=0, le=_MOST_EPOCHS)]
Rate = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
HiddenFeatures = Annotated[int, Field(ge=1, le=65_536)]

TestViews = Literal["none", "paper", "eight"]
"""Ways to view a galaxy when it is predicted; `PredictionSettings.views` says what they mean."""

WORDS_FOR_WEIGHTS = ("hub", "none")
"""Values of `weights` that are not files."""


class ModelSettings(Settings):
    """The network: a timm backbone, its starting weights, and the paper's head."""

    backbone: str = "resnet34.tv_in1k"
    """Name of a timm model with feature stages; the paper, section 3.1: ResNet-34 trained on ImageNet."""

    weights: str = "hub"
    """Starting weights of the backbone: `hub` (fetched once, then taken from the hub's cache), `none` (random), or a
    safetensors file: weights of timm, or the model.safetensors of a model trained before."""

    hidden_features: HiddenFeatures = 512
    """Width of the head's hidden layer; the authors' code."""

    dropout: tuple[Fraction, Fraction] = (0.25, 0.5)
    """Dropout before the head's first and second linear layers; the authors' code (the draft names only 0.25)."""

    target_scaling: Literal["none", "standard"] = "standard"
    """`standard` trains on targets less their training mean, over their training standard deviation; `none` on raw
    targets, as the authors did. Either way predictions leave in physical units."""


class AugmentationSettings(Settings):
    """How an augmented view of a galaxy is made; the values are those of the authors' code."""

    max_zoom: Annotated[float, Field(ge=1)] = 1.1
    """Augmented views are enlarged by up to this factor and cropped at a random place."""

    zoom_probability: Annotated[float, Field(ge=0, le=1)] = 0.75
    """Part of the augmented views that are enlarged."""

    max_rotation_deg: Annotated[float, Field(ge=0, le=180)] = 10.0
    """Augmented views are turned by up to this angle either way, beyond the symmetries of the square."""

    rotation_probability: Annotated[float, Field(ge=0, le=1)] = 0.75
    """Part of the augmented views that are turned."""

    max_brightness: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Largest shift of brightness, of the range from black to white."""

    max_contrast: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Largest relative change of contrast about the image's mean."""

    dihedral: bool = True
    """Whether augmented views take one of the eight symmetries of the square."""


class TrainingSettings(Settings):
    """How a model is fitted: the paper, section 3.2, with what the authors' code adds."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the head's first weights, the order of galaxies, the views and the dropout."""

    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of the training set that is learnt from, to see what more galaxies would bring; drawn by `seed`, and of two
    fractions the larger has all galaxies of the smaller. Validation and test sets stay as they are."""

    batch_size: Annotated[int, Field(ge=2)] = 256
    """Galaxies a batch; each brings all its views."""

    original_view: bool = True
    """Whether the image as it is stands among a galaxy's views."""

    augmented_views: Annotated[int, Field(ge=0)] = 4
    """Randomly augmented views of each galaxy in the same step."""

    augmentation: AugmentationSettings = AugmentationSettings()
    """How augmented views are made."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` with momentum, or `adamw`."""

    momentum: Fraction = 0.9
    """Momentum of `sgd`, first beta of `adamw`."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decay of weights a step, relative to the rate."""

    loss: Literal["rmse", "huber"] = "rmse"
    """`rmse` is the root of the batch's mean squared error; `huber` is linear beyond one unit of the scaled target."""

    loss_floor: Annotated[float, Field(gt=0)] = 1e-4
    """Added in quadrature inside the root of `rmse`, whose slope is undefined at zero; in units of scaled targets."""

    frozen_epochs: Epochs = 2
    """Epochs in which only the head learns, at a constant rate."""

    frozen_learning_rate: Rate = 0.1
    """Rate of the head in these epochs."""

    constant_epochs: Epochs = 1
    """Epochs at constant rates before the first cosine cycle, all layers learning."""

    cycles: Annotated[int, Field(ge=0, le=1000)] = 3
    """Cosine cycles; each starts again at the full rates (SGDR, Loshchilov & Hutter 2017), stepped a mini-batch."""

    first_cycle_epochs: Annotated[Epochs, Field(ge=1)] = 1
    """Length of the first cycle."""

    cycle_multiplier: Annotated[int, Field(ge=1, le=100)] = 2
    """Each cycle is this many times as long as the one before."""

    schedule: Literal["restarts", "cosine", "plateau"] = "restarts"
    """What the rates do in the epochs of the cycles: `restarts`, a cosine a cycle (the paper); `cosine`, a single one
    over as many epochs; `plateau`, steps down whenever the validation RMSE has stopped falling (the draft, appendix A3:
    "by a factor of 10 every time the loss function plateaus"), in the constant epochs too."""

    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The rates are multiplied by it at each step of `plateau`; the draft, appendix A3: a tenth."""

    plateau_patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a lower validation RMSE before a step of `plateau`."""

    slow_start_fraction: Fraction = 0.0
    """Part of the first cosine spent at a hundredth of the rates; the authors' code: 0.05."""

    learning_rates: tuple[Rate, Rate, Rate] = (0.001, 0.01, 0.1)
    """Rates of the early, late and head layer groups once all learn; the paper, section 3.2."""

    gradient_clip_norm: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of the gradient; 0 leaves it as it is."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    """`bf16` mixed precision, `float32` for runs that repeat bit for bit; `auto` takes bf16 where the processor
    multiplies it faster. On a CPU, backbones with depthwise convolutions of stride 2 (MobileNet, EfficientNet-B0,
    MNASNet, GhostNet) are trained faster in float32 all the same."""

    @property
    def epochs(self) -> int:
        """Epochs in all: frozen, constant, and the cycles."""
        return self.frozen_epochs + self.constant_epochs + sum(self.cycle_epochs)

    @property
    def cycle_epochs(self) -> tuple[int, ...]:
        """Length of each cosine cycle in epochs."""
        return tuple(self.first_cycle_epochs * int(self.cycle_multiplier**cycle) for cycle in range(self.cycles))

    @property
    def cosine_epochs(self) -> tuple[int, ...]:
        """Length of each cosine of the rates in epochs: of the cycles, or of the single one that stands for them."""
        if self.schedule == "restarts":
            return self.cycle_epochs
        return (sum(self.cycle_epochs),) if self.schedule == "cosine" and self.cycles else ()

    @property
    def num_views(self) -> int:
        """Views of each galaxy in a step."""
        return int(self.original_view) + self.augmented_views

    @model_validator(mode="after")
    def _learns_something(self) -> "TrainingSettings":
        if self.num_views == 0:
            raise ValueError("original_view = false needs augmented_views of 1 or more")
        if self.epochs == 0:
            raise ValueError("frozen_epochs, constant_epochs and cycles are all 0: nothing would be learnt")
        if self.epochs > _MOST_EPOCHS:
            raise ValueError(f"there are more than {_MOST_EPOCHS:,} epochs in all; lower cycles or cycle_multiplier")
        return self


class PredictionSettings(Settings):
    """How the held-out galaxies are predicted."""

    views: TestViews = "paper"
    """Views whose predictions are averaged: `none` takes the image as it is, `paper` it and four augmented views
    (section 3.2), `eight` the exact symmetries of the square."""

    batch_size: Annotated[int, Field(ge=1)] = 64
    """Galaxies that a GPU predicts at once. Each thread of a CPU predicts 16 at once, or `batch_size` if that is less;
    then, and on a GPU, the last digits depend on it."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    """`bf16` computes the backbone in mixed precision; `auto` takes it where the processor multiplies it faster."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the augmented views of `paper`; each galaxy's are its own, whatever stands beside it."""


class EvaluationSettings(Settings):
    """How predictions are scored."""

    bootstrap_samples: Annotated[int, Field(ge=0)] = 1000
    """Bootstrap samples behind the 68 % intervals; 0 leaves them out."""

    beside_paper: Literal["auto", "always", "never"] = "auto"
    """Whether results.md has the paper's numbers beside the run's: `auto` only where the galaxies were selected from
    SDSS by the paper's cuts."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the bootstrap."""
