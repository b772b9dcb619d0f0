"""The service that settings name."""

from metalight.cutouts.services.fits import HipsFits, LegacyFits
from metalight.cutouts.services.hips import HIPS_URL, HipsPictures
from metalight.cutouts.services.legacy import LEGACY_URL, LegacyViewer
from metalight.cutouts.services.protocol import CutoutService
from metalight.cutouts.services.skyserver import SkyServer
from metalight.recipe import CutoutsSettings, SkyServerSettings


def build_service(settings: CutoutsSettings, sky_server: SkyServerSettings) -> CutoutService:
    """The service that gives the images.

    Args:
        settings: Of which `service` is not `folder`.
        sky_server: Where SkyServer is, if it is that.

    Raises:
        RecipeError: The service gives no images of that size.
        ValueError: The images are in a folder.
    """
    if settings.service == "skyserver":
        return SkyServer(
            settings.side, release=sky_server.release, base_url=sky_server.base_url, source=settings.source
        )
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
    raise ValueError(f"{settings.service} is not a service")
