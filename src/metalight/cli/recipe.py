"""`metalight recipe`: the built-in recipes, and whether one's own is right."""

from typing import Annotated

import typer

from metalight.cli.terminal import show

app = typer.Typer(help="List, show and check recipes.", no_args_is_help=True)


@app.command("list")
def list_recipes() -> None:
    """Name and purpose of each built-in recipe."""
    from metalight.recipe import list_presets

    presets = list_presets()
    for name, purpose in presets.items():
        show(f"{name:<{max(map(len, presets))}}  {purpose}")


@app.command("show")
def show_recipe(name: Annotated[str, typer.Argument(help="Name of a built-in recipe.")]) -> None:
    """The text of a built-in recipe, to read or to start one's own from."""
    from metalight.recipe import show_preset

    show(show_preset(name), nl=False)


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="A TOML file, or the name of a built-in recipe.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting first.")
    ] = None,
) -> None:
    """Check a recipe, and print every setting that it comes to."""
    from metalight.recipe import dump_recipe, load_recipe

    show(dump_recipe(load_recipe(file, settings or [])), nl=False)
    show(f"{file} is a valid recipe.", err=True)
