"""Micro-batching: windows of concurrent requests go through the encoder together."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.parts import Classification
from api.watch import Watch
from merl_core.engine import EncodedRecord, Engine
from merl_core.errors import MerlError
from merl_core.records import Record, RecordWarning

MAX_WINDOWS: Final = 32

Windows = NDArray[np.float32]
Encode = Callable[[Windows], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Job:
    windows: Windows
    result: "Future[NDArray[np.float32]]" = field(default_factory=Future)


class MicroBatcher:
    """One thread that encodes whatever waits, together.

    A request alone is encoded at once: nothing waits for company. While the encoder is busy,
    requests gather, and the next pass takes them all.

    Args:
        encode: Takes windows (N, L, T) to features (N, D).
        watch: Told how many windows each pass took.
        max_windows: At most so many windows in a pass.
    """

    def __init__(
        self, encode: Encode, watch: Watch | None = None, *, max_windows: int = MAX_WINDOWS
    ) -> None:
        self._encode = encode
        self._watch = watch or Watch()
        self._max_windows = max_windows
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="merl-encode", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Records that wait for the encoder."""
        return len(self._waiting)

    def encode(self, windows: Windows) -> NDArray[np.float32]:
        """Return the features of these windows; blocks until they are there.

        Raises:
            MerlError: The batcher is closed.
        """
        job = _Job(windows)
        with self._changed:
            if self._is_closed:
                msg = "the encoder is closed"
                raise MerlError(msg)
            self._waiting.append(job)
            self._changed.notify()
        return job.result.result()

    def close(self) -> None:
        """Encode what waits, and stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            self._run(jobs)

    def _take(self) -> list[_Job]:
        """Return the jobs of the next pass as soon as there is one; none once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            jobs: list[_Job] = []
            n_windows = 0
            while self._waiting:
                n_windows += len(self._waiting[0].windows)
                if jobs and n_windows > self._max_windows:
                    break
                jobs.append(self._waiting.popleft())
            return jobs

    def _run(self, jobs: Sequence[_Job]) -> None:
        try:
            features = self._encode(np.concatenate([job.windows for job in jobs]))
        except Exception as error:  # handed to whoever waits; alone where others may be at fault
            if len(jobs) == 1:
                jobs[0].result.set_exception(error)
            else:
                for job in jobs:
                    self._run([job])
            return
        self._watch.on_batch(len(features))
        ends = np.cumsum([len(job.windows) for job in jobs])
        for job, rows in zip(jobs, np.split(features, ends[:-1]), strict=True):
            job.result.set_result(rows)


class BatchingEngine:
    """An engine whose encoder is shared by concurrent requests.

    Args:
        engine: The engine.
        watch: Told of every batch.
    """

    def __init__(self, engine: Engine, watch: Watch | None = None) -> None:
        self._engine = engine
        self._batcher = MicroBatcher(engine.encode_windows, watch)

    @property
    def model_id(self) -> str:
        """Name of the checkpoint."""
        return self._engine.model_id

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return self._engine.sha256

    @property
    def config_sha256(self) -> str:
        """Of the config."""
        return self._engine.config_sha256

    @property
    def n_reference(self) -> int:
        """Recordings in the reference bank."""
        return self._engine.n_reference

    @property
    def backend(self) -> str:
        """What runs the ECG encoder."""
        return self._engine.backend

    @property
    def n_waiting(self) -> int:
        """Records that wait for the encoder."""
        return self._batcher.n_waiting

    def prepare(self, record: Record) -> tuple[Windows, tuple[RecordWarning, ...]]:
        """Return the encoder's input for a recording, (W, L, T), and what was done to it."""
        return self._engine.prepare(record)

    def encode(self, windows: Windows) -> NDArray[np.float32]:
        """Return features of shape (W, D), encoded together with those of other requests."""
        return self._batcher.encode(windows)

    def score(
        self,
        features: NDArray[np.float32],
        warnings: tuple[RecordWarning, ...],
        prompts: Mapping[str, str],
    ) -> Classification:
        """Return a score for each prompt."""
        return self._engine.score(EncodedRecord(features, warnings), prompts)

    def close(self) -> None:
        """Stop the encoder's thread."""
        self._batcher.close()
