"""Writes the shipped prompt sets of the six label sets: `make prompts`.

    python -m benchmarks.make_prompt_sets [--paper CKEPE_prompt.json]

With the MERL paper's prompts at hand it also writes `docs/prompt-sets.md`: every phrase that
differs from them, with the reason.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ckepe.index import connect, open_index
from ckepe.pipeline import PromptEngineer
from ckepe.prompt_set import SHIPPED, PromptSet
from ckepe.retrieval import HybridRetriever
from ckepe.vectors import KnownVectors, packaged_vectors
from knowledge_sources.knowledge_base import load_knowledge_base
from knowledge_sources.label_sets import LabelSet, label_sets
from knowledge_sources.naming import word_key
from merl_core.encoders.text import SentenceEncoder

PAGE = Path(__file__).parents[1] / "docs" / "prompt-sets.md"
HEAD = """# The shipped prompt sets, and the paper's

Made by `python -m benchmarks.make_prompt_sets --paper CKEPE_prompt.json`. For each class: the
phrases of the prompt that the MERL paper released, each with the verdict of our verification, and
the phrases that our prompt has and theirs lacks. The paper's file is keyed by code alone, so a
code that means different things in two data sets got one prompt there.

"""


def paper_section(
    engineer: PromptEngineer, labels: LabelSet, made: PromptSet, paper: Mapping[str, str]
) -> list[str]:
    """Return the lines that compare one label set with the paper's prompts."""
    lines = [f"## {labels.title}\n"]
    for label, prompt in zip(labels.labels, made.prompts, strict=True):
        lines.append(f"### `{label.key}` {label.meaning}\n")
        theirs = [p.strip(" .") for p in paper.get(label.code, "").split(",") if p.strip(" .")]
        if not theirs:
            lines.append("The paper's file has no prompt for this code.\n")
        for verdict in engineer.verify(label.key, theirs):
            mark = "kept" if verdict.is_accepted else "**dropped**"
            lines.append(f"- {mark}, {verdict.relation}: {verdict.phrase}. {verdict.reason}")
        known = {word_key(phrase) for phrase in theirs}
        own = [p for p in (*prompt.subtypes, *prompt.attributes) if word_key(p.text) not in known]
        lines += [f"- added, {p.relation}: {p.text}" for p in own]
        lines.append("")
    return lines


def main() -> None:
    """Write the sets, and the comparison where the paper's prompts are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paper", type=Path)
    given = parser.parse_args()
    knowledge = load_knowledge_base()
    with tempfile.TemporaryDirectory() as folder:
        embedder = KnownVectors(SentenceEncoder(), packaged_vectors())
        retriever = HybridRetriever(
            knowledge, open_index(connect(Path(folder)), knowledge, embedder)
        )
        engineer = PromptEngineer(knowledge, retriever)
        lines: list[str] = []
        for name, labels in label_sets().items():
            made = engineer.engineer((), label_set=name, llm="off")
            (SHIPPED / f"{name}.json").write_text(made.to_json(), encoding="utf-8")
            print(f"{name}: {len(made.prompts)} prompts, id {made.id[:12]}")
            if given.paper:
                paper = json.loads(given.paper.read_text(encoding="utf-8"))
                lines += paper_section(engineer, labels, made, paper)
    if given.paper:
        PAGE.write_text(HEAD + "\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
