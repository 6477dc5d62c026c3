"""Download of a data set from PhysioNet: parallel, resumed where it broke off, verified."""

import fnmatch
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from merl_core.datasets.catalog import Publication
from merl_core.datasets.checksums import SUMS, parse_checksums, sha256_of
from merl_core.errors import MerlError

BASE_URL: Final = "https://physionet.org/files"
_SLICE: Final = 2000
_LONGEST_WAIT_S: Final = 30.0
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download did."""

    n_files: int
    n_new: int
    n_bytes: int
    """Received over the network, what was thrown away included."""


@dataclass(frozen=True, slots=True)
class _Job:
    client: httpx.Client
    url: str
    path: Path
    sha256: str
    n_attempts: int
    pause_s: float


def fetch(
    publication: Publication,
    folder: Path,
    *,
    base_url: str = BASE_URL,
    include: Sequence[str] = (),
    n_connections: int = 8,
    n_attempts: int = 6,
    pause_s: float = 0.5,
    timeout_s: float = 60.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Download a data set; what is there already is kept, and what broke off goes on.

    A file has its own name only once its sha256 is the published one; until then it ends in
    `.part`. A copy can be compared again with `merl data check --checksums`.

    Args:
        publication: The data set.
        folder: Where it goes.
        base_url: Of PhysioNet's files, or of a mirror.
        include: Patterns of paths (`*.csv`, `files/p1000/*`); all files if empty.
        n_connections: Files at a time.
        n_attempts: Tries without any progress before a file is given up.
        pause_s: Before the second try; doubled with each one.
        timeout_s: Without a byte.
        on_progress: Called with files done and files to do.

    Raises:
        MerlError: The list of checksums cannot be had, no file is wanted, or a file cannot be
            had whole; the files that arrived stay.
    """
    root = f"{base_url.rstrip('/')}/{publication.slug}"
    limits = httpx.Limits(max_connections=n_connections)
    with httpx.Client(timeout=timeout_s, limits=limits, follow_redirects=True) as client:
        sums = _fetch_sums(client, root, n_attempts, pause_s)
        wanted = _wanted(sums, publication.below, include)
        folder.mkdir(parents=True, exist_ok=True)
        known = (n for n in sums if n in wanted or (n != SUMS and (folder / n).is_file()))
        lines = "".join(f"{sums[name]} {name}\n" for name in known)
        (folder / SUMS).write_text(lines, encoding="utf-8")
        names = list(wanted)
        n_new, n_bytes, done = 0, 0, 0
        with ThreadPoolExecutor(n_connections) as pool:
            for first in range(0, len(names), _SLICE):
                jobs = [
                    _Job(client, f"{root}/{quote(name)}", folder / name, wanted[name], n_attempts,
                         pause_s)
                    for name in names[first : first + _SLICE]
                ]  # fmt: skip
                for received in pool.map(_fetch_file, jobs):
                    n_new += received is not None
                    n_bytes += received or 0
                    done += 1
                    if on_progress is not None:
                        on_progress(done, len(names))
    return Fetched(len(names), n_new, n_bytes)


def _fetch_sums(client: httpx.Client, root: str, n_attempts: int, pause_s: float) -> dict[str, str]:
    url = f"{root}/{SUMS}"
    for attempt in range(n_attempts):
        try:
            response = client.get(url)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
        else:
            if response.status_code == HTTPStatus.OK:
                return parse_checksums(response.text, url)
            reason = f"HTTP status {response.status_code}"
            if response.status_code not in _TRANSIENT:
                break
        _pause(attempt, pause_s)
    msg = f"{url}: cannot be fetched: {reason}"
    raise MerlError(msg)


def _wanted(sums: dict[str, str], below: str, include: Sequence[str]) -> dict[str, str]:
    found = {
        name: digest
        for name, digest in sums.items()
        if name.startswith(below)
        and name != SUMS
        and (not include or any(fnmatch.fnmatch(name, pattern) for pattern in include))
    }
    if not found:
        msg = f"no published file matches {', '.join(map(repr, include)) or repr(below)}"
        raise MerlError(msg)
    return found


def _fetch_file(job: _Job) -> int | None:
    """Download one file; return the bytes received, or None if it was there."""
    if job.path.is_file():
        return None
    job.path.parent.mkdir(parents=True, exist_ok=True)
    part = job.path.with_name(f"{job.path.name}.part")
    n_bytes, n_idle, n_wrong, reason = 0, 0, 0, ""
    while n_idle < job.n_attempts:
        before = part.stat().st_size if part.is_file() else 0
        try:
            received, is_whole = _receive(job, part, before)
            n_bytes += received
        except httpx.TransportError as error:
            reason, is_whole = str(error) or type(error).__name__, False
            n_bytes += max(0, (part.stat().st_size if part.is_file() else 0) - before)
        if is_whole:
            if sha256_of(part) == job.sha256:
                part.replace(job.path)
                return n_bytes
            part.unlink()
            n_wrong += 1
            reason = "its sha256 is not the published one"
            if n_wrong > 1:
                break
        after = part.stat().st_size if part.is_file() else 0
        n_idle = 0 if after > before else n_idle + 1
        _pause(n_idle, job.pause_s)
    msg = f"{job.url}: cannot be fetched: {reason}"
    raise MerlError(msg)


def _receive(job: _Job, part: Path, before: int) -> tuple[int, bool]:
    """Append what is missing of a file; return the bytes received, and whether it is whole now.

    Raises:
        MerlError: The server refuses the file for good.
    """
    headers = {"Accept-Encoding": "identity"}
    if before:
        headers["Range"] = f"bytes={before}-"
    with job.client.stream("GET", job.url, headers=headers) as response:
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return 0, True  # all bytes were there; the checksum decides
        if status in _TRANSIENT:
            raise httpx.ReadError(f"HTTP status {status}", request=response.request)
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            hint = ": it asks for an account" if status in (401, 403) else ""
            msg = f"{job.url}: HTTP status {status}{hint}"
            raise MerlError(msg)
        is_rest = status == HTTPStatus.PARTIAL_CONTENT and _starts_at(response, before)
        if status == HTTPStatus.PARTIAL_CONTENT and not is_rest:
            part.unlink(missing_ok=True)
            raise httpx.ReadError("another range than asked for", request=response.request)
        received = 0
        with part.open("ab" if is_rest else "wb") as stream:
            for chunk in response.iter_raw():
                stream.write(chunk)
                received += len(chunk)
    return received, True


def _starts_at(response: httpx.Response, place: int) -> bool:
    described: str = response.headers.get("Content-Range", "")
    return described.startswith(f"bytes {place}-")


def _pause(attempt: int, pause_s: float) -> None:
    if attempt:
        time.sleep(min(_LONGEST_WAIT_S, pause_s * 2 ** (attempt - 1)))
