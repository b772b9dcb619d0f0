"""Some of many galaxies, spread over the sky as they all are: the same ones wherever they are selected.

Galaxies have ranks that depend on their objID alone, and so many of the lowest are taken: a part of the galaxies
contains every smaller part. Neighbours in a field of SDSS, whose identifiers follow one another, have ranks that are
far apart; of the authors' test galaxies, those of the lowest 300 to 5,000 ranks fall into fields and runs of SDSS as
random ones do.
"""

import numpy as np
import numpy.typing as npt

NUM_RANKS = 1_000_003
"""A prime: no part of an identifier, which is made of powers of 2, keeps to itself."""

_STEP = 618_033
"""From one identifier to the next: about the golden section of the ranks, so that followers lie far apart."""


def compute_ranks(object_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rank of each galaxy, from 0 to `NUM_RANKS` - 1, as `build_condition` has it."""
    ranks: npt.NDArray[np.int64] = object_ids % NUM_RANKS * _STEP % NUM_RANKS
    return ranks


def build_condition(column: str, below: int) -> str:
    """SQL of the galaxies whose rank is below a number, by the column of their objID."""
    return f"{column}%{NUM_RANKS}*{_STEP}%{NUM_RANKS}<{below}"


def choose_spread(object_ids: npt.NDArray[np.int64], num: int) -> npt.NDArray[np.intp]:
    """Rows of so many galaxies, those of the lowest ranks, in ascending order; all rows if there are no more."""
    order = np.lexsort((object_ids, compute_ranks(object_ids)))
    return np.sort(order[:num])


def name_spread(num: int) -> str:
    """Name of the step in the table of cuts."""
    return f"{num} spread over the sky"
