"""Classification of many files: in shards, resumed where it was stopped, here or on a cluster."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from merl_core.engine import EncodedRecord, Engine
from merl_core.errors import MerlError
from merl_core.file_encoding import encode_files
from merl_core.readers.pool import ReaderPool

RUN_FILE: Final = "run.json"
Format = Literal["parquet", "ndjson"]
_SCORE: Final = pa.struct(
    [
        ("label", pa.string()),
        ("score", pa.float32()),
        ("percentile", pa.float32()),
        ("probability", pa.float32()),
    ]
)
SCHEMA: Final = pa.schema(
    [
        ("path", pa.string()),
        ("error", pa.string()),
        ("code", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("scores", pa.list_(_SCORE)),
    ]
)
"""One row a file; `error` and `code` say why a file has no scores, and are null for others."""

_OBJECT_STORE_BYTES: Final = 100 * 2**20
"""Of a Ray that is started here: only names of files and numbers of shards pass through it."""


@dataclass(frozen=True, slots=True)
class BulkRun:
    """What a run computes. A folder holds the shards of one run only."""

    root: str
    checkpoint: str
    device: str
    backend: str
    prompts: Mapping[str, str]
    """Prompt text by label."""
    shard_size: int
    output_format: Format
    threads: int = 1
    """Of torch in each worker."""


def classify_in_bulk(
    run: BulkRun,
    paths: Sequence[str],
    folder: Path,
    *,
    n_workers: int = 1,
    on_ray: bool = False,
    ray_address: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Write the scores of every file, one Parquet or NDJSON file a shard, and count them.

    A shard appears under its name when it is complete. A run that was stopped goes on with the
    shards that are not there; a file that cannot be used is a row with its error.

    Args:
        run: What to compute.
        paths: Files below the run's root.
        folder: For the shards and `run.json`.
        n_workers: Processes, or actors of Ray.
        on_ray: Give the shards to Ray in place of processes on this machine.
        ray_address: Of a cluster; None starts Ray here.
        on_progress: Called with finished and all shards.

    Returns:
        `n_files`, `n_failed`, `n_shards` and `n_shards_before`, those that were there already.

    Raises:
        MerlError: The folder holds another run, there is no file, or Ray is not installed.
        CheckpointError: The checkpoint cannot be loaded.
    """
    if not paths:
        msg = "no files to classify"
        raise MerlError(msg)
    _claim(folder, run, paths)
    shards = [
        (number, tuple(paths[start : start + run.shard_size]))
        for number, start in enumerate(range(0, len(paths), run.shard_size))
    ]
    missing = [shard for shard in shards if not shard_path(folder, run, shard[0]).is_file()]
    done = n_before = len(shards) - len(missing)
    for _ in _work(run, folder, missing, n_workers, on_ray=on_ray, ray_address=ray_address):
        done += 1
        if on_progress is not None:
            on_progress(done, len(shards))
    n_failed = sum(_count_failed(shard_path(folder, run, number)) for number, _ in shards)
    return {
        "n_files": len(paths),
        "n_failed": n_failed,
        "n_shards": len(shards),
        "n_shards_before": n_before,
    }


def shard_path(folder: Path, run: BulkRun, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"part-{number:06d}.{run.output_format}"


def classify_shard(run: BulkRun, folder: Path, number: int, paths: Sequence[str]) -> None:
    """Write one shard; it appears under its name when it is complete."""
    engine = _engine(run.checkpoint, run.device, run.backend, run.threads)
    target = shard_path(folder, run, number)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    rows = list(_rows(engine, run, paths))
    if run.output_format == "parquet":
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), unfinished)
    else:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        unfinished.write_text("".join(lines), encoding="utf-8")
    unfinished.replace(target)


