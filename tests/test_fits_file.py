"""Promises of the one place that opens FITS: any bytes end soon, in little memory, in an error of one sentence."""

import ast
import gzip
import io
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import metalight
from bounded import Feed, count_outcomes
from make_fits import PIXEL_SCALE_ARCSEC, make_wcs
from metalight.catalog.galspec.binary_table import open_binary_table
from metalight.cutouts.fits_checks import judge_fits
from metalight.errors import MetalightError
from metalight.fits_file import FitsError, check_tiles, open_fits
from metalight.images.fits_cutouts import read_fits_cutout
from metalight.recipe import CutoutsSettings
from metalight.store import AskedCutout
from metalight.tables import load_table
from metalight.web import Answer


def write(*units: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList([*units]).writeto(buffer)
    return buffer.getvalue()


IMAGE = np.random.default_rng(0).normal(5, 1, (32, 32)).astype(np.float32)
PICTURE = write(fits.PrimaryHDU(IMAGE))
TABLE = write(
    fits.PrimaryHDU(),
    fits.BinTableHDU.from_columns(
        [
            fits.Column("object_id", "K", array=np.arange(4)),
            fits.Column("v", "PE()", array=np.array([np.ones(3, np.float32)] * 4, object)),
        ]
    ),
)
TILES = write(fits.PrimaryHDU(), fits.CompImageHDU(np.arange(1024, dtype=np.int32).reshape(32, 32)))


def change(data: bytes, keyword: str, value: object) -> bytes:
    """Another value in the first card of a keyword, or a card more, in front of the last END."""
    card = f"{keyword:8}= {value!s:>20}".ljust(80).encode()
    found = re.search(keyword.ljust(8).encode() + rb"= .{70}", data)
    if found:
        return data[: found.start()] + card + data[found.end() :]
    end = data.rindex(b"END" + b" " * 77)
    return data[:end] + card + data[end : end + 80] + data[end + 160 :]


def twice(data: bytes, keyword: str, value: object) -> bytes:
    """A card once more, with another value."""
    end = data.rindex(b"END" + b" " * 77)
    card = f"{keyword:8}= {value!s:>20}".ljust(80).encode()
    return data[:end] + card + data[end : end + 80] + data[end + 160 :]


def many_headers(num_units: int) -> bytes:
    header: bytes = fits.ImageHDU().header.tostring().encode()
    return write(fits.PrimaryHDU()) + header * num_units


def cards(num: int, *, with_end: bool) -> bytes:
    data: bytes = fits.PrimaryHDU().header.tostring().encode().split(b"END" + b" " * 77)[0]
    data += b"".join(f"HISTORY {place}".ljust(80).encode() for place in range(num))
    data += b"END".ljust(80) if with_end else b""
    return data + b" " * (-len(data) % 2880)


def list_hostile() -> Iterator[bytes]:
    """Files of which each once made astropy hang, take much memory, crash, or believe what is not there."""
    for size in (-64, -1, 10**12, 2**63, 10**18, "T", "'5'", 1e300, 3.5):
        for keyword in ("NAXIS1", "NAXIS2"):
            yield change(PICTURE, keyword, size)
        yield change(TABLE, "PCOUNT", size)
        yield change(TABLE, "GCOUNT", size)
    for keyword in ("NAXIS1", "NAXIS2"):
        yield twice(PICTURE, keyword, -64)
        yield twice(PICTURE, keyword, 4)
        yield twice(PICTURE, keyword.lower(), 10**12)
    for count in (-1, 10**9, 1000):
        yield change(PICTURE, "NAXIS", count)
        yield change(TABLE, "TFIELDS", count)
    for bits in (0, -33, 10**9, 7):
        yield change(PICTURE, "BITPIX", bits)
    for form in ("'9999999999A'", "'0A'", "'99999999999X'", "'nonsense'", "'-5K'", "5"):
        yield change(TABLE, "TFORM1", form)
    yield change(change(change(TABLE, "NAXIS1", 0), "TFORM1", "'0A'"), "NAXIS2", 10**12)
    yield change(TABLE, "THEAP", -(10**9))
    yield change(TABLE, "THEAP", 10**9)
    for keyword, value in (("ZNAXIS1", 10**9), ("ZNAXIS1", -32), ("ZTILE1", 0), ("ZTILE1", -1), ("ZTILE2", 10**9),
                           ("ZBITPIX", 5), ("ZVAL1", 0), ("ZVAL1", -1), ("ZVAL2", 16), ("ZVAL2", 3),
                           ("ZNAXIS", 1000)):  # fmt: skip
        yield change(TILES, keyword, value)
    yield many_headers(5000)
    yield cards(300_000, with_end=False)
    yield cards(300_000, with_end=True)
    yield change(PICTURE, "GROUPS", "T")
    yield PICTURE[:2880]
    yield PICTURE[:-2880]
    yield b""
    yield b"SIMPLE  =                    T"
    yield b"SIMPLE  =" + bytes(100_000)


def explain_refusal(reader: Callable[[], Any]) -> str:
    try:
        reader()
    except (FitsError, MetalightError) as error:
        return str(error)
    return ""


def read_in_every_way(data: bytes, folder: Path) -> int:
    """How many of the readers of FITS refuse a file, each by an error of one line or a verdict."""
    path = folder / "a.fits"
    path.write_bytes(data)
    asked = AskedCutout(object_id=1, source="s", ra_deg=150.0, dec_deg=2.0, pixel_scale_arcsec=1.0, width=32, height=32)
    readers: list[Callable[[], Any]] = [
        lambda: open_fits(data),
        lambda: load_table(path),
        lambda: open_binary_table(path).__enter__(),
        lambda: read_fits_cutout([data], 32, CutoutsSettings(bands=("r",))),
    ]
    answer = Answer(url="", status=200, content_type="application/fits", reason="", body=data)
    num_refused = 0
    for reader in readers:
        reason = explain_refusal(reader)
        assert reason.isprintable(), reason
        assert len(reason) < 400, reason
        num_refused += bool(reason)
    verdict = judge_fits(answer, asked, bands="", num_planes=1)
    return num_refused + (verdict.kind != "good")


def prepare(folder: str) -> Feed:
    hostile = list(list_hostile())
    read_in_every_way(PICTURE, Path(folder))
    read_in_every_way(TILES, Path(folder))

    def feed(seed: int) -> str:
        return "refused" if read_in_every_way(hostile[seed], Path(folder)) == 5 else f"{seed} was read"

    return feed


def test_sizes_that_cannot_be_are_refused_by_every_reader_of_fits(tmp_path: Path) -> None:
    num = len(list(list_hostile()))
    assert count_outcomes(prepare, str(tmp_path), seeds=range(num)) == {"refused": num}


def pack_tile(tile: bytes, **how: Any) -> bytes:
    """A compressed image of one row a tile, of which every tile is these bytes, and columns that astropy rescales."""
    data = write(fits.PrimaryHDU(), fits.CompImageHDU(np.arange(64, dtype=np.int16).reshape(8, 8), **how))
    with fits.open(io.BytesIO(data), disable_image_compression=True) as units:
        column = fits.Column("COMPRESSED_DATA", "1PB()", array=np.array([np.frombuffer(tile, np.uint8)] * 8, object))
        table = fits.BinTableHDU.from_columns([column], header=units[1].header)
        table.header["TZERO1"] = 1  # a reader that applies it sees other bytes than the decoder
        return write(fits.PrimaryHDU(), table)


def test_tiles_that_would_crash_the_decoder_or_fill_the_memory_are_refused() -> None:
    for data, reason in (
        (pack_tile(gzip.compress(bytes(1_000_000)), compression_type="GZIP_1"), "too large"),
        (pack_tile(struct.pack(">IB", 1, 8) + bytes(1_000_000), compression_type="RICE_1"), "RICE"),
        (pack_tile(b"\xdd\x99" + bytes(100), compression_type="PLIO_1"), "PLIO_1"),
        (write(fits.PrimaryHDU(), fits.CompImageHDU(IMAGE, compression_type="HCOMPRESS_1")), "HCOMPRESS_1"),
    ):
        with pytest.raises(FitsError, match=reason):
            check_tiles(data, 1)
    check_tiles(TILES, 1)


def test_a_tile_outside_the_file_is_refused() -> None:
    unit = open_fits(TILES, unpack_images=False)[1]
    start = unit.fileinfo()["datLoc"]
    for place, value in ((0, 10**9), (0, -5), (4, 2**31 - 1), (4, -8)):
        data = TILES[: start + place] + struct.pack(">i", value) + TILES[start + place + 4 :]
        with pytest.raises(FitsError, match="outside"):
            check_tiles(data, 1)


@pytest.mark.parametrize("rest", [b"", bytes(2880), b"\n", b"other words" * 1000, PICTURE])
def test_what_follows_the_last_hdu_is_ignored(rest: bytes) -> None:
    units = open_fits(PICTURE + rest)
    assert len(units) == 1
    assert np.array_equal(units[0].data, IMAGE)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_the_last_block_may_lack_its_padding() -> None:
    data = PICTURE[: 2880 + IMAGE.nbytes]
    assert np.array_equal(open_fits(data)[0].data, IMAGE)


def test_files_and_bytes_are_opened_alike(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(TABLE)
    with (tmp_path / "a.fits").open("rb", buffering=0) as file:
        assert [unit.header for unit in open_fits(file)] == [unit.header for unit in open_fits(TABLE)]


def test_only_one_place_opens_fits() -> None:
    home = Path(metalight.__file__).parent
    opens = re.compile(
        r"(.*\.)?(fits\.(open|get(data|header|val))|HDUList\.from\w+|fitsopen|Table\.read|CCDData\.read)"
    )
    found = {
        path.parent.name
        for path in home.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and opens.fullmatch(ast.unparse(node.func))
    }
    assert found == {"fits_file"}


def test_distortions_of_any_order_play_no_part_in_where_an_image_lies() -> None:
    wcs = make_wcs(32)
    header = wcs.to_header()
    header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 100_000, "B_ORDER": 100_000})
    data = write(fits.PrimaryHDU(IMAGE, header))
    asked = AskedCutout(1, "s", ra_deg=150.0, dec_deg=2.0, pixel_scale_arcsec=PIXEL_SCALE_ARCSEC, width=32, height=32)
    answer = Answer(url="", status=200, content_type="application/fits", reason="", body=data)
    assert judge_fits(answer, asked, bands="", num_planes=1).kind == "good"
    settings = CutoutsSettings(bands=("r",), field_arcsec=8.0)
    assert read_fits_cutout([data], 16, settings).pixel_scale_arcsec == pytest.approx(PIXEL_SCALE_ARCSEC)
