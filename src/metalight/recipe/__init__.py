"""Recipes: TOML files of settings, one section a stage, checked before anything runs."""

from metalight.recipe.bands import (
    MAX_BANDS,
    SDSS_EXTINCTION,
    Stretch,
    check_bands,
    check_extinction,
    check_picture_bands,
)
from metalight.recipe.base import Settings
from metalight.recipe.baselines import KNOWN_BASELINES, BaselinesSettings
from metalight.recipe.data import (
    WORDS_ON_FETCHING,
    CatalogSettings,
    CutoutsSettings,
    FieldArcsec,
    Framing,
    LuptonSettings,
    PixelsSettings,
    Side,
    SplitsSettings,
    name_source,
)
from metalight.recipe.learning import (
    WORDS_FOR_WEIGHTS,
    AugmentationSettings,
    EvaluationSettings,
    Fraction,
    HiddenFeatures,
    ModelSettings,
    PredictionSettings,
    TestViews,
    TrainingSettings,
)
from metalight.recipe.load import (
    SETTINGS_OF_FILES,
    dump_recipe,
    find_run_folder,
    is_address,
    list_presets,
    load_recipe,
    parse_value,
    show_preset,
    validate_recipe,
)
from metalight.recipe.network import NetworkSettings
from metalight.recipe.recipe import Recipe
from metalight.recipe.selection import KNOWN_CUTS, KNOWN_PROPERTIES
from metalight.recipe.sky_server import SKYSERVER_URL, SkyServerRelease, SkyServerSettings, locate_services
from metalight.recipe.suited import list_concerns, list_lower_rates, quote_settings, suggest_settings
