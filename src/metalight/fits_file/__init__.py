"""FITS files from anywhere, opened safely: the only place that lets astropy open one.

astropy believes the sizes in a header. A file of 5 kB can make it loop forever, take all memory, or crash the process.
So every size is checked against the file's real length before astropy sees it.
"""

from metalight.fits_file.celestial import load_celestial
from metalight.fits_file.headers import FitsError
from metalight.fits_file.opening import open_fits, unpack_gzip
from metalight.fits_file.roles import find_images
from metalight.fits_file.tiles import check_tiles
