"""The test galaxies from a file, the others divided: so the authors' own test set can be had.

The authors shuffled without a seed, so which of their other galaxies were for validation is not known; that they were
int(0.2 n) of the n is.
"""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError, TableError, quote_flaw, shorten
from metalight.identifiers import compute_keys, find_identifier_flaw, name_of
from metalight.small_files import read_small_file
from metalight.splits.sets import SPLITS, build_splits, compute_share, draw_sets, require_unique
from metalight.tables import Table, find_column, load_table, match_columns, require_object_ids

_LIST_SUFFIX = ".txt"
_COMMENT = re.compile(r"(^|\s)#.*")
_KNOWN_NAMES = ("object_id", "objid")
_MOST_BYTES = 1_000_000_000  # some forty million identifiers


def load_test_ids(path: Path, *, object_id: str) -> npt.NDArray[np.int64]:
    """Keys of the identifiers that a file lists, each once, by increasing key.

    Args:
        path: A table, or a text file (`.txt`) of one identifier a line, in which empty lines are passed over, and what
            follows a `#` at the start of a line or after a blank.
        object_id: The table's column of identifiers, in any case. If it has no such column, `object_id` or `objID` in
            any case, or else its only column, is taken.

    Raises:
        SplitError: The file cannot be read, lists nothing, or lists something else.
    """
    try:
        if path.suffix.lower() == _LIST_SUFFIX:
            ids = _read_list(path)
        else:
            table = load_table(path)
            ids = require_object_ids(table, _find_column(table, object_id, path), path=path, may_repeat=True)
    except TableError as error:
        raise SplitError(f"{error} [splits] test_ids names this file.") from error
    if len(ids) == 0:
        raise SplitError(f"{path} lists no galaxies; [splits] test_ids needs a file with those of the test set.")
    return np.unique(ids)


def assign_ids(
    object_ids: npt.NDArray[np.int64],
    test_ids: npt.NDArray[np.int64],
    *,
    seed: int = 0,
    validation_fraction: float = 0.2,
) -> pd.DataFrame:
    """The listed galaxies for the test, the others drawn: columns object_id and split, in the order of `object_ids`.

    Args:
        object_ids: The galaxies, each once.
        test_ids: Galaxies of the test set; those that are not among `object_ids` are passed over.
        seed: Of the draw, which depends on which galaxies are left, not on their order.
        validation_fraction: Part of the n galaxies that are left for validation, which gets int(fraction · n); the
            authors' code: 0.2.

    Raises:
        SplitError: None of the test galaxies is there, or a set would be too small.
        ValueError: An identifier is there twice.
    """
    require_unique(object_ids)
    is_test = np.isin(object_ids, test_ids)
    if len(object_ids) and not is_test.any():
        raise SplitError(
            f"None of the {len(test_ids)} test galaxies that [splits] test_ids lists is among the {len(object_ids)} "
            f"galaxies with a label and an image: ids look like {name_of(test_ids[0])} there, and like "
            f"{name_of(object_ids[0])} here. Name another file."
        )
    num_rest = int((~is_test).sum())
    num_validation = int(compute_share(num_rest, validation_fraction))
    splits = np.repeat(SPLITS, (0, 0, len(object_ids)))
    splits[~is_test] = draw_sets(object_ids[~is_test], (num_rest - num_validation, num_validation, 0), seed)
    return build_splits(object_ids, splits, needs_validation=validation_fraction > 0)


def _find_column(table: Table, object_id: str, path: Path) -> str:
    names = list(table.frame.columns)
    if match_columns(table, object_id):
        return find_column(table, object_id, path=path, role="[catalog] object_id")
    known = [name for name in names if name.casefold() in _KNOWN_NAMES]
    if len(known) == 1:
        return known[0]
    if len(names) == 1:
        return names[0]
    raise TableError(
        f"{path} has no column '{object_id}', which [catalog] object_id names, and {len(names)} others, so that its "
        "identifiers cannot be told; rename their column, or leave only that."
    )


def _read_list(path: Path) -> npt.NDArray[np.int64]:
    try:
        lines = read_small_file(path, most_bytes=_MOST_BYTES).decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise TableError(f"There is no file {path}; check its path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            f"{path} cannot be read as text: {quote_flaw(error)}; save it again as UTF-8, or name another file."
        ) from error
    texts = []
    for number, line in enumerate(lines, start=1):
        text = _COMMENT.sub("", line).strip()
        if not text:
            continue
        if flaw := find_identifier_flaw(text):
            raise TableError(
                f"Line {number} of {path} is '{shorten(text)}', which {flaw}; write one identifier a line, such as "
                "1237648720693755918."
            )
        texts.append(text)
    if texts and all(map(_is_float, texts)):
        raise TableError(
            f"{path} lists decimal numbers such as '{shorten(texts[0])}', which cannot tell neighbouring integers "
            "apart; write the identifiers as integers or as text."
        )
    return compute_keys(texts)


def _is_float(text: str) -> bool:
    """Whether a text is a number that is written as programs write those that are not integers."""
    return re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+]\d+", text, re.ASCII) is not None
