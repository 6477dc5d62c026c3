"""What a probe works on: features and labels of each split, of one data set or across two."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from knowledge_sources.label_sets import label_set
from merl_core.datasets.manifest import Manifest
from merl_core.embed import load_features
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.linear_probe import ProbeData

Splits = dict[str, ProbeData]


def load_splits(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[str, ...], Splits]:
    """Return the classes, and features and labels of each split that the manifest names.

    Features are kept in `folder`. Recordings that cannot be used are left out.

    Raises:
        MerlError: The manifest names no split or no class.
    """
    if not manifest.splits or not manifest.labels:
        missing = "no column `split`" if not manifest.splits else "no class"
        msg = f"the manifest has {missing}; a probe needs train, val and test recordings"
        raise MerlError(msg)
    found = load_features(engine, manifest, root, folder, on_progress)
    parts: Splits = {}
    for split in sorted(set(manifest.splits)):
        part = manifest.of_split(split)
        part = part.select([i for i, path in enumerate(part.paths) if path in found])
        rows = [found[path] for path in part.paths]
        features = np.stack(rows) if rows else np.zeros((0, engine.config.feature_dim), np.float32)
        parts[split] = ProbeData(features, part.y_true, part.patients)
    for split in ("train", "val", "test"):
        empty = np.zeros((0, engine.config.feature_dim), np.float32)
        parts.setdefault(split, ProbeData(empty, np.zeros((0, len(manifest.labels))), ()))
    return manifest.labels, parts


def overlap(
    source: tuple[Sequence[str], str | None, Mapping[str, ProbeData]],
    target: tuple[Sequence[str], str | None, ProbeData],
) -> tuple[tuple[str, ...], Splits]:
    """Return the classes that two data sets share, and splits of which `test` is the target's.

    Two classes are one if they stand for the same concept of a label set, or, where a set is not
    named, are written alike. A concept that several classes of the source stand for is positive
    where any of them is.

    Args:
        source: Classes, label set or None, and splits; its own `test` is not used.
        target: Classes, label set or None, and test records.

    Raises:
        MerlError: They share no class.
    """
    ours, theirs = (_concepts(names, name) for names, name in (source[:2], target[:2]))
    shared = [concept for concept in dict.fromkeys(ours) if concept in theirs]
    if not shared:
        msg = "the two data sets share no class"
        raise MerlError(msg)
    parts = {name: _of_concepts(part, ours, shared) for name, part in source[2].items()}
    parts["test"] = _of_concepts(target[2], theirs, shared)
    return tuple(source[0][ours.index(concept)] for concept in shared), parts


def _concepts(labels: Sequence[str], name: str | None) -> list[str]:
    if name is None:
        return [" ".join(label.casefold().split()) for label in labels]
    codes = [label.partition(":")[2] or label for label in labels]
    return [label_set(name).get(code).concept_ids[0] for code in codes]


def _of_concepts(part: ProbeData, concepts: Sequence[str], shared: Sequence[str]) -> ProbeData:
    columns = [[c for c, name in enumerate(concepts) if name == one] for one in shared]
    y_true = np.stack([part.y_true[:, c].max(axis=1) for c in columns], axis=1)
    return ProbeData(part.features, y_true, part.patients)
