"""Evaluation: predictions become numbers, and numbers tables to read; the figures draw them."""

from metalight.evaluation.binned import (
    choose_bin_centres,
    compute_binned_differences,
    compute_binned_statistics,
    is_metallicity_like,
)
from metalight.evaluation.examples import select_examples
from metalight.evaluation.metric_text import align_rows, choose_decimals, format_interval, format_number
from metalight.evaluation.paired import (
    Comparison,
    build_record,
    compare_predictions,
    describe_verdict,
    format_comparison,
)
from metalight.evaluation.pairing import KnownTruth, PairedGalaxies, Predictions, pair_predictions
from metalight.evaluation.sample import choose_galaxies, compute_histograms, summarize_columns
from metalight.evaluation.scores import (
    Scores,
    evaluate_predictions,
    find_scorable,
    format_scores,
    load_scores,
    save_scores,
)

__all__ = [
    "Comparison",
    "KnownTruth",
    "PairedGalaxies",
    "Predictions",
    "Scores",
    "align_rows",
    "build_record",
    "choose_bin_centres",
    "choose_decimals",
    "choose_galaxies",
    "compare_predictions",
    "compute_binned_differences",
    "compute_binned_statistics",
    "compute_histograms",
    "describe_verdict",
    "evaluate_predictions",
    "find_scorable",
    "format_comparison",
    "format_interval",
    "format_number",
    "format_scores",
    "is_metallicity_like",
    "load_scores",
    "pair_predictions",
    "save_scores",
    "select_examples",
    "summarize_columns",
]
