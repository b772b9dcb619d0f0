"""A survey with known truth: galaxies, their images, and the folder that a user would have from SDSS."""

from metalight.simulate import relations
from metalight.simulate.cutout import draw_cutout
from metalight.simulate.instrument import INSTRUMENTS, Instrument
from metalight.simulate.limits import compute_limits
from metalight.simulate.measured import build_catalog, build_truth
from metalight.simulate.population import MAX_GALAXIES, Galaxy, draw_population, iterate_galaxies
from metalight.simulate.survey import SurveyDesign, SurveyReport, simulate_survey
from metalight.simulate.universe import UNIVERSES, Universe, make_universe

__all__ = [
    "INSTRUMENTS",
    "MAX_GALAXIES",
    "UNIVERSES",
    "Galaxy",
    "Instrument",
    "SurveyDesign",
    "SurveyReport",
    "Universe",
    "build_catalog",
    "build_truth",
    "compute_limits",
    "draw_cutout",
    "draw_population",
    "iterate_galaxies",
    "make_universe",
    "relations",
    "simulate_survey",
]
