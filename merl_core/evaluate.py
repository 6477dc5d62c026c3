"""Zero-shot evaluation: on PTB-XL's label sets, and on any data that a manifest describes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from knowledge_sources.label_sets import label_set
from merl_core.calibration import fit_calibration
from merl_core.checkpoint import Checkpoint, load_checkpoint, write_calibration
from merl_core.datasets.manifest import Manifest
from merl_core.datasets.ptbxl import PtbXl
from merl_core.engine import EncodedRecord, Engine
from merl_core.ensemble import DualEncoder, build_model
from merl_core.errors import InvalidRecordError, MerlError
from merl_core.file_encoding import encode_files
from merl_core.metrics import auroc, average_precision, bootstrap, interval, macro_interval
from merl_core.model import TextConfig
from merl_core.targets import load_vocabulary
from merl_core.text_tower import load_text_encoder
from merl_core.zero_shot import join_windows

MIN_POSITIVES: Final = 5
PTBXL_SETS: Final = ("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm")


def ptbxl_labels(data: PtbXl, name: str) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Return codes, meanings and 0/1 labels of shape (N, C) of one of PTB-XL's label sets.

    Args:
        data: Recordings with their statements.
        name: `ptbxl_super`, `ptbxl_sub`, `ptbxl_form`, `ptbxl_rhythm`, or `scp` for single codes.
    """
    if name == "scp":
        return _scp_labels(data)
    stated = dict(
        zip(
            PTBXL_SETS,
            (data.superclasses, data.subclasses, data.forms, data.rhythms),
            strict=True,
        )
    )[name]
    labels = label_set(name).labels
    codes = [label.code for label in labels]
    y_true = np.array([[float(_states(one, code)) for code in codes] for one in stated])
    return codes, [label.meaning for label in labels], y_true


def _states(stated: Collection[str], code: str) -> bool:
    return not {code, f"_{code}", f"{code}_"}.isdisjoint(stated)


def _scp_labels(data: PtbXl) -> tuple[list[str], list[str], NDArray[np.float64]]:
    vocabulary = load_vocabulary()
    codes = sorted({c for one in data.scp_codes for c in one} & vocabulary.by_scp_code.keys())
    rows = [vocabulary.index[vocabulary.by_scp_code[code]] for code in codes]
    names = [vocabulary.concepts[row].canonical_name for row in rows]
    y_true = np.array([[float(code in one) for code in codes] for one in data.scp_codes])
    return codes, names, y_true


def ptbxl_validation(model: DualEncoder, data: PtbXl) -> dict[str, float]:
    """Return zero-shot macro AUROCs by label set, names as prompts, 5 positives or more a class."""
    features = encode_signals(model, data.signals)
    out = {}
    for name in (*PTBXL_SETS, "scp"):
        _, meanings, y_true = ptbxl_labels(data, name)
        scores = features @ encode_names(model, meanings).T
        values = auroc(y_true, scores)
        enough = y_true.sum(axis=0) >= MIN_POSITIVES
        out[name] = round(float(values[enough].mean()), 4)
    return out


