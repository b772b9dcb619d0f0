"""`metalight evaluate`: scores and a figure of any table of true and predicted values."""

from pathlib import Path
from typing import Annotated

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show, show_warning


def evaluate(
    table: Annotated[Path, typer.Argument(help="CSV, ECSV, VOTable, FITS or Parquet, one row a galaxy.")],
    truth: Annotated[str, typer.Option(help="Column of true values.")],
    predicted: Annotated[str, typer.Option(help="Column of predictions.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the scores and the figure.", callback=resolve_detour)
    ],
    object_id: Annotated[str, typer.Option("--id", help="Column of identifiers.")] = "object_id",
    bootstrap: Annotated[int, typer.Option(min=0, help="Bootstrap samples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Score predictions: RMSE, NMAD, biases and outliers with intervals, beside predicting the mean; and draw them."""
    from metalight.evaluation import format_scores, tell_if_useless
    from metalight.pipeline import evaluate_table

    scores, known, files, notes = evaluate_table(
        table, output, object_id=object_id, truth=truth, predicted=predicted, num_bootstrap=bootstrap, seed=seed
    )
    show(format_scores(scores, known.unit))
    if useless := tell_if_useless("These predictions", scores.metrics["r2"].value):
        show_warning(useless)
    for note in notes:
        show(note)
    show("\n" + "\n".join(str(path) for path in files))
