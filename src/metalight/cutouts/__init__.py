"""Cutouts: the image files of galaxies, which file belongs to which galaxy, and what a folder says of its images."""

from metalight.cutouts.archive import PicturesOfArchive, import_archive
from metalight.cutouts.archive_files import find_archive_flaw
from metalight.cutouts.cost import estimate_download
from metalight.cutouts.download import (
    REFUSED_BY_SERVICES,
    DownloadLimits,
    download_cutouts,
)
from metalight.cutouts.folder import FoundCutouts, find_cutouts, list_cutouts
from metalight.cutouts.frame import PETROSIAN_FIELD_IN_R90, SDSS_PIXEL_ARCSEC, compute_frame_arcsec
from metalight.cutouts.origin import ORIGIN_FILE, ImageOrigin, check_origin, load_origin
from metalight.cutouts.report import DownloadReport
from metalight.cutouts.scan import compute_folder_digest, list_folder
from metalight.cutouts.services import CutoutService, HipsPictures, LegacyViewer, SkyServer, build_service
