"""`metalight init`: a recipe for the user's own catalogue and images."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show


def init(
    catalog: Annotated[Path, typer.Argument(metavar="CATALOG", help="A table with a row for each galaxy.")],
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A folder of JPEG, PNG or FITS images.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Recipe to write.",
            show_default="NAME OF THE CATALOGUE.toml",
            callback=resolve_detour,
        ),
    ] = None,
) -> None:
    """Write a recipe for your own galaxies: columns, framing, batches and rates are found from the files."""
    from metalight.atomic import replace_file
    from metalight.errors import RecipeError
    from metalight.pipeline import propose_recipe
    from metalight.recipe import load_recipe

    place = output or Path(f"{catalog.name.split('.')[0]}.toml")
    if place.exists():
        raise RecipeError(f"{place} is there already; remove it, or name another file with -o.")
    proposed = propose_recipe(catalog, images)
    with replace_file(place) as temporary:
        temporary.write_text(proposed.text, encoding="utf-8")
    load_recipe(str(place))
    for note in proposed.notes:
        show(note)
    show(f"Recipe: {place}. Look through it, then:  metalight run {shlex.quote(str(place))}")
