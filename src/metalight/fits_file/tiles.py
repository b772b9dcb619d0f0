"""The tiles of a compressed FITS image, checked before astropy decompresses them: FITS standard 4.0, section 10.1."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from metalight.fits_file.headers import FitsError
from metalight.fits_file.opening import open_fits, unpack_gzip

_MOST_RICE_BYTES = 100_000
"""astropy's decoder may read past the end of a damaged tile. Of smaller ones it then finds other memory of the process;
of larger ones, which are mapped, nothing: the process crashes. A tile is one row of an image, unless stated."""

_READABLE = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
_LARGEST_VALUE_BYTES = 8
_ITEM_BYTES = {"B": 1, "I": 2, "J": 4}


def check_tiles(data: bytes, index: int) -> None:
    """Refuse a compressed image whose tiles would crash astropy, or unpack to more than the image.

    Args:
        data: The whole FITS file.
        index: Of the image among the HDUs. How large it may be is up to the caller, by its `shape`.

    Raises:
        FitsError: A tile is damaged or too large, or its algorithm cannot be used safely.
    """
    table = open_fits(data, unpack_images=False)[index]
    algorithm = table.header.get("ZCMPTYPE")
    if algorithm not in _READABLE:
        # The decoders of HCOMPRESS and PLIO write and read outside their memory where a file is damaged.
        raise FitsError(f"is compressed by {algorithm}, which cannot be read safely; compress it by RICE_1 or GZIP_1")
    most_bytes = _LARGEST_VALUE_BYTES * _count_tile_pixels(table.header)
    for name in {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA"} & set(table.columns.names):
        is_gzip = name != "COMPRESSED_DATA" or algorithm.startswith("GZIP")
        for tile in _list_tiles(data, table, name):
            if is_gzip:
                unpack_gzip(tile, most_bytes)
            elif algorithm.startswith("RICE") and len(tile) > _MOST_RICE_BYTES:
                raise FitsError(
                    f"has a tile of {len(tile)} bytes compressed by RICE, which cannot be read safely above "
                    f"{_MOST_RICE_BYTES}; compress it row by row"
                )


def _count_tile_pixels(header: Any) -> int:
    """Pixels of the largest tile."""
    lengths = [header[f"ZNAXIS{axis + 1}"] for axis in range(header["ZNAXIS"])]
    tile = [header.get(f"ZTILE{axis + 1}", 1 if axis else length) for axis, length in enumerate(lengths)]
    return math.prod(map(min, lengths, tile))


def _list_tiles(data: bytes, table: Any, name: str) -> Iterator[bytes]:
    """The bytes of each tile as they are stored, without what the columns' own keywords would make of them."""
    letter = str(table.columns[name].format).lstrip("1PQ")[:1]
    if letter not in _ITEM_BYTES:
        raise FitsError("is damaged: its tiles are not bytes")
    start, header = table.fileinfo()["datLoc"], table.header
    heap = start + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
    end = start + header["NAXIS1"] * header["NAXIS2"] + header["PCOUNT"]
    rows = np.frombuffer(data, table.columns.dtype.newbyteorder(">"), header["NAXIS2"], offset=start)
    for count, offset in rows[name].tolist():
        num_bytes = count * _ITEM_BYTES[letter]
        if min(count, offset) < 0 or heap + offset + num_bytes > end:
            raise FitsError("is damaged: a tile lies outside the file")
        yield data[heap + offset : heap + offset + num_bytes]
