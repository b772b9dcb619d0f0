"""Sample selection from the MPA-JHU galSpec files on disk, joined with a table of photometry."""

from metalight.catalog.galspec.files import find_galspec_files
from metalight.catalog.galspec.selection import GalspecSelection, select_galspec
