"""Figures: computed numbers become PNG and PDF, and the numbers drawn lie beside them as CSV."""

from metalight.figures.contact_sheet import draw_contact_sheet
from metalight.figures.error_budget import draw_error_budget
from metalight.figures.example_grid import draw_example_grid
from metalight.figures.first_filters import draw_first_filters
from metalight.figures.follow_up import draw_follow_up
from metalight.figures.fourth_parameter import draw_fourth_parameter
from metalight.figures.mass_metallicity import draw_mass_metallicity
from metalight.figures.paired_difference import draw_paired_difference
from metalight.figures.prediction_summary import draw_prediction_summary
from metalight.figures.residual_trends import draw_residual_trends
from metalight.figures.sample_summary import draw_sample_summary
from metalight.figures.scatter_ratio import draw_scatter_ratio
from metalight.figures.stellar_mass import draw_stellar_mass
from metalight.figures.study_learning_rate import draw_learning_rates
from metalight.figures.study_resolution import draw_study_resolution
from metalight.figures.study_variants import draw_study_variants
from metalight.figures.training_history import draw_training_history
from metalight.figures.trusted_range import draw_trusted_range
from metalight.figures.value_distributions import draw_value_distributions
