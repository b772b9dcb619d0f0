"""Galaxies that a stage left out: listed in a table, and told in a few words."""

import re
from pathlib import Path

import pandas as pd

from metalight.tables import Table, save_table

_KINDS_SHOWN = 4


def save_refused(refused: pd.DataFrame, path: Path) -> None:
    """Write the table of what was left out; also when it is empty, so that an older one does not mislead."""
    save_table(Table(refused, {}), path)


def format_refused(refused: pd.DataFrame) -> str:
    """`; 3 refused: 2 × no image file, 1 × is blank`, or nothing if none was."""
    if refused.empty:
        return ""
    kinds = list(count_kinds(refused).items())
    shown = ", ".join(f"{count} × {kind}" for kind, count in kinds[:_KINDS_SHOWN])
    return f"; {len(refused)} refused: {shown}{', …' if len(kinds) > _KINDS_SHOWN else ''}"


def count_kinds(refused: pd.DataFrame) -> dict[str, int]:
    """How many galaxies were left out for each kind of reason, the most frequent first.

    Reasons that differ only in a number or a file's name are of the same kind.
    """
    kinds = refused["reason"].map(name_kind).value_counts()
    return {str(kind): int(count) for kind, count in kinds.items()}


def name_kind(reason: str) -> str:
    """A reason without what differs from galaxy to galaxy: identifiers, and details after a colon."""
    return re.sub(r"\d{5,}", "…", reason.split(":")[0])
