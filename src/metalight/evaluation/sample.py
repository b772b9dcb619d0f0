"""Description of a sample of galaxies: each column in a few numbers, histograms, and some galaxies to look at."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

_PERCENTILES = (16, 50, 84)
_MOST_BINS = 40
_TAIL_PERCENT, _MANY_GALAXIES = 0.5, 500

FloatArray = npt.NDArray[np.float64]


def summarize_columns(columns: Mapping[str, npt.ArrayLike]) -> pd.DataFrame:
    """Columns column, num (values that are numbers), num_missing, min, p16, p50, p84, max: one row a column.

    Args:
        columns: Values of each galaxy by name; NaN and infinite ones count as missing. Of a column without any number
            the statistics are NaN.
    """
    rows = []
    for name, given in columns.items():
        values = np.asarray(given, dtype=np.float64)
        known = values[np.isfinite(values)]
        row = {"column": name, "num": len(known), "num_missing": len(values) - len(known)}
        percentiles = np.percentile(known, [0, *_PERCENTILES, 100]) if len(known) else np.full(5, math.nan)
        rows.append(row | dict(zip(("min", "p16", "p50", "p84", "max"), percentiles.tolist(), strict=True)))
    names = ["column", "num", "num_missing", "min", "p16", "p50", "p84", "max"]
    return pd.DataFrame(rows, columns=names)


def compute_histograms(columns: Mapping[str, npt.ArrayLike]) -> pd.DataFrame:
    """Columns column, low, high, num: how many galaxies have a value from low to high.

    Bins of a column are as wide as each other. Of many galaxies half a per cent at either end lie beyond them, so that
    a few strange values do not press all others into one bin; of a small sample every galaxy is in a bin.

    Args:
        columns: Values of each galaxy by name; those that are not numbers are left out, and columns without any.
    """
    rows = []
    for name, given in columns.items():
        values = np.asarray(given, dtype=np.float64)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        tail = _TAIL_PERCENT if len(values) >= _MANY_GALAXIES else 0.0
        low, high = (float(edge) for edge in np.percentile(values, [tail, 100 - tail]))
        if low == high:
            low, high = low - 0.5, high + 0.5
        num_bins = min(_MOST_BINS, max(5, round(math.sqrt(len(values)))))
        counts, edges = np.histogram(values, bins=num_bins, range=(low, high))
        rows += [(name, *row) for row in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=["column", "low", "high", "num"])


def choose_galaxies(object_ids: npt.NDArray[np.int64], num: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """Some galaxies at random, by increasing identifier; all there are if there are no more.

    Which they are depends on the identifiers and the seed, and not on the order of rows.
    """
    ordered = np.unique(object_ids)
    chosen = np.random.default_rng(seed).permutation(len(ordered))[:num]
    return np.sort(ordered[chosen])
