"""Mutated files of every format: a record or one of our refusals, nothing else."""

import contextlib
import random

import pytest

from benchmarks.ecg_files import microvolts, write_all
from benchmarks.fuzz_readers import fuzz, mutate
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files

SEEDS = write_all(microvolts(125, 4), 125)
CRASHES_SCIPY = ("mat5",)
"""Natively, on some inputs; only a child process survives that."""


@pytest.mark.parametrize("name", [name for name in SEEDS if name not in CRASHES_SCIPY])
def test_a_mutated_file_is_read_or_refused(name: str) -> None:
    rng = random.Random(name)
    for _ in range(12):
        files = {file: mutate(content, rng) for file, content in SEEDS[name].items()}
        with contextlib.suppress(InvalidRecordError):
            assert read_files(files).sig_len > 0


@pytest.mark.slow
def test_three_hundred_mutations_leave_no_child_dead() -> None:
    answers = fuzz(300, seed=11, keep=None)
    assert not [answer for answer in answers if answer.startswith("FINDING")]
