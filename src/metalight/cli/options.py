"""Options that several commands share."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:N or mps.")]
