"""Retrieval and verification against judged queries and phrases, and the speed of generation.

Run: `python -m benchmarks.prompts`. Writes `benchmarks/results/prompts.json`.

The gold sets were written without sight of the statement table. `development` was looked at
while the verifier was improved; the held-out sets were scored first and only then looked at, each
written before the work that followed from the one before, so their first figures are the honest
ones and stand in the results under `first_sight`.
"""

import csv
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ckepe.index import connect, open_index
from ckepe.pipeline import PromptEngineer
from ckepe.retrieval import HybridRetriever
from ckepe.vectors import KnownVectors, packaged_vectors
from knowledge_sources.knowledge_base import load_knowledge_base
from knowledge_sources.label_sets import label_sets
from merl_core.encoders.text import SentenceEncoder

GOLD = Path(__file__).parent / "gold"
RESULTS = Path(__file__).parent / "results" / "prompts.json"
FIRST_SIGHT = {
    "development": {"top1": 0.88, "top10": 0.98, "precision": 0.827, "recall": 0.869},
    "heldout": {"top1": 0.967, "top10": 1.0, "precision": 0.935, "recall": 0.860},
    "heldout2": {
        "top1": 0.874, "top10": 0.975, "precision": 0.978, "recall": 0.911, "refusal": 0.975,
    },
    "heldout3": {
        "top1": 0.920, "top10": 1.0, "precision": 0.965, "recall": 0.908, "refusal": 0.963,
    },
    "heldout4": {
        "top1": 0.872, "top10": 0.984, "precision": 0.977, "recall": 0.921, "refusal": 0.975,
        "n_false_groundings": 2,
    },
    "heldout5": {
        "top1": 0.924, "top10": 0.975, "precision": 0.983, "recall": 0.950, "refusal": 0.983,
        "n_false_groundings": 8,
    },
}  # fmt: skip
"""What each set gave when it was first scored, before anything was changed because of it."""


def score_retrieval(retriever: HybridRetriever, folder: Path) -> dict[str, Any]:
    """Return how often the right concept comes first, and within ten, by kind of query."""
    by_kind: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in _rows(folder / "queries.tsv"):
        expected = set(row["expected"].split("|"))
        hits = retriever.search(row["query"], 10)
        found = [bool(expected & {hit.concept_id, *hit.xrefs}) for hit in hits]
        by_kind[row["kind"]].append((bool(found and found[0]), any(found)))
    every = [hit for hits in by_kind.values() for hit in hits]
    terms = (folder / "non_ecg.txt").read_text(encoding="utf-8").splitlines()
    false = [term for term in terms if term.strip() and retriever.ground(term)]
    return {
        "n_queries": len(every),
        "top1": _share(first for first, _ in every),
        "top10": _share(within for _, within in every),
        "top1_by_kind": {k: _share(f for f, _ in hits) for k, hits in sorted(by_kind.items())},
        "n_non_ecg": len(terms),
        "false_groundings": false,
    }


def score_verification(engineer: PromptEngineer, folder: Path) -> dict[str, Any]:
    """Return precision and recall of accepted phrases, and agreement by kind."""
    by_kind: dict[str, list[bool]] = defaultdict(list)
    counts = {"true_accept": 0, "false_accept": 0, "false_reject": 0, "true_reject": 0}
    for row in _rows(folder / "pairs.tsv"):
        (verdict,) = engineer.verify(row["label"], [row["phrase"]])
        is_right = verdict.verdict == row["verdict"]
        by_kind[row["kind"]].append(is_right)
        counts[f"{'true' if is_right else 'false'}_{verdict.verdict}"] += 1
    accepted = counts["true_accept"] + counts["false_accept"]
    return {
        "n_pairs": sum(counts.values()),
        "precision": round(counts["true_accept"] / accepted, 4),
        "recall": round(
            counts["true_accept"] / (counts["true_accept"] + counts["false_reject"]), 4
        ),
        "refusal": round(
            counts["true_reject"] / (counts["true_reject"] + counts["false_accept"]), 4
        ),
        "agreement_by_kind": {kind: _share(hits) for kind, hits in sorted(by_kind.items())},
        **counts,
    }


def time_generation(engineer: PromptEngineer) -> dict[str, Any]:
    """Return seconds to make all six prompt sets, and whether a second run is byte-identical."""
    start = time.perf_counter()
    first = [engineer.engineer((), label_set=n, llm="off").to_json() for n in label_sets()]
    seconds = time.perf_counter() - start
    again = [engineer.engineer((), label_set=n, llm="off").to_json() for n in label_sets()]
    return {"seconds": round(seconds, 2), "is_byte_identical": first == again}


def main() -> None:
    """Score everything and write the results."""
    knowledge = load_knowledge_base()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        embedder = KnownVectors(SentenceEncoder(), packaged_vectors())
        index = open_index(connect(Path(folder)), knowledge, embedder)
        index_seconds = round(time.perf_counter() - start, 1)
        retriever = HybridRetriever(knowledge, index)
        engineer = PromptEngineer(knowledge, retriever)
        results: dict[str, Any] = {
            "knowledge": {s.key: s.version for s in knowledge.sources.values()},
            "index_seconds": index_seconds,
            "generation": time_generation(engineer),
            "first_sight": FIRST_SIGHT,
        }
        for name in FIRST_SIGHT:
            results[name] = {
                "retrieval": score_retrieval(retriever, GOLD / name),
                "verification": score_verification(engineer, GOLD / name),
            }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2, ensure_ascii=False))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _share(claims: Iterable[bool]) -> float:
    values = list(claims)
    return round(sum(values) / len(values), 4) if values else 0.0


if __name__ == "__main__":
    main()
