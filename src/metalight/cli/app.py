"""The commands together, and what becomes of their errors."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from metalight import __version__
from metalight.cli import compare, evaluate, predict, recipe, run, simulate
from metalight.errors import MetalightError, explain_system, is_of_the_place

INTERRUPTED_STATUS = 130
"""Exit status after Ctrl-C, by the custom of shells."""


class _Commands(TyperGroup):
    """Turns what a user can mend into one sentence; a traceback is for bugs of ours."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MetalightError as error:
            _show_error(str(error))
            ctx.exit(error.exit_status)
        except OSError as error:
            if not is_of_the_place(error):
                raise
            flaw = f"{error.filename} cannot be used" if error.filename else "What comes out cannot be written"
            _show_error(f"{flaw}: {explain_system(error)}. Mend that and give the same command again.")
            ctx.exit(MetalightError.exit_status)
        except KeyboardInterrupt as interruption:
            moment = f" {interruption}" if str(interruption) else ""
            typer.echo(f"Interrupted{moment}. What is finished is kept: the same command goes on from there.", err=True)
            ctx.exit(INTERRUPTED_STATUS)


def _show_error(sentence: str) -> None:
    typer.echo(f"{typer.style('Error:', fg='red', bold=True)} {sentence}", err=True)


app = typer.Typer(
    name="metalight",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Predict gas-phase metallicities and other properties of galaxies from three-colour images.",
)
app.command("run")(run.run)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.add_typer(recipe.app, name="recipe")
app.command("simulate")(simulate.simulate)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"metalight {__version__}")
        raise typer.Exit


@app.callback()
def _metalight(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the `metalight` command."""
    app()
