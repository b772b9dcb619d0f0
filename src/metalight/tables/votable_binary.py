"""Rows of a VOTable in BINARY and BINARY2: numbers and text one after another, big-endian."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

_NUMBERS = {"unsignedByte": ">B", "short": ">h", "int": ">i", "long": ">q", "float": ">f", "double": ">d"}

_Reader = Callable[[bytes, int], tuple[Any, int]]


def read_rows(content: bytes, layout: Sequence[tuple[str, str]], *, has_masks: bool) -> list[list[Any]]:
    """The values of each column; None where one is missing.

    Args:
        content: The rows; VOTable 1.4, sections 5.3 and 5.4.
        layout: The datatype and the arraysize of each column.
        has_masks: Whether each row starts with a bit a column that says whether its value is missing, as in BINARY2.

    Raises:
        ValueError: The rows are cut short, or text is not UTF-8.
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


def _take(content: bytes, place: int, num_bytes: int) -> tuple[bytes, int]:
    if place + num_bytes > len(content):
        raise ValueError("its rows are cut short")
    return content[place : place + num_bytes], place + num_bytes
