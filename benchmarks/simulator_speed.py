"""How fast are ECGs simulated? Records of 10 s at 100 Hz a second on one core.

    python -m benchmarks.simulator_speed

The baseline of the same run is the 0.5 to 40 Hz filter that every recording passes anyway.
Processor time of all threads is counted, not time by the clock. Writes
`benchmarks/results/simulator_speed.json`.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from merl_core.preprocess import bandpass
from merl_core.simulate import simulate

RESULTS = Path(__file__).parent / "results" / "simulator_speed.json"
N_RECORDS = 1024
N_RUNS = 3


def records_per_s(make: Callable[[int], Any]) -> float:
    """Return the best of some runs, in records a second of processor time."""
    spans = []
    for run in range(N_RUNS):
        start = time.process_time()
        make(run)
        spans.append(time.process_time() - start)
    return N_RECORDS / min(spans)


def main() -> None:
    """Measure and write the result."""
    signals = simulate(None, n_records=N_RECORDS, seed=0).signals
    simulated = records_per_s(lambda run: simulate(None, n_records=N_RECORDS, seed=run + 1))
    filtered = records_per_s(lambda _: bandpass(signals, 100.0))
    result = {
        "n_records": N_RECORDS,
        "simulated_records_per_s": round(simulated),
        "filtered_records_per_s": round(filtered),
        "ratio": round(simulated / filtered, 3),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
