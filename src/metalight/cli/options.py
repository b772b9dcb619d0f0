"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer


def resolve_detour(place: Path | None) -> Path | None:
    """A place to write to without `..`, for which folders on the way would have to be made; others are left as given.

    For options whose folders are made where they are lacking.
    """
    # Not Path.resolve, which knows an error of its own for links in a circle.
    return Path(os.path.realpath(place)) if place is not None and ".." in place.parts else place


def check_device(name: str) -> str:
    """The name of a processor, refused at once where no processor has it."""
    from metalight.devices import check_device_name

    check_device_name(name)
    return name


Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:N or mps.", callback=check_device)]
