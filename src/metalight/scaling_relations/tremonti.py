"""The mass–metallicity relation of Tremonti et al. 2004 (ApJ 613, 898): eq. 3, and the percentiles of table 3."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from metalight.scaling_relations.relation import FloatArray, ScalingRelation, keep_range

_TABLE_3 = np.array(
    [
        *[(8.57, 8.25, 8.44, 8.64), (8.67, 8.28, 8.48, 8.65), (8.76, 8.32, 8.57, 8.70), (8.86, 8.37, 8.61, 8.73)],
        *[(8.96, 8.46, 8.63, 8.75), (9.06, 8.56, 8.66, 8.82), (9.16, 8.59, 8.68, 8.82), (9.26, 8.60, 8.71, 8.86)],
        *[(9.36, 8.63, 8.74, 8.88), (9.46, 8.66, 8.78, 8.92), (9.57, 8.69, 8.82, 8.94), (9.66, 8.72, 8.84, 8.96)],
        *[(9.76, 8.76, 8.87, 8.99), (9.86, 8.80, 8.90, 9.01), (9.96, 8.83, 8.94, 9.05), (10.06, 8.85, 8.97, 9.06)],
        *[(10.16, 8.88, 8.99, 9.09), (10.26, 8.92, 9.01, 9.10), (10.36, 8.94, 9.03, 9.11), (10.46, 8.96, 9.05, 9.12)],
        *[(10.56, 8.98, 9.07, 9.14), (10.66, 9.00, 9.08, 9.15), (10.76, 9.01, 9.09, 9.15), (10.86, 9.02, 9.10, 9.16)],
        *[(10.95, 9.03, 9.11, 9.17), (11.05, 9.03, 9.11, 9.17), (11.15, 9.04, 9.12, 9.18), (11.25, 9.03, 9.12, 9.18)],
    ]
)
"""log10 of the mass; 16th, 50th and 84th percentile of 12 + log10(O/H)."""


def compute_tremonti(log_mass: FloatArray) -> FloatArray:
    """Median 12 + log10(O/H): eq. 3. Its slope changes sign at a mass of 11.51; it was fitted from 8.5 to 11.5."""
    return -1.492 + 1.847 * log_mass - 0.08026 * log_mass**2


def compute_tremonti_relative_scatter(log_mass: FloatArray) -> FloatArray:
    """Scatter of metallicities at a mass, in units of that at 10^10 solar masses.

    A straight line through half the distance of the 16th and 84th percentiles of table 3, which falls from 0.2 dex at a
    mass of 8.57 over 0.11 at 9.96 to 0.07 at 11.
    """
    return 1 - 0.43 * (log_mass - 10)


TREMONTI_2004 = ScalingRelation(
    name="Tremonti 2004",
    source="Tremonti et al. 2004 (ApJ 613, 898), eq. 3",
    predicts="metallicity",
    inputs=("log_mass",),
    formula=compute_tremonti,
    scale="Tremonti 2004",
    imf="Kroupa 2001",
    sfr_kind="none",
    ranges={"log_mass": (8.5, 11.5)},
    scatter_dex=0.10,
)
"""On the scale and with the IMF of the MPA-JHU catalogue's oh_p50 and lgm_tot_p50: no conversion is to be made."""


@dataclass(frozen=True, eq=False)
class TremontiPercentiles:
    """The distribution of metallicities at a mass: table 3, with straight lines between its rows."""

    source: str = "Tremonti et al. 2004 (ApJ 613, 898), table 3"
    scale: str = TREMONTI_2004.scale
    imf: str = TREMONTI_2004.imf

    @property
    def log_mass(self) -> FloatArray:
        """Masses of the rows."""
        return _TABLE_3[:, 0].copy()

    @property
    def range(self) -> tuple[float, float]:
        """Masses of the first and the last row."""
        return float(_TABLE_3[0, 0]), float(_TABLE_3[-1, 0])

    def predict(self, log_mass: npt.ArrayLike, percentile: Literal[16, 50, 84]) -> FloatArray:
        """12 + log10(O/H) that so many percent of the galaxies of a mass do not reach; NaN outside the table.

        Args:
            log_mass: With a Kroupa IMF, any shape.
            percentile: One of the three of the table.

        Raises:
            ValueError: It is another.
        """
        if percentile not in (16, 50, 84):
            raise ValueError(f"percentile must be 16, 50 or 84, not {percentile}")
        given = keep_range(np.asarray(log_mass, dtype=np.float64), self.range)
        column = (16, 50, 84).index(percentile) + 1
        return np.asarray(np.interp(given, _TABLE_3[:, 0], _TABLE_3[:, column]))


TREMONTI_2004_PERCENTILES = TremontiPercentiles()
