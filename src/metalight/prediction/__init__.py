"""Prediction: a saved model and decoded images to properties in physical units."""

from metalight.prediction.match import check_images_match
from metalight.prediction.predict import build_prediction_table, predict_pixels

__all__ = ["build_prediction_table", "check_images_match", "predict_pixels"]
