"""Prediction: a saved model and decoded images to properties in physical units."""

from metalight.prediction.cost import measure_prediction_cost
from metalight.prediction.predict import Predictor, build_prediction_table, open_predictor
