"""The service that settings name."""

from metalight.cutouts.services.fits import HipsFits, LegacyFits
from metalight.cutouts.services.hips import HIPS_URL, HipsPictures
from metalight.cutouts.services.legacy import LEGACY_URL, LegacyViewer
from metalight.cutouts.services.protocol import CutoutService
from metalight.cutouts.services.skyserver import SKYSERVER_URL, SkyServer
from metalight.recipe import CutoutsSettings


def build_service(settings: CutoutsSettings) -> CutoutService:
    """The service that gives the images.

    Args:
        settings: Of which `service` is not `folder`.

    Raises:
        RecipeError: The service gives no images of that size.
        ValueError: The images are in a folder.
    """
    if settings.service == "skyserver":
        base_url = settings.base_url or SKYSERVER_URL
        return SkyServer(settings.side, release=settings.release, base_url=base_url, source=settings.source)
    if settings.service == "legacy":
        base_url = settings.base_url or LEGACY_URL
        return LegacyViewer(settings.side, settings.layer, settings.source, base_url)
    if settings.service == "hips":
        return HipsPictures(settings.side, settings.hips, settings.source, settings.base_url or HIPS_URL)
    if settings.service == "fits" and settings.fits_from == "hips":
        return HipsFits(settings.side, settings.hips, settings.bands, settings.source, settings.base_url or HIPS_URL)
    if settings.service == "fits":
        base_url = settings.base_url or LEGACY_URL
        return LegacyFits(settings.side, settings.layer, "".join(settings.bands), settings.source, base_url)
    raise ValueError(f"{settings.service} is no service")
