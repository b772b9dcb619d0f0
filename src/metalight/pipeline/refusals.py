"""Galaxies that a stage left out: listed in a table, and told in a few words."""

import re
from pathlib import Path

import pandas as pd

from metalight.identifiers import compute_keys
from metalight.tables import Table, save_galaxies

_KINDS_SHOWN = 4


def save_refused(refused: pd.DataFrame, path: Path) -> None:
    """Write the table of what was left out; also when it is empty, so that an older one does not mislead."""
    save_galaxies(Table(refused, {}), path)


def load_refused(path: Path) -> pd.DataFrame:
    """What `save_refused` wrote of galaxies: object_id, path (empty where there is none) and reason."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return pd.DataFrame(
        {
            "object_id": compute_keys(frame["object_id"].tolist()),
            "path": frame["path"] if "path" in frame else pd.Series("", index=frame.index, dtype="str"),
            "reason": frame["reason"],
        }
    )


def format_refused(refused: pd.DataFrame) -> str:
    """`; 3 refused: 2 × no image file, 1 × is blank`, or nothing if none was."""
    if refused.empty:
        return ""
    kinds = list(count_kinds(refused).items())
    shown = ", ".join(f"{count} × {kind}" for kind, count in kinds[:_KINDS_SHOWN])
    return f"; {len(refused)} refused: {shown}{', …' if len(kinds) > _KINDS_SHOWN else ''}"


def count_kinds(refused: pd.DataFrame) -> dict[str, int]:
    """How many galaxies were left out for each kind of reason, the most frequent first.

    Reasons that differ only in a number, or after a colon in a galaxy's or a file's name, are of the same kind.
    """
    kinds = refused["reason"].map(name_kind).value_counts()
    return {str(kind): int(count) for kind, count in kinds.items()}


def name_kind(reason: str) -> str:
    """A reason without what differs from galaxy to galaxy: identifiers, and details after a colon."""
    return re.sub(r"\d{5,}", "…", reason.split(":")[0])
