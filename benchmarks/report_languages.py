"""Do German and English reports of an ECG land together? `python -m benchmarks.report_languages`.

Each of 500 simulated recordings has a report in plain English. For reports of the same recordings
in German, and for another English wording as what can be reached at all, the report is sought
among the 500. German is encoded as it is written, and as the bundled checkpoints do: said in
English terms first. Writes `benchmarks/results/report_languages.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.text_retrieval import (
    N_REPORTS,
    projection,
    rank_of_right,
    reports_in,
    summarize,
)
from knowledge_sources.translation import say_german_in_english
from merl_core.checkpoint import load_checkpoint
from merl_core.text_tower import load_text_encoder

RESULTS = Path(__file__).parent / "results" / "report_languages.json"


def measure(name: str) -> dict[str, Any]:
    """Return how often the plain English report lies first, and what share of others farther."""
    model = load_checkpoint(name).model
    project, encoder = projection(model), load_text_encoder(model.config.text)
    german = reports_in("german")
    plain = project(encoder.embed(reports_in("plain")))
    queries = {
        "German as written": german,
        "German said in English terms": [say_german_in_english(text) for text in german],
        "another English wording": reports_in("clinician"),
    }
    found = {}
    for kind, texts in queries.items():
        ranks = rank_of_right(project(encoder.embed(texts)), plain, np.arange(N_REPORTS))
        nearer = round(1 - float(ranks.mean()) / (N_REPORTS - 1), 3)
        found[kind] = summarize(ranks) | {"nearer_than": nearer}
    return found


def main() -> None:
    """Measure both bundled checkpoints."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    found = {name: measure(name) for name in ("merl-base", "merl-sim")}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
