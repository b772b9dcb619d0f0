"""A fourth parameter: do the relations tighten when it is known, more than errors of mass and SFR make it seem?

The draft, section 5: "If there existed a fourth parameter, perhaps morphological in nature, then the marginalized MMR
or FMR over particular values of this fourth parameter should be an even tighter relationship."
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.mass_metallicity.estimates import Estimate, bootstrap_means, estimate
from metalight.evaluation.mass_metallicity.folds import compute_left_over
from metalight.evaluation.mass_metallicity.galaxies import LEAST_GALAXIES, StudyGalaxies
from metalight.evaluation.mass_metallicity.partial import PartialCorrelation, compute_partial_correlation
from metalight.metrics import compute_nmad

FloatArray = npt.NDArray[np.float64]

PARAMETERS = {
    "concentration": "concentration R90/R50",
    "axis_ratio": "axis ratio",
    "log_surface_density": "surface density of mass",
    "g_r": "colour g − r",
    "d4000": "break at 4000 Å",
}
"""Those that are tried, by the names of `metalight.catalog.PROPERTIES`."""

LEAST_GAIN = 0.005
"""A gain of less than this part of the scatter is none: the relations' own form is not known better."""

_CLIP_PERCENTILES = (0.5, 99.5)
"""Beyond these a parameter counts as at the bound: single wild values would bend a spline."""


@dataclass(frozen=True, eq=False)
class ParameterGain:
    """Effect of a known parameter on the scatter of a relation."""

    num_galaxies: int
    rms_without: float
    """Scatter of metallicity about its relation to the controls, cross-validated, dex."""
    rms_with: float
    nmad_without: float
    nmad_with: float
    gain: Estimate
    """rms_without − rms_with, of the same galaxies in the same folds."""
    partial: PartialCorrelation
    """Of metallicity and the parameter at fixed controls."""

    @property
    def is_found(self) -> bool:
        """Whether the relation tightens, and not by errors of the controls alone."""
        is_tighter = self.gain.low_95 > 0 and self.gain.value > LEAST_GAIN * self.rms_without
        return is_tighter and self.partial.is_beyond_controls

    @property
    def verdict(self) -> str:
        """In a few words."""
        if self.is_found:
            return "found"
        if self.gain.low_95 > 0 and self.gain.value > LEAST_GAIN * self.rms_without:
            return "tightens, but errors of the controls could do that"
        return "not found"


def compute_gain(
    metallicity: FloatArray,
    controls: Sequence[FloatArray],
    errors: Sequence[float],
    parameter: FloatArray,
    *,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> ParameterGain:
    """Effect of a known parameter on the scatter of metallicity about its relation to the controls.

    Args:
        metallicity: Finite, shape (galaxies,).
        controls: Likewise, each: mass, or mass and star formation.
        errors: Standard deviation of the error of each control.
        parameter: Finite, shape (galaxies,).
        num_bootstrap: Samples behind the intervals.
        seed: Of the folds and the bootstrap.
    """
    low, high = np.percentile(parameter, _CLIP_PERCENTILES)
    clipped = np.clip(parameter, low, high)
    without = compute_left_over(metallicity, controls, seed=seed)
    knowing = compute_left_over(metallicity, [*controls, clipped], seed=seed)
    squares = np.stack([without**2, knowing**2], axis=1)

    def compute(means: FloatArray) -> FloatArray:
        roots = np.sqrt(means)
        gains: FloatArray = roots[:, 0] - roots[:, 1]
        return gains

    value = float(compute(squares.mean(axis=0, keepdims=True))[0])
    partial = compute_partial_correlation(
        metallicity, clipped, controls, errors, num_bootstrap=num_bootstrap, seed=seed
    )
    return ParameterGain(
        num_galaxies=len(metallicity),
        rms_without=float(np.sqrt(squares[:, 0].mean())),
        rms_with=float(np.sqrt(squares[:, 1].mean())),
        nmad_without=compute_nmad(without),
        nmad_with=compute_nmad(knowing),
        gain=estimate(value, compute(bootstrap_means(squares, num_samples=num_bootstrap, seed=seed))),
        partial=partial,
    )


def search_fourth_parameters(
    galaxies: StudyGalaxies,
    errors: Mapping[str, float],
    *,
    parameters: Mapping[str, str] = PARAMETERS,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[tuple[str, str], ParameterGain]:
    """The gain of each parameter that is known, by the relation it is added to and its name.

    The relations are `mass`, and where there are star formation rates `mass and SFR`. Galaxies that lack something are
    left out of the comparison, with and without the parameter.

    Args:
        galaxies: All galaxies with measured masses and metallicities.
        errors: Standard deviations of the errors of `log_mass` and `log_sfr`.
        parameters: Those that are tried, with what they are.
        num_bootstrap: Samples behind the intervals.
        seed: Of the folds and the bootstrap.
    """
    relations = {"mass": ("log_mass",), "mass and SFR": ("log_mass", "log_sfr")}
    known = {"log_mass": galaxies.log_mass, **galaxies.properties}
    found = {}
    for relation, names in relations.items():
        if any(name not in known for name in names):
            continue
        for name in parameters:
            if name not in known:
                continue
            parameter = known[name]
            if name == "log_surface_density":
                # At fixed mass it is a size. The measured mass in it would bring the errors of mass along.
                parameter = parameter - galaxies.log_mass
            values = np.stack([*(known[each] for each in names), parameter])
            is_known = np.isfinite(values).all(axis=0)
            if is_known.sum() < LEAST_GALAXIES or np.ptp(parameter[is_known]) == 0:
                continue
            found[relation, name] = compute_gain(
                galaxies.metallicity[is_known],
                [known[each][is_known] for each in names],
                [errors[each] for each in names],
                parameter[is_known],
                num_bootstrap=num_bootstrap,
                seed=seed,
            )
    return found


def build_gain_table(found: Mapping[tuple[str, str], ParameterGain]) -> pd.DataFrame:
    """One row a relation and parameter: scatter without and with it, the gain, correlations at fixed controls."""
    rows = []
    for (relation, name), gain in found.items():
        rows.append(
            {
                "relation": relation,
                "parameter": name,
                "num": gain.num_galaxies,
                "rms_without": gain.rms_without,
                "rms_with": gain.rms_with,
                "nmad_without": gain.nmad_without,
                "nmad_with": gain.nmad_with,
                "gain": gain.gain.value,
                "gain_low_95": gain.gain.low_95,
                "gain_high_95": gain.gain.high_95,
                "partial": gain.partial.raw.value,
                "partial_from_errors": gain.partial.from_errors,
                "partial_corrected": gain.partial.corrected.value,
                "partial_corrected_low_95": gain.partial.corrected.low_95,
                "partial_corrected_high_95": gain.partial.corrected.high_95,
                "verdict": gain.verdict,
            }
        )
    columns = ["relation", "parameter", "num", "rms_without", "rms_with", "nmad_without", "nmad_with", "gain"]
    columns += ["gain_low_95", "gain_high_95", "partial", "partial_from_errors", "partial_corrected"]
    columns += ["partial_corrected_low_95", "partial_corrected_high_95", "verdict"]
    return pd.DataFrame(rows, columns=columns)
