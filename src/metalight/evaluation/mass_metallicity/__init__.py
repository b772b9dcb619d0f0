"""The mass–metallicity relation and what predictions know of it: the draft's section 5 as pure computations."""

from metalight.evaluation.mass_metallicity.estimates import Estimate
from metalight.evaluation.mass_metallicity.fourth_parameter import (
    PARAMETERS,
    ParameterGain,
    build_gain_table,
    compute_gain,
    search_fourth_parameters,
)
from metalight.evaluation.mass_metallicity.fundamental import (
    FittedRelation,
    compute_sfr_residuals,
    fit_mannucci,
    fit_mass_plane,
    fit_plane,
    fit_projection,
    score_published_mass_plane,
)
from metalight.evaluation.mass_metallicity.galaxies import (
    LEAST_GALAXIES,
    MASS_ERROR_DEX,
    SFR_ERROR_DEX,
    MeasurementError,
    StudyGalaxies,
    find_error,
    select_galaxies,
)
from metalight.evaluation.mass_metallicity.knowledge import Knowledge, judge_knowledge
from metalight.evaluation.mass_metallicity.partial import PartialCorrelation, compute_partial_correlation
from metalight.evaluation.mass_metallicity.routes import (
    Routes,
    compute_budget,
    compute_budget_by_mass,
    compute_error_correlation,
    compute_routes,
    score_routes,
)
from metalight.evaluation.mass_metallicity.scatter import (
    HARD_CUT,
    ScatterRatio,
    compute_relation,
    compute_scatter_ratio,
    exchange_predictions,
    put_residuals_back,
)
from metalight.evaluation.mass_metallicity.shuffled import GROUP_WIDTH_DEX, shuffle_within_mass
from metalight.evaluation.mass_metallicity.slopes import (
    compute_slope,
    compute_slopes,
    describe_slopes,
    explain_slopes,
    list_relations,
)
from metalight.evaluation.mass_metallicity.smooth import SmoothRelation, fit_smooth
from metalight.evaluation.mass_metallicity.study import MassMetallicityStudy, compute_study

__all__ = [
    "GROUP_WIDTH_DEX",
    "HARD_CUT",
    "LEAST_GALAXIES",
    "MASS_ERROR_DEX",
    "PARAMETERS",
    "SFR_ERROR_DEX",
    "Estimate",
    "FittedRelation",
    "Knowledge",
    "MassMetallicityStudy",
    "MeasurementError",
    "ParameterGain",
    "PartialCorrelation",
    "Routes",
    "ScatterRatio",
    "SmoothRelation",
    "StudyGalaxies",
    "build_gain_table",
    "compute_budget",
    "compute_budget_by_mass",
    "compute_error_correlation",
    "compute_gain",
    "compute_partial_correlation",
    "compute_relation",
    "compute_routes",
    "compute_scatter_ratio",
    "compute_sfr_residuals",
    "compute_slope",
    "compute_slopes",
    "compute_study",
    "describe_slopes",
    "exchange_predictions",
    "explain_slopes",
    "find_error",
    "fit_mannucci",
    "fit_mass_plane",
    "fit_plane",
    "fit_projection",
    "fit_smooth",
    "judge_knowledge",
    "list_relations",
    "put_residuals_back",
    "score_published_mass_plane",
    "score_routes",
    "search_fourth_parameters",
    "select_galaxies",
    "shuffle_within_mass",
]
