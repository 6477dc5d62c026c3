"""Training: statement-level alignment of real and simulated ECGs with texts of every concept."""

import json
import logging
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from merl_core.checkpoint import CheckpointConfig, save_checkpoint
from merl_core.corpus import Corpus
from merl_core.ensemble import DualEncoder, join_models
from merl_core.evaluate import ptbxl_validation
from merl_core.model import MerlModel, count_parameters
from merl_core.statement_trainer import StatementTrainer
from merl_core.text_stage import Names, TextStage, adapt_texts, encode_source, related
from merl_core.train_config import TrainConfig
from merl_core.training.run_folder import RunFolder

logger = logging.getLogger(__name__)


def train(
    config: TrainConfig,
    corpus: Corpus,
    run: RunFolder,
    *,
    max_minutes: float | None = None,
) -> DualEncoder:
    """Train a model, write metrics and the checkpoint into `run`, and return it.

    The weights kept are the exponential moving average at the last step; no step is chosen by
    what a validation set says. A run that is resumed makes the updates of one that was never
    interrupted, unless `max_minutes` cuts both.

    Args:
        config: The recipe.
        corpus: What to train on.
        run: For metrics, states and the checkpoint; goes on where it was made to resume.
        max_minutes: Shortens the schedule of each member so that its training ends by then.

    Raises:
        MerlError: The loss is not finite, the checkpoint to start from is of another shape, or
            the run was begun with another recipe or other data.
    """
    run.begin({"recipe": config.model_dump(mode="json"), "data": corpus.describe()})
    return _Training(config, corpus, run, max_minutes).fit()


