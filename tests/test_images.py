"""Promises of decoding: what an image becomes, and which images are refused with which reason."""

import io
import math
import struct
import threading
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from metalight.cutouts.checks import find_picture_flaw, is_one_colour
from metalight.errors import ImageError
from metalight.images import crop_square, decode_image, find_flaw, is_grey, resize_area
from metalight.images import decode as decode_module

REAL_SAMPLE = Path(__file__).parents[2] / "shared/real-sample/images"


def make_pixels(height: int, width: int, *channels: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def mean_by_overlap(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float64]:
    """The mean of each pixel's area the plain way: repeat to a size that both sides divide, then take block means."""
    height = len(pixels)
    common = math.lcm(height, side)
    large = pixels.astype(float).repeat(common // height, axis=0).repeat(common // height, axis=1)
    block = common // side
    means: npt.NDArray[np.float64] = large.reshape(side, block, side, block, 3).mean(axis=(1, 3))
    return means


def test_a_colour_png_is_decoded_exactly() -> None:
    pixels = make_pixels(5, 9, 3)
    decoded = decode_image(encode(Image.fromarray(pixels)))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_a_jpeg_keeps_the_order_of_channels() -> None:
    pixels = np.broadcast_to(np.array([200, 100, 20], dtype=np.uint8), (16, 16, 3))
    decoded = decode_image(encode(Image.fromarray(pixels), "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_becomes_three_equal_channels(kind: str) -> None:
    decoded = decode_image(encode(Image.fromarray(make_pixels(6, 6)), kind))
    assert decoded.shape == (6, 6, 3)
    assert is_grey(decoded)
    if kind == "PNG":
        np.testing.assert_array_equal(decoded[..., 1], make_pixels(6, 6))


@pytest.mark.parametrize("channels", [1, 3])
def test_pngs_of_16_bits_are_refused(channels: int) -> None:
    # Pillow writes 16 bits in grey only; the colour image is grey's bytes with another head.
    data = encode(Image.fromarray(np.full((4, 4 * channels), 4660, dtype=np.uint16)))
    if channels == 3:
        head = b"IHDR" + struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
        data = data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    with pytest.raises(ImageError, match=r"^has more than 8 bits a channel; save it with 8"):
        decode_image(data)


def test_an_animation_is_refused() -> None:
    pictures = [Image.fromarray(make_pixels(4, 4, 3, seed=seed)) for seed in range(3)]
    with pytest.raises(ImageError, match="several pictures"):
        decode_image(encode(pictures[0], save_all=True, append_images=pictures[1:]))


def test_a_jpeg_of_several_pictures_is_refused() -> None:
    pictures = [Image.fromarray(make_pixels(8, 8, 3, seed=seed)) for seed in range(2)]
    with pytest.raises(ImageError, match="several pictures"):
        decode_image(encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:]))


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 100),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.booleans(),
    st.sampled_from(["RGB", "L"]),
    st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_jpegs_have_the_pixels_that_pillow_gives(
    height: int, width: int, quality: int, subsampling: str, progressive: bool, mode: str, seed: int
) -> None:
    image = Image.fromarray(make_pixels(height, width, 3, seed=seed)).convert(mode)
    data = encode(image, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    np.testing.assert_array_equal(decode_image(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_black_and_white_becomes_0_and_255() -> None:
    decoded = decode_image(encode(Image.fromarray(make_pixels(4, 4) > 100)))
    np.testing.assert_array_equal(decoded[..., 2], np.where(make_pixels(4, 4) > 100, 255, 0))


def test_transparency_is_dropped_and_the_colours_below_it_kept() -> None:
    pixels = make_pixels(6, 6, 4)
    pixels[:3, :, 3] = 0
    np.testing.assert_array_equal(decode_image(encode(Image.fromarray(pixels))), pixels[..., :3])
    grey = make_pixels(6, 6, 2)
    np.testing.assert_array_equal(decode_image(encode(Image.fromarray(grey, "LA")))[..., 0], grey[..., 0])


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(200))])
def test_palettes_are_looked_up(transparency: int | bytes | None) -> None:
    palette = make_pixels(256, 3)
    codes = make_pixels(8, 8)
    image = Image.fromarray(codes, "L")
    image.putpalette(palette.tobytes())
    options: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    np.testing.assert_array_equal(decode_image(encode(image, **options)), palette[codes])


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (1, 2, 3)), ("1", 0)])
def test_one_transparent_colour_changes_nothing(mode: str, colour: object) -> None:
    image = Image.fromarray(make_pixels(8, 8, 3)).convert(mode)
    expected = decode_image(encode(image))
    np.testing.assert_array_equal(decode_image(encode(image, transparency=colour)), expected)


def test_the_orientation_of_exif_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(make_pixels(8, 16, 3))
    np.testing.assert_array_equal(decode_image(encode(image, "JPEG", exif=exif)), decode_image(encode(image, "JPEG")))


