"""ECG features of many recordings, as a Parquet file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from merl_core.datasets.manifest import Manifest
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.evaluate import encode_manifest

FEATURES_FILE: Final = "features.parquet"


def write_features(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, list[dict[str, str]]]:
    """Write one feature for each recording and return the file and what failed.

    A recording of several windows gets the mean of their features, brought to length 1. The
    file's metadata name the model and the recordings without a feature.
    """
    encoded, failed = encode_manifest(engine, manifest, root, on_progress)
    paths, rows = [], []
    for name, one in zip(manifest.paths, encoded, strict=True):
        if one is not None:
            mean = one.features.mean(axis=0)
            paths.append(name)
            rows.append(mean / np.linalg.norm(mean))
    dim = engine.config.feature_dim
    flat = np.concatenate(rows) if rows else np.zeros(0, np.float32)
    features = pa.FixedSizeListArray.from_arrays(pa.array(flat.astype(np.float32)), dim)
    table = pa.table({"path": pa.array(paths, pa.string()), "features": features})
    without = json.dumps([item["path"] for item in failed])
    table = table.replace_schema_metadata(
        {"model": engine.model_id, "sha256": engine.sha256, "failed": without}
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / FEATURES_FILE)
    return folder / FEATURES_FILE, failed


def load_features(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return the feature of each recording by its path, from `folder` where it was written.

    What is there is taken only if the same weights wrote it and every recording was tried;
    otherwise it is written anew. Recordings that cannot be used are absent.

    Raises:
        MerlError: No recording can be used.
    """
    file = folder / FEATURES_FILE
    if file.is_file():
        table = pq.read_table(file)
        metadata = table.schema.metadata or {}
        paths = table["path"].to_pylist()
        known = {*paths, *json.loads(metadata.get(b"failed", b"[]"))}
        if metadata.get(b"sha256") == engine.sha256.encode() and set(manifest.paths) <= known:
            return dict(zip(paths, _rows(table), strict=True))
    _, failed = write_features(engine, manifest, root, folder, on_progress)
    if len(failed) == len(manifest):
        msg = f"no recording of the manifest could be used: {failed[0]['reason']}"
        raise MerlError(msg)
    table = pq.read_table(file)
    return dict(zip(table["path"].to_pylist(), _rows(table), strict=True))


def _rows(table: pa.Table) -> NDArray[np.float32]:
    column = table["features"].combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(table), -1)
