"""`SHA256SUMS.txt` of PhysioNet projects: read, and compared with the files of a copy."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

from merl_core.errors import MerlError

SUMS: Final = "SHA256SUMS.txt"
_CHUNK: Final = 1 << 20
_HEX: Final = frozenset("0123456789abcdef")


def parse_checksums(text: str, origin: str) -> dict[str, str]:
    """Return the sha256 of each file by its path.

    Raises:
        MerlError: A line is no hash with a path, or a path leads out of the folder.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        digest, _, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").removeprefix("./")
        path = PurePosixPath(name)
        if len(digest) != 64 or not set(digest.lower()) <= _HEX or not name:
            msg = f"{origin}, line {number}: expected a sha256 and a path, found {line[:80]!r}"
            raise MerlError(msg)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            msg = f"{origin}, line {number}: path {name!r} leads out of the folder"
            raise MerlError(msg)
        found[name] = digest.lower()
    if not found:
        msg = f"{origin}: names no file"
        raise MerlError(msg)
    return found


def read_checksums(folder: Path) -> dict[str, str] | None:
    """Return the checksums that a copy carries; None where it has none."""
    path = folder / SUMS
    if not path.is_file():
        return None
    return parse_checksums(path.read_text(encoding="utf-8"), str(path))


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def compare(
    folder: Path,
    expected: dict[str, str],
    names: Iterable[str],
    n_threads: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[str]]:
    """Return the files that are `absent` and those that are `different` from their checksum."""
    wanted = list(names)
    found: dict[str, list[str]] = {"absent": [], "different": []}

    def check(name: str) -> str | None:
        if not (folder / name).is_file():
            return "absent"
        return None if sha256_of(folder / name) == expected[name] else "different"

    with ThreadPoolExecutor(n_threads) as pool:
        for done, (name, state) in enumerate(zip(wanted, pool.map(check, wanted), strict=True), 1):
            if state is not None:
                found[state].append(name)
            if on_progress is not None:
                on_progress(done, len(wanted))
    return found
