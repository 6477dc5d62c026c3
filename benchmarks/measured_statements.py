"""Do scores follow what a ruler reads off real ECGs?

    python -m benchmarks.measured_statements --data DIR

Axis, low voltage, inverted T waves, the transition of R and QT are measured on recordings of PTB-XL
below DIR (`merl_core.measured_statements`), RR intervals on those with a sinus rhythm, since its
annotators often leave them out: AUROC of the name, recordings that surely fulfil the criterion
against those that surely do not, with a 95 % interval over patients. Of `merl-base` fold 9, of
`merl-sim` folds 1 to 9. Prints a table and writes `benchmarks/results/measured_statements.json`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from benchmarks.opposites import unseen_recordings
from merl_core.datasets.ptbxl import FS
from merl_core.engine import Engine
from merl_core.evaluate import MIN_POSITIVES, encode_signals
from merl_core.measured_statements import TAKEN, sure_statements
from merl_core.metrics import auroc, bootstrap, interval
from merl_core.targets import load_vocabulary

RESULTS = Path(__file__).parent / "results" / "measured_statements.json"
SINUS_CODES: Final = frozenset({"SR", "SBRAD", "STACH", "SARRH"})
CHECKPOINTS: Final = ("merl-base", "merl-sim")


def measure(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Return AUROC, interval and number of positives by statement, where there are enough."""
    engine, vocabulary = Engine(name, device="cpu"), load_vocabulary()
    data = unseen_recordings(name, folder)
    sure = sure_statements(data.signals, data.has_voltage, FS)
    y_true = np.stack([sure[statement] for statement in TAKEN], axis=1)
    is_sinus = np.array([not SINUS_CODES.isdisjoint(codes) for codes in data.rhythms])
    y_true[~is_sinus, TAKEN.index("sinus-arrhythmia")] = np.nan
    names = [vocabulary.concepts[vocabulary.index[s]].canonical_name for s in TAKEN]
    features = encode_signals(engine.checkpoint.model, data.signals)
    y_score = features @ engine.encode_text(names).T
    return auroc_by_name(names, y_true, y_score, data.patient_ids)


def auroc_by_name(
    names: Sequence[str],
    y_true: NDArray[np.floating],
    y_score: NDArray[np.floating],
    patient_ids: ArrayLike,
) -> dict[str, dict[str, Any]]:
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


def cell(row: dict[str, Any] | None) -> str:
    """Return AUROC, interval and number of positives as two cells of a table."""
    if row is None:
        return "- |"
    low, high = row["interval"]
    return f"{row['auroc']:.2f} ({low:.2f} to {high:.2f}) | {row['n']}"


def main() -> None:
    """Measure both bundled checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    torch.set_num_threads(1)
    found = {name: measure(name, folder) for name in CHECKPOINTS}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    for text in found["merl-sim"]:
        print(f"| {text} | " + " | ".join(cell(found[n].get(text)) for n in CHECKPOINTS) + " |")


if __name__ == "__main__":
    main()
