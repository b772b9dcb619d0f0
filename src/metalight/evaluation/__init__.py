"""Evaluation: predictions become numbers, which the figures and the report show."""

from metalight.evaluation.binned import choose_bin_centres, compute_binned_statistics, is_metallicity_like
from metalight.evaluation.examples import select_examples
from metalight.evaluation.scores import (
    Scores,
    evaluate_predictions,
    find_scorable,
    format_scores,
    load_scores,
    save_scores,
)

__all__ = [
    "Scores",
    "choose_bin_centres",
    "compute_binned_statistics",
    "evaluate_predictions",
    "find_scorable",
    "format_scores",
    "is_metallicity_like",
    "load_scores",
    "save_scores",
    "select_examples",
]
