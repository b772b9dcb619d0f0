"""Cost of fetching images in time and disk space."""

from metalight.cutouts.services import CutoutService
from metalight.recipe import NetworkSettings

_ANSWER_S = 0.3
_BYTES_A_ROW = 300


def estimate_download(num_galaxies: int, settings: NetworkSettings, service: CutoutService) -> tuple[float, int]:
    """About how many seconds and bytes the images of so many galaxies take.

    Args:
        num_galaxies: How many are to be fetched.
        settings: How they are asked for; an answer is taken to need 0.3 s.
        service: Where they are asked for.
    """
    rate = settings.connections / _ANSWER_S
    if settings.requests_per_second:
        rate = min(rate, settings.requests_per_second)
    num_bytes = len(service.bands) * _BYTES_A_ROW + service.bytes_a_pixel * service.side**2
    return num_galaxies * len(service.bands) / rate, round(num_galaxies * num_bytes)
