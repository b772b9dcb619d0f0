"""`metalight rank`: the lowest or the highest predictions, as a list for follow-up."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show, show_warning

if TYPE_CHECKING:
    from metalight.pipeline import RankReport

_LINE_WIDTH = 120

_NUM_SHOWN = 10
"""Galaxies of the list that are printed."""


def rank(
    predictions: Annotated[Path, typer.Argument(help="A run folder, or a table of predictions.")],
    num: Annotated[int, typer.Option("-n", "--num", min=1, help="How many galaxies are listed.")] = 100,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="List to write: .csv, .ecsv, .vot, .fits or .parquet.", callback=resolve_detour
        ),
    ] = None,
    highest: Annotated[bool, typer.Option("--highest", help="List the highest predictions, not the lowest.")] = False,
    target: Annotated[str, typer.Option(help="What is predicted, if it is several things.")] = "",
    split: Annotated[Literal["test", "validation"], typer.Option(help="Which galaxies of a run.")] = "test",
    object_id: Annotated[
        str, typer.Option("--id", help="Column of identifiers, of a table.", show_default="object_id")
    ] = "",
    truth: Annotated[
        str, typer.Option(help="Column of true values, of a table.", show_default="the target's name, if there is one")
    ] = "",
    predicted: Annotated[
        str, typer.Option(help="Column of predictions, of a table.", show_default="TARGET_predicted")
    ] = "",
    catalog: Annotated[
        Path | None, typer.Option(help="Table with ra and dec, if the predictions come without them.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column of the catalogue to list too, beside ra, dec and name; may be repeated."),
    ] = None,
    catalog_id: Annotated[str, typer.Option(help="Its column of identifiers.", show_default="object_id")] = "",
    model: Annotated[
        Path | None,
        typer.Option(help="Model that made the predictions of a table: counts those outside what it knows."),
    ] = None,
) -> None:
    """List the galaxies with the lowest predictions, and tell how pure and how complete such a list is.

    Purity and completeness are told where true values are known, beside what a list drawn at random would have.
    """
    from metalight.errors import EvaluationError
    from metalight.pipeline import CatalogOfPlaces, SideColumns, rank, save_ranks

    if catalog is None and catalog_id:
        raise EvaluationError("--catalog-id names a column of the catalogue; give --catalog too, or leave it out.")
    if output is not None:
        from metalight.outputs import check_outputs
        from metalight.tables import require_writable

        check_outputs(output)
        require_writable(output)
    report = rank(
        predictions,
        num=num,
        end="highest" if highest else "lowest",
        target=target,
        split=split,
        columns=SideColumns(object_id, truth, predicted),
        catalog=CatalogOfPlaces(catalog, catalog_id or "object_id") if catalog else None,
        keep=keep or (),
        model=model,
    )
    _show(report, num)
    if output is not None:
        save_ranks(report, output)
        show(f"\nList: {output}")


def _show(report: "RankReport", num: int) -> None:
    from metalight.evaluation import describe_selection
    from metalight.tables import name_galaxies

    listed = name_galaxies(report.listed).frame
    show(listed.head(_NUM_SHOWN).to_string(index=False))
    if len(listed) > _NUM_SHOWN:
        show(f"… and {len(listed) - _NUM_SHOWN:,} more")
    values = listed[report.predicted]
    unit = f" {report.unit}" if report.unit not in ("", "dex") else ""
    galaxies = "1 galaxy" if len(listed) == 1 else f"{len(listed):,} galaxies"
    left_out = f"; {report.num_left_out:,} without a prediction" if report.num_left_out else ""
    show(
        f"\nThe {report.end} of {report.num_ranked:,} predictions: {galaxies}, {values.iloc[0]:.6g} to "
        f"{values.iloc[-1]:.6g}{unit}{left_out}."
    )
    if report.selection is not None:
        show(textwrap.fill(describe_selection(report.selection), _LINE_WIDTH))
    elif report.num_known == 0:
        show("No true values are known, so that the list cannot be judged.")
    else:
        show(f"Only {report.num_known:,} true values are known, no more than the {num:,} asked for: all count.")
    if report.range_note:
        show(report.range_note)
    elif report.num_known == 0:
        show("Give --model MODEL to see how many predictions lie outside what the model knows.")
    for note in report.reading_notes:
        show(note)
    for warning in report.warnings:
        show_warning(warning)
