"""Batches of an epoch: the same for any number of processes, and for a run that goes on."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import MerlError
from merl_core.training.distributed import Group


class EpochBatches:
    """This process's part of each batch, drawn anew for each epoch by `set_epoch`.

    The order depends on seed and epoch alone: the parts of all processes make up the batch that
    one process would have. The last, incomplete batch is left out.

    Args:
        rows: Places of the recordings to draw from.
        batch_size: Over all processes.
        seed: Of the order.
        group: The processes.

    Raises:
        MerlError: The batch does not divide by the processes, or there are too few recordings.
    """

    def __init__(
        self, rows: Sequence[int] | NDArray[np.int64], batch_size: int, seed: int, group: Group
    ) -> None:
        if batch_size % group.size:
            msg = f"batch_size {batch_size} is no multiple of {group.size} processes"
            raise MerlError(msg)
        if len(rows) < batch_size:
            msg = f"{len(rows)} training recordings are fewer than batch_size {batch_size}"
            raise MerlError(msg)
        self._rows = np.asarray(rows, dtype=np.int64)
        self._batch_size, self._seed, self._group = batch_size, seed, group
        self._epoch, self._first = 0, 0

    def __len__(self) -> int:
        return len(self._rows) // self._batch_size

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Choose the epoch, and the batch that it goes on from."""
        self._epoch, self._first = epoch, first_batch

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._rows)
        n_own = self._batch_size // self._group.size
        for batch in range(self._first, len(self)):
            first = batch * self._batch_size + self._group.rank * n_own
            yield order[first : first + n_own].tolist()
