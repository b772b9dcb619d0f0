"""E(B−V) of galaxies, from their catalogue to where their images are decoded."""

from pathlib import Path

import pandas as pd

from metalight.tables import Table, find_column, require_numbers


def load_reddening(galaxies: Table, column: str, *, path: Path | str, role: str) -> "pd.Series[float]":
    """E(B−V) in mag by object_id; NaN where it is missing.

    Args:
        galaxies: A catalogue, with object_id.
        column: Of E(B−V).
        path: Of the catalogue, for messages.
        role: What names the column, for messages.

    Raises:
        TableError: There is no such column, or it holds no numbers.
    """
    values = require_numbers(galaxies, find_column(galaxies, column, path=path, role=role), path=path)
    return pd.Series(values, index=galaxies.frame["object_id"].to_numpy(), name="e_bv")


def add_reddening(found: pd.DataFrame, reddening: "pd.Series[float] | None") -> pd.DataFrame:
    """Images that were found, with the column e_bv of their galaxies; as they are where there is none to add."""
    return found if reddening is None else found.assign(e_bv=reddening.loc[found["object_id"]].to_numpy())
