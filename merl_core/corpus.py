"""What a training by statements draws from: real and simulated recordings, and texts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from merl_core.datasets.ptbxl import PtbXl
from merl_core.errors import MerlError
from merl_core.targets import Vocabulary, load_vocabulary
from merl_core.text_stage import Reports
from merl_core.text_tower import load_text_encoder
from merl_core.train_config import TrainConfig
from merl_core.training_data import (
    TRAINING_FOLDS,
    VALIDATION_FOLD,
    Examples,
    embed_texts,
    load_real,
    real_examples,
    simulated_examples,
    some_patients,
    training_reports,
)
from merl_core.training_texts import TextPool, compose_texts


@dataclass(frozen=True, eq=False, slots=True)
class Corpus:
    """All that a training draws from."""

    vocabulary: Vocabulary
    real: Examples | None
    simulated: Examples | None
    validation: PtbXl | None
    pool: TextPool
    text_vectors: Tensor
    reports: Reports | None = None
    """What the text stage learns besides."""

    def describe(self) -> dict[str, Any]:
        """Return how much there is of each kind, with the sha256 of what it holds."""
        texts = hashlib.sha256("\n".join(self.pool.texts).encode())
        texts.update(self.text_vectors.numpy().tobytes())
        found: dict[str, Any] = {"texts": {"n": len(self.pool.texts), "sha256": texts.hexdigest()}}
        for name, examples in (("real", self.real), ("simulated", self.simulated)):
            if examples is not None:
                found[name] = {"n": len(examples), "sha256": examples.sha256}
        if self.reports is not None:
            reports = hashlib.sha256(self.reports.vectors.numpy().tobytes())
            reports.update(self.reports.says.tobytes())
            found["reports"] = {"n": len(self.reports.says), "sha256": reports.hexdigest()}
        return found


def load_corpus(config: TrainConfig, data: Path | None, cache: Path | None) -> Corpus:
    """Return real recordings below `data`, simulated ones, and texts.

    Raises:
        MerlError: The recipe wants real recordings and there are none.
    """
    vocabulary = load_vocabulary()
    real = None
    if config.use_real:
        if data is None:
            msg = f"recipe {config.name!r} trains on real recordings: name their folder with --data"
            raise MerlError(msg)
        found = load_real(data, TRAINING_FOLDS)
        if config.n_real is not None:
            found = some_patients(found, config.n_real, config.seed)
        real = real_examples(found, vocabulary, measured=config.measured_statements)
    simulated = None
    if config.n_simulated:
        simulated = simulated_examples(config.n_simulated, 1000 * config.seed + 1, vocabulary)
    validation = None if data is None else load_real(data, [VALIDATION_FOLD])
    pool = compose_texts(vocabulary, seed=config.seed, held_out=config.held_out_names)
    encoder = load_text_encoder(config.model.text)
    vectors = embed_texts(pool.texts, cache, encoder)
    reports = None
    if config.text_stage is not None:
        texts, says = training_reports(simulated, data if config.use_real else None, vocabulary)
        reports = Reports(embed_texts(texts, cache, encoder), says)
    return Corpus(vocabulary, real, simulated, validation, pool, vectors, reports)
