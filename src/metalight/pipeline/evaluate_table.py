"""Scores and a figure of any table that has a true and a predicted column."""

from pathlib import Path

import pandas as pd

from metalight.catalog import describe_column
from metalight.errors import EvaluationError, explain_system
from metalight.evaluation import Scores, evaluate_predictions, save_scores
from metalight.tables import ColumnInfo, Table, find_column, load_table, require_numbers, require_object_ids, save_table


def evaluate_table(
    path: Path,
    folder: Path,
    *,
    object_id: str,
    truth: str,
    predicted: str,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> tuple[Scores, ColumnInfo, list[Path]]:
    """Score the predictions of a table, and draw them.

    Args:
        path: The table in any format of `load_table`, one row a galaxy.
        folder: Where metrics.json, the residuals and the figure go.
        object_id: Column of the galaxies' identifiers.
        truth: Column of true values.
        predicted: Column of predictions, in the same unit.
        num_bootstrap: Bootstrap samples behind the intervals.
        seed: Of the bootstrap.

    Returns:
        The scores, what is known of the true column, and the files written.

    Raises:
        TableError: The table cannot be read, or a column cannot be used.
        EvaluationError: Too few galaxies have both values, or the results cannot be written.
    """
    from metalight.figures import draw_prediction_summary

    table = load_table(path)
    ids_column, true_column, predicted_column = (
        find_column(table, name, path=path, role=role)
        for role, name in (("--id", object_id), ("--truth", truth), ("--predicted", predicted))
    )
    object_ids = require_object_ids(table, ids_column, path=path)
    true_values = require_numbers(table, true_column, path=path)
    predictions = require_numbers(table, predicted_column, path=path)
    scores = evaluate_predictions(true_values, predictions, baseline_mean=None, num_bootstrap=num_bootstrap, seed=seed)
    known = describe_column(true_column, table.info.get(true_column, ColumnInfo()))
    residuals = pd.DataFrame(
        {
            "object_id": object_ids,
            "truth": true_values,
            "predicted": predictions,
            "residual": predictions - true_values,
        }
    )
    try:
        save_scores({true_column: scores}, folder / "metrics.json")
        save_table(Table(residuals, {}), folder / "residuals.csv")
        figures = draw_prediction_summary(
            true_values,
            predictions,
            path_stem=folder / "prediction_summary",
            name=known.description or true_column,
            unit=known.unit,
        )
    except OSError as error:
        raise EvaluationError(
            f"The results cannot be written to {folder}: {explain_system(error)}. Mend that, or choose another place."
        ) from error
    return scores, known, [folder / "metrics.json", folder / "residuals.csv", *figures]
