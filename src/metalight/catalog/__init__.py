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
