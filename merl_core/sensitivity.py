# ruff: noqa: E501
"""Concept sensitivity: move one sign in the simulator, and see which scores follow.

A model that has learnt a criterion, and not what happens to go with it, must raise the score of
the classes that the criterion belongs to, and lower the opposite's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from merl_core.engine import Engine
from merl_core.metrics import auroc
from merl_core.preprocess import bandpass
from merl_core.simulate import simulate

_FS: Final = 100


@dataclass(frozen=True, slots=True)
class Move:
    """One sign, the findings that the simulator makes it from, and what must follow."""

    sign: str
    findings: tuple[str, ...]
    rises: str
    """Prompt whose score must rise."""
    falls: str
    """Prompt whose score must fall."""


MOVES: Final = (
    Move("P waves away, RR irregular", ("atrial-fibrillation",), "atrial fibrillation", "sinus rhythm"),
    Move("flutter waves", ("atrial-flutter",), "atrial flutter", "sinus rhythm"),
    Move("PR longer", ("first-degree-av-block",), "first degree AV block", "normal ECG"),
    Move("P and QRS apart", ("third-degree-av-block",), "third degree AV block", "sinus rhythm"),
    Move("rate up", ("sinus-tachycardia",), "sinus tachycardia", "sinus bradycardia"),
    Move("rate down", ("sinus-bradycardia",), "sinus bradycardia", "sinus tachycardia"),
    Move("early wide beats", ("ventricular-premature-complex",), "ventricular premature complex", "normal ECG"),
    Move("early narrow beats", ("atrial-premature-complex",), "atrial premature complex", "normal ECG"),
    Move("QRS wider, left delay", ("complete-left-bundle-branch-block",), "left bundle branch block", "right bundle branch block"),
    Move("QRS wider, right delay", ("complete-right-bundle-branch-block",), "right bundle branch block", "left bundle branch block"),
    Move("delta wave, PR short", ("wolff-parkinson-white-left",), "Wolff-Parkinson-White syndrome", "normal ECG"),
    Move("axis to the left", ("left-axis-deviation",), "left axis deviation", "right axis deviation"),
    Move("axis to the right", ("right-axis-deviation",), "right axis deviation", "left axis deviation"),
    Move("QRS larger", ("left-ventricular-hypertrophy",), "left ventricular hypertrophy", "low QRS voltage"),
    Move("QRS smaller", ("low-qrs-voltage",), "low QRS voltage", "left ventricular hypertrophy"),
    Move("R in V1 larger", ("right-ventricular-hypertrophy",), "right ventricular hypertrophy", "normal ECG"),
    Move("P longer", ("left-atrial-enlargement",), "left atrial enlargement", "normal ECG"),
    Move("P taller", ("right-atrial-enlargement",), "right atrial enlargement", "normal ECG"),
    Move("ST up in V1 to V4", ("acute-anterior-myocardial-infarction",), "anterior myocardial infarction", "normal ECG"),
    Move("ST up in II, III, aVF", ("acute-inferior-myocardial-infarction",), "inferior myocardial infarction", "normal ECG"),
    Move("ST down", ("st-depression",), "ST depression", "ST elevation"),
    Move("ST up everywhere", ("pericarditis",), "pericarditis", "ST depression"),
    Move("T inverted", ("t-wave-inversion",), "T wave inversion", "normal ECG"),
    Move("T flat", ("low-t-wave",), "low amplitude T waves", "tall T wave"),
    Move("QT longer", ("prolonged-qt-interval",), "prolonged QT interval", "short QT interval"),
    Move("QT shorter", ("short-qt-interval",), "short QT interval", "prolonged QT interval"),
)  # fmt: skip


def measure_sensitivity(
    engine: Engine, moves: Sequence[Move] = MOVES, *, n_records: int = 64, seed: int = 11
) -> list[dict[str, Any]]:
    """Return how scores follow each move, against normal simulated ECGs.

    Args:
        engine: The model.
        moves: What to move.
        n_records: ECGs with and without the sign.
        seed: Of the simulator.

    Returns:
        A row for each move: `sign`, `rises` and `falls` (prompts), and for both how much the mean
        cosine changed and how often an ECG with the sign outscores one without it (AUROC).
    """
    plain = simulated_features(engine, [("normal-ecg",)] * n_records, seed)
    rows = []
    for move in moves:
        moved = simulated_features(engine, [move.findings] * n_records, seed + 1)
        text = engine.encode_text([move.rises, move.falls])  # (2, D)
        before, after = plain @ text.T, moved @ text.T
        y_true = np.repeat([[0.0, 0.0], [1.0, 1.0]], n_records, axis=0)
        areas = auroc(y_true, np.concatenate([before, after]))
        change = after.mean(axis=0) - before.mean(axis=0)
        rows.append(
            {
                "sign": move.sign,
                "rises": move.rises,
                "rises_by": round(float(change[0]), 3),
                "rises_auroc": round(float(areas[0]), 3),
                "falls": move.falls,
                "falls_by": round(float(change[1]), 3),
                "falls_auroc": round(float(areas[1]), 3),
            }
        )
    return rows


def simulated_features(
    engine: Engine, findings: Sequence[tuple[str, ...]], seed: int
) -> NDArray[np.float32]:
    """Return features (N, D) of ECGs that the simulator makes from findings, one row of each."""
    batch = simulate(findings, n_records=len(findings), fs=_FS, seed=seed)
    return engine.encode_windows(bandpass(batch.signals, float(_FS)))
