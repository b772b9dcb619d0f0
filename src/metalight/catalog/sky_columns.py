"""Columns of the catalogue that say where a galaxy is on the sky, and how large."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalight.catalog.cuts import Cut, build_cut
from metalight.errors import CatalogError
from metalight.tables import ColumnInfo, Table, require_numbers

LARGEST_R90_ARCSEC = 600.0
"""A larger Petrosian radius is in another unit, or no measurement: its frame would be 50 arcmin wide."""

_DEGREES, _ARCSECONDS = ("deg", "°"), ("arcsec", "asec", '"', "″")


@dataclass(frozen=True)
class SkyColumns:
    """Names of columns in the user's table; their case need not be the table's until they are looked up."""

    ra: str
    """Right ascension, degrees."""

    dec: str
    """Declination, degrees."""

    petro_r90: str = ""
    """petroR90_r, arcsec; empty: there is none."""

    def list_roles(self) -> list[tuple[str, str]]:
        """The setting that names each column, and its name, in the order of the fields."""
        roles = [("[catalog] ra", self.ra), ("[catalog] dec", self.dec)]
        return roles + [("[catalog] petro_r90", self.petro_r90)] * bool(self.petro_r90)


def find_sky_cuts(table: Table, columns: SkyColumns, *, path: Path) -> list[Cut]:
    """One cut for each column: galaxies must have a value that is possible.

    Args:
        table: The user's table, which has the columns.
        columns: Their names, as the table spells them.
        path: File of the table, for the messages.

    Raises:
        CatalogError: A column is in another unit, by what the table itself says.
        TableError: A column does not hold numbers.
    """
    place = "without a place on the sky, neighbours may end in different sets"
    cuts = [
        _find_cut(table, columns.ra, "ra", path, 0.0, 360.0, "degrees", place),
        _find_cut(table, columns.dec, "dec", path, -90.0, 90.0, "degrees", place),
    ]
    if columns.petro_r90:
        size = "without a size, galaxies in each other's frames may end in different sets"
        smallest = float(np.nextafter(0, 1))
        cuts.append(
            _find_cut(table, columns.petro_r90, "petro_r90", path, smallest, LARGEST_R90_ARCSEC, "arcsec", size)
        )
    return cuts


def _find_cut(
    table: Table, name: str, setting: str, path: Path, lowest: float, highest: float, unit: str, why: str
) -> Cut:
    _check_unit(table.info.get(name, ColumnInfo()).unit, name, setting, path, unit)
    values = require_numbers(table, name, path=path)
    limits = f"from {lowest:g} to {highest:g}" if abs(lowest) >= 1 or lowest == 0 else f"above 0 and up to {highest:g}"
    flaws = {
        f"has no {name}": np.isnan(values),
        f"{name} is not {limits} {unit}": ~((lowest <= values) & (values <= highest)),
    }
    return build_cut(f"has {name}", why, setting, flaws)


def _check_unit(given: str, name: str, setting: str, path: Path, unit: str) -> None:
    accepted = _DEGREES if unit == "degrees" else _ARCSECONDS
    if given and not given.strip().casefold().startswith(accepted):
        raise CatalogError(
            f"Column '{name}' of {path} is in '{given}', but [catalog] {setting} needs {unit}; convert it, or name "
            "another column."
        )
