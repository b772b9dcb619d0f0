"""The user's own sets, from a column of the catalogue."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError, shorten
from metalight.splits.sets import build_splits, require_unique

_ACCEPTED_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


def assign_column(object_ids: npt.NDArray[np.int64], words: Sequence[str]) -> pd.DataFrame:
    """The set that the user gave each galaxy: columns object_id and split, in the order of `object_ids`.

    Args:
        object_ids: The galaxies, each once.
        words: The user's set for each galaxy: train or training, validation, valid or val, and test, in any case.
            There may be no galaxies for validation.

    Raises:
        SplitError: The user's words cannot be used, or a set would be too small.
        ValueError: An identifier is there twice, or the arguments differ in length.
    """
    require_unique(object_ids)
    if len(words) != len(object_ids):
        raise ValueError("there must be one word for each of object_ids")
    return build_splits(object_ids, _read_words(words), needs_validation=False)


def _read_words(column: Sequence[str]) -> npt.NDArray[np.str_]:
    words = pd.Series(column, dtype="object").reset_index(drop=True)
    folded = words.map(lambda word: "" if pd.isna(word) else str(word).strip().casefold())
    num_missing = int((folded == "").sum())
    if num_missing:
        raise SplitError(
            f"{num_missing} of {len(words)} galaxies have no value in the column of sets; fill it in, or take these "
            "galaxies out of the catalogue."
        )
    unknown = sorted({str(word) for word in words[~folded.isin(list(_ACCEPTED_WORDS))]})
    if unknown:
        listed = ", ".join(f"'{shorten(word)}'" for word in unknown[:5]) + (", …" if len(unknown) > 5 else "")
        raise SplitError(
            f"The column of sets has {listed}; accepted are {', '.join(_ACCEPTED_WORDS)}. Check [splits] column."
        )
    return np.array([_ACCEPTED_WORDS[word] for word in folded], dtype=np.str_)
