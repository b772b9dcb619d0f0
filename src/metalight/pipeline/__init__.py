"""The whole job: the stages in order, each from artefacts to artefacts, and prediction for new galaxies."""

from metalight.pipeline.evaluate_table import evaluate_table
from metalight.pipeline.predict_images import CatalogOfImages, PredictReport, predict_images
from metalight.pipeline.run_recipe import RunReport, run_recipe
from metalight.pipeline.stages import STAGES

__all__ = ["STAGES", "CatalogOfImages", "PredictReport", "RunReport", "evaluate_table", "predict_images", "run_recipe"]
