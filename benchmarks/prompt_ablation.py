"""What do verified prompts add? Five arms on one checkpoint and PTB-XL's fold 9.

    python -m benchmarks.prompt_ablation DATA PAPER_PROMPTS.json [--checkpoint merl-base]

`DATA` holds `ptb-xl` and `ptb-xl-zscored`; `PAPER_PROMPTS.json` is the MERL paper's
`CKEPE_prompt.json`, whose phrases stand in for a language model that nobody checks. Writes
`benchmarks/results/prompt_ablation.json`.

| arm | prompt |
|---|---|
| name | the class name |
| llm | the paper's prompt as it is |
| llm_verified | the name, and what verification accepts of the paper's phrases |
| knowledge | the pipeline without a language model |
| full | the pipeline with the paper's phrases as the model's proposals |
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ckepe.index import connect, open_index
from ckepe.pipeline import PromptEngineer
from ckepe.proposal import Limits, Proposal
from ckepe.retrieval import HybridRetriever
from ckepe.vectors import KnownVectors, packaged_vectors
from knowledge_sources.knowledge_base import load_knowledge_base
from knowledge_sources.label_sets import label_set
from merl_core.datasets.ptbxl import PtbXl
from merl_core.encoders.text import SentenceEncoder
from merl_core.engine import Engine
from merl_core.evaluate import MIN_POSITIVES, PTBXL_SETS, ptbxl_labels, summarize
from merl_core.training_data import VALIDATION_FOLD, load_real

RESULTS = Path(__file__).parent / "results" / "prompt_ablation.json"
ARMS = ("name", "llm", "llm_verified", "knowledge", "full")


class PaperProposer:
    """Proposes the phrases of the paper's prompt of a class, all of them."""

    def __init__(self, prompts: Mapping[str, str]) -> None:
        self._prompts = prompts

    def propose(self, label: str, concept_ids: Sequence[str], limits: Limits) -> Proposal:
        """Return the phrases as sub-types; verification decides what they are."""
        phrases = [p.strip(" .") for p in self._prompts.get(label, "").split(",")]
        return Proposal("scripted:paper", tuple(p for p in phrases if p), ())


def prompts_of(name: str, paper: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return prompt text by label key, for each arm."""
    labels = label_set(name).labels
    of_meaning = {label.meaning: paper.get(label.code, "") for label in labels}
    knowledge = load_knowledge_base()
    with tempfile.TemporaryDirectory() as folder:
        embedder = KnownVectors(SentenceEncoder(), packaged_vectors())
        index = open_index(connect(Path(folder)), knowledge, embedder)
        retriever = HybridRetriever(knowledge, index)
        engineer = PromptEngineer(knowledge, retriever, PaperProposer(of_meaning), "scripted:paper")
        full = engineer.engineer((), label_set=name, llm="required").texts
        alone = engineer.engineer((), label_set=name, llm="off").texts
        verified = {}
        for label in labels:
            phrases = PaperProposer(of_meaning).propose(label.meaning, (), Limits()).subtypes
            verdicts = engineer.verify(label.key, phrases)
            kept = [v.phrase for v in verdicts if v.is_accepted and v.phrase != label.meaning]
            verified[label.key] = ", ".join([label.meaning, *kept])
    return {
        "name": {label.key: label.meaning for label in labels},
        "llm": {label.key: of_meaning[label.meaning] or label.meaning for label in labels},
        "llm_verified": verified,
        "knowledge": alone,
        "full": full,
    }


def score_arm(
    engine: Engine, features: np.ndarray, data: PtbXl, name: str, prompts: Mapping[str, str]
) -> dict[str, Any]:
    """Return macro AUROC with its interval over classes with five positives or more."""
    codes, _, y_true = ptbxl_labels(data, name)
    texts = [prompts[f"{name}:{code}"] for code in codes]
    scores = features @ engine.encode_text(texts).T
    enough = y_true.sum(axis=0) >= MIN_POSITIVES
    kept = [code for code, is_kept in zip(codes, enough, strict=True) if is_kept]
    groups = [str(p) for p in data.patient_ids]
    report = summarize(kept, y_true[:, enough], scores[:, enough], groups)
    return {
        "macro_auroc": round(report["macro_auroc"], 4),
        "macro_auroc_ci": [round(b, 4) for b in report["macro_auroc_ci"]],
        "n_classes": len(kept),
        "classes": {c["label"]: round(c["auroc"], 4) for c in report["classes"]},
    }


def main() -> None:
    """Score all arms and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("paper_prompts", type=Path)
    parser.add_argument("--checkpoint", default="merl-base")
    given = parser.parse_args()
    paper = json.loads(given.paper_prompts.read_text(encoding="utf-8"))
    engine = Engine(given.checkpoint)
    data = load_real(given.data, [VALIDATION_FOLD])
    features = engine.encode_windows(data.signals)
    results: dict[str, Any] = {
        "checkpoint": {"id": engine.model_id, "sha256": engine.sha256},
        "n_records": len(data),
        "fold": VALIDATION_FOLD,
    }
    for name in PTBXL_SETS:
        prompts = prompts_of(name, paper)
        results[name] = {arm: score_arm(engine, features, data, name, prompts[arm]) for arm in ARMS}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for name in PTBXL_SETS:
        for arm in ARMS:
            row = results[name][arm]
            low, high = row["macro_auroc_ci"]
            print(f"{name:14} {arm:13} {row['macro_auroc']:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
