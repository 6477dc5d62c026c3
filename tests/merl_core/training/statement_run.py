"""Trains two tiny members by statements; run by a test, which kills it.

Arguments: run folder, and `resume` or `begin`.
"""

import sys
from pathlib import Path

import torch

from merl_core.corpus import Corpus
from merl_core.model import EcgConfig, ModelConfig, TextConfig
from merl_core.targets import load_vocabulary
from merl_core.text_stage import Reports, TextStage
from merl_core.train import train
from merl_core.train_config import TrainConfig
from merl_core.training.run_folder import RunFolder
from merl_core.training_data import simulated_examples, training_reports
from merl_core.training_texts import compose_texts

RECIPE = TrainConfig(
    name="tiny",
    seed=3,
    n_members=2,
    model=ModelConfig(
        ecg=EcgConfig(depths=(1, 1), widths=(4, 8), dropout=0.2, beat_width=4),
        text=TextConfig(hidden=8, dropout=0.1, standardized=True),
        embed_dim=8,
    ),
    batch_size=8,
    rarity_power=0.25,
    normal_share=0.3,
    n_steps=6,
    warmup_steps=2,
    concept_weight=1.0,
    confusion_weight=5.0,
    uma_weight=0.5,
    validate_every=1,
    save_every=2,
    bank_size=4,
    text_stage=TextStage(n_steps=3, n_ecgs=16, n_reports=8),
)


def make_corpus() -> Corpus:
    """Two sources of simulated recordings, and random vectors for the texts."""
    vocabulary = load_vocabulary()
    pool = compose_texts(vocabulary, n_composed=1)
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(pool.texts), 384, generator=generator)
    sources = [simulated_examples(24, seed, vocabulary) for seed in (1, 2)]
    texts, says = training_reports(sources[0], None, vocabulary)
    reports = Reports(torch.randn(len(texts), 384, generator=generator), says)
    return Corpus(vocabulary, *sources, None, pool, vectors, reports)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, how = sys.argv[1:]
    train(RECIPE, make_corpus(), RunFolder(Path(folder), resume=how == "resume"))
