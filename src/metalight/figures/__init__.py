"""Figures: computed numbers become PNG and PDF, and the numbers drawn lie beside them as CSV."""

from metalight.figures.contact_sheet import draw_contact_sheet
from metalight.figures.example_grid import draw_example_grid
from metalight.figures.paired_difference import draw_paired_difference
from metalight.figures.prediction_summary import draw_prediction_summary
from metalight.figures.sample_summary import draw_sample_summary
from metalight.figures.study_learning_rate import draw_learning_rates
from metalight.figures.study_resolution import draw_study_resolution
from metalight.figures.study_variants import draw_study_variants
from metalight.figures.training_history import draw_training_history

__all__ = [
    "draw_contact_sheet",
    "draw_example_grid",
    "draw_learning_rates",
    "draw_paired_difference",
    "draw_prediction_summary",
    "draw_sample_summary",
    "draw_study_resolution",
    "draw_study_variants",
    "draw_training_history",
]
