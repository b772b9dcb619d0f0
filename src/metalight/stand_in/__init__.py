"""A stand-in for SkyServer on loopback: queries and cutouts of a simulated survey, or of a folder of images.

It answers what SkyServer would, and misbehaves when it is told to, so that what asks the sky can be tried without it.
"""

from metalight.stand_in.faults import FAULTS, LASTING, OF_QUERIES, Faults
from metalight.stand_in.server import StandIn, run_server, serve
from metalight.stand_in.sql_search import ROW_LIMIT
