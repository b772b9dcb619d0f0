"""Promises of FITS images: which plane is which band, where pixels lie, what fluxes become, and what is refused."""

import functools
import gzip
import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.visualization import make_lupton_rgb
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from make_fits import PIXEL_SCALE_ARCSEC, make_wcs
from metalight.errors import ImageError
from metalight.images import fits_planes
from metalight.images.fits_cutouts import FitsCutout, read_fits_cutout
from metalight.images.resample import resample_window
from metalight.images.stretch import stretch_lupton
from metalight.recipe import CutoutsSettings, LuptonSettings

ONE = CutoutsSettings(bands=("r",))
THREE = CutoutsSettings()


def make_plane(height: int = 8, width: int = 8, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(1, 1, (height, width)).astype(np.float32)


def write(*units: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(units)).writeto(buffer, output_verify="silentfix")
    return buffer.getvalue()


def encode(values: npt.NDArray[Any], wcs: WCS | None = None, **keywords: Any) -> bytes:
    header = wcs.to_header() if wcs else fits.Header()
    header.update(keywords)
    return write(fits.PrimaryHDU(values, header))


def read(*files: bytes, side: int = 8, **changed: Any) -> FitsCutout:
    if "bands" not in changed:
        changed["bands"] = ("r",)
    return read_fits_cutout(files, side, CutoutsSettings(**changed))


def assert_plane(cutout: FitsCutout, *planes: npt.NDArray[Any]) -> None:
    """Rows are turned: the first of FITS is the lowest."""
    np.testing.assert_array_equal(cutout.pixels, np.stack([plane[::-1] for plane in planes], axis=2))


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">i2", ">i4", ">i8", "u1"])
def test_values_of_every_type_are_read(dtype: str) -> None:
    values = np.arange(64).reshape(8, 8).astype(dtype)
    cutout = read(encode(values))
    assert cutout.pixels.dtype == np.float32
    assert_plane(cutout, values)


def test_scaled_integers_unsigned_integers_and_blanks_are_read_as_they_are_meant() -> None:
    unsigned = np.arange(64, dtype=np.uint16).reshape(8, 8) + 60_000
    assert_plane(read(encode(unsigned)), unsigned)
    for blank in (0, 7):
        stored = np.arange(400, dtype=np.int16).reshape(20, 20)
        data = bytearray(encode(stored, BLANK=blank, BSCALE=0.5, BZERO=0.0))
        # astropy drops the scale of numbers that it writes: it is put into the header as another program would.
        place = data.index(b"BITPIX")
        data[place : place + 80] = b"BITPIX  =                   16".ljust(80)
        header = fits.Header.fromstring(bytes(data[:2880]))
        header["BSCALE"], header["BLANK"] = 0.5, blank
        cutout = read(header.tostring().encode() + stored.astype(">i2").tobytes().ljust(2880, b"\0"), side=20)
        assert cutout.num_filled == 1
        expected = 0.5 * stored[::-1]
        differs = cutout.pixels[..., 0] != expected
        assert differs.sum() == 1
        assert expected[differs] == 0.5 * blank


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2"])
def test_compressed_images_are_unpacked(compression: str) -> None:
    values = np.arange(400, dtype=np.int16).reshape(20, 20)
    data = write(fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type=compression))
    assert_plane(read(data, side=20), values)


def test_a_gzipped_file_is_the_same_as_the_file() -> None:
    data = encode(make_plane())
    assert_plane(read(gzip.compress(data)), make_plane())
    half = len(data) // 2
    assert_plane(read(gzip.compress(data[:half]) + gzip.compress(data[half:])), make_plane())


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (1, 1, 8, 8), (8, 1, 8), (8, 8, 1)])
def test_axes_of_one_pixel_play_no_part(shape: tuple[int, ...]) -> None:
    assert_plane(read(encode(make_plane().reshape(shape))), make_plane())


def test_a_cube_with_a_fourth_axis_of_one_is_a_cube() -> None:
    planes = [make_plane(seed=seed) for seed in range(3)]
    for shape in ((1, 3, 8, 8), (3, 1, 8, 8)):
        data = encode(np.stack(planes).reshape(shape))
        assert_plane(read(data, bands=("i", "r", "g"), file_bands=("i", "r", "g")), *planes)


