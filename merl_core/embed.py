"""ECG features of many recordings, as a Parquet file."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from merl_core.datasets.manifest import Manifest
from merl_core.engine import Engine
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
    file's metadata name the model.
    """
    import numpy as np

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
    table = table.replace_schema_metadata({"model": engine.model_id, "sha256": engine.sha256})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / FEATURES_FILE)
    return folder / FEATURES_FILE, failed
