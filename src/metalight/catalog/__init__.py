"""Catalogue: which galaxies there are, what is known of them, and how many each cut leaves."""

from metalight.catalog.known_columns import describe_column
from metalight.catalog.sky_columns import SkyColumns
from metalight.catalog.user_table import Catalog, list_file_names, load_catalog

__all__ = ["Catalog", "SkyColumns", "describe_column", "list_file_names", "load_catalog"]
