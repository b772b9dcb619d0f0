"""`metalight results`: a run's numbers beside the paper's, with those of studies."""

from pathlib import Path
from typing import Annotated

import typer

from metalight.cli.terminal import show


def results(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    study: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a study whose numbers belong to it; may be given several times."),
    ] = None,
) -> None:
    """Write results.md of a run again: each number of the paper, ours beside it, with intervals, ready to quote.

    The numbers of studies are kept in the run, and are on the page from then on.
    """
    from metalight.pipeline import adopt_study, write_results_of

    for folder in study or []:
        show(f"taken up: {adopt_study(run, folder)}")
    for path in write_results_of(run):
        show(path)
