"""Damage done to a file, the same for the same seed: what tests of readers feed them."""

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_MOST_PIECE = 64
_INTERESTING = (
    *(b"\0", b"\xff", b"\n", b'"', b"<", b">", b"&", b"{", b"[", b"0", b"9", b"-1", b"9" * 20, b"1e999", b"*"),
    *(b"NaN", b"Infinity", b"null", b"true", b'""', b"[]", b"{}", b"\\u0000", b"9" * 5000, b"[" * 2000, b'{"a":' * 500),
    *(b"1.5", b"resnet18", b"vit_tiny_patch16_224", b"../x"),
)
"""Pieces that readers stumble over."""

_CARD = re.compile(rb"[A-Z][A-Z0-9_-]* *= ")
_CARD_VALUES = (
    *(b"-64", b"-1", b"0", b"1", b"2", b"3", b"8", b"999", b"1000", b"100000", b"2147483647", b"9999999999", b"9" * 60),
    *(
        b"T",
        b"F",
        b"1.5",
        b"1E300",
        b"NaN",
        b"",
        b"/",
        b"''",
        b"'A",
        b"'IMAGE'",
        b"'BINTABLE'",
        b"'TABLE'",
        b"'RICE_1'",
    ),
    *(
        b"'RICE_1'",
        b"'GZIP_1'",
        b"'PLIO_1'",
        b"'HCOMPRESS_1'",
        b"'1PB(9)'",
        b"'99999999A'",
        b"'0A'",
        b"'RA---TAN-SIP'",
        b"'&'",
    ),
)
"""Values of cards that readers of FITS stumble over."""


def mutations(data: bytes, seed: int) -> bytes:
    """A damaged copy of a file: cut short, bytes changed, pieces removed, doubled, moved or put in.

    One to four kinds of damage follow each other. The copy is at most a few pieces longer than the file.
    """
    generator = random.Random(seed)
    for _ in range(generator.choice((1, 1, 2, 4))):
        data = generator.choice(_DAMAGES)(data, generator)
    return data


def noise(seed: int, most_bytes: int = 2000) -> bytes:
    """Random bytes."""
    generator = random.Random(seed)
    return generator.randbytes(generator.randrange(most_bytes))


def mutate_cards(data: bytes, seed: int) -> bytes:
    """A FITS file with one to three cards changed: its headers are whole, and state what is not so."""
    generator = random.Random(seed)
    cards = [place for place in range(0, len(data), 80) if _CARD.match(data, place, place + 80)]
    for _ in range(min(len(cards), generator.choice((1, 1, 2, 3)))):
        place = generator.choice(cards)
        name = data[place : place + 8]
        if generator.random() < 0.2:
            name = generator.choice((b"NAXIS1", b"naxis2", b"PCOUNT", b"TFIELDS", b"ZIMAGE", b"THEAP")).ljust(8)
        value: bytes = generator.choice(_CARD_VALUES) if generator.random() < 0.7 else b"%d" % generator.randrange(100)
        data = data[:place] + (name + b"= " + value.rjust(20)).ljust(80)[:80] + data[place + 80 :]
    return data


def mutate_values(values: Any, generator: np.random.Generator) -> Any:
    """A description with one value of it replaced, left out or added to: still JSON, no longer what it was."""
    if isinstance(values, dict) and values:
        key = list(values)[int(generator.integers(len(values)))]
        kind = generator.integers(0, 8)
        if kind == 0:
            return {name: value for name, value in values.items() if name != key}
        if kind == 1:
            return {**values, f"{key}_": values[key]}
        return {**values, key: mutate_values(values[key], generator)}
    if isinstance(values, list) and values and generator.integers(0, 3):
        place = int(generator.integers(len(values)))
        return [*values[:place], mutate_values(values[place], generator), *values[place + 1 :]]
    odd: tuple[Any, ...] = (
        *(None, True, -1, 0, 1, 2.5, 10**9, 2**63, 10**30, -0.0, 1e308, float("nan"), float("inf")),
        *("", "resnet18", "test_convnext", "x" * 10_000, "\x00", "\ud800", [], {}, [0.1, 0.2], ["a", "b", "c"]),
        *([values] * 3, [values] * 2000, {"a": values}),
    )
    return odd[int(generator.integers(len(odd)))]


def _cut_short(data: bytes, generator: random.Random) -> bytes:
    return data[: generator.randrange(len(data) + 1)]


def _flip_bits(data: bytes, generator: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), generator.choice((1, 2, 8, 32)))):
        changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _choose_piece(data: bytes, generator: random.Random) -> tuple[int, int]:
    start = generator.randrange(len(data) + 1)
    return start, min(len(data), start + generator.randrange(_MOST_PIECE))


def _remove_piece(data: bytes, generator: random.Random) -> bytes:
    start, end = _choose_piece(data, generator)
    return data[:start] + data[end:]


def _double_piece(data: bytes, generator: random.Random) -> bytes:
    start, end = _choose_piece(data, generator)
    return data[:end] + data[start:end] * generator.choice((1, 1, 10)) + data[end:]


def _move_piece(data: bytes, generator: random.Random) -> bytes:
    start, end = _choose_piece(data, generator)
    place = generator.randrange(len(data) + 1)
    return data[:place] + data[start:end] + data[place:]


def _put_in(data: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(data) + 1)
    return data[:place] + generator.choice(_INTERESTING) + data[place + generator.choice((0, 1)) :]


def _swap_digits(data: bytes, generator: random.Random) -> bytes:
    """Numbers are where sizes and counts stand: another digit makes a file that is whole and wrong."""
    values = np.frombuffer(data, dtype=np.uint8)
    places = np.flatnonzero((values >= ord("0")) & (values <= ord("9"))).tolist()
    if not places:
        return data
    changed = bytearray(data)
    for _ in range(generator.choice((1, 1, 3))):
        changed[generator.choice(places)] = ord(generator.choice("0123456789"))
    return bytes(changed)


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut_short,
    _flip_bits,
    _remove_piece,
    _double_piece,
    _move_piece,
    _put_in,
    _swap_digits,
)
