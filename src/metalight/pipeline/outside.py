"""How many predictions lie where a model has learnt nothing, or is known to be biased."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metalight.evaluation import count_outside
from metalight.model_files import TargetDescription

ALARMING_FRACTION = 0.01
"""Part of the predictions outside the training labels above which something is wrong: predictions of a network that
works are drawn towards the mean, so that hardly any lies there."""


@dataclass(frozen=True)
class OutsideCounts:
    """Of the predictions of one target."""

    target: TargetDescription
    num_predictions: int
    num_outside_labels: int | None
    """Below the lowest or above the highest training label; None if these are not known."""

    num_outside_trusted: int | None
    """Outside the trusted range; None if it is not known."""

    @property
    def is_alarming(self) -> bool:
        """Whether more are outside the training labels than a model that works predicts there."""
        return (self.num_outside_labels or 0) > ALARMING_FRACTION * self.num_predictions

    def describe(self) -> str:
        """A sentence; empty if nothing is known."""
        known = (
            (self.num_outside_labels, self.target.label_range, "the training labels"),
            (self.num_outside_trusted, self.target.trusted_range, "the trusted range"),
        )
        parts = [
            f"{num:,} outside {what} ({span[0]:.4g} to {span[1]:.4g})"
            for num, span, what in known
            if num is not None and span is not None
        ]
        if not parts:
            return ""
        unknown = "" if self.num_outside_trusted is not None else "; no trusted range is known"
        return f"Of {self.num_predictions:,} predictions of {self.target.name}, {' and '.join(parts)}{unknown}."


def count_outside_known(target: TargetDescription, predicted: npt.ArrayLike) -> OutsideCounts:
    """How many predictions of a target lie outside what its model knows; those that are not finite are left out."""
    values = np.asarray(predicted, dtype=np.float64)
    values = values[np.isfinite(values)]
    nums = [
        None if span is None or not len(values) else count_outside(values, *span).num_outside
        for span in (target.label_range, target.trusted_range)
    ]
    return OutsideCounts(target, len(values), *nums)
