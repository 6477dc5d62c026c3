"""ReaderPool: files from strangers are parsed in warm child processes with limits."""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import merl_core
from merl_core.errors import InvalidRecordError, MerlError
from merl_core.readers.reading import load_files
from merl_core.readers.wire import unpack
from merl_core.records import Record

_START_TIMEOUT_S = 120.0
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


class ReaderPool:
    """Reads files in child processes that are started once and replaced when they fail.

    Thread-safe: as many files are read at once as there are workers. The first file waits for a
    child to load its libraries (one to two seconds) unless `start` was called before.

    Args:
        max_bytes: Larger uploads are refused (`too_large`) before anything looks into them.
        memory_mb: What a child may take for one file beyond its libraries.
        timeout_s: After this a child is killed and the file refused (`limit_exceeded`).
        n_workers: Number of child processes.
    """

    def __init__(
        self,
        max_bytes: int = 64 * 2**20,
        memory_mb: int = 2048,
        timeout_s: float = 20.0,
        n_workers: int = 1,
    ) -> None:
        self.max_bytes = max_bytes
        self._memory_mb = memory_mb
        self._timeout_s = timeout_s
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._closed = False
        for _ in range(n_workers):
            self._idle.put(_Child(memory_mb))

    def start(self) -> None:
        """Start every child and wait until it is warm."""
        children = [self._idle.get() for _ in range(self._idle.qsize())]
        for child in children:
            child.launch()
        for child in children:
            child.wait_until_ready()
            self._idle.put(child)

    def read(self, files: Mapping[str, bytes]) -> Record:
        """Return the recording that the files hold, given as bytes by name.

        Raises:
            InvalidRecordError: As `read_record`; also `limit_exceeded` if a child ran out of
                time or memory, `reader_died` if a library crashed on the file.
            MerlError: The pool is closed, or a child cannot be started.
        """
        total = sum(map(len, files.values()))
        if total > self.max_bytes:
            msg = f"the upload has {total} bytes; up to {self.max_bytes} are read"
            raise InvalidRecordError(msg, code="too_large")
        child = self._borrow()
        try:
            return child.read(files, self._timeout_s)
        finally:
            if self._closed:
                child.stop()
            else:
                child.replace_if_dead()
            self._idle.put(child)

    def _borrow(self) -> "_Child":
        """Return an idle child as soon as there is one."""
        while not self._closed:
            with suppress(queue.Empty):
                return self._idle.get(timeout=0.5)
        msg = "the reader pool is closed"
        raise MerlError(msg)

    def read_paths(self, paths: Path | str | Sequence[Path | str]) -> Record:
        """Return the recording in files on disk; see `read` and `read_record`."""
        return self.read(load_files(paths))

    def close(self) -> None:
        """Stop the children; files being read are still answered."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().stop()

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the children."""
        self.close()


class _Child:
    """One child process and its end of the pipe."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._ready = False

    def launch(self) -> None:
        """Start the process without waiting for it."""
        if self._process is not None:
            return
        ours, theirs = Pipe(duplex=True)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= {
            "PYTHONPATH": str(Path(merl_core.__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-P", "-m", "merl_core.readers.child"]
        self._process = subprocess.Popen(  # noqa: S603
            [*command, str(theirs.fileno()), str(self._memory_mb)],
            pass_fds=(theirs.fileno(),),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._connection = ours
        self._ready = False

    def wait_until_ready(self) -> Connection:
        """Return the pipe of a child that has loaded its readers.

        Raises:
            MerlError: The child does not start.
        """
        self.launch()
        assert self._connection is not None
        if not self._ready:
            try:
                if self._connection.poll(_START_TIMEOUT_S):
                    self._ready = self._connection.recv_bytes(64) == b"ready"
            except (EOFError, OSError):
                self._ready = False
            if not self._ready:
                self.stop()
                msg = "the reader process does not start"
                raise MerlError(msg)
        return self._connection

    def read(self, files: Mapping[str, bytes], timeout_s: float) -> Record:
        connection = self.wait_until_ready()
        try:
            connection.send_bytes(json.dumps(list(files)).encode())
            for content in files.values():
                connection.send_bytes(content)
            if not connection.poll(timeout_s):
                self.stop()
                msg = f"reading the file takes longer than {timeout_s:g} s"
                raise InvalidRecordError(msg, code="limit_exceeded")
            meta = json.loads(connection.recv_bytes())
            samples = connection.recv_bytes()
        except (EOFError, OSError) as error:
            self.stop()
            msg = "the reader process died on the file"
            raise InvalidRecordError(msg, code="reader_died") from error
        if meta.get("code") == "limit_exceeded":
            self.stop()
        return unpack(meta, samples)

    def replace_if_dead(self) -> None:
        """Start a new process where the old one was stopped or has died."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        self.launch()

    def stop(self) -> None:
        """Kill the process, if there is one, and wait for its end."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._ready = False
