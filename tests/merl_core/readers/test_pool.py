"""ReaderPool: same records as in this process, limits kept, hostile files survived."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from merl_core.errors import InvalidRecordError, MerlError
from merl_core.readers import read_files
from merl_core.readers.pool import ReaderPool

CSV = b"I,II\n" + b"".join(b"%d,%d\n" % (i % 97 - 40, i % 53 - 20) for i in range(5000))


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    with ReaderPool(max_bytes=10**6, timeout_s=10) as started:
        yield started


def test_a_child_reads_what_this_process_reads(pool: ReaderPool) -> None:
    there, here = pool.read({"a.csv": CSV}), read_files({"a.csv": CSV})
    assert np.array_equal(there.signal, here.signal)
    assert (there.leads, there.fs, there.sha256) == (here.leads, here.fs, here.sha256)
    assert there.warnings == here.warnings


def test_an_upload_over_the_cap_is_refused(pool: ReaderPool) -> None:
    with pytest.raises(InvalidRecordError, match="1000001 bytes") as caught:
        pool.read({"a.csv": b"1" * (10**6 + 1)})
    assert caught.value.code == "too_large"


def test_the_childs_refusal_keeps_its_code(pool: ReaderPool) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        pool.read({"a.bin": b"\x00\x01\x02"})
    assert caught.value.code == "unknown_format"


def test_a_closed_pool_reads_nothing() -> None:
    pool = ReaderPool()
    pool.close()
    with pytest.raises(MerlError, match="closed"):
        pool.read({"a.csv": CSV})


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_read() -> None:
    with ReaderPool(timeout_s=0.001) as pool:
        with pytest.raises(InvalidRecordError, match="longer than") as caught:
            pool.read({"a.csv": CSV * 20})
        assert caught.value.code == "limit_exceeded"
        pool._timeout_s = 30
        assert pool.read({"a.csv": CSV}).sig_len == 5000


def test_a_file_that_needs_too_much_memory_is_refused() -> None:
    with ReaderPool(memory_mb=40) as pool:
        with pytest.raises(InvalidRecordError, match="memory") as caught:
            pool.read({"a.csv": CSV * 100})
        assert caught.value.code == "limit_exceeded"
        assert pool.read({"a.csv": CSV}).sig_len == 5000


def test_a_child_that_dies_is_replaced() -> None:
    with ReaderPool() as pool:
        pool.start()
        child = pool._idle.queue[0]._process
        assert child is not None
        child.kill()
        child.wait()
        with pytest.raises(InvalidRecordError, match="died") as caught:
            pool.read({"a.csv": CSV})
        assert caught.value.code == "reader_died"
        assert pool.read({"a.csv": CSV}).sig_len == 5000


def test_a_child_sees_no_settings_of_its_parent(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERL_SECRET", "key")
    with ReaderPool() as fresh:
        fresh.start()
        child = fresh._idle.queue[0]._process
        assert child is not None
        environment = Path(f"/proc/{child.pid}/environ")
        if not environment.exists():
            pytest.skip("needs /proc")
        assert b"MERL_SECRET" not in environment.read_bytes()
