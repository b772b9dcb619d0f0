"""What a sample of galaxies is like: each column in a few numbers, histograms, and some galaxies to look at."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

_PERCENTILES = (16, 50, 84)
_MOST_BINS = 40
_TAIL_PERCENT = 0.5

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

    Bins are as wide as each other. Half a per cent of the values at either end may lie beyond them, so that a few
    strange ones do not press all others into one bin; then the first or last bin has them too, and its edge is theirs.

    Args:
        columns: Values of each galaxy by name; those that are no numbers are left out, and columns without any.
    """
    rows = []
    for name, given in columns.items():
        values = np.asarray(given, dtype=np.float64)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        low, high = (float(edge) for edge in np.percentile(values, [_TAIL_PERCENT, 100 - _TAIL_PERCENT]))
        if low == high:
            low, high = low - 0.5, high + 0.5
        num_bins = min(_MOST_BINS, max(5, round(math.sqrt(len(values)))))
        edges = np.linspace(low, high, num_bins + 1)
        counts, _ = np.histogram(values.clip(low, high), bins=edges)
        edges[0], edges[-1] = min(low, values.min()), max(high, values.max())
        rows += [(name, *row) for row in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=["column", "low", "high", "num"])


def choose_galaxies(object_ids: npt.NDArray[np.int64], num: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """Some galaxies at random, by increasing identifier; all there are if there are no more.

    Which they are depends on the identifiers and the seed, and not on the order of rows.
    """
    ordered = np.unique(object_ids)
    chosen = np.random.default_rng(seed).permutation(len(ordered))[:num]
    return np.sort(ordered[chosen])
