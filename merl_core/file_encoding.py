"""Files in, ECG features out: read and prepared ahead by threads, encoded in full batches."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from merl_core.engine import EncodedRecord, Engine
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_record
from merl_core.records import Record, RecordWarning

_BATCH: Final = 32
_N_READERS: Final = 2
_AHEAD: Final = 2 * _BATCH
"""Files that are read before they are encoded: bounds the memory."""

Prepared = tuple[NDArray[np.float32], tuple[RecordWarning, ...]]


def find_recording(root: Path, name: str) -> Path:
    """Return the file of a manifest's path; a WFDB record may be named without its suffix.

    Raises:
        InvalidRecordError: There is no such file.
    """
    path = root / name
    if path.is_file():
        return path
    header = path.with_name(path.name + ".hea")
    if header.is_file():
        return header
    msg = f"file {str(path)!r} does not exist"
    raise InvalidRecordError(msg, code="missing_file")


def encode_files(
    engine: Engine,
    root: Path,
    names: Sequence[str],
    *,
    read: Callable[[Path], Record] = read_record,
) -> Iterator[EncodedRecord | InvalidRecordError]:
    """Yield the features of each file, in order, or why it cannot be used.

    Windows of several files share a batch; that changes no feature beyond float32 rounding.

    Args:
        engine: The model.
        root: Folder that the names start from.
        names: Paths below it.
        read: Reads one file; `ReaderPool.read_paths` reads files of strangers.
    """

    def prepare(name: str) -> Prepared | InvalidRecordError:
        try:
            return engine.prepare(read(find_recording(root, name)))
        except InvalidRecordError as error:
            return error
        except OSError as error:
            return InvalidRecordError(f"{error.strerror}: {name!r}", code="unreadable")

    waiting: list[Prepared | InvalidRecordError] = []
    for item in _read_ahead(prepare, names):
        waiting.append(item)
        if sum(len(one[0]) for one in waiting if isinstance(one, tuple)) >= _BATCH:
            yield from _encode_together(engine, waiting)
            waiting = []
    yield from _encode_together(engine, waiting)


def _read_ahead(
    prepare: Callable[[str], Prepared | InvalidRecordError], names: Sequence[str]
) -> Iterator[Prepared | InvalidRecordError]:
    pending: deque[Future[Prepared | InvalidRecordError]] = deque()
    with ThreadPoolExecutor(_N_READERS, "merl-read") as readers:
        try:
            for name in names:
                pending.append(readers.submit(prepare, name))
                if len(pending) >= _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            readers.shutdown(cancel_futures=True)


def _encode_together(
    engine: Engine, items: Sequence[Prepared | InvalidRecordError]
) -> Iterator[EncodedRecord | InvalidRecordError]:
    windows = [one[0] for one in items if isinstance(one, tuple)]
    features = engine.encode_windows(np.concatenate(windows)) if windows else None
    done = 0
    for item in items:
        if isinstance(item, InvalidRecordError):
            yield item
            continue
        assert features is not None
        n_windows = len(item[0])
        yield EncodedRecord(features[done : done + n_windows], item[1])
        done += n_windows
