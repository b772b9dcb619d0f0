"""`metalight simulate`: galaxies whose metallicities are known, to try everything on, and a service that shows them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from metalight.cli.options import resolve_detour
from metalight.cli.terminal import show
from metalight.errors import RunError, shorten

if TYPE_CHECKING:
    from metalight.stand_in import StandIn

_Value = TypeVar("_Value")

app = typer.Typer()


@app.callback(invoke_without_command=True)
def simulate(
    context: typer.Context,
    galaxies: Annotated[int | None, typer.Option(help="Number of galaxies; must be given.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder to make, or of a survey to resume; required.",
            callback=resolve_detour,
        ),
    ] = None,
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
    """Draw a sample of galaxies: a catalogue as SDSS gives it, the truth, and an image of each.

    `metalight simulate serve FOLDER` then shows them over HTTP, as SkyServer would.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    galaxies = _require(context, "--galaxies", galaxies, "a number of galaxies")
    output = _require(context, "--output", output, "a folder to make")
    from metalight.progress import bar_progress
    from metalight.simulation import SurveyDesign, make_universe, simulate_survey

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
    show(f"{report.num_galaxies:,} galaxies{before}: {report.catalog_path} and {report.images_folder}{cost}\n")
    show(f"{'error of a prediction from …':<58}{'RMSE (dex)':>12}")
    for what, rmse_dex in report.limits.itertuples(index=False):
        show(f"{what:<58}{rmse_dex:>12.4f}")


def _require(context: typer.Context, option: str, value: _Value | None, what: str) -> _Value:
    """The value of an option that `simulate` itself needs, and `serve` does not."""
    if value is None:
        raise typer.BadParameter(f"it is missing; give {what}.", ctx=context, param_hint=f"'{option}'")
    return value


def _refuse_options(context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                "belongs to `metalight simulate` alone; options of serve follow it.",
                ctx=context,
                param_hint=f"'{parameter.opts[-1]}'",
            )


@app.command()
def serve(
    folder: Annotated[
        Path, typer.Argument(help="A simulated survey, or a folder of images OBJID.jpg with catalog.csv beside them.")
    ],
    port: Annotated[int, typer.Option(help="Port to listen on.", show_default="any that is free")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=SHARE", help="Misbehave so often, such as 429=0.05; may be given several times."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    row_limit: Annotated[int, typer.Option(help="Rows after which answers to queries are cut.")] = 500_000,
    gap: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(metavar="RA_MIN RA_MAX DEC_MIN DEC_MAX", help="A box of the sky without images, in degrees."),
    ] = None,
    old_release: Annotated[
        bool, typer.Option("--old-release", help="Errors have status 200, as in the releases of 2014 to 2018.")
    ] = False,
) -> None:
    """Answer queries and show cutouts as SkyServer does, on this machine alone, until Ctrl-C.

    Kinds of faults: 429, 500, html, truncated, longer, size, reset, drip and redirect, which pass when asked again; 404
    and black, which stay with a galaxy; of queries alone, quota, deadlock, blank, unended and untitled, which pass, and
    sql, which ends a selection.
    """
    from metalight.stand_in import Faults, run_server

    counts = run_server(
        folder,
        _announce,
        port=port,
        faults=Faults(_read_shares(fault or []), seed=seed, gap=gap),
        row_limit=row_limit,
        is_old_release=old_release,
    )
    show(f"\n{'answers':<16}{'number':>10}")
    for kind, number in sorted(counts.items()):
        show(f"{kind:<16}{number:>10,}")


def _read_shares(faults: list[str]) -> dict[str, float]:
    """Shares by kind of `KIND=SHARE`."""
    shares = {}
    for fault in faults:
        kind, _, text = fault.partition("=")
        try:
            shares[kind.strip()] = float(text)
        except ValueError:
            raise RunError(f"--fault {shorten(fault)} is not of the form KIND=SHARE, such as 429=0.05.") from None
    return shares


def _announce(server: "StandIn") -> None:
    sky = server.sky
    images = f"{len(sky.images):,} images of {sky.folder}" + ("; other frames are drawn" if sky.design else "")
    doubles = len(sky.object_ids) - sky.num_galaxies
    lines = (
        f"{server.url}/dr18/SkyServerWS/ answers until Ctrl-C:",
        f"  SearchTools/SqlSearch?cmd=…&format=csv  {sky.num_galaxies:,} galaxies, and {doubles:,} to be cut",
        f"  ImgCutout/getjpeg?ra=…&dec=…&scale=…    {images}",
    )
    # At once: who reads the first line may end us before the second.
    show("\n".join(lines))
