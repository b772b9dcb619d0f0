"""The fundamental plane of Lara-López et al. 2010 (A&A 521, L53): masses from metallicity and star formation.

It is a regression of mass, and is never to be turned round for metallicities: inverted it has no flattening, and gives
8.16 and 9.59 on the main sequence at masses of 8.5 and 11, where Tremonti et al. have 8.41 and 9.11.
"""

from metalight.scaling_relations.relation import FloatArray, ScalingRelation


def compute_lara_lopez_mass(metallicity: FloatArray, log_sfr: FloatArray) -> FloatArray:
    """log10(M*/Msun) at 12 + log10(O/H) and star formation: their plane."""
    return 1.122 * metallicity + 0.474 * log_sfr - 0.097


LARA_LOPEZ_2010 = ScalingRelation(
    name="Lara-López 2010",
    source="Lara-López et al. 2010 (A&A 521, L53), the plane",
    predicts="log_mass",
    inputs=("metallicity", "log_sfr"),
    formula=compute_lara_lopez_mass,
    scale="Tremonti 2004",
    imf="Kroupa 2001",
    sfr_kind="total",
    ranges={"metallicity": (8.4, 9.3), "log_sfr": (-2.0, 2.0)},
    scatter_dex=0.16,
    unverified="its coefficients, scatter and range are from memory",
)
"""Of masses, metallicities and star formation rates of MPA-JHU, with 0.04 < redshift < 0.1 and 14.5 < r < 17.77 (their
abstract)."""
