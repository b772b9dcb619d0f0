"""The lowest or the highest predictions as a list for follow-up: how pure it is, and how complete.

Purity is the part of the listed galaxies that are among the wanted ones, those with the lowest true values;
completeness is the part of the wanted ones that are listed. If as many are listed as are wanted, the two are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import EvaluationError
from metalight.evaluation.metric_text import format_percentage
from metalight.intervals import FloatArray, Interval, compute_fraction

End = Literal["lowest", "highest"]
"""Which end of the range is wanted."""

ENDS: tuple[End, End] = ("lowest", "highest")

NUM_WANTED = 100
"""Galaxies at an end that are wanted where nobody says how many; a tenth of a sample of less than 1,000."""

_STEPS_PER_DECADE = 10


@dataclass(frozen=True)
class Selection:
    """How a list of the most extreme predictions fares."""

    end: End
    num_galaxies: int
    """Galaxies that the list was chosen from."""
    num_listed: int
    num_wanted: int
    num_found: float
    """Listed galaxies that are wanted. Among equal values it is not told which is first: then it is the mean over all
    orders, and no whole number."""
    purity: Interval
    """num_found / num_listed; its interval is Wilson's, of 68 %, as of all fractions."""
    completeness: Interval
    """num_found / num_wanted."""

    @property
    def chance_purity(self) -> float:
        """Purity of a list drawn at random."""
        return self.num_wanted / self.num_galaxies

    @property
    def chance_completeness(self) -> float:
        """Completeness of a list drawn at random."""
        return self.num_listed / self.num_galaxies


