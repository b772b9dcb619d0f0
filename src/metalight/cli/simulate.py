"""`metalight simulate`: galaxies whose metallicities are known, to try everything on."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from metalight.cli.options import resolve_detour


def simulate(
    galaxies: Annotated[int, typer.Option(help="Number of galaxies.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to make, or to go on with.", callback=resolve_detour)
    ],
    seed: Annotated[int, typer.Option(help="Seed; the same one gives the same survey.")] = 0,
    first: Annotated[
        int, typer.Option(help="Number of the first galaxy, to make a survey in pieces, in a folder each.")
    ] = 0,
    side: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 128,
    framing: Annotated[
        Literal["petrosian", "fixed", "fifteen"],
        typer.Option(help="5.05 Petrosian radii across, 37.9 arcsec, or 15 arcsec."),
    ] = "petrosian",
    survey: Annotated[str, typer.Option(help="Whose pixels, seeing, noise and bands: sdss or deep-grz.")] = "sdss",
    universe: Annotated[
        str, typer.Option(help="Whose galaxies: default, or mass-only, where metallicity follows mass alone.")
    ] = "default",
    laws: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one law of the universe; may be given several times."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that draw; they change no byte.", show_default="one a processor")
    ] = None,
) -> None:
    """Draw a sample of galaxies: a catalogue as SDSS gives it, the truth, and an image of each."""
    from metalight.progress import bar_progress
    from metalight.simulate import SurveyDesign, make_universe, simulate_survey

    design = SurveyDesign(
        seed=seed,
        first=first,
        side=side,
        framing=framing,
        instrument=survey,
        universe=make_universe(universe, laws or ()),
    )
    report = simulate_survey(galaxies, output, design, num_processes=processes, progress=bar_progress)
    there = report.num_galaxies - report.num_drawn
    before = f" ({there:,} of them were there)" if there else ""
    cost = f"; {1e3 * report.seconds_of_drawing:.0f} ms an image and processor" if report.num_drawn else ""
    typer.echo(f"{report.num_galaxies:,} galaxies{before}: {report.catalog_path} and {report.images_folder}{cost}\n")
    typer.echo(f"{'error of a prediction from …':<58}{'RMSE (dex)':>12}")
    for what, rmse_dex in report.limits.itertuples(index=False):
        typer.echo(f"{what:<58}{rmse_dex:>12.4f}")
