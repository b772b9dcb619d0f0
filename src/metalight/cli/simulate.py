"""`metalight simulate`: galaxies whose metallicities are known, to try everything on."""

from pathlib import Path
from typing import Annotated

import typer

from metalight.cli.options import resolve_detour


def simulate(
    galaxies: Annotated[int, typer.Option(help="Number of galaxies.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to make, or to go on with.", callback=resolve_detour)
    ],
    seed: Annotated[int, typer.Option(help="Seed; the same one gives the same survey.")] = 0,
    side: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 64,
) -> None:
    """Draw a sample of galaxies with GalSim: a catalogue, and an image of each."""
    from metalight.progress import bar_progress
    from metalight.simulate import simulate_survey

    report = simulate_survey(galaxies, seed, output, side=side, progress=bar_progress)
    there = report.num_galaxies - report.num_drawn
    before = f" ({there:,} of them were there)" if there else ""
    typer.echo(f"{report.num_galaxies:,} galaxies{before}: {report.catalog_path} and {report.images_folder}")
