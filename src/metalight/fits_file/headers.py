"""The sizes that a FITS header states, checked: FITS standard 4.0, sections 4.4, 7 and 10.1."""

import math
import re
from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]
"""Keywords that fix the layout of an HDU, and their values."""

MOST_AXES = MOST_COLUMNS = 999  # of the standard
_BIT_COUNTS = (8, 16, 32, 64, -32, -64)
_LAYOUT = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|TFIELDS|TFORM\d+|TBCOL\d+|THEAP"
    r"|ZIMAGE|ZCMPTYPE|ZBITPIX|ZNAXIS\d*|ZTILE\d+|ZNAME\d+|ZVAL\d+",
    re.IGNORECASE,
)
_BINARY_FORMAT = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")
_TEXT_FORMAT = re.compile(r"\s*[AIFED](\d+)")
_FORMAT_BYTES = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "P": 8, "M": 16, "Q": 16}


class FitsError(Exception):
    """Why a file cannot be used as FITS: a clause to be read after its name, such as "is cut short"."""


def list_layout(header: Any) -> Values:
    """The values of a header that fix the layout of its HDU.

    Raises:
        FitsError: It states one of them twice, with different values: astropy would use now one and now the other.
    """
    values: dict[str, Any] = {}
    for card in header.cards:
        name = card.keyword.upper()
        if _LAYOUT.fullmatch(name) and values.setdefault(name, card.value) != card.value:
            raise FitsError(f"is damaged: its header states {name} twice")
    return values


def measure_data(values: Values, room: int) -> int:
    """Bytes of data that follow a header, without the padding to whole blocks.

    Args:
        values: Of `list_layout`.
        room: Bytes of the file after the header.

    Raises:
        FitsError: A size is not possible, or there are fewer bytes.
    """
    if values.get("GROUPS") is True:
        raise FitsError("holds random groups, not images or tables")
    bits = values.get("BITPIX")
    if bits not in _BIT_COUNTS:
        raise FitsError("is damaged: its header states no valid BITPIX")
    axes = _list_axes(values, "NAXIS")
    if not axes:
        return 0
    pcount, gcount = _take_count(values, "PCOUNT", 0), _take_count(values, "GCOUNT", 1)
    num_bytes = abs(int(bits)) // 8 * gcount * (pcount + math.prod(axes))
    if num_bytes > room:
        raise FitsError(f"is cut short: its header announces {num_bytes} bytes of data, and {room} are there")
    kind = str(values.get("XTENSION", "")).rstrip()
    if kind in ("BINTABLE", "A3DTABLE", "TABLE"):
        _check_table(values, kind == "TABLE", room)
    if values.get("ZIMAGE") and kind != "TABLE":
        _check_compressed_image(values)
    return num_bytes


def _check_table(values: Values, is_text: bool, room: int) -> None:
    """Refuse columns that do not fill their rows: astropy takes their sizes from TFORMn and not from NAXIS1."""
    if values.get("BITPIX") != 8 or values.get("NAXIS") != 2 or _take_count(values, "GCOUNT", 1) != 1:
        raise FitsError("is damaged: it has a table whose rows are not bytes")
    num_columns = _take_count(values, "TFIELDS", 0)
    if num_columns > MOST_COLUMNS:
        raise FitsError(f"is damaged: it has a table of {num_columns} columns, and FITS allows {MOST_COLUMNS}")
    width, num_rows = values["NAXIS1"], values["NAXIS2"]
    num_empty = 0
    total = 0
    for place in range(1, num_columns + 1):
        column = _measure_column(values, place, is_text)
        num_empty += column == 0
        total = max(total, column) if is_text else total + column
    if total > width if is_text else total != width:
        raise FitsError(f"is damaged: the columns of a table take {total} bytes, and its rows {width}")
    # Rows or columns without any bytes could be as many as a header likes.
    if num_rows * (num_empty + (width == 0)) > room:
        raise FitsError("is damaged: it has a table with more empty values than the file has bytes")
    heap = _take_count(values, "THEAP", width * num_rows)
    if not width * num_rows <= heap <= width * num_rows + _take_count(values, "PCOUNT", 0):
        raise FitsError("is damaged: THEAP, where a table's arrays begin, lies outside it")


def _measure_column(values: Values, place: int, is_text: bool) -> int:
    """Bytes of a column in a row; of a table in text, where the column ends."""
    stated = values.get(f"TFORM{place}")
    matched = (_TEXT_FORMAT if is_text else _BINARY_FORMAT).match(stated.upper() if isinstance(stated, str) else "")
    if matched is None:
        raise FitsError(f"is damaged: a table has no valid TFORM{place}")
    if is_text:
        return _take_count(values, f"TBCOL{place}", 0) - 1 + int(matched[1])
    repeat, letter = int(matched[1] or 1), matched[2]
    return (repeat + 7) // 8 if letter == "X" else repeat * _FORMAT_BYTES[letter]


def _check_compressed_image(values: Values) -> None:
    """Refuse an image whose tiles are not as many as the table has rows, or that asks for an odd variant of RICE."""
    axes = _list_axes(values, "ZNAXIS")
    if values.get("ZBITPIX") not in _BIT_COUNTS:
        raise FitsError("is damaged: a compressed image has no valid ZBITPIX")
    # Without ZTILEn, a tile is a row.
    tile = [_take_count(values, f"ZTILE{place + 1}", 1 if place else length) for place, length in enumerate(axes)]
    if axes and 0 not in axes:
        if 0 in tile:
            raise FitsError("is damaged: a compressed image has tiles without pixels")
        num_tiles = math.prod(math.ceil(length / side) for length, side in zip(axes, tile, strict=True))
        if num_tiles != values["NAXIS2"]:
            raise FitsError(f"is damaged: a compressed image has {values['NAXIS2']} tiles instead of {num_tiles}")
    allowed = {"BLOCKSIZE": (16, 32), "BYTEPIX": (1, 2, 4, 8)}
    for keyword, name in values.items():
        if keyword.startswith("ZNAME") and isinstance(name, str) and name.upper() in allowed:
            value = values.get(f"ZVAL{keyword.removeprefix('ZNAME')}")
            if value not in allowed[name.upper()]:
                raise FitsError(f"is damaged: a compressed image states {name} = {value}")


def _list_axes(values: Values, name: str) -> list[int]:
    """The lengths of the axes, in the header's order."""
    num_axes = _take_count(values, name)
    if num_axes > MOST_AXES:
        raise FitsError(f"is damaged: its header states {name} = {num_axes}")
    return [_take_count(values, f"{name}{place + 1}") for place in range(num_axes)]


def _take_count(values: Values, name: str, default: int | None = None) -> int:
    value = values.get(name, default)
    if value is None:
        raise FitsError(f"is damaged: its header lacks {name}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FitsError(f"is damaged: its header states {name} = {str(value)[:30]!r}, which is not a count")
    return value
