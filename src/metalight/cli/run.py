"""`metalight run`: a recipe from the catalogue to the figures."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalight.cli.options import Device, resolve_detour
from metalight.cli.terminal import show, show_warning

if TYPE_CHECKING:
    from metalight.pipeline import Estimate
    from metalight.recipe import Recipe
    from metalight.run_folder import RunFolder, StageRecord


def run(
    recipe: Annotated[
        str,
        typer.Argument(help="A preset (see `metalight recipe list`), a TOML file, or the folder of a run to resume."),
    ],
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME", callback=resolve_detour)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; may be given several times."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Take only so many galaxies, of SDSS some from all over the sky.",
            show_default=False,
        ),
    ] = None,
    first: Annotated[str, typer.Option("--from", metavar="STAGE", help="Rerun this stage and all later ones.")] = "",
    only: Annotated[str, typer.Option("--only", metavar="STAGE", help="Rerun this stage only.")] = "",
    device: Device = "auto",
    verbose: Annotated[bool, typer.Option("--verbose", help="Also print the tables that results.md has.")] = False,
) -> None:
    """Select galaxies, get their images, decode, split, train, predict, evaluate and draw; what is done is left out.

    Stages: catalog, cutouts, pixels, splits, baselines, training, prediction, evaluation, figures, results.
    """
    from metalight.errors import RunError
    from metalight.recipe import find_run_folder, load_recipe

    if first and only:
        raise RunError("--from and --only exclude each other; give one of them.")
    limits = [] if limit is None else [f"catalog.limit={limit}"]
    wanted = load_recipe(recipe, [*(settings or []), *limits])
    # Not before the recipe is right: with the pipeline come pandas and pyarrow.
    from metalight.pipeline import run_recipe
    from metalight.progress import bar_progress

    place = run_dir or find_run_folder(recipe) or Path("runs") / wanted.name
    report = run_recipe(
        wanted,
        place,
        first=first,
        only=only,
        device=device,
        progress=bar_progress,
        foretell=_foretell,
        tell=lambda line: show(f"  {line}", dim=True),
        tell_change=lambda line: show(line, fg="yellow"),
        announce=_Announcer(place),
    )
    if not report.performed:
        show(f"\n{place} is finished: its settings and inputs are as they were, so nothing was done.")
    if report.outdated:
        show(f"Not up to date: {', '.join(report.outdated)}; run without --only to do them too.")
    if "evaluation" in report.records and "evaluation" not in report.outdated:
        if verbose:
            _show_tables(report.run, wanted)
        _show_closing(report.run)
    else:
        show(f"Run folder: {place}")


def _foretell(estimate: "Estimate") -> None:
    for line in estimate.describe():
        show(f"  {line}", fg="red" if estimate.is_memory_short else None, dim=not estimate.is_memory_short)
    for warning in estimate.warnings:
        show_warning(warning, indent="  ")


class _Announcer:
    """Tells of every stage as it ends, and once what must be known of a model that failed."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._is_told = False

    def __call__(self, name: str, record: "StageRecord", is_new: bool) -> None:
        failure = self._find_failure(name)
        mark = "·" if not is_new else "!" if failure else "✓"
        colour = {"!": "red", "✓": "green"}.get(mark)
        show(f" {name:<11} {record.line}", start=mark, fg=colour, dim=not is_new)
        if failure and not self._is_told:
            show_warning(failure, indent="  ")
            self._is_told = True

    def _find_failure(self, name: str) -> str:
        from metalight.pipeline import explain_failure
        from metalight.run_folder import RunFolder

        return explain_failure(RunFolder(self._place)) if name in ("training", "prediction") else ""


def _show_closing(run_folder: "RunFolder") -> None:
    """The score and what to make of it, where to look first, and the next two commands."""
    from metalight.evaluation import load_beside, load_scores, tell_best, tell_score
    from metalight.pipeline import explain_failure
    from metalight.tables import ColumnInfo, load_table

    baselines = load_beside(run_folder.baselines)
    info = load_table(run_folder.catalog, missing_values=()).info
    place = shlex.quote(str(run_folder.path))
    show()
    failure = explain_failure(run_folder)
    if failure:
        show_warning(failure)
    for target, scores in load_scores(run_folder.metrics("test")).items():
        unit = info.get(target, ColumnInfo()).unit
        show(tell_score(target, scores, baselines.get(target, []), unit), bold=True)
        show(tell_best(scores, baselines.get(target, []), unit))
    figures = sorted(run_folder.figures.glob("prediction_summary*.png"))
    show(f"Look first at {figures[0] if figures else run_folder.figures}; all scores are in {run_folder.results}.")
    if not failure:
        show(f"To predict other galaxies:  metalight predict {place} --images FOLDER -o predictions.csv")
    show(f"To look at the sample:      metalight inspect {place}")


def _show_tables(run_folder: "RunFolder", recipe: "Recipe") -> None:
    from metalight.evaluation import format_beside, format_scores, load_beside, load_scores
    from metalight.tables import ColumnInfo, load_table

    side, num_bands = recipe.pixels.side, len(recipe.cutouts.bands)
    baselines = load_beside(run_folder.baselines)
    info = load_table(run_folder.catalog, missing_values=()).info
    for target, scores in load_scores(run_folder.metrics("test")).items():
        known = info.get(target, ColumnInfo())
        title = f"{target} ({known.description})" if known.description else target
        show(" of the test galaxies\n", start=f"\n{title}", bold=True)
        show(format_scores(scores, known.unit))
        if baselines.get(target):
            show(" beside the network, of the same galaxies\n", start="\nBaselines", bold=True)
            sees = f"images of {side} × {side} px"
            num_seen = side**2 * num_bands
            table = format_beside(baselines[target], network=scores.metrics, network_sees=sees, num_seen=num_seen)
            show(table)
    show()
