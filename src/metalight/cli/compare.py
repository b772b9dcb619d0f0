"""`metalight compare`: two runs or two tables of predictions, galaxy by galaxy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show

if TYPE_CHECKING:
    from metalight.pipeline import CompareReport, RunDifference

_WIDEST = 40
"""Characters of a setting that are shown; comparison.json has them all."""


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run folder, or a table of predictions.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another: the differences are B − A.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the numbers, the galaxies and the figure.", callback=resolve_detour
        ),
    ] = None,
    target: Annotated[str, typer.Option(help="What to compare.", show_default="every common target")] = "",
    split: Annotated[Literal["test", "validation"], typer.Option(help="Which galaxies of a run.")] = "test",
    object_id: Annotated[
        str, typer.Option("--id", help="Column of identifiers, of tables.", show_default="object_id")
    ] = "",
    truth: Annotated[
        str, typer.Option(help="Column of true values, of tables.", show_default="the target's name")
    ] = "",
    predicted: Annotated[
        str, typer.Option(help="Column of predictions, of tables.", show_default="TARGET_predicted")
    ] = "",
    object_id_b: Annotated[str, typer.Option("--id-b", help="The same of B, where it differs.")] = "",
    truth_b: Annotated[str, typer.Option(help="Likewise.")] = "",
    predicted_b: Annotated[str, typer.Option(help="Likewise.")] = "",
    truth_table: Annotated[
        Path | None, typer.Option(help="Table of the true values to take, such as the catalogue.")
    ] = None,
    truth_table_id: Annotated[str, typer.Option(help="Its column of identifiers.")] = "object_id",
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap samples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Compare two sets of predictions of the same galaxies: paired differences, and what differs in two runs.

    Every bootstrap sample draws the same galaxies for A and for B, so the intervals are of the difference itself.
    """
    from metalight.pipeline import SideColumns, TruthTable, compare, save_comparison

    report = compare(
        a,
        b,
        target=target,
        split=split,
        columns=SideColumns(object_id, truth, predicted),
        columns_b=SideColumns(object_id_b, truth_b, predicted_b),
        truth_table=TruthTable(truth_table, truth_table_id) if truth_table else None,
        num_bootstrap=bootstrap,
        seed=seed,
    )
    _show(report)
    if output is not None:
        show("\n" + "\n".join(str(path) for path in save_comparison(report, output)))


def _show(report: "CompareReport") -> None:
    from metalight.evaluation import format_comparison
    from metalight.pipeline import describe_galaxies, describe_overlap

    show(f"A: {report.names[0]}\nB: {report.names[1]}")
    warning = describe_overlap(report)
    if warning:
        show(f" {warning}", start="\nWarning:", fg="red", bold=True)
    for target, compared in report.targets.items():
        known = compared.info.description
        title = f"{target} ({known})" if known else target
        galaxies = describe_galaxies(compared.galaxies, report.split)
        show(f" of {galaxies}\n", start=f"\n{title}", bold=True)
        show(format_comparison(compared.comparison, compared.info.unit))
    if report.differences is not None:
        show(f"\n{_format_differences(report.differences)}")
    if report.notes:
        show("\n" + "\n".join(report.notes))


def _format_differences(differences: "list[RunDifference]") -> str:
    from metalight.evaluation import align_rows

    if not differences:
        return "The two runs do not differ in recipe, environment or model."
    shown = [tuple(_cut(text) for text in (each.what, each.a, each.b)) for each in differences]
    return "\n".join(align_rows([("what differs", "A", "B"), *shown], num_left=3))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
