"""Does the text tower speak ECG? Held-out wordings, before and after it has learnt.

    python -m benchmarks.text_retrieval [--steps 500]

Trains the recipe of merl-sim for a while, and its text stage, with a fifth of all names and
definitions held out (chosen by hash). Asks for each held-out text which canonical name lies
nearest, and for each German report of 500 simulated recordings which English one does. Measures the
sentence encoder's own space, the projection as training leaves it, and behind the text stage.
Writes `benchmarks/results/text_retrieval.json`.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from knowledge_sources.concept import AliasKind, Concept
from merl_core.corpus import load_corpus
from merl_core.ensemble import DualEncoder
from merl_core.simulate import simulate
from merl_core.targets import Vocabulary, load_vocabulary
from merl_core.text_stage import TextStage
from merl_core.text_tower import TextEncoder, load_text_encoder
from merl_core.train import train
from merl_core.train_config import load_train_config
from merl_core.training.run_folder import RunFolder
from merl_core.training_texts import held_out_definitions, held_out_names

RECIPE = Path(__file__).parents[1] / "merl_core" / "configs" / "merl-sim.yaml"
RESULTS = Path(__file__).parent / "results" / "text_retrieval.json"
HELD_OUT = 0.2
N_REPORTS = 500
SENTENCE = 384
"""Numbers of a sentence; the others are of its words."""
UNUSED_SEED = 987_654_321

Vectors = NDArray[np.float32]
Project = Callable[[Vectors], Vectors]


def reports_in(style: str) -> tuple[str, ...]:
    """Return the reports of the same recordings in one style of `merl_core.simulate`."""
    return simulate(None, n_records=N_REPORTS, seed=UNUSED_SEED, report_style=style).reports


def rank_of_right(queries: Vectors, names: Vectors, right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place, from 0, of the right name among all for each query."""
    scores = queries @ names.T  # (Q, C)
    of_right = scores[np.arange(len(right)), right][:, None]
    return np.asarray((scores > of_right).sum(axis=1))


def summarize(ranks: NDArray[np.int64], seed: int = 0) -> dict[str, Any]:
    """Return the shares of right names first and within five, with a 95 % interval, and MRR."""
    rng = np.random.default_rng(seed)
    first = ranks == 0
    sample = rng.choice(first, (1000, len(first))).mean(axis=1)
    return {
        "n": len(ranks),
        "top1": round(float(first.mean()), 3),
        "top1_ci": [round(float(q), 3) for q in np.quantile(sample, (0.025, 0.975))],
        "top5": round(float((ranks < 5).mean()), 3),
        "mrr": round(float((1 / (1 + ranks)).mean()), 3),
    }


def kind_of(concept: Concept, name: str) -> str:
    """Return `acronym`, or the language of a name."""
    alias = next(a for a in concept.aliases if a.text == name)
    return "acronym" if alias.kind is AliasKind.ACRONYM else alias.lang


def projection(model: DualEncoder) -> Project:
    """Return the text tower behind the sentence encoder, as a function."""

    def project(vectors: Vectors) -> Vectors:
        with torch.inference_mode():
            return np.asarray(model.encode_text(torch.from_numpy(vectors)).numpy())

    return project


class Questions:
    """Held-out texts, embedded once, and what is right for each."""

    def __init__(self, vocabulary: Vocabulary, encoder: TextEncoder) -> None:
        concepts = vocabulary.concepts
        names, definitions = (
            ask(vocabulary, HELD_OUT) for ask in (held_out_names, held_out_definitions)
        )
        self._names = encoder.embed([concept.canonical_name for concept in concepts])
        asked = [*names, *definitions]
        self._asked = encoder.embed([text for text, _ in asked])
        self._right = np.array([column for _, column in asked])
        kinds = [f"name, {kind_of(concepts[column], name)}" for name, column in names]
        self._kinds = np.array(kinds + ["definition"] * len(definitions))
        self._german, self._english = (
            encoder.embed(reports_in(style)) for style in ("german", "clinician")
        )

    def answer(self, project: Project) -> dict[str, Any]:
        """Return how a text tower does, by kind of text."""
        ranks = rank_of_right(project(self._asked), project(self._names), self._right)
        twins = rank_of_right(
            project(self._german), project(self._english), np.arange(len(self._german))
        )
        parts = {
            str(kind): summarize(ranks[self._kinds == kind]) for kind in np.unique(self._kinds)
        }
        return parts | {f"German report to its English twin of {N_REPORTS}": summarize(twins)}


def main() -> None:
    """Train, ask, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--simulated", type=int, default=6000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    changes = {"n_members": 1, "n_simulated": arguments.simulated, "held_out_names": HELD_OUT}
    recipe = load_train_config(RECIPE).model_copy(update=changes)
    steps = {"n_steps": arguments.steps, "text_stage": None}
    vocabulary = load_vocabulary()
    questions = Questions(vocabulary, load_text_encoder(recipe.model.text))
    arms = {"sentence encoder": questions.answer(lambda vectors: vectors[:, :SENTENCE])}
    with tempfile.TemporaryDirectory() as folder:
        first, cache = recipe.model_copy(update=steps), Path(folder) / "cache"
        trained = train(first, load_corpus(first, None, cache), RunFolder(Path(folder) / "first"))
        then = {"n_steps": 0, "start_from": str(Path(folder) / "first" / recipe.name)}
        second = recipe.model_copy(update=then | {"text_stage": TextStage()})
        adapted = train(
            second, load_corpus(second, None, cache), RunFolder(Path(folder) / "second")
        )
    arms["trained"] = questions.answer(projection(trained))
    arms["after the text stage"] = questions.answer(projection(adapted))
    result = {"n_concepts": len(vocabulary), "steps": arguments.steps, "arms": arms}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
