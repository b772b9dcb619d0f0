"""Columns of the catalogue that say where a galaxy is on the sky, and how large."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalight.catalog.cuts import Cut, build_cut
from metalight.errors import CatalogError
from metalight.tables import ColumnInfo, Table, require_numbers

LARGEST_R90_ARCSEC = 600.0
"""A larger Petrosian radius is in another unit, or no measurement: its frame would be 50 arcmin wide."""


@dataclass(frozen=True)
class SkyColumns:
    """Names of columns in the user's table; their case need not be the table's until they are looked up."""

    ra: str
    """Right ascension, degrees."""

    dec: str
    """Declination, degrees."""

    petro_r90: str = ""
    """petroR90_r, arcsec; empty: there is none."""

    def list_by_setting(self) -> dict[str, str]:
        """The column that each setting of [catalog] names, of those that name one."""
        return {setting: name for setting, name in vars(self).items() if name}


@dataclass(frozen=True)
class _Kind:
    """The kind of values that a column must hold."""

    unit: str
    names_of_unit: tuple[str, ...]
    """How its unit may begin in a table."""

    lowest: float
    highest: float
    limits: str
    """The same in words."""

    why: str
    """Why galaxies must have it."""


_DEGREES = ("degrees", ("deg", "°"))
_ARCSECONDS = ("arcsec", ("arcsec", "asec", '"', "″"))
_PLACE = "without a place on the sky, neighbours may end in different sets"
_SIZE = "without a size, galaxies in each other's frames may end in different sets"
_KINDS = {
    "ra": _Kind(*_DEGREES, 0.0, 360.0, "from 0 to 360", _PLACE),
    "dec": _Kind(*_DEGREES, -90.0, 90.0, "from -90 to 90", _PLACE),
    "petro_r90": _Kind(
        *_ARCSECONDS, math.ulp(0.0), LARGEST_R90_ARCSEC, f"above 0 and up to {LARGEST_R90_ARCSEC:g}", _SIZE
    ),
}
"""By the setting that names the column."""


def find_sky_cuts(table: Table, columns: Mapping[str, str], *, path: Path | str) -> list[Cut]:
    """One cut for each column: galaxies must have a value that is possible.

    Args:
        table: The user's table, which has the columns.
        columns: Their names, as the table spells them, by setting.
        path: File of the table, or where else it comes from, for the messages.

    Raises:
        CatalogError: A column is in another unit, by what the table itself says.
        TableError: A column does not hold numbers.
    """
    return [_find_cut(table, name, setting, path) for setting, name in columns.items()]


def _find_cut(table: Table, name: str, setting: str, path: Path | str) -> Cut:
    kind = _KINDS[setting]
    given = table.info.get(name, ColumnInfo()).unit
    if given and not given.strip().casefold().startswith(kind.names_of_unit):
        raise CatalogError(
            f"Column '{name}' of {path} is in '{given}', but [catalog] {setting} needs {kind.unit}; convert it, or "
            "name another column."
        )
    values = require_numbers(table, name, path=path)
    flaws = {
        f"has no {name}": np.isnan(values),
        f"{name} is not {kind.limits} {kind.unit}": ~((kind.lowest <= values) & (values <= kind.highest)),
    }
    return build_cut(f"has {name}", kind.why, setting, flaws)
