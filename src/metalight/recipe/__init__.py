"""Recipes: TOML files of settings, one section a stage, checked before anything runs."""

from metalight.recipe.base import Settings
from metalight.recipe.data import (
    CatalogSettings,
    CutoutsSettings,
    Framing,
    LuptonSettings,
    PixelsSettings,
    SplitsSettings,
)
from metalight.recipe.learning import (
    WORDS_FOR_WEIGHTS,
    AugmentationSettings,
    EvaluationSettings,
    ModelSettings,
    PredictionSettings,
    TrainingSettings,
)
from metalight.recipe.load import dump_recipe, list_presets, load_recipe, show_preset, validate_recipe
from metalight.recipe.recipe import Recipe

__all__ = [
    "WORDS_FOR_WEIGHTS",
    "AugmentationSettings",
    "CatalogSettings",
    "CutoutsSettings",
    "EvaluationSettings",
    "Framing",
    "LuptonSettings",
    "ModelSettings",
    "PixelsSettings",
    "PredictionSettings",
    "Recipe",
    "Settings",
    "SplitsSettings",
    "TrainingSettings",
    "dump_recipe",
    "list_presets",
    "load_recipe",
    "show_preset",
    "validate_recipe",
]
