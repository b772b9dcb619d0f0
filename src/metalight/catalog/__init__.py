"""Catalogue: which galaxies there are, what is known of them, and how many each cut leaves."""

from metalight.catalog.known_columns import describe_column
from metalight.catalog.sdss_cuts import PAPER_CUTS, SDSS_CUTS, NamedCut, find_named_cuts
from metalight.catalog.sky_columns import SkyColumns
from metalight.catalog.user_table import Catalog, list_file_names, load_catalog

__all__ = [
    "PAPER_CUTS",
    "SDSS_CUTS",
    "Catalog",
    "NamedCut",
    "SkyColumns",
    "describe_column",
    "find_named_cuts",
    "list_file_names",
    "load_catalog",
]
