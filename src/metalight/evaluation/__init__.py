"""Evaluation: predictions become numbers, and numbers tables to read; the figures draw them."""

from metalight.evaluation.beside import (
    BaselineFacts,
    BesideScores,
    format_beside,
    list_beside_notes,
    load_beside,
    save_beside,
    score_beside,
)
from metalight.evaluation.binned import (
    choose_bin_centres,
    compute_binned_differences,
    compute_binned_errors,
    compute_binned_metrics,
    compute_binned_statistics,
    find_bins,
    is_metallicity_like,
)
from metalight.evaluation.breakdown import Breakdown, compute_breakdown, describe_breakdown
from metalight.evaluation.examples import select_examples
from metalight.evaluation.metric_text import (
    align_rows,
    choose_decimals,
    choose_decimals_of,
    format_interval,
    format_label,
    format_number,
    format_percentage,
)
from metalight.evaluation.paired import (
    Comparison,
    build_record,
    compare_predictions,
    describe_verdict,
    format_comparison,
)
from metalight.evaluation.pairing import KnownTruth, PairedGalaxies, Predictions, pair_predictions
from metalight.evaluation.ranking import (
    End,
    Selection,
    choose_num_wanted,
    compute_selection,
    compute_selection_curve,
    describe_selection,
    rank_predictions,
)
from metalight.evaluation.sample import choose_galaxies, compute_histograms, summarize_columns
from metalight.evaluation.scatter import compute_bin_averages, compute_nmad_excess, compute_ratio_parts
from metalight.evaluation.score_tables import (
    ScoreTables,
    TablePlaces,
    compute_score_tables,
    load_score_table,
    save_score_tables,
)
from metalight.evaluation.scores import (
    Scores,
    evaluate_predictions,
    find_scorable,
    format_scores,
    load_scores,
    save_scores,
)
from metalight.evaluation.trends import compute_trends, correlate_ranks
from metalight.evaluation.trusted import TrustedRange, count_outside, find_trusted_range, find_unbiased_range

__all__ = [
    "BaselineFacts",
    "BesideScores",
    "Breakdown",
    "Comparison",
    "End",
    "KnownTruth",
    "PairedGalaxies",
    "Predictions",
    "ScoreTables",
    "Scores",
    "Selection",
    "TablePlaces",
    "TrustedRange",
    "align_rows",
    "build_record",
    "choose_bin_centres",
    "choose_decimals",
    "choose_decimals_of",
    "choose_galaxies",
    "choose_num_wanted",
    "compare_predictions",
    "compute_bin_averages",
    "compute_binned_differences",
    "compute_binned_errors",
    "compute_binned_metrics",
    "compute_binned_statistics",
    "compute_breakdown",
    "compute_histograms",
    "compute_nmad_excess",
    "compute_ratio_parts",
    "compute_score_tables",
    "compute_selection",
    "compute_selection_curve",
    "compute_trends",
    "correlate_ranks",
    "count_outside",
    "describe_breakdown",
    "describe_selection",
    "describe_verdict",
    "evaluate_predictions",
    "find_bins",
    "find_scorable",
    "find_trusted_range",
    "find_unbiased_range",
    "format_beside",
    "format_comparison",
    "format_interval",
    "format_label",
    "format_number",
    "format_percentage",
    "format_scores",
    "is_metallicity_like",
    "list_beside_notes",
    "load_beside",
    "load_score_table",
    "load_scores",
    "pair_predictions",
    "rank_predictions",
    "save_beside",
    "save_score_tables",
    "save_scores",
    "score_beside",
    "select_examples",
    "summarize_columns",
]
