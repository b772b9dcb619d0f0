"""SkyServer, the public database of SDSS: galaxies selected by a query."""

from metalight.catalog.sky_server.client import name_service
from metalight.catalog.sky_server.query import SKY_SERVER_COLUMNS, build_page_query
from metalight.catalog.sky_server.select import select_sky_server
