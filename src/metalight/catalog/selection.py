"""The result of a selection from SDSS, the same for every source."""

from dataclasses import dataclass

import pandas as pd

from metalight.tables import Table


@dataclass(frozen=True)
class Count:
    """How many galaxies were left at a step that was taken before the table was made."""

    cut: str
    why: str
    source: str
    num_left: int


@dataclass(frozen=True, eq=False)
class Selection:
    """Galaxies that were selected from SDSS, before what can only be looked at on all of them."""

    table: Table
    """Columns as SDSS spells them."""

    counts: tuple[Count, ...]
    """How many were left at each cut."""

    notes: tuple[str, ...] = ()
    """Notes for the user."""

    spectra: pd.DataFrame | None = None
    """Other spectra, of these galaxies and of any, as `gather_repeats` takes them; None if they are not known."""

    repeats: pd.DataFrame | None = None
    """The result of `gather_repeats`, where it is known already."""