@pytest.mark.parametrize(
    "data", [b"these are words, not an image", encode(Image.new("RGB", (4, 4)), "PPM"), b"\xff\xd8"]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="is not a picture that can be read"):
        decode_image(data)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("TIFF", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": True, "exact": True}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_lossless_pictures_of_every_kind_are_decoded_exactly(kind: str, options: dict[str, Any], mode: str) -> None:
    pixels = make_pixels(9, 7, 4)
    image = Image.fromarray(pixels).convert(mode) if mode != "RGBA" else Image.fromarray(pixels)
    expected = decode_image(encode(image))
    np.testing.assert_array_equal(decode_image(encode(image, kind, **options)), expected)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP"])
def test_palettes_of_every_kind_are_looked_up(kind: str) -> None:
    palette, codes = make_pixels(256, 3), make_pixels(8, 8)
    image = Image.fromarray(codes, "L")
    image.putpalette(palette.tobytes())
    np.testing.assert_array_equal(decode_image(encode(image, kind)), palette[codes])


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_pictures_in_a_file_of_any_kind_are_refused(kind: str) -> None:
    pictures = [Image.fromarray(make_pixels(8, 8, 3, seed=seed)) for seed in range(3)]
    with pytest.raises(ImageError, match="several pictures"):
        decode_image(encode(pictures[0], kind, save_all=True, append_images=pictures[1:]))


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        (Image.fromarray(np.zeros((4, 4), np.uint16)), {}, "more than 8 bits"),
        (Image.fromarray(np.zeros((4, 4), np.float32)), {}, "more than 8 bits"),
        (Image.new("RGB", (8, 8)), {"compression": "jpeg"}, "compressed TIFF"),
        (Image.new("RGB", (8, 8)), {"compression": "tiff_lzw"}, "compressed TIFF"),
        (Image.new("RGB", (8, 8)), {"tiffinfo": {274: 6}}, "rotated"),
        (Image.new("CMYK", (8, 8)), {}, "has the colours CMYK"),
        (Image.new("LAB", (8, 8)), {}, "has the colours LAB"),
    ],
)
def test_tiffs_whose_levels_would_be_guessed_are_refused(image: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode_image(encode(image, "TIFF", **options))


def add_scans(data: bytes, num_scans: int) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[start:end] * num_scans + data[end:]


def test_a_jpeg_of_hundreds_of_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(Image.fromarray(make_pixels(64, 64, 3)), "JPEG", progressive=True)
    decode_image(data)
    monkeypatch.setattr("PIL.Image.open", lambda *arguments, **options: pytest.fail("decoded"))
    monkeypatch.setattr("simplejpeg.decode_jpeg", lambda *arguments, **options: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="scans"):
        decode_image(add_scans(data, 500))
    assert "scans" in find_picture_flaw(add_scans(data, 500), width=64, height=64)
    assert not is_one_colour(add_scans(data, 500))


def add_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with another chunk behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_in_a_png_that_unpack_to_gigabytes_are_never_unpacked(kind: bytes) -> None:
    packed = zlib.compress(bytes(100_000_000), 9)
    content = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind] + packed
    data = add_chunk(encode(Image.fromarray(make_pixels(8, 8, 3))), kind, content)
    tracemalloc.start()
    with pytest.raises(ImageError, match="unpacks to many megabytes"):
        decode_image(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match=r"^is an empty file$"):
        decode_image(b"")


def test_colours_that_are_not_rgb_are_refused() -> None:
    with pytest.raises(ImageError, match="has the colours CMYK, not RGB or grey"):
        decode_image(encode(Image.new("CMYK", (8, 8)), "JPEG"))


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {})])
def test_a_file_cut_short_is_refused_or_was_whole_already(kind: str, options: dict[str, bool]) -> None:
    data = encode(Image.fromarray(make_pixels(24, 24, 3)), kind, **options)
    whole = decode_image(data)
    num_refused = 0
    for length in range(0, len(data), 7):
        try:
            decoded = decode_image(data[:length])
        except ImageError:
            num_refused += 1
        else:
            np.testing.assert_array_equal(decoded, whole)
    assert num_refused > 0.9 * len(data) / 7
    with pytest.raises(ImageError, match=r"^is cut short: it does not decode whole$"):
        decode_image(data[: int(0.9 * len(data))])


def test_a_png_with_damaged_bytes_is_refused() -> None:
    data = bytearray(encode(Image.fromarray(make_pixels(24, 24, 3))))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match=r"^is (damaged|cut short)"):
        decode_image(bytes(data))


@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"]))
@settings(max_examples=300, deadline=None)
def test_no_bytes_bring_out_any_other_error_or_a_warning(noise: bytes, place: int, kind: str) -> None:
    data = bytearray(encode(Image.fromarray(make_pixels(12, 12, 3)), kind))
    data[place : place + len(noise)] = noise
    try:
        decoded = decode_image(bytes(data))
    except ImageError:
        return
    assert decoded.dtype == np.uint8
    assert decoded.shape[2:] == (3,)


