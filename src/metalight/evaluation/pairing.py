"""Which galaxies two sets of predictions share, whatever the order of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import EvaluationError
from metalight.identifiers import name_of

TRUTH_TOLERANCE = 1e-3
"""How far two true values of a galaxy may lie apart, in standard deviations of the truth: as far as the decimals of a
CSV file or 32-bit numbers round them, and no farther."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownTruth:
    """True values from one source."""

    name: str
    """Of the source, for messages."""
    object_ids: npt.NDArray[np.int64]
    """Each once, shape (galaxies,)."""
    values: FloatArray
    """NaN where missing."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """One set of predictions of one target."""

    name: str
    """Of the set, for messages."""
    object_ids: npt.NDArray[np.int64]
    """Each once, shape (galaxies,)."""
    predicted: FloatArray
    """NaN where missing."""


@dataclass(frozen=True, eq=False)
class PairedGalaxies:
    """The galaxies that can be compared, and how many cannot."""

    frame: pd.DataFrame
    """object_id, truth, predicted_a, predicted_b, all finite, by increasing object_id."""
    num_only_a: int
    """Galaxies that B does not have."""
    num_only_b: int
    """Galaxies that A does not have."""
    num_trained: int
    """Galaxies of both that were left out because a model was trained on them."""
    num_left_out: int
    """Other galaxies of both that lack a true value or a prediction."""


def pair_predictions(
    a: Predictions,
    b: Predictions,
    truths: Sequence[KnownTruth],
    *,
    trained_ids: npt.NDArray[np.int64],
    way_out: str,
) -> PairedGalaxies:
    """The galaxies of both sets that have a true value and two predictions, and counts of the others.

    Args:
        a: One set.
        b: The other.
        truths: Where true values are known from; the first that has one for a galaxy is taken.
        trained_ids: Galaxies that are not to be compared, because a model was trained on them.
        way_out: What the user can do if the sets share too few galaxies, as the end of a sentence.

    Raises:
        EvaluationError: No galaxy is in both, fewer than 2 can be compared, or two sources say different things of the
            true value of a galaxy.
    """
    in_both = np.intersect1d(a.object_ids, b.object_ids, assume_unique=True)
    if len(in_both) == 0:
        looks = " and ".join(f"{_show_ids(each.object_ids)} in {each.name}" for each in (a, b))
        raise EvaluationError(f"No galaxy is in both: the identifiers look like {looks}; {way_out}.")
    shared = in_both[~np.isin(in_both, trained_ids)]
    frame = pd.DataFrame(
        {
            "object_id": shared,
            "truth": _merge_truths(shared, truths),
            "predicted_a": _look_up(shared, a.object_ids, a.predicted),
            "predicted_b": _look_up(shared, b.object_ids, b.predicted),
        }
    )
    is_whole = np.isfinite(frame.drop(columns="object_id").to_numpy()).all(axis=1)
    paired = PairedGalaxies(
        frame=frame[is_whole].reset_index(drop=True),
        num_only_a=len(a.object_ids) - len(in_both),
        num_only_b=len(b.object_ids) - len(in_both),
        num_trained=len(in_both) - len(shared),
        num_left_out=int(np.sum(~is_whole)),
    )
    if len(paired.frame) < 2:
        raise EvaluationError(_explain_too_few(a, b, len(in_both), paired, way_out))
    return paired


def _merge_truths(object_ids: npt.NDArray[np.int64], truths: Sequence[KnownTruth]) -> FloatArray:
    merged = np.full(len(object_ids), np.nan)
    firsts = np.full(len(object_ids), -1)
    for place, source in enumerate(truths):
        values = _look_up(object_ids, source.object_ids, source.values)
        _refuse_other_truth(object_ids, merged, firsts, values, place, truths)
        is_new = np.isfinite(values) & ~np.isfinite(merged)
        merged[is_new], firsts[is_new] = values[is_new], place
    return merged


def _refuse_other_truth(
    object_ids: npt.NDArray[np.int64],
    merged: FloatArray,
    firsts: npt.NDArray[np.int64],
    values: FloatArray,
    place: int,
    truths: Sequence[KnownTruth],
) -> None:
    is_known_twice = np.isfinite(merged) & np.isfinite(values)
    if not is_known_twice.any():
        return
    first, second = merged[is_known_twice], values[is_known_twice]
    # Of a truth that does not vary, only the last digits may differ.
    tolerance = TRUTH_TOLERANCE * first.std() + 1e-6 * np.abs(first)
    is_other = np.abs(second - first) > tolerance
    if is_other.any():
        worst = int(np.argmax(np.abs(second - first)))
        object_id = object_ids[is_known_twice][worst]
        source = truths[int(firsts[is_known_twice][worst])]
        raise EvaluationError(
            f"The true value of galaxy {name_of(object_id)} is {first[worst]:.8g} in {source.name} and "
            f"{second[worst]:.8g} in {truths[place].name}, and {np.sum(is_other):,} of {len(first):,} galaxies have "
            "two true values: compare predictions of the same labels, or name the labels to use for both with "
            "--truth-table."
        )


def _look_up(wanted: npt.NDArray[np.int64], object_ids: npt.NDArray[np.int64], values: npt.ArrayLike) -> FloatArray:
    """The values of the wanted galaxies; NaN for those that are not there."""
    found = pd.Series(np.asarray(values, dtype=np.float64), index=object_ids).reindex(wanted)
    return np.asarray(found, dtype=np.float64)


def _show_ids(object_ids: npt.NDArray[np.int64]) -> str:
    return f"'{name_of(object_ids[0])}'" if len(object_ids) else "nothing (there are no rows)"


def _explain_too_few(a: Predictions, b: Predictions, num_in_both: int, paired: PairedGalaxies, way_out: str) -> str:
    num = len(paired.frame)
    have = "has" if num == 1 else "have"
    galaxies = "galaxy" if num_in_both == 1 else "galaxies"
    trained = f" ({paired.num_trained:,} are training galaxies of one of them)" if paired.num_trained else ""
    return (
        f"Of {num_in_both:,} {galaxies} in both {a.name} and {b.name}{trained}, {num} {have} a true value and two "
        f"predictions; at least 2 are needed: {way_out}."
    )
