"""Services that give images of places on the sky: one module each, behind one protocol."""

from metalight.cutouts.services.choose import build_service
from metalight.cutouts.services.fits import HipsFits, LegacyFits
from metalight.cutouts.services.hips import HipsPictures
from metalight.cutouts.services.legacy import LegacyViewer
from metalight.cutouts.services.protocol import CutoutRequest, CutoutService
from metalight.cutouts.services.skyserver import SkyServer
