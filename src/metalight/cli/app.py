"""The commands together, and what becomes of their errors."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from metalight import __version__
from metalight.cli import compare, evaluate, init, inspect, predict, rank, recipe, results, run, simulate, study
from metalight.cli.interruption import told_of_interruptions
from metalight.cli.terminal import show
from metalight.errors import MetalightError, explain_system, is_of_the_place


class _Commands(TyperGroup):
    """Turns errors that a user can fix into one sentence; a traceback is for our own bugs."""

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        with told_of_interruptions():  # which click would pass over in silence
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: Any) -> Any:
        try:
            with told_of_interruptions():
                return super().invoke(ctx)
        except MetalightError as error:
            _show_error(str(error))
            ctx.exit(error.exit_status)
        except OSError as error:
            if not is_of_the_place(error):
                raise
            flaw = f"{error.filename} cannot be used" if error.filename else "What comes out cannot be written"
            _show_error(f"{flaw}: {explain_system(error)}. Fix that and run the same command again.")
            ctx.exit(MetalightError.exit_status)


def _show_error(sentence: str) -> None:
    show(f" {sentence}", start="Error:", fg="red", bold=True, err=True)


app = typer.Typer(
    name="metalight",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Predict gas-phase metallicities and other properties of galaxies from three-colour images.",
)
app.command("run")(run.run)
app.command("init")(init.init)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("rank")(rank.rank)
app.command("results")(results.results)
app.command("inspect")(inspect.inspect)
app.add_typer(recipe.app, name="recipe")
app.add_typer(simulate.app, name="simulate")
app.add_typer(study.app, name="study")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        show(f"metalight {__version__}")
        raise typer.Exit


@app.callback()
def _metalight(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
