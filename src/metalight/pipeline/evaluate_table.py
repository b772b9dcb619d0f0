"""Scores and a figure of any table that has a true and a predicted column."""

from pathlib import Path

import numpy as np
import pandas as pd

from metalight.catalog import describe_column
from metalight.errors import EvaluationError, explain_system
from metalight.evaluation import (
    Scores,
    TablePlaces,
    compute_score_tables,
    evaluate_predictions,
    save_score_tables,
    save_scores,
)
from metalight.intervals import FloatArray
from metalight.outputs import check_outputs
from metalight.pipeline.sides import note_reading
from metalight.tables import (
    ColumnInfo,
    Table,
    find_column,
    load_table,
    require_numbers,
    require_object_ids,
    save_galaxies,
)


def evaluate_table(
    path: Path,
    folder: Path,
    *,
    object_id: str,
    truth: str,
    predicted: str,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> tuple[Scores, ColumnInfo, list[Path], tuple[str, ...]]:
    """Score the predictions of a table, and draw them.

    Args:
        path: The table in any format of `load_table`, one row a galaxy.
        folder: Where metrics.json, the tables of bins and of selections, the residuals and the figure go.
        object_id: Column of the galaxies' identifiers.
        truth: Column of true values.
        predicted: Column of predictions, in the same unit.
        num_bootstrap: Bootstrap samples behind the intervals.
        seed: Of the bootstrap.

    Returns:
        The scores, what is known of the true column, the files written, and notes on how the table was read.

    Raises:
        TableError: The table cannot be read, or a column cannot be used.
        EvaluationError: Too few galaxies have both values, or the results cannot be written.
        RunError: The folder belongs to a run.
        InUseError: It belongs to a run in progress.
    """
    from metalight.figures import draw_prediction_summary

    places = [folder / name for name in ("metrics_by_truth.csv", "metrics_by_prediction.csv", "selection.csv")]
    check_outputs(folder / "metrics.json", *places)
    table = load_table(path, wanted=(object_id, truth, predicted))
    ids_column, true_column, predicted_column = (
        find_column(table, name, path=path, role=role)
        for role, name in (("--id", object_id), ("--truth", truth), ("--predicted", predicted))
    )
    object_ids = require_object_ids(table, ids_column, path=path)
    true_values = require_numbers(table, true_column, path=path)
    predictions = require_numbers(table, predicted_column, path=path)
    scores = evaluate_predictions(true_values, predictions, baseline_mean=None, num_bootstrap=num_bootstrap, seed=seed)
    tables = compute_score_tables(true_values, predictions, num_bootstrap=num_bootstrap, seed=seed)
    known = describe_column(true_column, table.info.get(true_column, ColumnInfo()))
    residuals = pd.DataFrame(
        {
            "object_id": object_ids,
            "truth": true_values,
            "predicted": predictions,
            "residual": _subtract(predictions, true_values),
        }
    )
    try:
        save_scores({true_column: scores}, folder / "metrics.json")
        paths = save_score_tables({true_column: tables}, TablePlaces(*places))
        save_galaxies(Table(residuals, {}), folder / "residuals.csv")
        figures = draw_prediction_summary(
            true_values,
            predictions,
            path_stem=folder / "prediction_summary",
            name=known.description or true_column,
            unit=known.unit,
        )
    except OSError as error:
        raise EvaluationError(
            f"The results cannot be written to {folder}: {explain_system(error)}. Fix that, or choose another place."
        ) from error
    files = [folder / "metrics.json", *paths, folder / "residuals.csv", *figures]
    return scores, known, files, note_reading(table, path)


def _subtract(predictions: FloatArray, true_values: FloatArray) -> FloatArray:
    """Residuals; missing where either value is missing or infinite."""
    is_whole = np.isfinite(predictions) & np.isfinite(true_values)
    residuals = np.full(len(predictions), np.nan)
    residuals[is_whole] = predictions[is_whole] - true_values[is_whole]
    return residuals
