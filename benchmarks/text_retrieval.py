"""Which concept a name is nearest to, before and after the encoder has learnt ECG language.

    python -m benchmarks.text_retrieval [--steps 500]

Trains the recipe of merl-sim for a while with a fifth of all names held out (chosen by hash), and
asks for each held-out name which canonical name lies nearest: in the sentence encoder's own space,
and behind the trained projection. Writes `benchmarks/results/text_retrieval.json`.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from knowledge_sources.concept import AliasKind, Concept
from merl_core.corpus import load_corpus
from merl_core.encoders.text import SentenceEncoder
from merl_core.targets import load_vocabulary
from merl_core.train import train
from merl_core.train_config import load_train_config
from merl_core.training.run_folder import RunFolder
from merl_core.training_texts import held_out_names

RECIPE = Path(__file__).parents[1] / "merl_core" / "configs" / "merl-sim.yaml"
RESULTS = Path(__file__).parent / "results" / "text_retrieval.json"
HELD_OUT = 0.2


def rank_of_right(
    queries: NDArray[np.float32], names: NDArray[np.float32], right: NDArray[np.int64]
) -> NDArray[np.int64]:
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


def main() -> None:
    """Train, ask, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--simulated", type=int, default=6000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    changes = {"n_members": 1, "n_steps": arguments.steps, "n_simulated": arguments.simulated}
    config = load_train_config(RECIPE).model_copy(update=changes | {"held_out_names": HELD_OUT})
    vocabulary = load_vocabulary()
    held_out = held_out_names(vocabulary, HELD_OUT)
    encoder = SentenceEncoder()
    asked = encoder.embed([name for name, _ in held_out])
    names = encoder.embed([concept.canonical_name for concept in vocabulary.concepts])
    right = np.array([column for _, column in held_out])
    with tempfile.TemporaryDirectory() as folder:
        corpus = load_corpus(config, None, None)
        model = train(config, corpus, RunFolder(Path(folder)))
    with torch.inference_mode():
        after = [model.encode_text(torch.from_numpy(x)).numpy() for x in (asked, names)]
    spread = corpus.text_vectors.std(dim=0)
    centred = [
        F.normalize((torch.from_numpy(x) - corpus.text_vectors.mean(dim=0)) / spread, dim=-1)
        for x in (asked, names)
    ]
    ranks = {
        "sentence encoder": rank_of_right(asked, names, right),
        "standardised": rank_of_right(centred[0].numpy(), centred[1].numpy(), right),
        "trained": rank_of_right(after[0], after[1], right),
    }
    kinds = np.array([kind_of(vocabulary.concepts[c], name) for name, c in held_out])
    result = {
        "n_concepts": len(vocabulary),
        "steps": arguments.steps,
        "arms": {
            arm: {"all": summarize(rank)}
            | {str(kind): summarize(rank[kinds == kind]) for kind in np.unique(kinds)}
            for arm, rank in ranks.items()
        },
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
