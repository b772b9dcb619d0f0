"""Published relations between mass, metallicity and star formation, each with its source, scale and range.

A relation knows for which masses, star formation rates and metallicities it was made, and on which scale of metallicity
and with which initial mass function (IMF) its authors measured. `predict` gives missing values (NaN) outside its range,
and refuses values on another scale or with another IMF unless a conversion is named. What of a relation could not be
looked up in its source is told in `unverified`, and such a relation is not used unless the caller accepts that.

The formulas themselves (`compute_…`) know no range: the simulated survey takes them as the laws of its universes.
"""

from metalight.scaling_relations.conversions import (
    CONVERSIONS,
    D02_TO_TREMONTI,
    KROUPA_TO_CHABRIER,
    PP04_N2_TO_TREMONTI,
    Conversion,
)
from metalight.scaling_relations.lara_lopez import LARA_LOPEZ_2010, compute_lara_lopez_mass
from metalight.scaling_relations.main_sequence import RENZINI_PENG_2015, compute_main_sequence
from metalight.scaling_relations.mannucci import (
    MANNUCCI_2010,
    MANNUCCI_2010_PROJECTION,
    PROJECTION_ALPHA,
    compute_mannucci,
    compute_mannucci_projection,
    predict_sfr_offset,
)
from metalight.scaling_relations.relation import Cosmology, ScalingRelation, keep_range
from metalight.scaling_relations.tremonti import (
    TREMONTI_2004,
    TREMONTI_2004_PERCENTILES,
    TremontiPercentiles,
    compute_tremonti,
    compute_tremonti_relative_scatter,
)

RELATIONS = {
    relation.name: relation
    for relation in (
        TREMONTI_2004,
        MANNUCCI_2010,
        MANNUCCI_2010_PROJECTION,
        LARA_LOPEZ_2010,
        RENZINI_PENG_2015,
    )
}
"""The relations that are formulas, by name."""
