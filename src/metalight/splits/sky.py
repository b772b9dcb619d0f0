"""Sets that no two neighbours on the sky divide: groups of galaxies go whole into one set."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import SplitError
from metalight.splits.sets import SPLITS, build_splits, compute_sizes, require_unique


def assign_sky(
    object_ids: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> pd.DataFrame:
    """A set for each group: columns object_id, split and group, in the order of `object_ids`.

    The rule: the largest groups come first, groups of one size in a random order. Each goes to a set with room for it,
    drawn in proportion to the room; if none has as much, to the set that has the most. So single galaxies, which come
    last, make the sizes exact, and a set overflows by one group at most. Groups are never so dealt out that a wanted
    set stays empty. The draw of a group depends on the seed and its name alone, and the order of rows plays no part.

    Args:
        object_ids: The galaxies, each once.
        groups: The group of each, as `find_groups` names them.
        seed: Of the draws.
        fractions: Parts for training, validation and test.

    Raises:
        SplitError: There are fewer groups than sets, the fractions cannot be used, or a set would be too small.
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
            f"The {len(object_ids)} galaxies form {_count(len(names))}, fewer than the {num_sets} sets: galaxies near "
            "each other, in frames that touch or with identical images stay together. Lower [splits] link_arcmin, or "
            "take another method."
        )
    draws = np.array([_draw(seed, name) for name in names.tolist()])
    order = np.lexsort((draws, -num_members))
    of_groups = np.empty(len(names), dtype=np.intp)
    of_groups[order] = _fill_sets(num_members[order].tolist(), draws[order].tolist(), sizes)
    splits = np.array(SPLITS)[of_groups[members]]
    return build_splits(object_ids, splits, needs_validation=fractions[1] > 0).assign(group=groups)


def _count(num_groups: int) -> str:
    return "one group" if num_groups == 1 else f"only {num_groups} groups"


def _draw(seed: int, group: int) -> float:
    """A number from 0 to 1, uniform over groups."""
    digest = hashlib.blake2b(f"{seed} {group}".encode(), digest_size=6).digest()
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
            split = max(open_sets, key=room.__getitem__)
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
