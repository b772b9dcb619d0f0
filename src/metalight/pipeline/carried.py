"""Columns of a catalogue that stand beside predictions: where a galaxy is, its name, and what a user wants kept."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError
from metalight.tables import Table, find_column, match_columns

USUAL = ("ra", "dec", "name")
"""Columns that are carried if the catalogue has them, in any case."""

_NULLABLE = {"i": "Int64", "u": "UInt64", "b": "boolean"}
"""Of columns of numbers and booleans, what can hold a missing value too."""


def choose_carried(
    galaxies: Table,
    keep: Sequence[str],
    *,
    path: Path | str,
    taken: Collection[str],
    usual: Sequence[str] = USUAL,
) -> list[str]:
    """The columns of a catalogue to carry, as it spells them: the usual ones first, then those asked for.

    Args:
        galaxies: The catalogue.
        keep: Columns that the user asks for, in any case.
        path: Of the catalogue, for the messages.
        taken: Columns that the output has in any case.
        usual: Columns that are carried without being asked for; those that are taken are not.

    Raises:
        TableError: The catalogue lacks a column of `keep`, or the output has one of that name.
    """
    # FITS takes names that differ only in case for the same.
    is_taken = {name.casefold() for name in taken}
    alike = [match_columns(galaxies, name) for name in usual]
    columns = [names[0] for names in alike if len(names) == 1 and names[0].casefold() not in is_taken]
    for name in keep:
        column = find_column(galaxies, name, path=path, role="--keep")
        if column.casefold() in is_taken:
            raise TableError(
                f"--keep {name} cannot be carried: the output has a column '{column}' of its own. Leave it out, or "
                f"rename the column in {path}."
            )
        columns.append(column)
    return list(dict.fromkeys(columns))


def take_carried(
    galaxies: Table, columns: Sequence[str], *, known: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]
) -> Table:
    """The columns of some galaxies, with their units and descriptions; missing of those that the catalogue lacks.

    Args:
        galaxies: The catalogue.
        columns: Of it.
        known: Keys of its galaxies, each once.
        wanted: Keys of the galaxies, in the order of the result.
    """
    rows = pd.Index(known).get_indexer(pd.Index(wanted))
    frame = galaxies.frame[list(columns)].reset_index(drop=True)
    if (rows < 0).any():
        # Types that can hold a missing value, so that no integer passes through a float.
        kinds = {name: _NULLABLE.get(frame[name].dtype.kind, "") for name in columns}
        frame = frame.astype({name: kind for name, kind in kinds.items() if kind})
    taken = frame.reindex(np.where(rows < 0, len(frame), rows)).reset_index(drop=True)
    return Table(taken, {name: galaxies.info[name] for name in columns if name in galaxies.info})


def put_beside(predictions: Table, carried: Table) -> Table:
    """A table of predictions with the carried columns after its identifiers."""
    first, *others = predictions.frame.columns
    frame = pd.concat([predictions.frame[[first]], carried.frame, predictions.frame[others]], axis=1)
    return Table(frame, {**carried.info, **predictions.info})
