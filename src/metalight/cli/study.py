"""`metalight study`: many runs of one recipe that differ in a few settings, and what they say together."""

import copy
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from metalight.cli.options import Device, resolve_detour
from metalight.cli.study_mass_metallicity import mass_metallicity
from metalight.cli.terminal import show

_PERFORM = "perform"


class _Studies(TyperGroup):
    """Each study is a command; the name of a TOML file is one too."""

    def list_commands(self, ctx: Any) -> list[str]:
        from metalight.studies import list_studies

        return [*list_studies(), *(name for name in super().list_commands(ctx) if name != _PERFORM)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from metalight.studies import load_study

        if cmd_name in self.commands:
            return super().get_command(ctx, cmd_name)
        study = load_study(cmd_name)
        any_study = self.commands[_PERFORM]
        command = copy.copy(any_study)
        command.name, command.hidden = cmd_name, False
        command.params = [parameter for parameter in command.params if parameter.name != "name"]
        command.callback = lambda **options: any_study.callback(name=cmd_name, **options)  # type: ignore[misc]
        variants = ", ".join(study.table.variants)
        command.help = f"{study.table.purpose}\n\nVariants: {variants}.\n\n{command.help}"
        return command


app = typer.Typer(
    cls=_Studies,
    no_args_is_help=True,
    help="Run a study: `metalight study NAME RECIPE`. NAME is one of the studies below, or a TOML file of your own.",
    subcommand_metavar="NAME [ARGS]...",
)


app.command("mass-metallicity")(mass_metallicity)


@app.command("list")
def list_all() -> None:
    """Name and purpose of each built-in study."""
    from metalight.studies import list_studies

    studies = list_studies()
    for name, purpose in studies.items():
        show(f"{name:<{max(map(len, studies))}}  {purpose}")
    show(
        "\nBesides: `metalight study mass-metallicity RUN`, of a finished run; `metalight study learning-rate RECIPE`."
    )


@app.command("show")
def show_study(name: Annotated[str, typer.Argument(help="Name of a built-in study, or a TOML file.")]) -> None:
    """The table of a study, to read or to start one's own from."""
    from metalight.studies import load_study

    show(load_study(name).text, nl=False)


@app.command(_PERFORM, hidden=True)
def perform(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="A study (see `metalight study list`) or a TOML file.")],
    recipe: Annotated[str, typer.Argument(help="A preset (see `metalight recipe list`) or a TOML file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder of the study.",
            show_default="studies/STUDY-RECIPE",
            callback=resolve_detour,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting of all runs."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Repetitions with other seeds.", show_default="the study's own")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="VARIANT", help="Run this variant, and others so named.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only so many galaxies, to try things out.", show_default=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Each variant is a run in its own folder; at the end, their results are compared.

    If it is interrupted, run the same command again to resume. Finished runs are not repeated.
    """
    from metalight.recipe import load_recipe
    from metalight.studies.plan import plan_study
    from metalight.studies.table import load_study

    overrides = [*(settings or []), *([] if limit is None else [f"catalog.limit={limit}"])]
    study = load_study(name)
    wanted = load_recipe(recipe, overrides)
    plan = plan_study(study, wanted, overrides=overrides, seeds=seeds, only=only or ())
    from metalight.progress import bar_progress
    from metalight.studies import perform_study

    place = output or Path("studies") / f"{study.name}-{wanted.name}"
    report = perform_study(plan, place, device=device, progress=bar_progress, tell=show)
    show(f"\n{report.text}\n")
    show("\n".join(str(path) for path in report.files if path.suffix in (".csv", ".png")))
    if any(summary.flaws for summary in report.summaries):
        raise typer.Exit(1)


@app.command("learning-rate")
def learning_rate(
    recipe: Annotated[str, typer.Argument(help="A preset (see `metalight recipe list`) or a TOML file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder of the study.",
            show_default="studies/learning-rate-RECIPE",
            callback=resolve_detour,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting.")
    ] = None,
    lowest: Annotated[float, typer.Option(help="First rate of the head.")] = 1e-6,
    highest: Annotated[float, typer.Option(help="Last rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=10, max=10_000, help="Mini-batches.")] = 100,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Let the head learn alone, as in the frozen epochs.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only so many galaxies, to try things out.", show_default=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Try growing learning rates at the start of a training: where it learns, and where it breaks."""
    from metalight.recipe import load_recipe

    wanted = load_recipe(recipe, [*(settings or []), *([] if limit is None else [f"catalog.limit={limit}"])])
    from metalight.progress import bar_progress
    from metalight.studies import study_learning_rate

    report = study_learning_rate(
        wanted,
        output or Path("studies") / f"learning-rate-{wanted.name}",
        lowest=lowest,
        highest=highest,
        num_steps=steps,
        is_body_frozen=frozen,
        device=device,
        progress=bar_progress,
        tell=show,
    )
    show(f"\n{report.text}\n")
    show("\n".join(str(path) for path in report.files if path.suffix in (".csv", ".png")))
