"""Are findings told apart whose names differ by a word?

    python -m benchmarks.opposites --data DIR

For pairs such as left and right axis deviation: among ECGs that show one of the two, how often does
one with the named finding score higher than one with the other (AUROC, names as prompts)? On
simulated ECGs that no training saw, and on recordings of PTB-XL below DIR: of `merl-sim` folds 1 to
9, of `merl-base` fold 9. Real axes are measured, since few are annotated: by the area of QRS in I
and aVF, left out where its height says another 25 degrees. Prints a table and writes
`benchmarks/results/opposites.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.patients import unseen_recordings
from merl_core.datasets.ptbxl import FS
from merl_core.engine import Engine
from merl_core.evaluate import MIN_POSITIVES, encode_signals
from merl_core.measured_statements import measure_mean_beats
from merl_core.metrics import auroc
from merl_core.sensitivity import simulated_features
from merl_core.targets import load_vocabulary, targets_from_ptbxl

RESULTS = Path(__file__).parent / "results" / "opposites.json"
N_RECORDS: Final = 200
SEED: Final = 424_242
AXES: Final = ("left-axis-deviation", "right-axis-deviation")
PAIRS: Final = (
    AXES,
    ("complete-left-bundle-branch-block", "complete-right-bundle-branch-block"),
    ("left-anterior-fascicular-block", "left-posterior-fascicular-block"),
    ("left-ventricular-hypertrophy", "right-ventricular-hypertrophy"),
    ("left-atrial-enlargement", "right-atrial-enlargement"),
    ("sinus-bradycardia", "sinus-tachycardia"),
    ("atrial-premature-complex", "ventricular-premature-complex"),
    ("atrial-fibrillation", "atrial-flutter"),
    ("prolonged-pr-interval", "short-pr-interval"),
    ("prolonged-qt-interval", "short-qt-interval"),
    ("low-qrs-voltage", "high-qrs-voltage"),
    ("st-elevation", "st-depression"),
    ("low-t-wave", "tall-t-wave"),
    ("anterior-myocardial-infarction", "inferior-myocardial-infarction"),
)
MADE_FROM: Final = {"prolonged-pr-interval": "first-degree-av-block"}
"""What the simulator makes a finding from that it only states."""

Features = NDArray[np.float32]


def told_apart(text: Features, shown: Features, other: Features) -> float | None:
    """Return how often ECGs that show what a text names outscore those that show the other."""
    if min(len(shown), len(other)) < MIN_POSITIVES:
        return None
    y_true = np.repeat([1.0, 0.0], (len(shown), len(other)))[:, None]
    scores = (np.concatenate([shown, other]) @ text)[:, None]
    return round(float(auroc(y_true, scores)[0]), 3)


def both_ways(text: Features, one: Features, two: Features) -> list[float | None]:
    """Return `told_apart` of either text of (2, D), for ECGs that show the one or the other."""
    return [told_apart(text[0], one, two), told_apart(text[1], two, one)]


def measured_axes(signals: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the frontal QRS axis in degrees, shape (N,), NaN where area and height disagree."""
    measured = measure_mean_beats(signals, FS)
    area, height = measured["area_axis_deg"], measured["qrs_axis_deg"]
    differ = np.abs((area - height + 180) % 360 - 180)
    return np.where(differ < 25, area, np.nan)


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Return by pair how a bundled checkpoint tells them apart."""
    engine, vocabulary = Engine(name, device="cpu"), load_vocabulary()
    data = unseen_recordings(name, folder)
    real = encode_signals(engine.checkpoint.model, data.signals)
    shown = targets_from_ptbxl(data, vocabulary) == 1
    axes = measured_axes(data.signals)
    shown[:, vocabulary.index[AXES[0]]] = (axes > -90) & (axes < -30)
    shown[:, vocabulary.index[AXES[1]]] = (axes > 95) & (axes < 180)
    found = {}
    for pair in PAIRS:
        columns = [vocabulary.index[local] for local in pair]
        text = engine.encode_text([vocabulary.concepts[c].canonical_name for c in columns])
        one, two = (shown[:, c] & ~shown[:, d] for c, d in (columns, columns[::-1]))
        made_from = [[(MADE_FROM.get(local, local),)] * N_RECORDS for local in pair]
        simulated = [simulated_features(engine, findings, SEED) for findings in made_from]
        found[" / ".join(vocabulary.concepts[c].canonical_name for c in columns)] = {
            "simulated": both_ways(text, *simulated),
            "real": both_ways(text, real[one], real[two]),
            "n_real": [int(one.sum()), int(two.sum())],
        }
    return found


def main() -> None:
    """Measure both bundled checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    torch.set_num_threads(1)
    found = {name: measure(name, folder) for name in ("merl-base", "merl-sim")}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    def cell(values: list[float | None]) -> str:
        return " / ".join("-" if value is None else f"{value:.2f}" for value in values)

    for pair in found["merl-sim"]:
        cells = [cell(found[n][pair][kind]) for n in found for kind in ("simulated", "real")]
        print(f"| {pair} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
