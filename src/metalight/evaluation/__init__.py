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
from metalight.evaluation.breakdown import Breakdown, compute_breakdown, describe_breakdown, find_trusted
from metalight.evaluation.closing import tell_best, tell_score
from metalight.evaluation.examples import select_examples
from metalight.evaluation.metric_text import (
    align_rows,
    choose_decimals,
    choose_decimals_of,
    format_interval,
    format_label,
    format_number,
    format_percentage,
    pad_columns,
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
    list_score_notes,
    load_scores,
    replace_nan,
    save_scores,
    tell_if_useless,
)
from metalight.evaluation.trends import compute_trends, correlate_ranks
from metalight.evaluation.trusted import TrustedRange, count_outside, find_trusted_range, find_unbiased_range
