"""Benchmarks of both bundled checkpoints on recordings of patients that no training saw."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from merl_core.datasets.ptbxl import PtbXl
from merl_core.evaluate import MIN_POSITIVES
from merl_core.metrics import auroc, bootstrap, interval
from merl_core.training_data import VALIDATION_FOLD, load_real

CHECKPOINTS: Final = ("merl-base", "merl-sim")
Rows = dict[str, dict[str, Any]]
"""AUROC, interval and number of positives by name."""


def unseen_recordings(name: str, folder: Path) -> PtbXl:
    """Return the recordings below a folder that no training of a bundled checkpoint saw."""
    return load_real(folder, range(1, 10) if name == "merl-sim" else [VALIDATION_FOLD])


def auroc_by_name(
    names: Sequence[str],
    y_true: NDArray[np.floating],
    y_score: NDArray[np.floating],
    patient_ids: ArrayLike,
) -> Rows:
    """Return AUROC, interval over patients and number of positives, where there are enough.

    Args:
        names: Of the C columns.
        y_true: Shape (N, C); NaN where unknown.
        y_score: Shape (N, C).
        patient_ids: Shape (N,).
    """
    found = auroc(y_true, y_score)
    bounds = interval(bootstrap(y_true, y_score, groups=patient_ids).auroc)
    n_positives = (y_true == 1).sum(axis=0)
    return {
        name: {
            "n": int(n_positives[c]),
            "auroc": round(float(found[c]), 3),
            "interval": [round(float(bound), 3) for bound in bounds[c]],
        }
        for c, name in enumerate(names)
        if n_positives[c] >= MIN_POSITIVES
    }


def _cell(row: dict[str, Any] | None) -> str:
    """Return AUROC, interval and number of positives as two cells of a table."""
    if row is None:
        return "- |"
    low, high = row["interval"]
    return f"{row['auroc']:.2f} ({low:.2f} to {high:.2f}) | {row['n']}"


def measure_both(doc: str | None, measure: Callable[[str, Path], Rows], results: Path) -> None:
    """Measure both checkpoints on the folder that the command line names; write and print."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    torch.set_num_threads(1)
    found = {name: measure(name, folder) for name in CHECKPOINTS}
    results.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for text in found["merl-sim"]:
        print(f"| {text} | " + " | ".join(_cell(found[n].get(text)) for n in CHECKPOINTS) + " |")