class _Training:
    """The members of one run, one after the other."""

    def __init__(
        self, config: TrainConfig, corpus: Corpus, run: RunFolder, max_minutes: float | None
    ) -> None:
        self.config, self.corpus, self.run = config, corpus, run
        self.limit_s = math.inf if max_minutes is None else 60 * max_minutes
        self.members: list[MerlModel] = []
        self.step, self.n_updates, self.seconds = 0, 0, 0.0
        """Updates of this member and of all so far; seconds of this member."""
        self.finished_s = 0.0
        """Seconds of the finished members."""

    def fit(self) -> DualEncoder:
        trainer = self._resume()
        while len(self.members) < self.config.n_members:
            self._train_member(trainer or self._new_trainer())
            trainer = None
        return join_models(self.members)

    def _new_trainer(self) -> StatementTrainer:
        number, config = len(self.members), self.config
        corpus = self.corpus
        if number >= config.n_members - config.n_simulated_members:
            corpus = replace(corpus, real=None)
        trainer = StatementTrainer(config, corpus, config.seed + number)
        if config.start_from is not None:
            trainer.start_from(config.start_from, number)
        logger.info("member %d: %d parameters", number, count_parameters(trainer.model))
        return trainer

    def _train_member(self, trainer: StatementTrainer) -> None:
        config = self.config
        started, done = time.monotonic() - self.seconds, float(config.n_steps == 0)
        while done < 1:
            self.step, self.n_updates = self.step + 1, self.n_updates + 1
            self.seconds = time.monotonic() - started
            done = max(self.step / config.n_steps, self.seconds / self.limit_s)
            losses = trainer.step(self.step, min(done, 1.0))
            if self.step % config.validate_every == 0 or done >= 1:
                self._log(losses | self._validate(trainer.average.eval()))
            if self.step % config.save_every == 0 and done < 1:
                self._save_state(trainer)
        if config.text_stage is not None:
            self._adapt_texts(trainer, config.text_stage)
        self.members.append(trainer.average.eval())
        self.finished_s += self.seconds
        self.step, self.seconds = 0, 0.0
        self._save_checkpoint()
        self._save_state(None)

    def _adapt_texts(self, trainer: StatementTrainer, stage: TextStage) -> None:
        corpus, model = self.corpus, trainer.average.eval()
        assert corpus.reports is not None
        concepts = corpus.vocabulary.concepts
        row_of = {text: row for row, text in enumerate(corpus.pool.texts)}
        canonical = corpus.text_vectors[[row_of[concept.canonical_name] for concept in concepts]]
        rows = corpus.pool.rows_by_column(len(concepts))
        adapt_texts(
            model,
            [encode_source(model, source.signals, source.targets) for source in trainer.sources],
            Names(corpus.text_vectors, rows, canonical),
            corpus.reports,
            stage,
            is_related=related(corpus.vocabulary),
            positive_weight=trainer.positive_weight,
            text_noise=self.config.text_noise,
            label_smoothing=self.config.label_smoothing,
            seed=self.config.seed + len(self.members),
        )

    def _log(self, values: dict[str, float]) -> None:
        about = {"step": self.n_updates, "member": len(self.members), "member_step": self.step}
        row: dict[str, Any] = about | {"seconds": round(self.seconds)} | values
        logger.info("%s", json.dumps(row))
        self.run.log(row)

    def _validate(self, model: DualEncoder) -> dict[str, float]:
        """Return macro AUROCs on the validation fold; empty where there is none."""
        validation = self.corpus.validation
        return {} if validation is None else ptbxl_validation(model, validation)

    def _save_state(self, trainer: StatementTrainer | None) -> None:
        """Save the finished members, and the one in training where there is one."""
        self.run.save_state(
            {
                "members": [member.state_dict() for member in self.members],
                "step": self.n_updates,
                "member_step": self.step,
                "seconds": self.seconds,
                "finished_s": self.finished_s,
                "trainer": None if trainer is None else trainer.state(),
            }
        )

    def _resume(self) -> StatementTrainer | None:
        """Take up the run's state; return the trainer of a member that had begun."""
        state = self.run.load_state(torch.device("cpu"))
        if state is None:
            self.run.drop_metrics_after(0)
            return None
        trainer = None
        with self.run.taking_up_state():
            for weights in state["members"]:
                member = MerlModel(self.config.model)
                member.load_state_dict(weights)
                self.members.append(member.requires_grad_(False).eval())
            self.n_updates, self.step = state["step"], state["member_step"]
            self.seconds, self.finished_s = state["seconds"], state["finished_s"]
            if state["trainer"] is not None:
                trainer = self._new_trainer()
                trainer.load_state(state["trainer"])
        self.run.drop_metrics_after(self.n_updates)
        logger.info("going on from update %d", self.n_updates)
        return trainer

    def _save_checkpoint(self) -> None:
        """Write the members so far as one checkpoint."""
        config, corpus = self.config, self.corpus
        model = join_models(self.members)
        result: dict[str, Any] = {"members": len(self.members), "seconds": round(self.finished_s)}
        result |= self._validate(model)
        logger.info("%s", json.dumps(result))
        training = {
            "recipe": config.model_dump(mode="json", exclude={"model"}),
            "n_real": 0 if corpus.real is None else len(corpus.real),
            "n_simulated": 0 if corpus.simulated is None else len(corpus.simulated),
            "result": result,
        }
        description = CheckpointConfig(name=config.name, model=model.config, training=training)
        bank = reference_bank(model, config, corpus)
        save_checkpoint(self.run.path / config.name, description, model, bank)


def reference_bank(model: DualEncoder, config: TrainConfig, corpus: Corpus) -> Tensor:
    """Return normalised features of training ECGs, label-free; real ones where there are any."""
    source = corpus.real if corpus.real is not None else corpus.simulated
    if source is None:
        return torch.zeros(0, model.config.feature_dim)
    rng = np.random.default_rng(config.seed)
    rows = np.sort(rng.permutation(len(source))[: config.bank_size])
    with torch.inference_mode():
        parts = [model.encode_ecg(source.batch(part)[0]) for part in np.array_split(rows, 30)]
    return torch.cat(parts)
