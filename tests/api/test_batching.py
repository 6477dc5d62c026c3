"""Micro-batching: what is gathered, who gets what back, and that company changes nothing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from api.batching import BatchingEngine, MicroBatcher
from api.watch import Watch
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.records import STANDARD_LEADS, Record
from merl_core.simulate import simulate

Windows = NDArray[np.float32]


def windows(value: float, n: int = 1) -> Windows:
    return np.full((n, 12, 4), value, np.float32)


def mean(given: Windows) -> Windows:
    return given.mean(axis=(1, 2))[:, None]


class Held:
    """An encoder that waits at its first pass until it is let go."""

    def __init__(self, encode: Callable[[Windows], Windows] = mean) -> None:
        self.may_go = threading.Event()
        self.has_begun = threading.Event()
        self.sizes: list[int] = []
        self._encode = encode

    def __call__(self, given: Windows) -> Windows:
        self.sizes.append(len(given))
        self.has_begun.set()
        assert self.may_go.wait(20)
        return self._encode(given)


def gather(held: Held, batcher: MicroBatcher, jobs: list[Windows]) -> list[Windows]:
    """Encode the jobs so that all but the first wait behind it."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        first = pool.submit(batcher.encode, jobs[0])
        assert held.has_begun.wait(20)
        rest = [pool.submit(batcher.encode, job) for job in jobs[1:]]
        while batcher.n_waiting < len(rest):
            threading.Event().wait(0.005)
        held.may_go.set()
        return [future.result(20) for future in (first, *rest)]


def test_what_waits_goes_through_together_and_each_gets_its_own() -> None:
    held = Held()
    batcher = MicroBatcher(held)
    found = gather(held, batcher, [windows(1), windows(2, n=3), windows(3)])
    assert held.sizes == [1, 4]
    assert [list(rows[:, 0]) for rows in found] == [[1.0], [2.0, 2.0, 2.0], [3.0]]
    batcher.close()


def test_a_pass_is_no_larger_than_allowed() -> None:
    held = Held()
    batcher = MicroBatcher(held, max_windows=2)
    gather(held, batcher, [windows(n) for n in range(6)])
    assert held.sizes == [1, 2, 2, 1]
    batcher.close()


def test_one_that_fails_does_not_take_others_with_it() -> None:
    def picky(given: Windows) -> Windows:
        if np.isnan(given).any():
            msg = "not a number"
            raise ValueError(msg)
        return mean(given)

    held = Held(picky)
    batcher = MicroBatcher(held)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(batcher.encode, windows(1))
        assert held.has_begun.wait(20)
        bad, good = (
            pool.submit(batcher.encode, windows(np.nan)),
            pool.submit(batcher.encode, windows(2)),
        )
        while batcher.n_waiting < 2:
            threading.Event().wait(0.005)
        held.may_go.set()
        assert (first.result(20)[0, 0], good.result(20)[0, 0]) == (1.0, 2.0)
        with pytest.raises(ValueError, match="not a number"):
            bad.result(20)
    batcher.close()


def test_batches_are_reported() -> None:
    sizes: list[int] = []
    batcher = MicroBatcher(mean, Watch(on_batch=sizes.append))
    batcher.encode(windows(1, n=5))
    assert sizes == [5]
    batcher.close()


def test_nothing_is_taken_once_closed() -> None:
    batcher = MicroBatcher(mean)
    batcher.close()
    with pytest.raises(MerlError, match="closed"):
        batcher.encode(windows(1))


@pytest.mark.slow
def test_scores_do_not_depend_on_who_else_is_in_the_batch() -> None:
    batch = simulate([["atrial-fibrillation"]] * 6, n_records=6, fs=500, duration_s=10.0, seed=5)
    records = [Record(signal, STANDARD_LEADS, 500.0) for signal in batch.signals]
    engine = BatchingEngine(Engine("merl-sim", "cpu"))
    prompts = {"af": "atrial fibrillation", "n": "normal ECG"}

    def scores(record: Record) -> list[float]:
        prepared, warnings = engine.prepare(record)
        found = engine.score(engine.encode(prepared), warnings, prompts)
        return [round(item.score, 6) for item in found.scores]

    alone = [scores(record) for record in records]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(scores, records))
    np.testing.assert_allclose(together, alone, atol=1.1e-6, rtol=0)
    engine.close()
