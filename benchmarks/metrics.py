"""Bootstrap intervals: our metrics against a loop over scikit-learn, in one run.

    python -m benchmarks.metrics [--records 10000] [--classes 100] [--bootstraps 1000]

The loop is timed on a few samples and classes and its time is scaled up: the whole of it would
take an hour. Writes `benchmarks/results/metrics.json`.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from merl_core.metrics import bootstrap

RESULTS = Path(__file__).parent / "results" / "metrics.json"
LOOP_SAMPLES, LOOP_CLASSES = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--bootstraps", type=int, default=1000)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    prevalence = rng.uniform(0.005, 0.3, given.classes)
    y_true = (rng.random((given.records, given.classes)) < prevalence).astype(float)
    y_score = rng.normal(size=y_true.shape) + y_true
    started = time.perf_counter()
    ours = bootstrap(y_true, y_score, n_bootstraps=given.bootstraps)
    ours_s = time.perf_counter() - started
    drawn = np.random.default_rng(0)
    worst = 0.0
    started = time.perf_counter()
    for b in range(LOOP_SAMPLES):
        rows = drawn.integers(0, given.records, given.records)
        for c in range(LOOP_CLASSES):
            roc = roc_auc_score(y_true[rows, c], y_score[rows, c])
            precision = average_precision_score(y_true[rows, c], y_score[rows, c])
            worst = max(worst, abs(roc - ours.auroc[b, c]))
            worst = max(worst, abs(precision - ours.average_precision[b, c]))
    measured_s = time.perf_counter() - started
    scale = given.bootstraps * given.classes / (LOOP_SAMPLES * LOOP_CLASSES)
    result = {
        "n_records": given.records,
        "n_classes": given.classes,
        "n_bootstraps": given.bootstraps,
        "metrics": ["auroc", "average_precision"],
        "ours_s": round(ours_s, 2),
        "scikit_learn_loop_s": round(measured_s * scale, 1),
        "ratio": round(measured_s * scale / ours_s, 1),
        "largest_difference": worst,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
