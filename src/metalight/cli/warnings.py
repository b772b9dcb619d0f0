"""What a user must not overlook, in red."""

import typer


def show_warning(sentence: str, *, indent: str = "") -> None:
    """Show a sentence in red on standard error, so that it is seen where standard output goes to a file."""
    typer.secho(f"{indent}{sentence}", fg="red", err=True)
