"""The child process of `ReaderPool`: takes files on a pipe, parses, sends the record back.

Run as `python -m merl_core.readers.child FD MEMORY_MB`. The record travels as JSON and raw
samples, not as a pickle: nothing that a hostile file could do to this process reaches the parent
as code.
"""

import contextlib
import json
import os
import resource
import sys
from multiprocessing.connection import Connection
from typing import Any

from merl_core.errors import InvalidRecordError
from merl_core.readers.reading import read_files, warm_up
from merl_core.readers.wire import pack


def limit(memory_mb: int) -> None:
    """Limit this process: private memory beyond what it has now, no core dumps, small files."""
    budget = memory_mb * 2**20
    for kind, extra in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (budget + _in_use(extra), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))


def _in_use(field: str) -> int:
    """Return bytes of address space in use now; libraries reserve far more than they touch."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            line = next((row for row in status if row.startswith(field)), "")
    except OSError:
        return 2**31
    return int(line.split()[1]) * 1024 if line else 2**31


def serve(connection: Connection) -> None:
    """Answer requests until the parent closes the pipe."""
    while True:
        try:
            names = json.loads(connection.recv_bytes())
            files = {name: connection.recv_bytes() for name in names}
        except EOFError:
            return
        exhausted = False
        samples: bytes | memoryview = b""
        try:
            meta, samples = pack(read_files(files))
        except InvalidRecordError as error:
            meta = {"error": str(error)[:2000], "code": error.code}
            exhausted = error.code == "limit_exceeded"
        except MemoryError:
            meta = _out_of_memory()
            exhausted = True
        connection.send_bytes(json.dumps(meta).encode())
        connection.send_bytes(samples)
        if exhausted:
            return


def _out_of_memory() -> dict[str, Any]:
    return {"error": "reading the file needs more memory than allowed", "code": "limit_exceeded"}


def main() -> None:
    """Load every reader, then set the limits, then serve."""
    connection = Connection(int(sys.argv[1]))
    warm_up()
    limit(int(sys.argv[2]))
    connection.send_bytes(b"ready")
    with contextlib.suppress(BrokenPipeError):
        serve(connection)
    os._exit(0)


if __name__ == "__main__":
    main()
