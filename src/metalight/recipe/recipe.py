"""A whole recipe: the settings of every stage."""

from metalight.recipe.base import Settings
from metalight.recipe.baselines import BaselinesSettings
from metalight.recipe.data import CatalogSettings, CutoutsSettings, PixelsSettings, SplitsSettings
from metalight.recipe.learning import EvaluationSettings, ModelSettings, PredictionSettings, TrainingSettings
from metalight.recipe.network import NetworkSettings
from metalight.recipe.sky_server import SkyServerSettings


class Recipe(Settings):
    """The settings of every stage of a run."""

    name: str = "recipe"
    """Name of the preset or of the file, which names the run."""

    catalog: CatalogSettings = CatalogSettings()
    """Which galaxies."""

    cutouts: CutoutsSettings = CutoutsSettings()
    """Where their images are."""

    skyserver: SkyServerSettings = SkyServerSettings()
    """Where galaxies or images come from SkyServer."""

    network: NetworkSettings = NetworkSettings()
    """How services are asked."""

    pixels: PixelsSettings = PixelsSettings()
    """The size of the decoded images."""

    splits: SplitsSettings = SplitsSettings()
    """Training, validation and test sets."""

    baselines: BaselinesSettings = BaselinesSettings()
    """Simple methods beside the network."""

    model: ModelSettings = ModelSettings()
    """The network."""

    training: TrainingSettings = TrainingSettings()
    """How it is fitted."""

    prediction: PredictionSettings = PredictionSettings()
    """How the test set is predicted."""

    evaluation: EvaluationSettings = EvaluationSettings()
    """How the predictions are scored."""
