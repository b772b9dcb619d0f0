"""Rows of a VOTable in BINARY and BINARY2: numbers and text one after another, big-endian."""

import math
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

_NUMBERS = {"unsignedByte": ">B", "short": ">h", "int": ">i", "long": ">q", "float": ">f", "double": ">d"}

_BITS = {
    **{datatype: 8 * struct.calcsize(form) for datatype, form in _NUMBERS.items()},
    **{"bit": 1, "boolean": 8, "char": 8, "unicodeChar": 16, "floatComplex": 64, "doubleComplex": 128},
}
"""Width of a value."""

_Reader = Callable[[bytes, int], tuple[Any, int]]


def read_rows(content: bytes, layout: Sequence[tuple[str, str]], *, has_masks: bool) -> list[list[Any]]:
    """The values of each column; None where one is missing.

    Args:
        content: The rows; VOTable 1.4, sections 5.3 and 5.4.
        layout: The datatype and the arraysize of each column.
        has_masks: Whether each row starts with a bit a column that says whether its value is missing, as in BINARY2.

    Columns that hold several values a row are passed over: their values are None.

    Raises:
        ValueError: The rows are cut short, text is not UTF-8, or it is not known how wide the values of a column are.
    """
    readers = [_build_reader(datatype, arraysize) for datatype, arraysize in layout]
    columns: list[list[Any]] = [[] for _ in readers]
    num_mask_bytes = (len(readers) + 7) // 8 if has_masks else 0
    place = 0
    while place < len(content):
        start = place
        mask, place = _take(content, place, num_mask_bytes)
        for number, (reader, column) in enumerate(zip(readers, columns, strict=True)):
            value, place = reader(content, place)
            is_missing = has_masks and mask[number // 8] >> (7 - number % 8) & 1
            column.append(None if is_missing else value)
        if place == start:
            raise ValueError("its rows have no width")
    return columns


def _build_reader(datatype: str, arraysize: str) -> _Reader:
    """What reads a value at a place, and gives the place after it."""
    is_text = datatype in ("char", "unicodeChar")
    if datatype not in _BITS and not is_text:
        raise ValueError(
            f"it has a column of the type '{datatype[:60]}', whose width is not known; save it as TABLEDATA"
        )
    if ("x" in arraysize) if is_text else (arraysize not in ("", "1")):
        return _build_skipper(datatype, arraysize)
    if datatype in ("floatComplex", "doubleComplex"):
        return _build_skipper(datatype, "1")
    if datatype in _NUMBERS:
        form = struct.Struct(_NUMBERS[datatype])

        def read_number(content: bytes, place: int) -> tuple[Any, int]:
            raw, after = _take(content, place, form.size)
            return form.unpack(raw)[0], after

        return read_number
    if datatype == "bit":

        def read_bit(content: bytes, place: int) -> tuple[Any, int]:
            # A bit is the highest of its byte by the standard, and another one by astropy.
            raw, after = _take(content, place, 1)
            return "1" if raw != b"\0" else "0", after

        return read_bit
    width = 2 if datatype == "unicodeChar" else 1
    encoding = "utf-16-be" if datatype == "unicodeChar" else "utf-8"
    if arraysize.endswith("*"):
        num_fixed = None
    elif arraysize.isascii() and (arraysize or "1").isdigit() and len(arraysize) < 10:
        num_fixed = int(arraysize or "1")
        if not num_fixed:
            # Thousands of such columns would make a huge table of a small file.
            raise ValueError("it has a column of text without any width")
    else:
        raise ValueError(f"it has a column of the size '{arraysize[:60]}', which is not a number")

    def read_text(content: bytes, place: int) -> tuple[Any, int]:
        num_characters = num_fixed
        if num_characters is None:
            count, place = _take(content, place, 4)
            num_characters = int.from_bytes(count)
        raw, after = _take(content, place, num_characters * width)
        text = raw.decode(encoding).split("\0")[0]
        # Text of fixed width is filled up with blanks, as in FITS.
        return (text if num_fixed is None else text.rstrip(" ")) or None, after

    return read_text


def _build_skipper(datatype: str, arraysize: str) -> _Reader:
    """What passes over the values of a row; VOTable 1.4, section 5.3: those of varying number follow their number."""
    if not re.fullmatch(r"([0-9]{1,9}x)*[0-9]{1,9}|[0-9]{0,9}\*", arraysize):
        # Of several dimensions of which one varies it is not agreed what the number counts.
        raise ValueError(f"it has a column of the size '{arraysize[:60]}'; save it with the rows in TABLEDATA")
    num_fixed = None if "*" in arraysize else math.prod(int(size) for size in arraysize.split("x"))
    if num_fixed == 0:
        raise ValueError("it has a column without any width")

    def skip(content: bytes, place: int) -> tuple[Any, int]:
        num_values = num_fixed
        if num_values is None:
            count, place = _take(content, place, 4)
            num_values = int.from_bytes(count)
        _, after = _take(content, place, (num_values * _BITS[datatype] + 7) // 8)
        return None, after

    return skip


def _take(content: bytes, place: int, num_bytes: int) -> tuple[bytes, int]:
    if place + num_bytes > len(content):
        raise ValueError("its rows are cut short")
    return content[place : place + num_bytes], place + num_bytes
