"""The one way to the terminal: text that is not ours cannot drive it."""

from pathlib import Path

import typer

from metalight.safe_text import for_terminal


def show(
    text: str | Path = "",
    *,
    start: str = "",
    fg: str | None = None,
    bold: bool = False,
    dim: bool = False,
    err: bool = False,
    nl: bool = True,
) -> None:
    """Print a text, in a style where the terminal has colours.

    Args:
        text: What to print; several lines are kept.
        start: Printed before it. If given, it alone has the style.
        fg: Name of a colour.
        bold: Whether to print in bold.
        dim: Whether to print dimly.
        err: Print to standard error.
        nl: End with a line break.
    """
    plain, styled = (for_terminal(str(text)), for_terminal(start)) if start else ("", for_terminal(str(text)))
    if fg or bold or dim:
        styled = typer.style(styled, fg=fg, bold=bold or None, dim=dim or None)
    typer.echo(f"{styled}{plain}", err=err, nl=nl)
