"""A survey with known truth: galaxies, their images, and the folder that a user would have from SDSS.

Drawing images needs the extra `metalight[simulate]`; it is imported when the first image is drawn.
"""

from metalight.simulate.population import INVISIBLE_SCATTER, Galaxy, draw_population, iterate_galaxies
from metalight.simulate.scene import render_galaxy
from metalight.simulate.survey import CATALOG_COLUMNS, SurveyReport, simulate_survey

__all__ = [
    "CATALOG_COLUMNS",
    "INVISIBLE_SCATTER",
    "Galaxy",
    "SurveyReport",
    "draw_population",
    "iterate_galaxies",
    "render_galaxy",
    "simulate_survey",
]
