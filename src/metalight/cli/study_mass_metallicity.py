"""`metalight study mass-metallicity`: the draft's section 5 of a run."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show

if TYPE_CHECKING:
    from metalight.studies.mass_metallicity import MassMetallicityReport

_LINE_WIDTH = 120


def mass_metallicity(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run that predicts metallicity.")],
    mass_run: Annotated[
        Path | None,
        typer.Option(help="Another run, that predicts the masses of the same galaxies.", show_default="RUN itself"),
    ] = None,
    null_run: Annotated[
        Path | None, typer.Option(help="A run on a catalogue that --shuffled-catalog wrote, to compare with.")
    ] = None,
    metallicity: Annotated[
        str, typer.Option(help="The target that is the metallicity.", show_default="by its name")
    ] = "",
    mass: Annotated[str, typer.Option(help="The target that is the mass.", show_default="by its name")] = "",
    shuffled_catalog: Annotated[
        Path | None,
        typer.Option(
            help="Only write the catalogue with labels exchanged within 0.1 dex of mass, for a run on it.",
            callback=resolve_detour,
        ),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap samples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
) -> None:
    """Study the mass-metallicity relation of a run: does the network see metallicity, or mass?

    Tables and results.json are written into RUN/studies/mass-metallicity/.
    """
    from metalight.progress import bar_progress
    from metalight.studies.mass_metallicity import study_mass_metallicity, write_shuffled_catalog

    if shuffled_catalog is not None:
        written = write_shuffled_catalog(run, shuffled_catalog, metallicity=metallicity, seed=seed)
        show(
            f"{written}\n\nRun the recipe on it with --set catalog.path={written} and another --run-dir, and give that "
            "run as --null-run."
        )
        return
    report = study_mass_metallicity(
        run,
        mass_run=mass_run,
        null_run=null_run,
        metallicity=metallicity,
        mass=mass,
        num_bootstrap=bootstrap,
        seed=seed,
        progress=bar_progress,
    )
    _show(report)


def _show(report: "MassMetallicityReport") -> None:
    from metalight.evaluation import align_rows

    routes = report.study.tables.get("routes")
    if routes is not None:
        rows = [("metallicity", "RMSE", "68 % interval", "paper", "NMAD", "paper")]
        for row in routes.to_dict("records"):
            interval = f"{row['rmse_low']:.4f} to {row['rmse_high']:.4f}"
            numbers = [_format(row[name]) for name in ("rmse", "rmse_paper", "nmad", "nmad_paper")]
            rows.append((str(row["route"]), numbers[0], interval, numbers[1], numbers[2], numbers[3]))
        show("\n".join(align_rows(rows)) + "\n")
    left_out = f"; {report.num_left_out:,} left out for want of one" if report.num_left_out else ""
    num = report.study.results["num_galaxies"]
    for sentence in (f"{num:,} test galaxies with metallicity, mass and prediction{left_out}.", *report.notes):
        show(sentence)
    for sentence in report.study.sentences:
        show("\n" + textwrap.fill(sentence, _LINE_WIDTH))
    show()
    for folder, names in _gather(report.paths).items():
        show(f"{folder}: {', '.join(names[:2])}{f' and {len(names) - 2} more files' if names[2:] else ''}")


def _gather(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Names of files by their folder, in order: half a hundred paths would push the findings off the screen."""
    names: dict[Path, list[str]] = {}
    for path in paths:
        names.setdefault(path.parent, []).append(path.name)
    return names


def _format(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"