def choose_num_wanted(num_galaxies: int) -> int:
    """100, or a tenth of the galaxies of a smaller sample, at least 1."""
    return max(1, min(NUM_WANTED, num_galaxies // 10))


def rank_predictions(
    object_ids: npt.ArrayLike, predicted: npt.ArrayLike, *, num: int, end: End = "lowest"
) -> npt.NDArray[np.intp]:
    """The rows of the `num` galaxies with the most extreme predictions, the most extreme first.

    Equal predictions are in the order of their identifiers, so that the order of rows changes nothing. Predictions that
    are not finite are never listed; if fewer than `num` are finite, all of those are.

    Raises:
        EvaluationError: No prediction is finite.
        ValueError: `num` is less than 1, or the lengths differ.
    """
    ids, values = np.asarray(object_ids), np.asarray(predicted, dtype=np.float64)
    if num < 1:
        raise ValueError(f"num must be at least 1, not {num}")
    if len(ids) != len(values):
        raise ValueError(f"{len(ids)} object_ids and {len(values)} predictions; they must be as many")
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) == 0:
        raise EvaluationError(
            f"None of {len(values)} galaxies has a finite prediction to rank; check the column of predictions."
        )
    keys = values[rows] if end == "lowest" else -values[rows]
    return rows[np.lexsort((ids[rows], keys))[:num]]


def compute_selection(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, num_listed: int, num_wanted: int, end: End = "lowest"
) -> Selection:
    """Purity and completeness of the list of the `num_listed` most extreme predictions.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, finite, shape (galaxies,).
        num_listed: Length of the list.
        num_wanted: How many of the most extreme truths are wanted.
        end: At which end.

    Raises:
        ValueError: The lengths differ, or a number is not from 1 to that of the galaxies.
    """
    (selection,) = _select(truth, predicted, [(num_listed, num_wanted)], end)
    return selection


def compute_selection_curve(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, num_wanted: int | None = None
) -> pd.DataFrame:
    """Purity and completeness against the length of the list, at both ends: a table for a figure.

    Columns: end, kind, num_listed, num_wanted, num_found, purity, purity_low, purity_high, completeness,
    completeness_low, completeness_high, chance_purity, chance_completeness. Rows of the kind `as many` want as many
    galaxies as are listed, up to half of all; rows of the kind `fixed` always want the same number, and list from that
    many to all. Lengths grow by a tenth of a decade.

    Args:
        truth: True values, finite, shape (galaxies,).
        predicted: Predictions, finite, shape (galaxies,).
        num_wanted: How many are wanted in the rows of the kind `fixed`; None: as of `choose_num_wanted`.

    Raises:
        ValueError: As of `compute_selection`.
    """
    total = len(np.asarray(truth))
    wanted = num_wanted or choose_num_wanted(total)
    kinds = {
        "as many": [(num, num) for num in _grow(1, max(1, total // 2))],
        "fixed": [(num, wanted) for num in _grow(wanted, total)],
    }
    rows = [
        _describe_row(kind, selection)
        for end in ENDS
        for kind, pairs in kinds.items()
        for selection in _select(truth, predicted, pairs, end)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


CURVE_COLUMNS = (
    *("end", "kind", "num_listed", "num_wanted", "num_found", "purity", "purity_low", "purity_high"),
    *("completeness", "completeness_low", "completeness_high", "chance_purity", "chance_completeness"),
)
"""Columns of `compute_selection_curve`."""


def describe_selection(selection: Selection) -> str:
    """A sentence on purity and completeness, beside chance."""
    listed, wanted, end = selection.num_listed, selection.num_wanted, selection.end
    found = f"{selection.num_found:.3g}" if selection.num_found % 1 else f"{selection.num_found:,.0f}"
    share = (
        f"purity and completeness {_format_percent(selection.purity)}, by chance {_format_chance(listed, selection)}"
        if listed == wanted
        else f"purity {_format_percent(selection.purity)}, by chance {_format_chance(wanted, selection)}; completeness "
        f"{_format_percent(selection.completeness)}, by chance {_format_chance(listed, selection)}"
    )
    return (
        f"Of the {listed:,} {end} predictions {found} are among the {wanted:,} {end} true values of "
        f"{selection.num_galaxies:,}: {share}."
    )


def _format_percent(fraction: Interval) -> str:
    value, low, high = (100 * bound for bound in (fraction.value, fraction.low, fraction.high))
    return f"{value:.0f} % (68 % interval {low:.0f} to {high:.0f} %)"


def _format_chance(num: int, selection: Selection) -> str:
    return format_percentage(num / selection.num_galaxies)


def _describe_row(kind: str, selection: Selection) -> dict[str, object]:
    row: dict[str, object] = {"kind": kind}
    for name in CURVE_COLUMNS:
        stem, _, part = name.rpartition("_")
        if stem in ("purity", "completeness"):
            row[name] = getattr(getattr(selection, stem), part)
        elif name in ("purity", "completeness"):
            row[name] = getattr(selection, name).value
        elif name != "kind":
            row[name] = getattr(selection, name)
    return row


def _select(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, pairs: Sequence[tuple[int, int]], end: End
) -> list[Selection]:
    """The selections of each (listed, wanted); values are sorted once."""
    sign = 1.0 if end == "lowest" else -1.0
    truths, predictions = (sign * np.asarray(values, dtype=np.float64) for values in (truth, predicted))
    total = len(truths)
    if len(predictions) != total:
        raise ValueError(f"truth has {total} values and predicted {len(predictions)}; they must be as many")
    sorted_truths, sorted_predictions = np.sort(truths), np.sort(predictions)
    selections = []
    for num_listed, num_wanted in pairs:
        for num in (num_listed, num_wanted):
            if not 1 <= num <= total:
                raise ValueError(f"numbers of galaxies must be from 1 to {total}, not {num}")
        listed = _compute_membership(predictions, sorted_predictions, num_listed)
        found = float(listed @ _compute_membership(truths, sorted_truths, num_wanted))
        purity, completeness = compute_fraction(found, num_listed), compute_fraction(found, num_wanted)
        selections.append(Selection(end, total, num_listed, num_wanted, found, purity, completeness))
    return selections


def _compute_membership(values: FloatArray, in_order: FloatArray, num: int) -> FloatArray:
    """How much each galaxy belongs to the `num` lowest: 1 or 0, or the chance of it for those that tie for the end."""
    limit = in_order[num - 1]
    num_below = int(np.searchsorted(in_order, limit, side="left"))
    num_tied = int(np.searchsorted(in_order, limit, side="right")) - num_below
    return np.where(values < limit, 1.0, np.where(values == limit, (num - num_below) / num_tied, 0.0))


def _grow(first: int, last: int) -> list[int]:
    """Whole numbers from the first to the last, each about a quarter larger than the one before."""
    num_steps = max(1, round(_STEPS_PER_DECADE * np.log10(last / first)))
    return sorted({round(first * (last / first) ** (step / num_steps)) for step in range(num_steps + 1)})
