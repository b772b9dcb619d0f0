"""Catalogue: which galaxies there are, what is known of them, and how many each cut leaves."""

from metalight.catalog.galaxies import Catalog, build_catalog, list_file_names
from metalight.catalog.known_columns import describe_column
from metalight.catalog.label_noise import LabelNoise, compute_label_noise
from metalight.catalog.properties import PROPERTIES, Property, compute_kpc_per_arcsec, compute_properties, name_property
from metalight.catalog.repeats import gather_repeats
from metalight.catalog.sdss_cuts import PAPER_CUTS, SDSS_CUTS, NamedCut, find_named_cuts, list_cuts
from metalight.catalog.selection import Count, Selection
from metalight.catalog.sky_columns import SkyColumns
from metalight.catalog.sky_server import (
    SKY_SERVER_COLUMNS,
    build_page_query,
    name_service,
    select_sky_server,
)
from metalight.catalog.spread import choose_spread, name_spread
from metalight.catalog.user_table import load_catalog

__all__ = [
    "PAPER_CUTS",
    "PROPERTIES",
    "SDSS_CUTS",
    "SKY_SERVER_COLUMNS",
    "Catalog",
    "Count",
    "LabelNoise",
    "NamedCut",
    "Property",
    "Selection",
    "SkyColumns",
    "build_catalog",
    "build_page_query",
    "choose_spread",
    "compute_kpc_per_arcsec",
    "compute_label_noise",
    "compute_properties",
    "describe_column",
    "find_named_cuts",
    "gather_repeats",
    "list_cuts",
    "list_file_names",
    "load_catalog",
    "name_property",
    "name_service",
    "name_spread",
    "select_sky_server",
]
