"""The numbers of a survey: pixels, seeing, noise, and how its pictures are made."""

from dataclasses import dataclass, field

from metalight.cutouts import SDSS_PIXEL_ARCSEC
from metalight.recipe import LuptonSettings


@dataclass(frozen=True)
class Instrument:
    """Turns light, in nanomaggies, into pictures. Of three numbers, each is of one band, in the order of the bands."""

    source: str
    """What the pictures say that they are of."""

    bands: tuple[str, str, str]
    """Shown as red, green, blue."""

    pixel_arcsec: float
    psf_shares: tuple[float, float]
    """Light in the core and in the wings of a point."""

    psf_sigmas_arcsec: tuple[float, float]
    """Standard deviations of core and wings, in the middle band."""

    seeing_by_band: tuple[float, float, float]
    """Seeing in units of that in the middle band."""

    seeing_scatter: float
    """Standard deviation of ln(seeing) from field to field."""

    sky_noise: tuple[float, float, float]
    """Standard deviation of the sky in a pixel."""

    noise_shift: float
    """Part of a pixel, 0 to 0.5, by which bands were shifted onto each other by interpolation, which makes the noise of
    neighbouring pixels alike."""

    light_of_electron: float
    """Light of one electron, for the noise of bright pixels."""

    sky_offset: tuple[float, float, float]
    """Standard deviation, from image to image, of the sky that is left after its subtraction."""

    lupton: LuptonSettings = field(default_factory=LuptonSettings)
    tile_quality: int = 65
    """JPEG quality of the survey's tiles, at its own pixel scale."""

    cutout_quality: int = 75
    """JPEG quality of the cutouts that are made of them."""


SDSS = Instrument(
    source="simulated",
    bands=("i", "r", "g"),
    pixel_arcsec=SDSS_PIXEL_ARCSEC,
    psf_shares=(0.85, 0.15),
    psf_sigmas_arcsec=(0.52, 1.1),
    seeing_by_band=(0.95, 1.0, 1.08),
    seeing_scatter=0.08,
    # 5 σ for points of 22.6, 23.0 and 23.4 mag: what is left after the smoothing that JPEG does.
    sky_noise=(0.035, 0.0236, 0.0167),
    noise_shift=0.5,
    light_of_electron=0.0011,
    sky_offset=(0.008, 0.004, 0.003),
    lupton=LuptonSettings(q=12.0, stretch=0.58, scale=(0.88, 1.06, 1.40), minimum=(0.005,)),
)

DEEP_GRZ = Instrument(
    source="simulated-deep",
    bands=("z", "r", "g"),
    pixel_arcsec=0.262,
    psf_shares=(0.85, 0.15),
    psf_sigmas_arcsec=(0.35, 0.8),
    seeing_by_band=(0.95, 1.0, 1.1),
    seeing_scatter=0.08,
    sky_noise=(0.014, 0.0055, 0.0035),
    noise_shift=0.25,
    light_of_electron=0.0002,
    sky_offset=(0.002, 0.001, 0.0006),
    lupton=LuptonSettings(q=20.0, stretch=0.5, scale=(0.7, 1.2, 2.0)),
)

INSTRUMENTS = {"sdss": SDSS, "deep-grz": DEEP_GRZ}
"""By name."""
