"""Which galaxies stand together in a mini-batch: a function of (seed, epoch, batch)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

Rows = npt.NDArray[np.intp]

SMALLEST_BATCH_FRACTION = 0.25
"""A last batch below this part of the batch size is shared out over the others: batch norm of a few galaxies is
noise, and of one galaxy an error."""


def divide_into_batches(num_galaxies: int, batch_size: int) -> list[int]:
    """Sizes of the mini-batches of an epoch; they add up to `num_galaxies`, and differ by at most one if shared out."""
    num_whole, remainder = divmod(num_galaxies, batch_size)
    if num_whole == 0:
        return [num_galaxies]
    if remainder == 0:
        return [batch_size] * num_whole
    if remainder >= max(2, SMALLEST_BATCH_FRACTION * batch_size):
        return [batch_size] * num_whole + [remainder]
    smaller, num_larger = divmod(num_galaxies, num_whole)
    return [smaller + 1] * num_larger + [smaller] * (num_whole - num_larger)


class EpochBatches(Sampler[Rows]):
    """The rows of each mini-batch, reshuffled every epoch by (seed, epoch)."""

    def __init__(self, num_galaxies: int, batch_size: int, *, seed: int, first_epoch: int = 0) -> None:
        self._num_galaxies = num_galaxies
        self._sizes = divide_into_batches(num_galaxies, batch_size)
        self._seed = seed
        self._first_epoch = first_epoch
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of this phase that the next iteration gives; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Rows]:
        order = np.random.default_rng([self._seed, self._first_epoch + self._epoch]).permutation(self._num_galaxies)
        yield from np.split(order, np.cumsum(self._sizes)[:-1])
