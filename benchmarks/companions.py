"""Is a finding still recognised beside another one?

    python -m benchmarks.companions --data DIR

AUROC of a finding's name on recordings of PTB-XL below DIR: those that show the finding and a
companion against those that do not show the finding, and beside it those that show the finding
alone, with 95 % intervals over patients. Of `merl-sim` folds 1 to 9, of `merl-base` fold 9, where
few have both. Prints a table and writes `benchmarks/results/companions.json`.
"""

from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.patients import Rows, auroc_by_name, measure_both, unseen_recordings
from merl_core.engine import Engine
from merl_core.evaluate import encode_signals
from merl_core.targets import load_vocabulary, targets_from_ptbxl

RESULTS = Path(__file__).parent / "results" / "companions.json"
PAIRS: Final = (
    ("first-degree-av-block", "complete-left-bundle-branch-block"),
    ("first-degree-av-block", "complete-right-bundle-branch-block"),
    ("first-degree-av-block", "left-anterior-fascicular-block"),
    ("first-degree-av-block", "anterior-myocardial-infarction"),
    ("first-degree-av-block", "tachycardia"),
    ("sinus-arrhythmia", "ventricular-premature-complex"),
    ("sinus-arrhythmia", "intraventricular-block"),
    ("left-posterior-fascicular-block", "complete-right-bundle-branch-block"),
    ("left-atrial-enlargement", "complete-right-bundle-branch-block"),
    ("left-atrial-enlargement", "first-degree-av-block"),
    ("inferior-myocardial-infarction", "anterior-myocardial-infarction"),
    ("anterior-ischemia", "myocardial-infarction"),
    ("intraventricular-conduction-disturbance", "left-ventricular-hypertrophy"),
)
"""A finding and its companion."""


def measure(name: str, folder: Path) -> Rows:
    """Return how a bundled checkpoint recognises each finding with its companion and without."""
    engine, vocabulary = Engine(name, device="cpu"), load_vocabulary()
    data = unseen_recordings(name, folder)
    targets = targets_from_ptbxl(data, vocabulary)
    features = encode_signals(engine.checkpoint.model, data.signals)
    names, truths, scores = [], [], []
    for finding, companion in PAIRS:
        columns = [vocabulary.index[local] for local in (finding, companion)]
        text, beside = (vocabulary.concepts[c].canonical_name for c in columns)
        truth, has_companion = targets[:, columns[0]], targets[:, columns[1]] == 1
        score = features @ engine.encode_text([text])[0]
        for kind, left_out in (("with", ~has_companion), ("without", has_companion)):
            names.append(f"{text} {kind} {beside}")
            truths.append(np.where((truth == 1) & left_out, np.nan, truth))
            scores.append(score)
    y_true, y_score = np.stack(truths, axis=1), np.stack(scores, axis=1)
    return auroc_by_name(names, y_true, y_score, data.patient_ids)


def main() -> None:
    """Measure both bundled checkpoints."""
    measure_both(__doc__, measure, RESULTS)


if __name__ == "__main__":
    main()