def test_huge_images_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_none(*arguments: object) -> None:
        raise AssertionError("decoded")

    for size in ((100_001, 1000), (100_000, 2000)):
        data = encode(Image.new("1", size))
        with monkeypatch.context() as patch:
            patch.setattr("PIL.ImageFile.ImageFile.load", decode_none)
            with pytest.raises(ImageError, match=r"^is too large: more than 100 million pixels$"):
                decode_image(data)


def test_threads_that_decode_leave_the_warning_filters_as_they_were() -> None:
    data = encode(Image.fromarray(make_pixels(4, 4, 3)))
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [decode_image(data) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    assert not decode_module._opening.locked()


@pytest.mark.skipif(not REAL_SAMPLE.is_dir(), reason="the sample of real images is not here")
def test_real_images_decode_as_pillow_does_and_have_no_flaw() -> None:
    for path in sorted(REAL_SAMPLE.glob("*.jpg"))[:20]:
        decoded = decode_image(path.read_bytes())
        np.testing.assert_array_equal(decoded, np.asarray(Image.open(path).convert("RGB")))
        assert find_flaw(decoded) == ""
        assert not is_grey(decoded)


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_resizing_gives_the_mean_of_the_area_of_each_pixel(old: int, new: int, seed: int) -> None:
    pixels = make_pixels(old, old, 3, seed=seed)
    assert np.abs(resize_area(pixels, new) - mean_by_overlap(pixels, new)).max() <= 0.501


@pytest.mark.parametrize(("old", "side"), [(256, 128), (300, 128), (424, 128), (120, 128)])
def test_usual_sizes_are_resampled_by_area_too(old: int, side: int) -> None:
    pixels = make_pixels(old, old, 3)
    # The plain way would need gigabytes here; that the total light is kept is cheap to see.
    resized = resize_area(pixels, side)
    assert resized.shape == (side, side, 3)
    # Means of four levels are quarters, and halves are rounded up: up to 1/8 of a level brighter.
    assert abs(resized.mean() - pixels.mean()) < 0.14


def test_shrinking_by_a_whole_factor_gives_the_block_means() -> None:
    pixels = make_pixels(32, 32, 3)
    means = pixels.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize_area(pixels, 8) - means).max() <= 0.5


def test_white_stays_white_at_every_size() -> None:
    for old in (127, 128, 300, 301):
        assert resize_area(np.full((old, old, 3), 255, dtype=np.uint8), 128).min() == 255


def test_enlarging_by_a_whole_factor_repeats_pixels() -> None:
    pixels = make_pixels(4, 4, 3)
    np.testing.assert_array_equal(resize_area(pixels, 12), pixels.repeat(3, axis=0).repeat(3, axis=1))


def test_an_image_of_the_right_size_is_unchanged() -> None:
    pixels = make_pixels(16, 16, 3)
    np.testing.assert_array_equal(resize_area(pixels, 16), pixels)


@pytest.mark.parametrize(("height", "width"), [(6, 11), (11, 6), (6, 10), (6, 6)])
def test_images_that_are_not_square_keep_their_central_square(height: int, width: int) -> None:
    pixels = make_pixels(height, width, 3)
    top, left = (height - 6) // 2, (width - 6) // 2
    np.testing.assert_array_equal(crop_square(pixels), pixels[top : top + 6, left : left + 6])
    np.testing.assert_array_equal(resize_area(pixels, 6), crop_square(pixels))
    np.testing.assert_array_equal(resize_area(pixels, 3), resize_area(crop_square(pixels), 3))


def test_a_side_below_one_pixel_is_wrong() -> None:
    with pytest.raises(ValueError, match="side must be at least 1"):
        resize_area(make_pixels(4, 4, 3), 0)


def flat(*levels: int) -> npt.NDArray[np.uint8]:
    return np.broadcast_to(np.array(levels, dtype=np.uint8), (40, 40, 3)).copy()


def brighten_one(by: int) -> npt.NDArray[np.uint8]:
    pixels = flat(9, 90, 200)
    pixels[17, 23, 1] += by
    return pixels


@pytest.mark.parametrize(
    ("make", "flaw"),
    [
        (lambda: flat(0, 0, 0), "is blank: every pixel has the same value"),
        (lambda: flat(255, 0, 30), "is blank: every pixel has the same value"),
        (lambda: make_pixels(1, 1, 3), "is blank: every pixel has the same value"),
        (lambda: brighten_one(2), "is blank: its pixels differ by less than 3 of 255 levels"),
        (lambda: brighten_one(3), ""),
        (lambda: make_pixels(40, 40, 3), ""),
    ],
)
def test_blank_images_have_a_flaw_and_others_none(make: Callable[[], npt.NDArray[np.uint8]], flaw: str) -> None:
    assert find_flaw(make()) == flaw
