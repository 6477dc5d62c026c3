"""Training examples: real and simulated ECGs with what they show, and texts of every concept."""

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from merl_core.datasets.ptbxl import (
    FS,
    PtbXl,
    concatenate,
    load_ptbxl,
    load_ptbxl_reports,
    load_ptbxl_zscored,
)
from merl_core.errors import MerlError
from merl_core.measured_statements import add_measured, sure_statements
from merl_core.preprocess import bandpass
from merl_core.simulate import STATEMENTS, simulate
from merl_core.targets import Vocabulary, targets_from_findings, targets_from_ptbxl
from merl_core.text_tower import TextEncoder

logger = logging.getLogger(__name__)

TRAINING_FOLDS: Final = range(1, 9)
VALIDATION_FOLD: Final = 9
_SCALARS: Final = ("heart_rate_bpm", "pr_ms", "p_ms", "qrs_ms", "qt_ms", "qtc_ms")
_ANGLES: Final = ("qrs_axis_deg",)
_AMPLITUDES: Final = ("r_mv", "s_mv", "q_mv", "st_mv", "t_mv")
_CHUNK: Final = 2000
MAX_SIMULATED_REPORTS: Final = 5000


@dataclass(frozen=True, eq=False, slots=True)
class Examples:
    """ECGs with their targets. N records, C concepts, K measurements."""

    signals: NDArray[np.int16]
    """Shape (N, 12, T), microvolts, filtered."""
    targets: NDArray[np.float32]
    """Shape (N, C); 1, 0 or NaN."""
    has_voltage: NDArray[np.bool_]
    measurements: NDArray[np.float32]
    """Shape (N, K), standardised; NaN where not known."""
    reports: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.signals)

    @property
    def sha256(self) -> str:
        """Of signals, targets and measurements."""
        digest = hashlib.sha256()
        for part in (self.signals, self.targets, self.has_voltage, self.measurements):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return signals in millivolts, targets, voltage flags and measurements of some rows."""
        return (
            torch.from_numpy(self.signals[rows].astype(np.float32) / 1000),
            torch.from_numpy(self.targets[rows]),
            torch.from_numpy(self.has_voltage[rows]),
            torch.from_numpy(self.measurements[rows]),
        )


def load_real(folder: Path, folds: range | list[int]) -> PtbXl:
    """Return the recordings of `ptb-xl` and `ptb-xl-zscored` below a folder, whichever is there.

    Raises:
        MerlError: Neither is there.
    """
    parts = []
    if (folder / "ptb-xl").is_dir():
        parts.append(load_ptbxl(folder / "ptb-xl", folds))
    if (folder / "ptb-xl-zscored").is_dir():
        parts.append(load_ptbxl_zscored(folder / "ptb-xl-zscored", folds))
    if not parts:
        msg = f"{str(folder)!r} holds neither 'ptb-xl' nor 'ptb-xl-zscored'"
        raise MerlError(msg)
    return concatenate(parts)


def some_patients(data: PtbXl, n_records: int, seed: int) -> PtbXl:
    """Return up to `n_records` recordings, all those of patients drawn by the seed."""
    order = np.random.default_rng(seed).permutation(np.unique(data.patient_ids))
    counts = np.array([np.count_nonzero(data.patient_ids == patient) for patient in order])
    chosen = order[np.cumsum(counts) <= n_records]
    return data.select(np.isin(data.patient_ids, chosen))


def real_examples(data: PtbXl, vocabulary: Vocabulary, *, measured: bool = False) -> Examples:
    """Return training examples of real recordings.

    Args:
        data: The recordings.
        vocabulary: The concepts.
        measured: Whether a ruler speaks where the annotators are silent; see `add_measured`.
    """
    targets = targets_from_ptbxl(data, vocabulary)
    if measured:
        sure = sure_statements(data.signals, data.has_voltage, FS)
        targets = add_measured(targets, sure, vocabulary)
    return Examples(
        signals=_to_microvolts(data.signals),
        targets=targets,
        has_voltage=data.has_voltage,
        measurements=np.full((len(data), n_measurements()), np.nan, dtype=np.float32),
        reports=data.reports,
    )


def simulated_examples(n_records: int, seed: int, vocabulary: Vocabulary) -> Examples:
    """Return training examples of simulated recordings, made anew."""
    signals = np.empty((n_records, 12, 1000), dtype=np.int16)
    targets = np.empty((n_records, len(vocabulary)), dtype=np.float32)
    measurements = np.empty((n_records, n_measurements()), dtype=np.float32)
    reports: list[str] = []
    for start in range(0, n_records, _CHUNK):
        stop = min(start + _CHUNK, n_records)
        batch = simulate(None, n_records=stop - start, fs=100, seed=seed + start)
        signals[start:stop] = _to_microvolts(bandpass(batch.signals, 100.0))
        targets[start:stop] = targets_from_findings(batch.findings, STATEMENTS, vocabulary)
        measurements[start:stop] = _measurement_rows(batch.measurements)
        reports += batch.reports
        logger.info("simulated %d of %d", stop, n_records)
    mean, spread = np.nanmean(measurements, axis=0), np.nanstd(measurements, axis=0)
    measurements = np.clip((measurements - mean) / (spread + 1e-6), -4, 4)
    has_voltage = np.ones(n_records, dtype=bool)
    return Examples(signals, targets, has_voltage, measurements, tuple(reports))


def training_reports(
    simulated: Examples | None, folder: Path | None, vocabulary: Vocabulary
) -> tuple[list[str], NDArray[np.bool_]]:
    """Return reports, and what each says as (R, C): simulated ones, and those of `ptb-xl`.

    Args:
        simulated: At most `MAX_SIMULATED_REPORTS` of them are taken.
        folder: Holds `ptb-xl`, of which the training folds are taken; None for no patients.
        vocabulary: The concepts.

    Raises:
        MerlError: There are none.
    """
    texts: list[str] = []
    says: list[NDArray[np.bool_]] = []
    if simulated is not None:
        texts += simulated.reports[:MAX_SIMULATED_REPORTS]
        says.append(simulated.targets[:MAX_SIMULATED_REPORTS] == 1)
    if folder is not None and (folder / "ptb-xl").is_dir():
        real = load_ptbxl_reports(folder / "ptb-xl", TRAINING_FOLDS)
        texts += real.reports
        says.append(targets_from_ptbxl(real, vocabulary) == 1)
    if not texts:
        msg = "the text stage learns from reports, and there are none"
        raise MerlError(msg)
    every = np.concatenate(says)
    usable = [i for i, text in enumerate(texts) if text.strip() and every[i].any()]
    return [texts[i] for i in usable], every[usable]


def n_measurements() -> int:
    """Return the number of measurements that each example carries."""
    return len(_SCALARS) + 2 * len(_ANGLES) + 12 * (1 + len(_AMPLITUDES))


def embed_texts(texts: Sequence[str], cache: Path | None, encoder: TextEncoder) -> Tensor:
    """Return the sentence vectors of texts, shape (M, width), kept in `cache` between runs."""
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    name = re.sub(r"[^\w.-]", "-", encoder.embedder_id)
    path = None if cache is None else cache / f"{name}.npz"
    known: dict[str, NDArray[np.float32]] = {}
    if path is not None and path.is_file():
        with np.load(path) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
    new = {k: t for k, t in zip(keys, texts, strict=True) if k not in known}
    if new:
        logger.info("embedding %d of %d texts", len(new), len(keys))
        known |= dict(zip(new, encoder.embed(list(new.values())), strict=True))
    if new and path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")  # a run that is killed leaves no half cache
        with part.open("wb") as stream:
            np.savez(stream, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
        part.replace(path)
    return torch.from_numpy(np.stack([known[key] for key in keys]))


def _measurement_rows(found: dict[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    columns = [found[name][:, None] for name in _SCALARS]
    for name in _ANGLES:
        radians = np.deg2rad(found[name])[:, None]
        columns += [np.cos(radians), np.sin(radians)]
    without_p = np.isnan(found["p_ms"])[:, None]
    columns += [np.where(without_p, np.nan, found["p_mv"])]
    columns += [found[name] for name in _AMPLITUDES]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _to_microvolts(signals: NDArray[np.float32]) -> NDArray[np.int16]:
    return (signals * 1000).round().clip(-32767, 32767).astype(np.int16)
