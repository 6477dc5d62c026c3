import numpy as np
import pytest

from merl_core.errors import MerlError
from merl_core.training.distributed import Group
from merl_core.training.sampling import EpochBatches

ROWS = np.arange(100, 130)


def batches(group: Group | None = None, epoch: int = 0, first: int = 0) -> list[list[int]]:
    sampler = EpochBatches(ROWS, 8, 1, group or Group())
    sampler.set_epoch(epoch, first)
    return list(sampler)


def test_the_parts_of_two_processes_make_up_the_batch_of_one() -> None:
    parts = [batches(Group(rank, 2)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*parts, strict=True)] == batches()


def test_no_recording_is_drawn_twice_in_an_epoch() -> None:
    drawn = [row for batch in batches() for row in batch]
    assert len(drawn) == len(set(drawn)) == 24


def test_each_epoch_has_its_own_order() -> None:
    assert batches(epoch=0) != batches(epoch=1)
    assert batches(epoch=1) == batches(epoch=1)


def test_an_epoch_goes_on_from_a_batch() -> None:
    assert batches(epoch=2, first=2) == batches(epoch=2)[2:]


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(MerlError, match="batch_size 8 is no multiple of 3 processes"):
        EpochBatches(ROWS, 8, 0, Group(0, 3))
