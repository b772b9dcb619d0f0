"""Baselines: what simple methods make of photometry, of a few numbers of each image, and of the stellar mass.

They learn from the training galaxies of a run only, and show what a network must beat.
"""

from metalight.baselines.cost import estimate_fit_seconds
from metalight.baselines.features import FEATURE_SETS, FeatureSet, Galaxies
from metalight.baselines.fit import BASELINES, FEWEST_TO_LEARN_FROM, Baseline, Fitted, fit_baseline
from metalight.baselines.gaussian_process import GaussianProcess, fit_gaussian_process
