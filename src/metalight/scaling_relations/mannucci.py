"""The fundamental metallicity relation of Mannucci et al. 2010 (MNRAS 408, 2115): eq. 2, and its projection, eq. 4.

Its metallicities are on another scale than those of Tremonti et al. 2004: on the main sequence the two differ by 0.19
dex at a mass of 8.5, 0.05 at 10 and 0.13 at 11.5. A residual of MPA-JHU metallicities about it is therefore mostly one
of calibration. Use it differentially (`predict_sfr_offset`), or refit its coefficients.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from metalight.scaling_relations.conversions import Conversion
from metalight.scaling_relations.relation import FloatArray, ScalingRelation

PROJECTION_ALPHA = 0.32
"""The α of μ = log M − α log SFR with which metallicities scatter least; their abstract."""

_UNVERIFIED = (
    "its coefficients are those of eight public programs, but its IMF (Chabrier), scale (Maiolino 2008), kind of star "
    "formation rate (fibre) and range are from memory"
)


def compute_mannucci(log_mass: FloatArray, log_sfr: FloatArray) -> FloatArray:
    """12 + log10(O/H) at mass and star formation: eq. 2.

    Its scale is not that of Tremonti et al.: only differences of it are of use beside theirs.
    """
    m, s = log_mass - 10, log_sfr
    return 8.90 + 0.37 * m - 0.14 * s - 0.19 * m**2 + 0.12 * m * s - 0.054 * s**2


def compute_mannucci_projection(log_mass: FloatArray, log_sfr: FloatArray) -> FloatArray:
    """12 + log10(O/H) as a function of μ = log M − 0.32 log SFR alone: eq. 4."""
    x = log_mass - PROJECTION_ALPHA * log_sfr - 10
    return 8.90 + 0.39 * x - 0.20 * x**2 - 0.077 * x**3 + 0.064 * x**4


MANNUCCI_2010 = ScalingRelation(
    name="Mannucci 2010",
    source="Mannucci et al. 2010 (MNRAS 408, 2115), eq. 2",
    predicts="metallicity",
    inputs=("log_mass", "log_sfr"),
    formula=compute_mannucci,
    scale="Maiolino 2008",
    imf="Chabrier 2003",
    sfr_kind="fibre",
    ranges={"log_mass": (9.1, 11.35), "log_sfr": (-1.45, 0.80)},
    scatter_dex=0.05,
    unverified=_UNVERIFIED,
)
"""Its scatter is of medians of bins, and after cuts of its own: no single galaxies keep to it."""

MANNUCCI_2010_PROJECTION = ScalingRelation(
    name="Mannucci 2010, projected",
    source="Mannucci et al. 2010 (MNRAS 408, 2115), eq. 4",
    predicts="metallicity",
    inputs=("log_mass", "log_sfr"),
    formula=compute_mannucci_projection,
    scale="Maiolino 2008",
    imf="Chabrier 2003",
    sfr_kind="fibre",
    ranges={"log_mass": (9.1, 11.35), "log_sfr": (-1.45, 0.80)},
    scatter_dex=0.05,
    unverified=_UNVERIFIED,
)


def predict_sfr_offset(
    log_mass: npt.ArrayLike,
    log_sfr: npt.ArrayLike,
    usual_log_sfr: npt.ArrayLike,
    *,
    imf: str,
    conversions: Sequence[Conversion] = (),
    relation: ScalingRelation = MANNUCCI_2010,
    accept_unverified: bool = False,
) -> FloatArray:
    """How much richer than usual for their mass galaxies are by their star formation, dex; NaN outside the range.

    The difference M10(M, SFR) − M10(M, usual SFR of that mass), in which the scale of metallicity nearly cancels.

    Args:
        log_mass: Shape (galaxies,).
        log_sfr: Likewise.
        usual_log_sfr: Star formation that is usual at the mass of each galaxy: of the main sequence, or the sample's
            own median.
        imf: Of the masses.
        conversions: As of `ScalingRelation.predict`.
        relation: Eq. 2 or eq. 4.
        accept_unverified: As of `ScalingRelation.predict`.

    Raises:
        ValueError: As of `ScalingRelation.predict`.
    """
    seen, usual = (
        relation.predict(
            log_mass,
            rate,
            imf=imf,
            scale=relation.scale,
            conversions=conversions,
            accept_unverified=accept_unverified,
        )
        for rate in (log_sfr, usual_log_sfr)
    )
    return np.asarray(seen - usual)
