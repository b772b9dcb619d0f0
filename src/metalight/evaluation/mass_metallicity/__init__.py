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