@functools.cache
def list_labelled() -> dict[str, bytes]:
    """The bands g, r, i in this order, labelled in every way that is understood."""
    planes = [make_plane(seed=seed) for seed in range(3)]
    cube = np.stack(planes)
    extensions = [fits.ImageHDU(plane, name=band) for plane, band in zip(planes, "gri", strict=True)]
    filters = [fits.ImageHDU(plane, fits.Header({"FILTER": band})) for plane, band in zip(planes, "gri", strict=True)]
    packed = [fits.CompImageHDU(plane, name=band, quantize_level=0, compression_type="GZIP_1")
              for plane, band in zip(planes, "gri", strict=True)]  # fmt: skip
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=np.arange(3.0))], name="psf")
    return {
        "BAND1": encode(cube, BAND1="g", BAND2="r", BAND3="i"),
        "BAND0": encode(cube, BAND0="g", BAND1="r", BAND2="i"),
        "BANDS": encode(cube, BANDS="gri"),
        "BANDS, apart": encode(cube, BANDS="g, r, i"),
        "EXTNAME": write(fits.PrimaryHDU(), *extensions),
        "FILTER": write(fits.PrimaryHDU(), *filters),
        "compressed": write(fits.PrimaryHDU(), *packed),
        "others beside": write(fits.PrimaryHDU(), table, *extensions, fits.ImageHDU(make_plane(5, 3), name="PSF")),
        "file_bands": encode(cube),
        "file_bands of extensions": write(*[fits.PrimaryHDU(planes[0]), *map(fits.ImageHDU, planes[1:])]),
    }


@pytest.mark.parametrize("how", list_labelled())
def test_planes_go_to_the_channels_of_their_bands(how: str) -> None:
    g, r, i = (make_plane(seed=seed) for seed in range(3))
    file_bands = ("g", "r", "i") if how.startswith("file_bands") else ()
    assert_plane(read(list_labelled()[how], bands=("i", "r", "g"), file_bands=file_bands), i, r, g)
    assert_plane(read(list_labelled()[how], bands=("r",), file_bands=file_bands), r)


def test_a_file_for_each_band_gives_a_channel_each() -> None:
    planes = [make_plane(seed=seed) for seed in range(5)]
    files = [encode(plane, make_wcs(8)) for plane in planes]
    assert_plane(read(*files, bands=("u", "g", "r", "i", "z")), *planes)


def test_beside_its_uncertainty_and_mask_the_science_plane_counts() -> None:
    units = [fits.ImageHDU(make_plane(seed=seed), name=name) for seed, name in enumerate(("SCI", "ERR", "DQ"))]
    files = [write(fits.PrimaryHDU(), *units), encode(make_plane(seed=9))]
    assert_plane(read(*files, bands=("g", "r")), make_plane(seed=0), make_plane(seed=9))


PLANE, BESIDE = make_plane(), make_plane(seed=1)


