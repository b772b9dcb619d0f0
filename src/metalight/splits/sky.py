"""Sets that no two neighbours on the sky divide: groups of galaxies go whole into one set."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError
from metalight.splits.sets import SPLITS, build_splits, compute_sizes, require_unique

_WHY_TOGETHER_AND_WAYS_OUT = (
    "galaxies near each other, in frames that touch or with identical images stay together. See that [catalog] ra and "
    "dec are right, lower [splits] link_arcmin, or take another method."
)


def assign_sky(
    object_ids: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> pd.DataFrame:
    """A set for each group: columns object_id, split and group, in the order of `object_ids`.

    The rule: the largest groups come first, groups of one size in a random order. Each goes to a set with room for it,
    drawn in proportion to the room; if none has as much, to the one that becomes too large by the least part. So
    single galaxies, which come last, make the sizes exact, and a set overflows by less than one group. Groups are never
    so dealt out that a wanted set stays empty, and where a set would be smaller or larger than asked for by more than
    half, all are refused. The draws of a group depend on the seed and its name alone, and the order of rows plays no
    part.

    Args:
        object_ids: The galaxies, each once.
        groups: The group of each, as `find_groups` names them.
        seed: Of the draws.
        fractions: Parts for training, validation and test.

    Raises:
        SplitError: There are fewer groups than sets, one holds nearly everything, the groups do not let the fractions
            be met, the fractions cannot be used, or a set would be too small.
        ValueError: An identifier is there twice, or the arguments differ in length.
    """
    require_unique(object_ids)
    if len(groups) != len(object_ids):
        raise ValueError("there must be one group for each of object_ids")
    sizes = compute_sizes(len(object_ids), fractions)
    names, members, num_members = np.unique(groups, return_inverse=True, return_counts=True)
    num_sets = sum(fraction > 0 for fraction in fractions)
    if 0 < len(names) < num_sets <= len(object_ids):
        raise SplitError(
            f"The {len(object_ids)} galaxies form {_count(len(names))}, fewer than the {num_sets} sets: "
            f"{_WHY_TOGETHER_AND_WAYS_OUT}"
        )
    # Two draws: groups that are ordered by the one that also chooses would fill the sets one after the other.
    places = np.array([_draw(seed, name, "place") for name in names.tolist()])
    draws = np.array([_draw(seed, name, "set") for name in names.tolist()])
    order = np.lexsort((places, -num_members))
    of_groups = np.empty(len(names), dtype=np.intp)
    of_groups[order] = _fill_sets(num_members[order].tolist(), draws[order].tolist(), sizes)
    found = [int(num_members[of_groups == split].sum()) for split in range(len(SPLITS))]
    _check_sizes(found, sizes, int(num_members.max(initial=0)))
    splits = np.array(SPLITS)[of_groups[members]]
    return build_splits(object_ids, splits, needs_validation=fractions[1] > 0).assign(group=groups)


def _check_sizes(sizes: list[int], wanted: list[int], largest: int) -> None:
    """Refuse sets that are far from what was asked for, because the groups are too large for it."""
    if all(2 * abs(size - right) <= right for size, right in zip(sizes, wanted, strict=True)):
        return
    num = sum(wanted)
    if largest > max(wanted):
        raise SplitError(
            f"One group holds {largest} of the {num} galaxies, more than any set is to have ({max(wanted)}): "
            f"{_WHY_TOGETHER_AND_WAYS_OUT}"
        )
    raise SplitError(
        f"The groups of the {num} galaxies do not make {_list(wanted)}: the largest, which stays together, has "
        f"{largest}, and the nearest that was found is {_list(sizes)}. Change [splits] fractions or seed, lower "
        "link_arcmin, or take another method."
    )


def _list(sizes: list[int]) -> str:
    return ", ".join(f"{size} {split}" for size, split in zip(sizes, SPLITS, strict=True))


def _count(num_groups: int) -> str:
    return "one group" if num_groups == 1 else f"only {num_groups} groups"


def _draw(seed: int, group: int, purpose: str) -> float:
    """A number from 0 to 1, uniform over groups, and another one for each purpose."""
    digest = hashlib.blake2b(f"{seed} {group} {purpose}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2.0**48


def _fill_sets(num_members: list[int], draws: list[float], sizes: list[int]) -> list[int]:
    """The set of each group, by its place in `SPLITS`; see `assign_sky` for the rule."""
    room = dict(enumerate(sizes))
    empty = {split for split, size in room.items() if size > 0}
    wanted = sorted(empty)
    chosen: list[int] = []
    for num_left, size, draw in zip(range(len(draws), 0, -1), num_members, draws, strict=True):
        # The last groups are for the sets that have none.
        open_sets = [split for split in wanted if split in empty] if num_left <= len(empty) else wanted
        fitting = [split for split in open_sets if room[split] >= size]
        if fitting:
            split = _pick(fitting, [room[split] for split in fitting], draw)
        else:
            # What a large set has too much matters less. A set that has overflowed already has no more room.
            split = min(
                (split for split in open_sets if room[split] > 0), key=lambda split: (size - room[split]) / sizes[split]
            )
        room[split] -= size
        empty.discard(split)
        chosen.append(split)
    return chosen


def _pick(splits: list[int], weights: list[int], draw: float) -> int:
    mark = draw * sum(weights)
    for split, weight in zip(splits[:-1], weights[:-1], strict=True):
        mark -= weight
        if mark < 0:
            return split
    return splits[-1]
