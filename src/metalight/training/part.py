"""A part of the training set: to see what more galaxies would bring."""

import numpy as np
import numpy.typing as npt


def choose_part(object_ids: npt.NDArray[np.int64], fraction: float, *, seed: int) -> npt.NDArray[np.bool_]:
    """Mask of the galaxies that are learnt from; of two fractions the larger has all galaxies of the smaller.

    It depends on the seed and on which galaxies there are, not on their order.

    Args:
        object_ids: The training set, each galaxy once.
        fraction: Part of it, more than 0; 1 is all of it.
        seed: Of the draw.
    """
    rank = np.argsort(np.argsort(object_ids))
    places = np.random.default_rng([seed, len(object_ids)]).permutation(len(object_ids))[rank]
    chosen: npt.NDArray[np.bool_] = places < count_part(len(object_ids), fraction)
    return chosen


def count_part(num_galaxies: int, fraction: float) -> int:
    """Galaxies in a part of a training set: at least 2, without which there is nothing to learn."""
    return min(num_galaxies, max(2, round(fraction * num_galaxies)))