def _rows(engine: Engine, run: BulkRun, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    with ReaderPool(n_workers=1) as readers:
        found = encode_files(engine, Path(run.root), paths, read=readers.read_paths)
        for path, one in zip(paths, found, strict=True):
            if not isinstance(one, EncodedRecord):
                error = {"error": str(one), "code": one.code}
                yield {"path": path, **error, "warnings": [], "scores": []}
                continue
            result = engine.score(one, run.prompts)
            scores = [
                {
                    "label": item.label,
                    "score": round(item.score, 6),
                    "percentile": item.percentile,
                    "probability": item.probability,
                }
                for item in result.scores
            ]
            warnings = [warning.code for warning in result.warnings]
            none = {"error": None, "code": None}
            yield {"path": path, **none, "warnings": warnings, "scores": scores}


@cache
def _engine(checkpoint: str, device: str, backend: str, threads: int) -> Engine:
    """Return the engine of this worker, loaded once."""
    import torch

    torch.set_num_threads(threads)
    return Engine(checkpoint, device, backend=backend)


def _work(
    run: BulkRun,
    folder: Path,
    shards: Sequence[tuple[int, tuple[str, ...]]],
    n_workers: int,
    *,
    on_ray: bool,
    ray_address: str | None,
) -> Iterator[int]:
    """Write shards and yield the number of each that is finished."""
    if on_ray:
        yield from _work_on_ray(run, folder, shards, n_workers, ray_address)
    elif n_workers == 1:
        for number, paths in shards:
            classify_shard(run, folder, number, paths)
            yield number
    else:
        with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
            jobs = {pool.submit(classify_shard, run, folder, *shard): shard[0] for shard in shards}
            try:
                for job in as_completed(jobs):
                    job.result()
                    yield jobs[job]
            finally:
                pool.shutdown(cancel_futures=True)


def _work_on_ray(
    run: BulkRun,
    folder: Path,
    shards: Sequence[tuple[int, tuple[str, ...]]],
    n_workers: int,
    address: str | None,
) -> Iterator[int]:
    if find_spec("ray") is None:
        msg = "Ray is not installed; it comes with the extra: pip install 'merl-ckepe[bulk]'"
        raise MerlError(msg)
    import ray
    from ray.util import ActorPool

    here: dict[str, Any] = {
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "num_cpus": n_workers * run.threads,
        "object_store_memory": _OBJECT_STORE_BYTES,
    }
    ray.init(address, log_to_driver=False, ignore_reinit_error=True, **({} if address else here))
    try:
        worker = ray.remote(num_cpus=run.threads, max_restarts=2, max_task_retries=2)(_RayWorker)
        pool = ActorPool([worker.remote(run, folder) for _ in range(n_workers)])
        given: Any = list(shards)
        yield from pool.map_unordered(lambda actor, shard: actor.classify.remote(*shard), given)
    finally:
        if address is None:
            ray.shutdown()


class _RayWorker:
    """An actor that keeps its engine between shards."""

    def __init__(self, run: BulkRun, folder: Path) -> None:
        self._run, self._folder = run, folder

    def classify(self, number: int, paths: Sequence[str]) -> int:
        """Write a shard and return its number."""
        classify_shard(self._run, self._folder, number, paths)
        return number


def _claim(folder: Path, run: BulkRun, paths: Sequence[str]) -> None:
    """Write down what the folder's shards are of, or compare it with what is written."""
    from merl_core.checkpoint import load_checkpoint

    loaded = load_checkpoint(run.checkpoint)
    content = asdict(run) | {
        "model_sha256": loaded.sha256,
        "config_sha256": loaded.config_sha256,
        "n_files": len(paths),
        "files_sha256": hashlib.sha256("\n".join(paths).encode()).hexdigest(),
    }
    del content["threads"]
    file = folder / RUN_FILE
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        for name, value in content.items():
            if before.get(name) != value:
                msg = f"{folder} holds another run: {name!r} differs; name another folder"
                raise MerlError(msg)
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def _count_failed(path: Path) -> int:
    if path.suffix == ".parquet":
        column = pq.read_table(path, columns=["error"])["error"]
        return int(len(column) - column.null_count)
    with path.open(encoding="utf-8") as lines:
        return sum(json.loads(line)["error"] is not None for line in lines)
