"""`metalight predict`: a saved model over new images."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from metalight.cli.options import Device, resolve_detour
from metalight.cli.terminal import show, show_warning


def predict(
    model: Annotated[Path, typer.Argument(help="A saved model, or a run that has trained one.")],
    images: Annotated[Path, typer.Option(help="A folder of JPEG, PNG or FITS images, or a run, fetched or decoded.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Table to write: .csv, .ecsv, .vot, .fits or .parquet.", callback=resolve_detour
        ),
    ],
    views: Annotated[
        Literal["none", "paper", "eight"],
        typer.Option(help="The image as it is; it and four augmented views, as the paper; or the eight symmetries."),
    ] = "paper",
    catalog: Annotated[
        Path | None, typer.Option(help="Table of the galaxies to predict; without it, all images of the folder.")
    ] = None,
    object_id: Annotated[str, typer.Option("--id", help="Its column of identifiers.", show_default="object_id")] = "",
    file_name: Annotated[str, typer.Option(help="Its column of image file names, if they are not named by id.")] = "",
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column of the catalogue to write too, beside ra, dec and name; may be repeated."),
    ] = None,
    framing: Annotated[str, typer.Option(help="What the images frame, if their folder does not state it.")] = "",
    source: Annotated[str, typer.Option(help="The survey of the images, if their folder does not state it.")] = "",
    any_images: Annotated[
        bool, typer.Option("--any-images", help="Predict images of another framing or source than the model's.")
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Galaxies predicted at once; at most 16 a thread on a CPU.")
    ] = 64,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bf16"],
        typer.Option(help="bf16 is faster where the processor has it, which auto finds out."),
    ] = "auto",
) -> None:
    """Predict the properties of galaxies from their images, one row a galaxy, in the order of the input."""
    from metalight.errors import PredictionError
    from metalight.pipeline import CatalogOfImages, predict_images
    from metalight.progress import bar_progress

    if catalog is None and (object_id or file_name):
        given = "--id" if object_id else "--file-name"
        raise PredictionError(f"{given} names a column of the catalogue; give --catalog too, or leave it out.")
    report = predict_images(
        model,
        images,
        output,
        views=views,
        catalog=CatalogOfImages(catalog, object_id or "object_id", file_name) if catalog else None,
        keep=keep or (),
        framing=framing,
        source=source,
        accept_any=any_images,
        batch_size=batch_size,
        device=device,
        precision=precision,
        progress=bar_progress,
        foretell=lambda cost: show(f"Ahead: {cost.describe()}.", dim=True, err=True),
    )
    if report.origin_note:
        show(report.origin_note, err=True)
    show(report.summary.to_string(index=False, float_format="{:.4f}".format))
    for note in (*report.reading_notes, *report.range_notes):
        show(note)
    for warning in report.warnings:
        show_warning(warning)
    refused = f"; {len(report.refused):,} refused, see {report.refused_path}" if len(report.refused) else ""
    galaxies = "1 galaxy" if report.num_galaxies == 1 else f"{report.num_galaxies:,} galaxies"
    show(f"\n{galaxies} predicted{refused}.\nPredictions: {report.output}")
