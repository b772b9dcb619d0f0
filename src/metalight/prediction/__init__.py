"""Prediction: a saved model and decoded images to properties in physical units."""

from metalight.prediction.match import check_images_match
from metalight.prediction.predict import Predictor, build_prediction_table, open_predictor

__all__ = ["Predictor", "build_prediction_table", "check_images_match", "open_predictor"]
