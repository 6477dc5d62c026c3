"""Do scores follow what a ruler reads off real ECGs?

    python -m benchmarks.measured_statements --data DIR

Axis, low voltage, inverted T waves, the transition of R and QT are measured on recordings of PTB-XL
below DIR (`merl_core.measured_statements`), RR intervals on those with a sinus rhythm, since its
annotators often leave them out: AUROC of the name, recordings that surely fulfil the criterion
against those that surely do not, with a 95 % interval over patients. Of `merl-base` fold 9, of
`merl-sim` folds 1 to 9. Prints a table and writes `benchmarks/results/measured_statements.json`.
"""

from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.patients import Rows, auroc_by_name, measure_both, unseen_recordings
from merl_core.datasets.ptbxl import FS
from merl_core.engine import Engine
from merl_core.evaluate import encode_signals
from merl_core.measured_statements import TAKEN, sure_statements
from merl_core.targets import load_vocabulary

RESULTS = Path(__file__).parent / "results" / "measured_statements.json"
SINUS_CODES: Final = frozenset({"SR", "SBRAD", "STACH", "SARRH"})


def measure(name: str, folder: Path) -> Rows:
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


def main() -> None:
    """Measure both bundled checkpoints."""
    measure_both(__doc__, measure, RESULTS)


if __name__ == "__main__":
    main()
