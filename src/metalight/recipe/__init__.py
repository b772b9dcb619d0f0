"""Recipes: TOML files of settings, one section a stage, checked before anything runs."""

from metalight.recipe.base import Settings
from metalight.recipe.data import (
    MAX_BANDS,
    Bands,
    CatalogSettings,
    CutoutsSettings,
    Framing,
    PixelsSettings,
    Side,
    SplitsSettings,
)
from metalight.recipe.learning import (
    WORDS_FOR_WEIGHTS,
    AugmentationSettings,
    EvaluationSettings,
    Fraction,
    HiddenFeatures,
    ModelSettings,
    PredictionSettings,
    TrainingSettings,
)
from metalight.recipe.load import dump_recipe, list_presets, load_recipe, show_preset, validate_recipe
from metalight.recipe.recipe import Recipe

__all__ = [
    "MAX_BANDS",
    "WORDS_FOR_WEIGHTS",
    "AugmentationSettings",
    "Bands",
    "CatalogSettings",
    "CutoutsSettings",
    "EvaluationSettings",
    "Fraction",
    "Framing",
    "HiddenFeatures",
    "ModelSettings",
    "PixelsSettings",
    "PredictionSettings",
    "Recipe",
    "Settings",
    "Side",
    "SplitsSettings",
    "TrainingSettings",
    "dump_recipe",
    "list_presets",
    "load_recipe",
    "show_preset",
    "validate_recipe",
]
