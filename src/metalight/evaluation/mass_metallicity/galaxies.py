"""The galaxies of a study: measured and predicted metallicity and mass, and what else is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from metalight.errors import EvaluationError

FloatArray = npt.NDArray[np.float64]

MASS_ERROR_DEX, SFR_ERROR_DEX = 0.1, 0.2
"""Errors of measured masses and star formation rates where the catalogue does not tell them: our own, about what the
percentiles of MPA-JHU give."""

LEAST_GALAXIES = 20
"""Fewer galaxies say nothing of a relation and its scatter."""


@dataclass(frozen=True)
class MeasurementError:
    """The usual error of a measured quantity, dex."""

    dex: float
    source: str
    """Where it is known from, in words."""


@dataclass(frozen=True, eq=False)
class StudyGalaxies:
    """Galaxies with a measured metallicity and mass, each array of the shape (galaxies,), NaN where missing."""

    metallicity: FloatArray
    """Measured, 12 + log10(O/H); finite."""
    log_mass: FloatArray
    """Measured; finite."""
    predicted: FloatArray | None = None
    """Predicted metallicity; finite. None: not wanted."""
    log_mass_predicted: FloatArray | None = None
    """Predicted mass; None: there are none."""
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    """Other known properties, by the names of `metalight.catalog.PROPERTIES`."""

    def __len__(self) -> int:
        return len(self.metallicity)

    def select(self, is_wanted: npt.NDArray[np.bool_]) -> "StudyGalaxies":
        """Those of the galaxies for which `is_wanted` is true."""
        return StudyGalaxies(
            self.metallicity[is_wanted],
            self.log_mass[is_wanted],
            None if self.predicted is None else self.predicted[is_wanted],
            None if self.log_mass_predicted is None else self.log_mass_predicted[is_wanted],
            {name: values[is_wanted] for name, values in self.properties.items()},
        )

    @property
    def has_predicted_mass(self) -> bool:
        """Whether enough galaxies have a predicted mass."""
        mass = self.log_mass_predicted
        return mass is not None and int(np.isfinite(mass).sum()) >= LEAST_GALAXIES


def select_galaxies(
    metallicity: npt.ArrayLike,
    log_mass: npt.ArrayLike,
    predicted: npt.ArrayLike | None,
    *,
    log_mass_predicted: npt.ArrayLike | None = None,
    properties: Mapping[str, npt.ArrayLike] | None = None,
    whose: str = "the run",
) -> tuple[StudyGalaxies, int]:
    """The galaxies that have a metallicity, a mass and, where wanted, a prediction, and how many have not.

    Args:
        metallicity: Measured; NaN or infinite where missing, as the others.
        log_mass: Measured.
        predicted: Predicted metallicity; None: not wanted.
        log_mass_predicted: Predicted mass; galaxies without one are kept.
        properties: What else is known, likewise.
        whose: Galaxies, for the messages.

    Raises:
        EvaluationError: Too few are left, or all have one metallicity or one mass.
    """
    truth, mass = _read(metallicity), _read(log_mass)
    is_usable = np.isfinite(truth) & np.isfinite(mass)
    given = None if predicted is None else _read(predicted)
    if given is not None:
        is_usable &= np.isfinite(given)
    num_usable = int(is_usable.sum())
    if num_usable < LEAST_GALAXIES:
        needed = "a measured metallicity and mass" + ("" if given is None else " and a predicted metallicity")
        raise EvaluationError(
            f"Of {len(truth):,} galaxies of {whose}, {num_usable} have {needed}, and a study needs {LEAST_GALAXIES}: "
            "check the columns of the catalogue, or predict more galaxies."
        )
    for name, values in (("metallicity", truth[is_usable]), ("mass", mass[is_usable])):
        if np.ptp(values) == 0:
            raise EvaluationError(
                f"All {num_usable:,} galaxies of {whose} have the same {name}, {values[0]:g}, so there is no relation "
                "to study: check the column."
            )
    galaxies = StudyGalaxies(
        truth,
        mass,
        given,
        None if log_mass_predicted is None else _read(log_mass_predicted),
        {name: _read(values) for name, values in (properties or {}).items()},
    )
    return galaxies.select(is_usable), len(truth) - num_usable


def find_error(properties: Mapping[str, FloatArray], name: str, default_dex: float) -> MeasurementError:
    """The usual error of a property: half the distance of its 16th and 84th percentiles, or a default.

    Args:
        properties: Of the galaxies.
        name: Of the property: `log_mass`.
        default_dex: Where the percentiles are not known.
    """
    low, high = properties.get(f"{name}_p16"), properties.get(f"{name}_p84")
    if low is not None and high is not None:
        half = (high - low) / 2
        half = half[np.isfinite(half) & (half > 0)]
        if len(half):
            # A mean square: errors enter by their variance.
            return MeasurementError(float(np.sqrt(np.mean(half**2))), "percentiles of the catalogue")
    return MeasurementError(default_dex, "assumed, as the catalogue has no percentiles")


def _read(values: npt.ArrayLike) -> FloatArray:
    """As float64, NaN for infinities."""
    given = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(given), given, np.nan)
