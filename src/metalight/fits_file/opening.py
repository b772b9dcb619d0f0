"""FITS files opened: HDU after HDU, each only after its header has been checked."""

import io
import zlib
from typing import Any, BinaryIO

from metalight.errors import quote_flaw
from metalight.fits_file.headers import FitsError, list_layout, measure_data

MOST_UNITS = 1000
"""HDUs of a file. Mosaics of many detectors have some hundreds."""

MOST_HEADER_BYTES = 16_000_000
"""Of all headers of a file together: 200,000 cards, which astropy parses in seconds."""

_BLOCK = 2880
_CARD = 80
_START, _START_OF_OTHERS = b"SIMPLE  =", b"XTENSION="


def open_fits(source: bytes | BinaryIO, *, scale_images: bool = True, unpack_images: bool = True) -> list[Any]:
    """The HDUs of a FITS file, in order; time and memory are bounded by the file's size.

    Values are read when they are asked for, so an open file must stay open. What follows the last HDU is ignored.
    Values of compressed images must not be read before `check_tiles`. Of harmless flaws astropy warns.

    Args:
        source: A whole file, or one open for reading that can seek. It must not be packed: see `unpack_gzip`.
        scale_images: Whether BSCALE, BZERO and BLANK are applied to images.
        unpack_images: Whether a compressed image is an image, or the table that holds its tiles.

    Raises:
        FitsError: It is not FITS, is cut short, or its headers state sizes that cannot be.
        OSError: It cannot be read.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    places = _find_units(file)
    file.seek(0)
    how = {"do_not_scale_image_data": not scale_images, "disable_image_compression": not unpack_images}
    return _open_units(file, places, how)


def unpack_gzip(data: bytes, most_bytes: int) -> bytes:
    """The content of gzip, which may be several parts one after the other; no more than allowed is ever unpacked.

    Raises:
        FitsError: It is damaged, cut short or larger.
    """
    parts: list[bytes] = []
    room = most_bytes
    try:
        while data.startswith(b"\x1f\x8b"):
            unpacker = zlib.decompressobj(wbits=31)
            parts.append(unpacker.decompress(data, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise FitsError(f"is too large: more than {most_bytes / 1e6:.3g} MB when unpacked")
            if not unpacker.eof:
                raise FitsError("is cut short: it does not unpack whole")
            data = unpacker.unused_data
    except zlib.error as error:
        raise FitsError("is damaged: it does not unpack") from error
    return b"".join(parts)


def _find_units(file: BinaryIO) -> list[dict[str, int]]:
    """Where the HDUs are: the places of their headers and of their data, and the bytes of data with padding."""
    size = file.seek(0, io.SEEK_END)
    places: list[dict[str, int]] = []
    start = header_bytes = 0
    while start < size:
        file.seek(start)
        header = _read_header(file, is_first=start == 0, most_bytes=MOST_HEADER_BYTES - header_bytes)
        if not header:
            break
        if len(places) == MOST_UNITS:
            raise FitsError(f"has more than {MOST_UNITS} HDUs")
        header_bytes += len(header)
        data_start = start + len(header)
        num_bytes = _measure(header, size - data_start)
        num_bytes += -num_bytes % _BLOCK
        places.append({"hdrLoc": start, "datLoc": data_start, "datSpan": num_bytes})
        start = data_start + num_bytes
    if not places:
        raise FitsError("is an empty file")
    return places


def _read_header(file: BinaryIO, *, is_first: bool, most_bytes: int) -> bytes:
    """The bytes of a header, whole blocks; none where what follows the last HDU is not another one."""
    blocks: list[bytes] = []
    while True:
        block = file.read(_BLOCK)
        if not blocks and not block.startswith(_START if is_first else _START_OF_OTHERS):
            if is_first:
                raise FitsError("is not a FITS file: it does not start as FITS does")
            return b""
        blocks.append(block)
        if len(block) < _BLOCK:
            raise FitsError("is cut short: a header in it has no end")
        if any(block[place : place + _CARD].rstrip(b" \0") == b"END" for place in range(0, _BLOCK, _CARD)):
            return b"".join(blocks)
        if len(blocks) * _BLOCK > most_bytes:
            raise FitsError(f"has more than {MOST_HEADER_BYTES // 1_000_000} MB of headers")


def _measure(header: bytes, room: int) -> int:
    from astropy.io import fits

    try:
        values = list_layout(fits.Header.fromstring(header))
    except FitsError:
        raise
    except Exception as error:  # astropy has no common error for broken headers: VerifyError, ValueError and more
        raise FitsError(f"is damaged: {quote_flaw(error)}") from error
    return measure_data(values, room)


def _open_units(file: BinaryIO, places: list[dict[str, int]], how: dict[str, bool]) -> list[Any]:
    from astropy.io import fits

    opened = []
    try:
        units = fits.open(file, memmap=False, lazy_load_hdus=True, **how)
        for index, place in enumerate(places):
            unit = units[index]
            where = unit.fileinfo()
            # Each is compared before astropy goes to the next: it must have understood the header in the same way.
            if any(where[name] != value for name, value in place.items()):
                raise FitsError("is damaged: its headers contradict themselves")
            opened.append(unit)
    except (FitsError, MemoryError, OSError):
        raise
    except Exception as error:  # as above
        raise FitsError(f"is damaged: {quote_flaw(error)}") from error
    return opened
