"""Prediction: a saved model and decoded images to properties in physical units."""

from metalight.prediction.cost import measure_prediction_cost
from metalight.prediction.match import check_files_match, check_images_match, check_mapping_matches
from metalight.prediction.predict import Predictor, build_prediction_table, open_predictor

__all__ = [
    "Predictor",
    "build_prediction_table",
    "check_files_match",
    "check_images_match",
    "check_mapping_matches",
    "measure_prediction_cost",
    "open_predictor",
]
