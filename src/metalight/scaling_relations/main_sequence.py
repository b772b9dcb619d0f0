"""How many stars galaxies of a mass form: the main sequence of Renzini & Peng 2015 (ApJ 801, L29)."""

from metalight.scaling_relations.relation import FloatArray, ScalingRelation


def compute_main_sequence(log_mass: FloatArray) -> FloatArray:
    """Star formation of the main sequence, log10(SFR / (Msun/yr)): their eq. 1."""
    return 0.76 * log_mass - 7.64


RENZINI_PENG_2015 = ScalingRelation(
    name="Renzini & Peng 2015",
    source="Renzini & Peng 2015 (ApJ 801, L29), eq. 1",
    predicts="log_sfr",
    inputs=("log_mass",),
    formula=compute_main_sequence,
    scale="",
    imf="Chabrier 2003",
    sfr_kind="total",
    ranges={"log_mass": (8.5, 11.25)},
    scatter_dex=0.3,
    unverified="its coefficients are those of public programs, but its IMF, range and scatter are from memory",
)
