"""A survey with known truth: galaxies, their images, and the folder that a user would have from SDSS."""

from metalight.simulation import relations
from metalight.simulation.cutout import draw_cutout
from metalight.simulation.instrument import INSTRUMENTS, Instrument
from metalight.simulation.limits import compute_limits
from metalight.simulation.measured import build_catalog, build_truth
from metalight.simulation.population import MAX_GALAXIES, Galaxy, draw_population, iterate_galaxies
from metalight.simulation.survey import SurveyDesign, SurveyReport, simulate_survey
from metalight.simulation.universe import UNIVERSES, Universe, make_universe
