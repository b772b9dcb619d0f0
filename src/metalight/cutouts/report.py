"""Outcome of a download, galaxy by galaxy."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalight.image_files import join_paths
from metalight.store import CutoutStore


@dataclass(frozen=True, eq=False)
class DownloadReport:
    """Outcome for the requested galaxies: each is fetched or refused."""

    fetched: pd.DataFrame
    """Columns object_id, path (in the store; of several files as of `image_files.join_paths`), num_bytes,
    modified_ns (a number that tells the content); in the order asked for."""

    refused: pd.DataFrame
    """Columns object_id, kind, reason; in the order asked for."""

    num_new: int
    """Galaxies fetched now, and not before."""

    num_requests: int
    seconds: float


def report_store(wanted: pd.DataFrame, store: CutoutStore, bands: Sequence[str]) -> DownloadReport:
    """The galaxies that a store has, and the reasons for refusing the others.

    Args:
        wanted: What is asked for, with the columns of `AskedCutout`; each galaxy once.
        store: The store.
        bands: Of the files of each galaxy.

    Raises:
        ImageError: A part is damaged.
    """
    files = store.find_files(wanted, bands=bands)
    num_bands = len(bands)
    paths = files["path"].tolist()
    firsts = files.iloc[::num_bands]
    fetched = pd.DataFrame(
        {
            "object_id": wanted["object_id"].to_numpy()[firsts["place"].to_numpy(dtype=np.intp)],
            "path": [join_paths(paths[first : first + num_bands]) for first in range(0, len(paths), num_bands)],
            "num_bytes": files["num_bytes"].to_numpy(dtype=np.int64).reshape(-1, num_bands).sum(axis=1),
            "modified_ns": _tell_content(files["sha256"].tolist(), num_bands),
        }
    ).astype({"object_id": "int64", "path": "str", "num_bytes": "int64", "modified_ns": "int64"})
    known = store.find_refused(wanted)
    known = known[~known["place"].isin(files["place"])]
    refused = pd.DataFrame(
        {
            "object_id": wanted["object_id"].to_numpy()[known["place"].to_numpy(dtype=np.intp)],
            "kind": known["kind"].to_numpy(),
            "reason": known["reason"].to_numpy(),
        }
    ).astype({"object_id": "int64", "kind": "str", "reason": "str"})
    return DownloadReport(fetched, refused, 0, 0, 0.0)


def _tell_content(sha256: list[str], num_bands: int) -> list[int]:
    """A number for each galaxy that changes with the content of its files, as times of plain files do."""
    joined = ["".join(sha256[first : first + num_bands]) for first in range(0, len(sha256), num_bands)]
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1 for text in joined]