@pytest.mark.parametrize(
    ("keyword", "image", "others"),
    [
        ("EXTTYPE", "IMAGE", ["MASK", "VARIANCE"]),
        ("EXTNAME", "SCI", ["ERR", "DQ", "VAR_POISSON", "WHT", "CON"]),
        ("EXTNAME", "SCI", ["CTX", "SOMETHING"]),
        ("EXTNAME", "PRIMARY_CHIP", ["IVAR", "MASKBITS"]),
        ("EXTNAME", "CHIP.SCI", ["CHIP.RMS", "CHIP.FLG"]),
        ("IMAGETYP", "image", ["invvar", "maskbits"]),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_masks_weights_and_errors_beside_an_image_play_no_part(
    keyword: str, image: str, others: list[str], is_first: bool
) -> None:
    units = [fits.ImageHDU(BESIDE, fits.Header({keyword: name})) for name in others]
    units.insert(0 if is_first else 1, fits.ImageHDU(PLANE, fits.Header({keyword: image})))
    head = fits.PrimaryHDU(header=fits.Header({"FILTER": "r"}))
    for bands in (("r",), ("R",)):
        assert_plane(read(write(head, *units), bands=bands), PLANE)
        assert_plane(read(write(head, *units), encode(BESIDE), bands=(*bands, "g")), PLANE, BESIDE)
    with pytest.raises(ImageError, match="names its band r"):
        read(write(head, *units), encode(BESIDE), bands=("g", "r"))


def test_of_cubes_told_apart_by_their_type_the_image_is_taken() -> None:
    header = {"BANDS": "irg"}
    units = [
        fits.ImageHDU(CUBE + place, fits.Header({**header, "IMAGETYP": name}))
        for place, name in enumerate(("IMAGE", "INVVAR"))
    ]
    assert_plane(read(write(fits.PrimaryHDU(), *units), bands=("i", "r", "g")), *CUBE)


def test_bands_in_extensions_of_their_own_are_each_taken_without_its_weight() -> None:
    units = []
    for place, band in enumerate("gri"):
        units.append(fits.ImageHDU(CUBE[place], fits.Header({"FILTER": band, "EXTNAME": f"SCI_{place}"})))
        units.append(fits.ImageHDU(BESIDE, fits.Header({"FILTER": band, "EXTNAME": f"WHT_{place}"})))
    # What the first header says of a band is not said of several.
    head = fits.PrimaryHDU(header=fits.Header({"FILTER": "z"}))
    assert_plane(read(write(head, *units), bands=("i", "r", "g")), *CUBE[::-1])


def test_a_mask_that_cannot_be_read_safely_does_not_matter_beside_an_image() -> None:
    mask = fits.CompImageHDU(np.arange(64, dtype=np.int16).reshape(8, 8), compression_type="PLIO_1", name="MASK")
    assert_plane(read(write(fits.PrimaryHDU(), fits.ImageHDU(PLANE, name="IMAGE"), mask)), PLANE)
    with pytest.raises(ImageError, match="PLIO_1"):
        read(write(fits.PrimaryHDU(), mask))


CUBE = np.stack([make_plane(seed=seed) for seed in range(3)])
IRG: dict[str, Any] = {"bands": ("i", "r", "g")}


@pytest.mark.parametrize(
    ("data", "changed", "reason"),
    [
        (encode(CUBE), IRG, "has 3 planes that do not name their bands; "
         "give it the keywords BAND1, BAND2 and so on, or train with their names in [cutouts] file_bands"),
        (encode(CUBE), {**IRG, "file_bands": ("i", "r", "g", "z")}, "has 3 planes, but [cutouts] file_bands names 4"),
        (encode(CUBE, BANDS="grz"), IRG, "lacks the band i"),
        (encode(CUBE, BANDS="gri"), {**IRG, "file_bands": ("i", "r", "g")},
         "names its band g where [cutouts] file_bands says i"),
        (encode(CUBE, BANDS="rri"), IRG, "has 2 planes of the band r"),
        (encode(CUBE[0]), IRG, "has 1 of the 3 planes that [cutouts] bands asks for"),
    ],
)  # fmt: skip
def test_bands_are_never_guessed(data: bytes, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(data, **changed)
    assert str(caught.value) == reason


def test_a_file_of_one_band_must_not_say_that_it_is_another() -> None:
    with pytest.raises(ImageError, match=r"^names its band r, though a file is named for the band g$"):
        read(encode(CUBE[0], FILTER="r"), encode(CUBE[1], FILTER="r"), bands=("g", "r"))
    with pytest.raises(ImageError, match=r"^has 3 planes, and which is the band g is not stated$"):
        read(encode(CUBE), encode(CUBE[1]), bands=("g", "r"))


def declare(**changed: Any) -> bytes:
    """A header that claims what is not there."""
    header = fits.PrimaryHDU(make_plane()).header
    header.update(changed)
    return str(header.tostring()).encode().ljust(2880) + bytes(2880)


TABLE = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=np.arange(3.0))])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is an empty file"),
        (b"these are words, not an image", "is not a FITS file: it does not start as FITS does"),
        (write(fits.PrimaryHDU(), TABLE), "holds no image"),
        (write(fits.PrimaryHDU()), "holds no image"),
        (encode(np.arange(9.0)), "holds no image"),
        (encode(np.zeros((2, 3, 4, 4))), "has 4 axes; an image has two, and a cube of bands three"),
        (encode(np.zeros((8, 8))), "is blank: every pixel has the same value"),
        (encode(np.full((1, 1), 5.0)), "is blank: every pixel has the same value"),
        (encode(np.full((8, 8), np.nan)), "has more than 1% undefined pixels in the band r: 100.0%"),
        (encode(make_plane())[:2900], "is cut short: its header announces 256 bytes of data, and 20 are there"),
        (declare(BITPIX=8, NAXIS1=5000, NAXIS2=5000) + bytes(25_000_000),
         "is too large: more than 4096 × 4096 pixels a band"),
        (declare(NAXIS1=4000, NAXIS2=4000),
         "is cut short: its header announces 64000000 bytes of data, and 2880 are there"),
        (encode(np.zeros((65, 2, 2))), "has 65 planes, which are too many for bands"),
        (gzip.compress(encode(make_plane()), mtime=0)[:90], "is cut short: it does not unpack whole"),
        (b"\x1f\x8b" + bytes(50), "is damaged: it does not unpack"),
        (encode(make_plane()).replace(b"BITPIX  =                  -32", b"BITPIX  =                  -33"),
         "is damaged: its header states no valid BITPIX"),
        (declare(BSCALE="wide"), "is damaged: it does not decode"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_one_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(data)
    assert str(caught.value) == reason


def test_a_gzip_bomb_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"^is too large: more than 128 MB when unpacked$"):
        read(gzip.compress(encode(np.zeros((1, 1))) + bytes(130_000_000), compresslevel=1))
    bomb = fits.CompImageHDU(np.arange(64, dtype=np.int16).reshape(8, 8), compression_type="GZIP_1")
    data = write(fits.PrimaryHDU(), bomb)
    tile = gzip.compress(bytes(1_000_000))
    with fits.open(io.BytesIO(data), disable_image_compression=True) as units:
        column = fits.Column("COMPRESSED_DATA", "1PB()", array=np.array([np.frombuffer(tile, np.uint8)] * 8, object))
        table = fits.BinTableHDU.from_columns([column], header=units[1].header)
        with pytest.raises(ImageError, match=r"^is too large: more than .* MB when unpacked$"):
            read(write(fits.PrimaryHDU(), table))


