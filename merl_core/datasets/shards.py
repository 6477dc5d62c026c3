"""Recordings prepared once for training: int16 shards of one shape, written in parallel.

A folder holds `shard-00000.i16` (int16, little-endian, (N, L, T), microvolts), `shard-00000.json`
beside each, `records.parquet` (one row a recording: place, number, patient, split, report,
classes) and `manifest.json` (what was asked for, and the sha256 of every file).
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from merl_core.datasets.checksums import sha256_of
from merl_core.datasets.manifest import Manifest
from merl_core.errors import InvalidRecordError, MerlError
from merl_core.preprocess import prepare
from merl_core.readers import read_record

FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
RECORDS: Final = "records.parquet"
UNITS_PER_MV: Final = 1000
_LARGEST: Final = 32767
_LAYOUT_FIELDS: Final = ("leads", "fs", "window_s", "low_hz", "high_hz")


@dataclass(frozen=True, slots=True)
class Layout:
    """What every recording is brought to. L leads, T samples."""

    leads: tuple[str, ...]
    fs: float
    window_s: float
    low_hz: float | None
    high_hz: float | None
    """Edges of the filter; `low_hz` None for none at all."""
    resample: bool = False
    """Whether recordings at another rate are resampled; if not, they are refused."""

    @property
    def shape(self) -> tuple[int, int]:
        """L and T."""
        return len(self.leads), round(self.fs * self.window_s)


@dataclass(frozen=True, slots=True)
class _Job:
    stem: str
    root: str
    paths: tuple[str, ...]
    first_row: int
    layout: Layout

    @property
    def sha256(self) -> str:
        """Of all that decides what the shard holds."""
        content = [self.root, self.paths, self.first_row, asdict(self.layout), FORMAT_VERSION]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def write_shards(
    manifest: Manifest,
    root: Path,
    folder: Path,
    layout: Layout,
    *,
    shard_size: int = 1024,
    n_workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Prepare recordings for training; shards that are there already are kept.

    Each worker holds one recording in memory at a time. A recording that cannot be used is left
    out and named with the reason: nothing is filled with zeros.

    Args:
        manifest: The recordings.
        root: Folder that their paths start from.
        folder: Where the shards go; an interrupted preparation goes on.
        layout: What each recording is brought to.
        shard_size: Recordings of a shard.
        n_workers: Processes.
        on_progress: Called with recordings done and recordings to do.

    Returns:
        The content of `manifest.json`.

    Raises:
        MerlError: No recording can be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    jobs = list(_jobs(manifest, root.absolute(), folder.absolute(), layout, shard_size))
    done = []
    for result in _results(jobs, n_workers):
        done.append(result)
        if on_progress is not None:
            last = jobs[len(done) - 1]
            on_progress(last.first_row + len(last.paths), len(manifest))
    if not any(result["rows"] for result in done):
        failed = done[0]["failed"][0]
        msg = f"no recording can be used; the first, {failed['path']!r}: {failed['reason']}"
        raise MerlError(msg)
    _write_records(manifest, done, folder / RECORDS)
    content = _describe(manifest, layout, done, folder)
    _write_atomically(folder / MANIFEST, json.dumps(content, indent=1).encode())
    return content


def _jobs(
    manifest: Manifest, root: Path, folder: Path, layout: Layout, size: int
) -> Iterator[_Job]:
    for i, first in enumerate(range(0, len(manifest), size)):
        paths = manifest.paths[first : first + size]
        yield _Job(str(folder / f"shard-{i:05d}"), str(root), paths, first, layout)


def _results(jobs: Sequence[_Job], n_workers: int) -> Iterator[dict[str, Any]]:
    if n_workers == 1:
        yield from map(_write_shard, jobs)
        return
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write_shard, jobs)


def _write_shard(job: _Job) -> dict[str, Any]:
    """Write one shard and its description, unless they are there."""
    path, described = Path(f"{job.stem}.i16"), Path(f"{job.stem}.json")
    known = _known_shard(job, path, described)
    if known is not None:
        return known
    described.unlink(missing_ok=True)
    digest = hashlib.sha256()
    rows: list[int] = []
    failed: list[dict[str, str]] = []
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        for row, name in enumerate(job.paths, start=job.first_row):
            try:
                units = to_units(Path(job.root) / name, job.layout)
            except InvalidRecordError as error:
                failed.append({"path": name, "code": error.code, "reason": str(error)})
                continue
            except FileNotFoundError:
                failed.append({"path": name, "code": "absent", "reason": "no such file"})
                continue
            content = units.tobytes()
            digest.update(content)
            stream.write(content)
            rows.append(row)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    result = {
        "file": path.name,
        "input_sha256": job.sha256,
        "sha256": digest.hexdigest(),
        "rows": rows,
        "failed": failed,
    }
    _write_atomically(described, json.dumps(result).encode())
    return result


def _known_shard(job: _Job, path: Path, described: Path) -> dict[str, Any] | None:
    if not (path.is_file() and described.is_file()):
        return None
    try:
        result: dict[str, Any] = json.loads(described.read_text(encoding="utf-8"))
        n_leads, sig_len = job.layout.shape
        size = len(result["rows"]) * n_leads * sig_len * 2
        is_same = result["input_sha256"] == job.sha256 and path.stat().st_size == size
    except (ValueError, KeyError, TypeError):
        return None  # a damaged description: the shard is written anew
    return result if is_same else None


def to_units(path: Path, layout: Layout) -> NDArray[np.int16]:
    """Return a recording as microvolts of shape (L, T), its middle window where it is longer.

    Raises:
        InvalidRecordError: It cannot be used, its rate is another (`wrong_rate`), or a value
            lies beyond 32.767 mV (`out_of_range`).
        FileNotFoundError: There is no such file.
    """
    record = read_record(path)
    if record.fs != layout.fs and not layout.resample:
        msg = f"{path.name}: {record.fs:g} samples per second, expected {layout.fs:g}"
        raise InvalidRecordError(msg, code="wrong_rate")
    windows, _ = prepare(
        record, layout.leads, layout.fs, layout.window_s, low=layout.low_hz, high=layout.high_hz
    )
    units = (windows[len(windows) // 2] * UNITS_PER_MV).round()
    lead, sample = np.unravel_index(np.abs(units).argmax(), units.shape)
    if abs(units[lead, sample]) > _LARGEST:
        mv = units[lead, sample] / UNITS_PER_MV
        msg = f"{path.name}: lead {layout.leads[lead]!r} reaches {mv:.1f} mV at sample {sample}"
        raise InvalidRecordError(msg, code="out_of_range")
    stored: NDArray[np.int16] = units.astype("<i2")
    return stored


def _write_records(manifest: Manifest, done: list[dict[str, Any]], path: Path) -> None:
    places = [(i, j, row) for i, shard in enumerate(done) for j, row in enumerate(shard["rows"])]
    rows = [row for *_, row in places]
    kept = manifest.select(rows)
    columns: dict[str, Any] = {
        "shard": pa.array([i for i, *_ in places], pa.int32()),
        "row": pa.array([j for _, j, _ in places], pa.int32()),
        "path": kept.paths,
        "patient_id": kept.patients,
        "record_id": kept.record_ids or kept.paths,
        "split": kept.splits or ("train",) * len(kept),
        "report": kept.reports or ("",) * len(kept),
    }
    if kept.labels:
        columns["y_true"] = pa.array(list(kept.y_true), pa.list_(pa.float64(), len(kept.labels)))
    part = path.with_suffix(".part")
    pq.write_table(pa.table(columns), part, compression="zstd")
    part.replace(path)


def _describe(
    manifest: Manifest, layout: Layout, done: list[dict[str, Any]], folder: Path
) -> dict[str, Any]:
    failed = [item for shard in done for item in shard["failed"]]
    return {
        "format_version": FORMAT_VERSION,
        "layout": asdict(layout),
        "unit": f"mV / {UNITS_PER_MV}",
        "n_records": sum(len(shard["rows"]) for shard in done),
        "n_failed": len(failed),
        "failed_by_code": dict(Counter(item["code"] for item in failed)),
        "failed": failed[:100],
        "labels": list(manifest.labels),
        "label_set": manifest.label_set,
        "notices": list(manifest.notices),
        "shards": [
            {"file": s["file"], "n_records": len(s["rows"]), "sha256": s["sha256"]} for s in done
        ],
        "records": {"file": RECORDS, "sha256": sha256_of(folder / RECORDS)},
    }


def read_description(folder: Path) -> dict[str, Any]:
    """Return the content of a prepared folder's `manifest.json`.

    Raises:
        MerlError: It is absent (the preparation is unfinished), broken, or of another version.
    """
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{folder}: no {MANIFEST}: not a prepared data set, or its preparation is unfinished"
        raise MerlError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise MerlError(msg) from error
    found = content.get("format_version") if isinstance(content, dict) else None
    if found != FORMAT_VERSION:
        msg = f"{path}: format version {found!r}, expected {FORMAT_VERSION}"
        raise MerlError(msg)
    missing = [name for name in ("layout", "shards", "records") if name not in content]
    missing = missing or [name for name in _LAYOUT_FIELDS if name not in content["layout"]]
    if missing:
        msg = f"{path}: field {missing[0]!r} is missing"
        raise MerlError(msg)
    return content


def read_layout(folder: Path) -> Layout:
    """Return what the recordings of a prepared folder were brought to.

    Raises:
        MerlError: See `read_description`.
    """
    layout = read_description(folder)["layout"]
    return Layout(**layout | {"leads": tuple(layout["leads"])})


def _write_atomically(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part-json")
    part.write_bytes(content)
    part.replace(path)
