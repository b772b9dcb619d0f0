"""The long tables of scores, as CSV: bin by bin, and purity and completeness against the length of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.evaluation.binned import ERROR_SAMPLES, STATISTICS, choose_bin_centres, compute_binned_metrics
from metalight.evaluation.ranking import CURVE_COLUMNS, compute_selection_curve
from metalight.evaluation.scores import find_scorable
from metalight.tables import Table, build_text, save_table

BINNED_COLUMNS = ("centre", "low", "high", "num", *(f"{name}{end}" for name in STATISTICS for end in ("", "_error")))
"""Columns of a table of bins."""


@dataclass(frozen=True, eq=False)
class ScoreTables:
    """The tables of one target."""

    by_truth: pd.DataFrame
    """As of `compute_binned_metrics`, in bins of the truth."""
    by_prediction: pd.DataFrame
    """Likewise in bins of prediction, with the same centres."""
    selection: pd.DataFrame
    """As of `compute_selection_curve`."""


@dataclass(frozen=True)
class TablePlaces:
    """Where the tables go."""

    by_truth: Path
    by_prediction: Path
    selection: Path


def compute_score_tables(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, num_bootstrap: int = ERROR_SAMPLES, seed: int = 0
) -> ScoreTables:
    """The tables of the galaxies that have both a true value and a prediction.

    Args:
        truth: True values, NaN where missing, shape (galaxies,).
        predicted: Predictions, NaN where missing, shape (galaxies,).
        num_bootstrap: Bootstrap samples behind the standard errors, of which no more than 200 are drawn.
        seed: Of the bootstrap.

    Raises:
        EvaluationError: Fewer than 2 galaxies can be scored.
        ValueError: The lengths differ.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_scorable = find_scorable(truth, predicted)
    truth, predicted = truth[is_scorable], predicted[is_scorable]
    centres, half_width = choose_bin_centres(truth)
    num = min(num_bootstrap, ERROR_SAMPLES)
    by_truth, by_prediction = (
        compute_binned_metrics(truth, predicted, centres, half_width, by=by, num_bootstrap=num, seed=seed)
        for by in ("truth", "prediction")
    )
    return ScoreTables(by_truth, by_prediction, compute_selection_curve(truth, predicted))


def load_score_table(path: Path) -> dict[str, pd.DataFrame]:
    """The rows of each target in a table that `save_score_tables` wrote, without the column that names it."""
    # Targets are text, even if they are called 1 or NA.
    whole = pd.read_csv(path, dtype={"target": str}, keep_default_na=False, na_values=[""])
    return {
        str(target): rows.drop(columns="target").reset_index(drop=True)
        for target, rows in whole.groupby("target", sort=False)
    }


def save_score_tables(tables: Mapping[str, ScoreTables], places: TablePlaces) -> list[Path]:
    """Write the tables of all targets, one file a kind, with the target in the first column; get the paths."""
    paths = []
    for kind, columns in (
        ("by_truth", BINNED_COLUMNS),
        ("by_prediction", BINNED_COLUMNS),
        ("selection", CURVE_COLUMNS),
    ):
        frames = [
            getattr(of_target, kind).assign(target=build_text([target] * len(getattr(of_target, kind))))
            for target, of_target in tables.items()
        ]
        empty = pd.DataFrame(columns=["target", *columns])
        whole = pd.concat(frames, ignore_index=True)[["target", *columns]] if frames else empty
        paths.append(getattr(places, kind))
        save_table(Table(whole, {}), paths[-1])
    return paths
