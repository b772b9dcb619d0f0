"""Identifiers of galaxies: text as people give it, and the 64-bit key that stands for it inside metalight.

A key is a function of the text alone. A whole number from 0 to 2**63 − 1 in its usual spelling is its own key, so an
SDSS objID is what it always was; any other text gets 63 bits of the SHA-256 of its UTF-8. Draws, orders and groups by
key therefore depend on nothing but the identifiers. `123` and `00123` are two galaxies, and so are `a` and `A`.

Blanks around an identifier are not part of it: tables pad with them, and FITS cannot keep them.

A key stands for the same text everywhere. So this module remembers, as long as the process lives, the text of every key
that it has computed: tables, figures and messages name a galaxy by its key alone. Two texts with one key are refused.
"""

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import TableError, shorten

LARGEST_KEY = 2**63 - 1

_HASH_BITS = 63
_MOST_DIGITS = len(str(LARGEST_KEY))
_LONGEST = 1000
_MISSING_WORDS = frozenset(("", "nan", "na", "n/a", "null", "none", "--", "<na>"))
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")

_TEXTS: dict[int, str] = {}
"""The text of each key that is not its own spelling, of all identifiers that this process has met."""

_KEYS: dict[str, int] = {}
"""The same by text: tables of the same galaxies are read many times."""


def is_own_key(text: str) -> bool:
    """Whether an identifier is a whole number, in its usual spelling, that fits into a key."""
    is_digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return is_digits and (text[0] != "0" or text == "0") and int(text) <= LARGEST_KEY


def is_missing(text: str) -> bool:
    """Whether a text is blank or a word for a missing value, such as NaN or null, and so not an identifier."""
    text = text.strip()
    return len(text) < 5 and text.casefold() in _MISSING_WORDS


def find_identifier_flaw(text: str) -> str:
    """Why a text cannot identify a galaxy, to be read after it; empty if it can."""
    if text in _KEYS:
        return ""
    if is_missing(text):
        return "stands for a missing value"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST:,} characters"
    if not text.isprintable() and any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        return "has a line break or another control character"
    return ""


def key_of(text: str) -> int:
    """The key of an identifier.

    Args:
        text: As given; blanks around it play no part.

    Raises:
        TableError: Another identifier has the same key.
    """
    known = _KEYS.get(text)
    if known is not None:
        return known
    text = text.strip()
    if is_own_key(text):
        key = int(text)
        _refuse_other(key, text)
        return key
    digest = hashlib.sha256(text.encode()).digest()
    key = int.from_bytes(digest[:8], "big") >> (64 - _HASH_BITS)
    _refuse_other(key, text)
    _TEXTS[key], _KEYS[text] = text, key
    return key


def compute_keys(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """The keys of identifiers, in their order.

    Raises:
        TableError: Two identifiers have the same key.
    """
    keys = [key_of(text) for text in texts]
    for key, text in zip(keys, texts, strict=True):
        if key in _TEXTS and text not in _KEYS:  # a number may stand before the text that has it as its key
            _refuse_other(key, text.strip())
    return np.array(keys, dtype=np.int64)


def compute_keys_of_integers(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The keys of identifiers that are integers; negative ones, and those above 63 bits, count as text.

    Raises:
        TableError: Two identifiers have the same key.
    """
    is_text = (numbers < 0) | (numbers > LARGEST_KEY)
    keys = np.where(is_text, 0, numbers).astype(np.int64)
    keys[is_text] = [key_of(str(number)) for number in numbers[is_text].tolist()]
    if _TEXTS:
        for key in keys[~is_text].tolist():
            _refuse_other(key, str(key))
    return keys


def name_of(key: int | np.integer) -> str:
    """The identifier that a key stands for."""
    number = int(key)
    return _TEXTS.get(number) or str(number)


def name_all(keys: "npt.NDArray[np.int64] | pd.Series[int]") -> "pd.Series[int] | pd.Series[str]":
    """The identifiers that keys stand for: the integers themselves if each is its own key, else text.

    Missing keys stay missing.
    """
    column = pd.Series(keys).reset_index(drop=True)
    known = [_TEXTS.get(key) for key in column.tolist()] if _TEXTS else []
    if not any(known):
        return column
    texts = [None if pd.isna(key) else text or str(key) for text, key in zip(known, column.tolist(), strict=True)]
    return pd.Series(texts, dtype=pd.Series(["text"]).dtype)


def _refuse_other(key: int, text: str) -> None:
    known = _TEXTS.get(key, text)
    if known != text:
        raise TableError(
            f"The identifiers '{shorten(known)}' and '{shorten(text)}' have the same key of {_HASH_BITS} bits, by "
            "which metalight tells galaxies apart; rename one of these galaxies."
        )
