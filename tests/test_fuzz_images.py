"""An image of any bytes: it is decoded or refused with a reason, in little memory."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from bounded import Feed, count_outcomes
from metalight.errors import ImageError
from metalight.images import decode_image
from metalight.images.fits_cutouts import read_fits_cutout
from metalight.recipe import CutoutsSettings
from mutate import mutate_cards, mutations, noise

counts = pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.soak)])

KINDS = ("pictures", "fluxes", "headers")
SIDE = 16
FLUXES = (CutoutsSettings(), CutoutsSettings(stretch="lupton", field_arcsec=4.0), CutoutsSettings(bands=("r",)))


def make_pictures() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    options: list[tuple[Image.Image, dict[str, object]]] = [
        (image, {"format": "JPEG"}),
        (image, {"format": "JPEG", "progressive": True, "subsampling": "4:4:4"}),
        (image.convert("L"), {"format": "JPEG"}),
        (image.convert("CMYK"), {"format": "JPEG"}),
        (image, {"format": "PNG"}),
        (image.convert("P"), {"format": "PNG", "transparency": 3}),
        (image.convert("LA"), {"format": "PNG"}),
        (Image.fromarray(pixels[..., 0].astype(np.uint16)), {"format": "PNG"}),
        (image, {"format": "PNG", "save_all": True, "append_images": [image.rotate(90)]}),
        (image, {"format": "TIFF"}),
        (image.convert("P"), {"format": "TIFF"}),
        (image.convert("LA"), {"format": "TIFF"}),
        (image, {"format": "TIFF", "save_all": True, "append_images": [image.rotate(90)]}),
        (image, {"format": "WEBP", "lossless": True}),
        (image, {"format": "WEBP", "quality": 50, "save_all": True, "append_images": [image.rotate(90)]}),
        (image, {"format": "BMP"}),
        (image.convert("P"), {"format": "BMP"}),
        (image, {"format": "GIF"}),
        (image, {"format": "GIF", "save_all": True, "append_images": [image.rotate(90)]}),
    ]
    files = []
    for picture, how in options:
        buffer = io.BytesIO()
        picture.save(buffer, **how)  # type: ignore[arg-type]
        files.append(buffer.getvalue())
    # A progressive one with a scan that is repeated often, as long as that is allowed.
    start, end = files[1].rindex(b"\xff\xda"), files[1].rindex(b"\xff\xd9")
    return [*files, files[1][:end] + files[1][start:end] * 80 + files[1][end:]]


def make_fluxes() -> list[bytes]:
    flux = np.random.default_rng(0).normal(1, 0.3, (3, SIDE, SIDE)).astype(np.float32)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    header.update({"CRPIX1": 8.5, "CRPIX2": 8.5, "CDELT1": -0.396 / 3600, "CDELT2": 0.396 / 3600})
    cube = fits.PrimaryHDU(flux, header)
    cube.header["BANDS"] = "irg"
    units = [fits.ImageHDU(plane, header, name=band) for plane, band in zip(flux, "IRG", strict=True)]
    packed = [fits.CompImageHDU(plane, header, name=band) for plane, band in zip(flux, "IRG", strict=True)]
    integers = fits.PrimaryHDU((flux[0] * 100).astype(np.int16), header)
    integers.header.update({"BSCALE": 0.01, "BZERO": 1.0, "BLANK": -1, "BAND": "r"})
    told_apart = [fits.ImageHDU(flux[0], header), fits.ImageHDU(flux[1], header), fits.ImageHDU(flux[2].astype("i4"))]
    for unit, kind in zip(told_apart, ("IMAGE", "VARIANCE", "MASK"), strict=True):
        unit.header["EXTTYPE"] = kind
    tiles = [
        fits.CompImageHDU((100 * flux[0]).astype(np.int32), header, name="SCI", compression_type=algorithm, **how)
        for algorithm, how in (("RICE_1", {}), ("GZIP_2", {}), ("GZIP_1", {"tile_shape": (SIDE, SIDE)}), ("PLIO_1", {}))
    ]
    tiles[1].header["A_ORDER"] = 2
    files = []
    for content in (
        cube,
        fits.HDUList([fits.PrimaryHDU(header=fits.Header({"FILTER": "r"})), *told_apart]),
        *[fits.HDUList([fits.PrimaryHDU(header=fits.Header({"FILTER": "r"})), unit]) for unit in tiles],
        fits.HDUList([fits.PrimaryHDU(), *units]),
        fits.HDUList([fits.PrimaryHDU(), *packed]),
        integers,
    ):
        buffer = io.BytesIO()
        content.writeto(buffer)
        files.append(buffer.getvalue())
    return [*files, gzip.compress(files[0])]


def decode(kind: str, data: bytes, seed: int) -> str:
    try:
        if kind == "pictures":
            pixels = decode_image(data)
            assert pixels.dtype == np.uint8
            assert pixels.shape[2:] == (3,)
        else:
            settings = FLUXES[seed % len(FLUXES)]
            pixels = read_fits_cutout([data], SIDE, settings).pixels
            assert pixels.shape == (SIDE, SIDE, len(settings.bands))
            assert np.isfinite(pixels).all()
    except ImageError as error:
        reason = str(error)
    else:
        return "decoded"
    assert reason.isprintable(), reason
    assert len(reason) < 500, reason
    return "refused"


def prepare(kind: str) -> Feed:
    files = make_pictures() if kind == "pictures" else make_fluxes()
    # Of pictures, CMYK, 16 bits, animations and repeated scans are refused as they are; of fluxes, tiles of PLIO.
    num_decoded = sum("decoded" in {decode(kind, file, seed) for seed in range(len(FLUXES))} for file in files)
    assert num_decoded >= len(files) - 7

    def feed(seed: int) -> str:
        whole = files[seed % len(files)]
        if kind == "headers":
            return decode(kind, mutate_cards(whole, seed), seed)
        packed = kind == "fluxes" and seed % 3 == 1
        data = noise(seed) if seed % 20 == 0 else mutations(whole, seed)
        return decode(kind, gzip.compress(data, 1) if packed else data, seed)

    return feed


@counts
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_of_any_bytes_is_decoded_or_refused(kind: str, count: int) -> None:
    outcomes = count_outcomes(prepare, kind, seeds=range(count // 2))
    assert set(outcomes) == {"decoded", "refused"}
    assert min(outcomes.values()) > count / 100