def encode_signals(model: DualEncoder, signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return normalised features of shape (N, D) for prepared signals (N, L, T)."""
    with torch.inference_mode():
        parts = [
            model.encode_ecg(torch.from_numpy(signals[i : i + 64])).numpy()
            for i in range(0, len(signals), 64)
        ]
    return np.concatenate(parts)


def encode_names(model: DualEncoder, names: Sequence[str]) -> NDArray[np.float32]:
    """Return normalised text features of shape (C, D)."""
    with torch.inference_mode():
        return model.encode_text(torch.from_numpy(_embed(tuple(names), model.config.text))).numpy()


@cache
def _embed(names: tuple[str, ...], config: TextConfig) -> NDArray[np.float32]:
    return load_text_encoder(config).embed(names)


def encode_manifest(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[EncodedRecord | None], list[dict[str, str]]]:
    """Return the features of each recording, None for one that failed, and why it did."""
    encoded: list[EncodedRecord | None] = []
    failed: list[dict[str, str]] = []
    for name, one in zip(manifest.paths, encode_files(engine, root, manifest.paths), strict=True):
        if isinstance(one, InvalidRecordError):
            encoded.append(None)
            failed.append({"path": name, "reason": str(one)})
        else:
            encoded.append(one)
        if on_progress is not None:
            on_progress(len(encoded), len(manifest.paths))
    return encoded, failed


def evaluate_manifest(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    prompts: Mapping[str, str],
    *,
    n_bootstraps: int = 1000,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return a zero-shot report: AUROC and AUPRC of every class with intervals over patients.

    Args:
        engine: The model.
        manifest: Recordings and classes.
        root: Folder that the manifest's paths start from.
        prompts: Prompt text by class name.
        n_bootstraps: Samples for the intervals.
        seed: Of the samples.
        on_progress: Called after each recording.

    Raises:
        MerlError: A class has no prompt, there is no class, or no recording could be read.
    """
    y_score, rows, failed = _score_manifest(engine, manifest, root, prompts, on_progress)
    y_true = manifest.y_true[rows]
    groups = [manifest.patients[i] for i in rows]
    report = summarize(manifest.labels, y_true, y_score, groups, n_bootstraps, seed)
    for row, label in zip(report["classes"], manifest.labels, strict=True):
        row["prompt"] = prompts[label]
    report["failed"] = failed
    report["model"] = {"id": engine.model_id, "sha256": engine.sha256}
    return report


def calibrate_manifest(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    prompts: Mapping[str, str],
    folder: Path,
    *,
    fitted_on: str,
    method: str = "platt",
    label_set: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write a copy of the engine's checkpoint with probabilities, and return the report.

    Raises:
        MerlError: A recording is in split `test`, the method is unknown, a class has no prompt,
            or no class has enough cases.
    """
    n_test = sum(split.strip().casefold() == "test" for split in manifest.splits)
    if n_test:
        msg = f"{n_test} recordings are in split 'test': calibrate on another, such as 'val'"
        raise MerlError(msg)
    if method not in ("platt", "isotonic"):
        msg = f"unknown method {method!r}, expected platt or isotonic"
        raise MerlError(msg)
    y_score, rows, failed = _score_manifest(engine, manifest, root, prompts, on_progress)
    found, report = fit_calibration(
        manifest.labels,
        manifest.y_true[rows],
        y_score,
        [manifest.patients[i] for i in rows],
        prompts,
        fitted_on=fitted_on,
        method="isotonic" if method == "isotonic" else "platt",
    )
    prefix = f"{label_set}:" if label_set else ""
    keyed = {f"{prefix}{label.removeprefix(prefix)}": curve for label, curve in found.items()}
    write_calibration(engine.checkpoint, engine.checkpoint.config.calibration | keyed, folder)
    return {
        "fitted_on": fitted_on,
        "method": method,
        "n_records": len(rows),
        "n_patients": len({manifest.patients[i] for i in rows}),
        "classes": report,
        "failed": failed,
    }


def untrained_checkpoint(source: str | Path, seed: int = 0) -> Checkpoint:
    """Return a checkpoint with random weights in place of its own, as a baseline."""
    loaded = load_checkpoint(source)
    torch.manual_seed(seed)
    config = loaded.config.model_copy(
        update={"name": f"{loaded.config.name}-untrained", "calibration": {}}
    )
    return replace(loaded, config=config, model=build_model(config.model).eval(), sha256="")


def _score_manifest(
    engine: Engine,
    manifest: Manifest,
    root: Path,
    prompts: Mapping[str, str],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.float32], list[int], list[dict[str, str]]]:
    """Return scores of shape (N, C), the rows of the manifest that they are of, and failures."""
    missing = [label for label in manifest.labels if label not in prompts]
    if missing or not manifest.labels:
        msg = f"no prompt for class {missing[0]!r}" if missing else "the manifest names no class"
        raise MerlError(msg)
    encoded, failed = encode_manifest(engine, manifest, root, on_progress)
    rows = [i for i, one in enumerate(encoded) if one is not None]
    if not rows:
        reason = failed[0]["reason"] if failed else "it is empty"
        msg = f"no recording of the manifest could be used: {reason}"
        raise MerlError(msg)
    texts = [prompts[label] for label in manifest.labels]
    text_features = engine.encode_text(texts)
    y_score = np.stack(
        [join_windows(one.features @ text_features.T, texts) for one in encoded if one is not None]
    )
    return y_score, rows, failed


def summarize(
    labels: Sequence[str],
    y_true: NDArray[np.float64],
    y_score: NDArray[np.float32],
    groups: Sequence[str],
    n_bootstraps: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Return macro and per-class results as JSON values; None for a class that has no value."""
    roc, precision = auroc(y_true, y_score), average_precision(y_true, y_score)
    sample = bootstrap(y_true, y_score, groups=groups, n_bootstraps=n_bootstraps, seed=seed)
    roc_bounds, precision_bounds = interval(sample.auroc), interval(sample.average_precision)
    defined = ~np.isnan(roc)
    classes = [
        {
            "label": label,
            "auroc": _plain(roc[c]),
            "auroc_ci": _bounds(roc_bounds[c]),
            "auprc": _plain(precision[c]),
            "auprc_ci": _bounds(precision_bounds[c]),
            "n_positive": int((y_true[:, c] == 1).sum()),
            "n_negative": int((y_true[:, c] == 0).sum()),
        }
        for c, label in enumerate(labels)
    ]
    return {
        "macro_auroc": _macro(roc[defined]),
        "macro_auroc_ci": _bounds(macro_interval(sample.auroc[:, defined])),
        "macro_auprc": _macro(precision[defined]),
        "macro_auprc_ci": _bounds(macro_interval(sample.average_precision[:, defined])),
        "n_records": len(y_true),
        "n_patients": len(set(groups)),
        "n_classes": int(defined.sum()),
        "classes": classes,
        "without_value": [label for c, label in enumerate(labels) if not defined[c]],
    }


def _macro(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _bounds(pair: Sequence[float] | NDArray[np.float64]) -> list[float] | None:
    return None if np.isnan(pair).any() else [float(bound) for bound in pair]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
