"""Targets in physical units, and the scaled ones that the network learns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class TargetScaling:
    """scaled = (physical - mean) / scale, for each target."""

    means: tuple[float, ...]
    scales: tuple[float, ...]

    @classmethod
    def fit(cls, targets: npt.NDArray[np.float64], method: Literal["none", "standard"]) -> "TargetScaling":
        """The scaling for training targets (galaxy, target): their mean and standard deviation, or none at all.

        NaN stands for a label that is missing.

        Raises:
            ValueError: A target has the same value for every galaxy that has one, so that there is nothing to learn.
        """
        if method == "none":
            return cls((0.0,) * targets.shape[1], (1.0,) * targets.shape[1])
        known = [of_target[np.isfinite(of_target)] for of_target in targets.T]
        for index, values in enumerate(known):
            if len(values) == 0 or np.ptp(values) == 0:
                raise ValueError(f"target {index} is constant")
        return cls(tuple(float(values.mean()) for values in known), tuple(float(values.std()) for values in known))

    def to_scaled(self, physical: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(galaxy, target) in physical units to what the network learns; NaN stays NaN."""
        scaled: npt.NDArray[np.float64] = (physical - np.array(self.means)) / np.array(self.scales)
        return scaled.astype(np.float32)

    def to_physical(self, scaled: Values) -> npt.NDArray[np.float64]:
        """Convert the network's output, (galaxy, target), to physical units."""
        physical: npt.NDArray[np.float64] = scaled.astype(np.float64) * np.array(self.scales) + np.array(self.means)
        return physical