@given(st.integers(0, 3), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_few_undefined_pixels_are_filled_from_their_neighbours(num: int, seed: int) -> None:
    plane = np.full((20, 20), 5.0, dtype=np.float32)
    plane[0, 0], plane[19, 19] = 4.0, 6.0
    rows, columns = np.random.default_rng(seed).integers(1, 19, (2, num))
    holed = plane.copy()
    holed[rows, columns] = [np.nan, np.inf, -np.inf][:num]
    cutout = read(encode(holed), side=20)
    assert cutout.num_filled == len(set(zip(rows.tolist(), columns.tolist(), strict=True)))
    assert np.abs(cutout.pixels[::-1, :, 0] - plane).max() <= 0.2


def test_more_undefined_pixels_than_one_in_a_hundred_are_refused_but_only_in_the_part_that_is_used() -> None:
    plane = make_plane(20, 30)
    plane[:, :5] = np.nan
    assert read(encode(plane), side=20).num_filled == 0
    plane[3:8, 10] = np.nan
    with pytest.raises(ImageError, match=r"^has more than 1% undefined pixels in the band r: 1.2%$"):
        read(encode(plane), side=20)


def test_one_band_without_data_is_refused_though_the_others_have_some() -> None:
    files = [encode(make_plane()), encode(np.zeros((8, 8)))]
    with pytest.raises(ImageError, match=r"^is blank: every pixel has the same value in the band r$"):
        read(*files, bands=("g", "r"))


def test_values_beyond_32_bits_are_undefined_and_sums_beyond_them_refused() -> None:
    plane = make_plane(20, 20).astype(np.float64)
    plane[5, 5] = 1e300
    assert read(encode(plane), side=20).num_filled == 1


@pytest.mark.parametrize(("height", "width", "side"), [(24, 24, 8), (20, 20, 8), (9, 9, 16), (16, 21, 8), (8, 8, 1)])
def test_resampling_keeps_surface_brightness(height: int, width: int, side: int) -> None:
    plane = make_plane(height, width)
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    square = plane[::-1][top : top + size, left : left + size]
    resampled = read(encode(plane), side=side).pixels[..., 0]
    assert resampled.shape == (side, side)
    assert resampled.mean() == pytest.approx(square.mean(), rel=1e-5)
    if size % side == 0:
        blocks = square.reshape(side, size // side, side, size // side).mean(axis=(1, 3))
        np.testing.assert_allclose(resampled, blocks, rtol=1e-4, atol=1e-5)


@given(st.floats(1, 12), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_window_within_pixels_is_the_mean_over_its_area(size: float, side: int, seed: int) -> None:
    plane = make_plane(12, 12, seed)
    start = (12 - size) / 2
    resampled = resample_window(plane, side, top=start, left=start, size=size)
    fine = 200
    edges = start + size * (np.arange(side * fine) + 0.5) / (side * fine)
    at = np.floor(edges).astype(int)
    rows = np.stack([plane[at[k * fine : (k + 1) * fine]].mean(axis=0) for k in range(side)])
    expected = np.stack([rows[:, at[k * fine : (k + 1) * fine]].mean(axis=1) for k in range(side)], axis=1)
    np.testing.assert_allclose(resampled, expected, atol=0.15)


def make_star(side: int, scale_arcsec: float, centre: tuple[float, float] = (0, 0), width_arcsec: float = 2.0) -> Any:
    """Surface brightness of a round star, at (x, y) arcsec from the middle."""
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) * scale_arcsec
    star = np.exp(-0.5 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / width_arcsec**2)
    return (star + 0.01).astype(np.float32)


@pytest.mark.parametrize("scale_arcsec", [0.2, 0.396, 0.7])
def test_a_field_in_arcsec_shows_the_same_at_any_pixel_scale(scale_arcsec: float) -> None:
    side = int(20 / scale_arcsec)
    data = encode(make_star(side, scale_arcsec), make_wcs(side, scale_arcsec))
    cutout = read(data, side=16, field_arcsec=12.0)
    assert cutout.pixel_scale_arcsec == pytest.approx(scale_arcsec, rel=1e-6)
    assert np.abs(cutout.pixels[..., 0] - make_star(16, 0.75)).max() < 0.03


def test_a_field_that_an_image_or_its_header_does_not_have_is_refused() -> None:
    plane = make_star(20, PIXEL_SCALE_ARCSEC)
    reason = r"^shows less than the 8 arcsec of \[cutouts\] field_arcsec: 7.92 × 7.92$"
    with pytest.raises(ImageError, match=reason):
        read(encode(plane, make_wcs(20)), field_arcsec=8.0)
    assert read(encode(plane, make_wcs(20)), field_arcsec=7.92).pixels.shape == (8, 8, 1)
    with pytest.raises(ImageError, match=r"^has no pixel scale in its header \(no WCS\)"):
        read(encode(plane), field_arcsec=7.0)
    oblong = make_wcs(20)
    oblong.wcs.cdelt = [-0.4 / 3600, 0.2 / 3600]
    with pytest.raises(ImageError, match=r"^has pixels that are not square: 0.4 × 0.2 arcsec$"):
        read(encode(plane, oblong), field_arcsec=3.0)


def test_the_pixel_scale_is_that_of_the_header_and_nan_without_one() -> None:
    assert read(encode(make_plane(), make_wcs(8, 0.262))).pixel_scale_arcsec == pytest.approx(0.262)
    assert math.isnan(read(encode(make_plane())).pixel_scale_arcsec)
    assert math.isnan(read(encode(make_plane(), CTYPE1="RA---TAN", CDELT1="x")).pixel_scale_arcsec)


def test_north_is_up() -> None:
    # A source north of the middle of an image with north up: FITS has it in a high row, a picture in a low one.
    north = make_star(16, 1.0, centre=(0, 4))
    row, column = np.unravel_index(read(encode(north, make_wcs(16, 1.0)), side=16).pixels[..., 0].argmax(), (16, 16))
    assert row < 8
    assert 7 <= column <= 8


@pytest.mark.parametrize(("scale_arcsec", "offset_px"), [(0.396, (2.0, -1.0)), (0.5, (0.0, 0.0)), (0.3, (1.4, 2.6))])
def test_bands_of_other_pixels_are_brought_to_the_first(scale_arcsec: float, offset_px: tuple[float, float]) -> None:
    first = make_star(40, PIXEL_SCALE_ARCSEC, centre=(1, 2))
    side = int(24 / scale_arcsec)
    # The galaxy lies off the middle of the second image, which its header tells.
    centre = (1 + offset_px[0] * scale_arcsec, 2 + offset_px[1] * scale_arcsec)
    second = make_star(side, scale_arcsec, centre)
    files = encode(first, make_wcs(40)), encode(second, make_wcs(side, scale_arcsec, offset_px))
    cutout = read(*files, side=40, bands=("g", "r"))
    np.testing.assert_allclose(cutout.pixels[..., 1], cutout.pixels[..., 0], atol=0.02)
    assert cutout.shape == (40, 40)
    assert cutout.pixel_scale_arcsec == pytest.approx(PIXEL_SCALE_ARCSEC)


def test_bands_that_cannot_be_brought_together_are_refused() -> None:
    with pytest.raises(
        ImageError, match=r"^has bands of different sizes, and no WCS to bring them together: 8 × 8 and 9 × 9 pixels$"
    ):
        read(encode(make_plane()), encode(make_plane(9, 9)), bands=("g", "r"))
    elsewhere = make_wcs(8)
    elsewhere.wcs.crval = [151.0, 2.0]
    with pytest.raises(ImageError, match=r"^has bands of different parts of the sky$"):
        read(encode(make_plane(), make_wcs(8)), encode(make_plane(), elsewhere), bands=("g", "r"))


FLUXES = arrays.arrays(np.float32, (5, 4, 3), elements=st.floats(-3, 300, width=32))


@given(FLUXES, st.floats(0.5, 20), st.floats(0.01, 10), st.floats(-1, 1))
@settings(max_examples=60, deadline=None)
def test_the_stretch_is_astropy_s_to_the_level(
    fluxes: npt.NDArray[np.float32], q: float, stretch: float, minimum: float
) -> None:
    ours = stretch_lupton(fluxes, LuptonSettings(q=q, stretch=stretch, minimum=(minimum,), scale=(1.0, 1.5, 2.5)))
    scaled = fluxes.astype(np.float64) * [1.0, 1.5, 2.5]
    with np.errstate(invalid="ignore"):  # astropy divides by an intensity of zero before it leaves it out
        theirs = make_lupton_rgb(*np.moveaxis(scaled, 2, 0), minimum=minimum, stretch=stretch, Q=q)
    np.testing.assert_array_equal(ours, theirs)


def test_the_stretch_comes_after_the_resampling() -> None:
    cube = np.abs(np.stack([make_plane(16, 16, seed) for seed in range(3)]))
    lupton = LuptonSettings(q=8.0, stretch=2.0, minimum=(0.1, 0.2, 0.3), scale=(2.0,))
    cutout = read(encode(cube, BANDS="irg"), bands=("i", "r", "g"), stretch="lupton", lupton=lupton)
    assert cutout.pixels.dtype == np.uint8
    means = cube.astype(np.float64).reshape(3, 8, 2, 8, 2).mean(axis=(2, 4))[:, ::-1] * 2
    expected = make_lupton_rgb(*means, minimum=[0.1, 0.2, 0.3], stretch=2.0, Q=8.0)
    assert np.abs(cutout.pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("sign", [-1, 1e6])
def test_fluxes_that_a_stretch_makes_black_or_white_are_refused(sign: float) -> None:
    cube = sign * (np.abs(np.stack([make_plane(seed=0)] * 3)) + 1)
    lupton = LuptonSettings(scale=(1.0,))
    with pytest.raises(ImageError, match=r"^is black or white all over after the stretch; check \[cutouts.lupton\]$"):
        read(encode(cube, BANDS="irg"), bands=("i", "r", "g"), stretch="lupton", lupton=lupton)


def test_the_default_stretch_is_near_that_of_sdss_pictures() -> None:
    # The curve of the Legacy Surveys' viewer for SDSS, arcsinh(20 I) / sqrt(20), for grey light.
    levels = np.linspace(0.01, 2.0, 50)
    fluxes = np.stack([levels / scale for scale in (1.0, 1.5, 2.5)], axis=-1)[np.newaxis]
    ours = stretch_lupton(fluxes, LuptonSettings())[0, :, 0] / 255
    assert np.abs(ours - np.arcsinh(20 * levels) / np.sqrt(20)).max() < 0.01


def test_the_largest_file_that_is_read_takes_a_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(fits_planes, "MAX_FITS_BYTES", 4_000_000)
    data = encode(np.random.default_rng(0).normal(size=(7, 256, 256)), BANDS="abcdefg")
    tracemalloc.start()
    try:
        read(data, side=64, bands=("a", "b", "c", "d"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Far less than the seven planes in floats of two sizes beside the file: they are read one at a time.
    assert peak < 2.5 * 256 * 256 * 8 + 500_000
