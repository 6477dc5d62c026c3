"""Training: statement-level alignment of real and simulated ECGs with texts of every concept."""

import copy
import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.augment import Augmentation, augment
from merl_core.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from merl_core.datasets.ptbxl import PtbXl
from merl_core.encoders.text import SentenceEncoder
from merl_core.ensemble import DualEncoder, join_models, members_of
from merl_core.errors import MerlError
from merl_core.evaluate import ptbxl_validation
from merl_core.losses import clip_loss, statement_loss
from merl_core.model import MerlModel, ModelConfig, count_parameters
from merl_core.targets import Vocabulary, load_vocabulary
from merl_core.training_data import (
    TRAINING_FOLDS,
    VALIDATION_FOLD,
    Examples,
    embed_texts,
    load_real,
    n_measurements,
    rarity_weights,
    real_examples,
    simulated_examples,
    some_patients,
)
from merl_core.training_texts import TextPool, compose_texts

logger = logging.getLogger(__name__)


class TrainConfig(BaseModel):
    """A recipe; everything that changes a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int = 0
    n_members: int = 1
    """Models trained one after the other, each with the next seed, and joined to one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the ECG encoder's forward and backward pass."""
    model: ModelConfig = ModelConfig()
    augmentation: Augmentation = Augmentation()
    start_from: str | None = None
    """Folder or bundled name of the checkpoint whose members' weights training begins with."""
    use_real: bool = True
    n_real: int | None = Field(default=None, gt=0)
    """At most so many real recordings, those of patients drawn by the seed; None for all."""
    n_simulated: int = 40_000
    batch_size: int = 96
    real_share: float = 0.5
    """Share of real ECGs in a batch that holds both."""
    n_steps: int = 2500
    warmup_steps: int = 200
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    ema_decay: float = 0.998
    max_grad_norm: float = 1.0
    initial_logit_scale: float = 10.0
    texts_per_concept: int = 1
    """Texts drawn for each concept in each step."""
    bare_share: float = 0.5
    """How often a drawn text is a name alone."""
    text_noise: float = 0.02
    """Standard deviation of noise added to each number of a sentence vector, as a share of that
    number's own standard deviation if the model standardises them."""
    held_out_names: float = 0.0
    measurement_weight: float = 0.2
    concept_weight: float = 0.0
    """Of a classification of the concepts without their texts, which helps the ECG encoder while
    the text projection learns; its head is thrown away."""
    cma_weight: float = 0.0
    """Of the paper's contrast between ECG and report."""
    uma_weight: float = 0.0
    """Of the paper's contrast between two views of an ECG feature."""
    label_smoothing: float = 0.02
    validate_every: int = 250
    bank_size: int = 1500


def load_train_config(path: Path) -> TrainConfig:
    """Return the recipe of a YAML file.

    Raises:
        MerlError: The file cannot be read, or a field is unknown or of another type.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainConfig.model_validate(raw)
    except OSError as error:
        msg = f"config {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path}: not valid YAML: {error}"
        raise MerlError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {place}: {first['msg']}"
        raise MerlError(msg) from error


@dataclass(frozen=True, eq=False, slots=True)
class Corpus:
    """All that a training draws from."""

    vocabulary: Vocabulary
    real: Examples | None
    simulated: Examples | None
    validation: PtbXl | None
    pool: TextPool
    text_vectors: Tensor


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
        real = real_examples(found, vocabulary)
    simulated = None
    if config.n_simulated:
        simulated = simulated_examples(config.n_simulated, 1000 * config.seed + 1, vocabulary)
    validation = None if data is None else load_real(data, [VALIDATION_FOLD])
    pool = compose_texts(vocabulary, seed=config.seed, held_out=config.held_out_names)
    vectors = embed_texts(pool.texts, cache, SentenceEncoder())
    return Corpus(vocabulary, real, simulated, validation, pool, vectors)


def train(
    config: TrainConfig,
    corpus: Corpus,
    run: Path,
    *,
    max_minutes: float | None = None,
) -> DualEncoder:
    """Train a model, write metrics and the checkpoint into `run`, and return it.

    The weights kept are the exponential moving average at the last step; no step is chosen by
    what a validation set says.

    Args:
        config: The recipe.
        corpus: What to train on.
        run: Folder for metrics and the checkpoint.
        max_minutes: Shortens the schedule of each member so that its training ends by then.

    Raises:
        MerlError: The loss is not finite, or the checkpoint to start from is of another shape.
    """
    run.mkdir(parents=True, exist_ok=True)
    members: list[MerlModel] = []
    started = time.monotonic()
    for number in range(config.n_members):
        members.append(_train_member(config, corpus, run, number, max_minutes))
        model = join_models(members)
        seconds = round(time.monotonic() - started)
        result: dict[str, Any] = {"members": number + 1, "seconds": seconds}
        result |= _validate(model, corpus)
        logger.info("%s", json.dumps(result))
        _save(model, config, corpus, run, result)
    return model


def _train_member(
    config: TrainConfig, corpus: Corpus, run: Path, number: int, max_minutes: float | None
) -> MerlModel:
    seed = config.seed + number
    torch.manual_seed(seed)
    trainer = _Trainer(config, corpus, seed)
    if config.start_from is not None:
        trainer.start_from(config.start_from, number)
    logger.info("member %d: %d parameters", number, count_parameters(trainer.model))
    started = time.monotonic()
    limit_s = math.inf if max_minutes is None else 60 * max_minutes
    step, done = 0, 0.0
    while done < 1:
        step += 1
        seconds = time.monotonic() - started
        done = max(step / config.n_steps, seconds / limit_s)
        losses = trainer.step(step, min(done, 1.0))
        if step % config.validate_every == 0 or done >= 1:
            row: dict[str, Any] = {"member": number, "step": step, "seconds": round(seconds)}
            row |= losses | _validate(trainer.average.eval(), corpus)
            logger.info("%s", json.dumps(row))
            with (run / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
                metrics.write(json.dumps(row) + "\n")
    return trainer.average.eval()


def _validate(model: DualEncoder, corpus: Corpus) -> dict[str, float]:
    """Return macro AUROCs on the validation fold; empty where there is none."""
    return {} if corpus.validation is None else ptbxl_validation(model, corpus.validation)


def _save(
    model: DualEncoder, config: TrainConfig, corpus: Corpus, run: Path, result: dict[str, Any]
) -> None:
    training = {
        "recipe": config.model_dump(mode="json", exclude={"model"}),
        "n_real": 0 if corpus.real is None else len(corpus.real),
        "n_simulated": 0 if corpus.simulated is None else len(corpus.simulated),
        "result": result,
    }
    description = CheckpointConfig(name=config.name, model=model.config, training=training)
    save_checkpoint(run / config.name, description, model, reference_bank(model, config, corpus))


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


class _Trainer:
    """Model, optimiser and random draws of one run."""

    def __init__(self, config: TrainConfig, corpus: Corpus, seed: int) -> None:
        self.config, self.corpus = config, corpus
        self.model = MerlModel(config.model)
        with torch.no_grad():
            self.model.logit_scale.fill_(config.initial_logit_scale)
        if config.model.text.standardized:
            self.model.standardize_texts(corpus.text_vectors)
        n_concepts = len(corpus.vocabulary)
        self.prior = nn.Parameter(torch.full((n_concepts,), -2.0))
        self.measure = nn.Linear(config.model.embed_dim, n_measurements())
        self.concept = nn.Linear(config.model.embed_dim, n_concepts)
        nn.init.constant_(self.concept.bias, -2.0)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=config.learning_rate)
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.rows = self._text_rows()
        sources = [s for s in (corpus.real, corpus.simulated) if s is not None]
        self.weights = [rarity_weights(s.targets) for s in sources]
        self.sources = sources
        self.positive_weight = _positive_weight(sources)

    def _groups(self) -> list[dict[str, Any]]:
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        return [
            {"params": decayed, "weight_decay": self.config.weight_decay},
            {
                "params": [*plain, self.prior, *self.measure.parameters()],
                "weight_decay": 0.0,
            },
            {"params": list(self.concept.parameters()), "weight_decay": self.config.weight_decay},
        ]

    def _text_rows(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        pool = self.corpus.pool
        out = []
        for rows in pool.rows_by_column(len(self.corpus.vocabulary)):
            is_bare = pool.is_bare[rows]
            composed = rows[~is_bare]
            out.append((rows[is_bare], composed if len(composed) else rows))
        return out

    def step(self, step: int, done: float) -> dict[str, float]:
        """Make one update; return the losses. `done` is the share of the schedule, up to 1."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, done, config)
        self.model.train()
        signals, targets, has_voltage, measured = self._draw()
        fs = config.model.signal.fs
        signals = augment(signals, has_voltage, fs, config.augmentation, self.generator)
        is_low = config.precision == "bfloat16"
        with torch.autocast(signals.device.type, torch.bfloat16, enabled=is_low):
            pooled, projected = self.model.project_ecg(signals)
        pooled, projected = pooled.float(), projected.float()
        ecg_features = F.normalize(projected, dim=-1)
        columns, text_features = self._draw_texts()
        logits = self.model.logit_scale * ecg_features @ text_features.T + self.prior[columns]
        smooth = config.label_smoothing
        soft = targets[:, columns] * (1 - 2 * smooth) + smooth
        loss = statement_loss(logits, soft, self.positive_weight[columns])
        parts = {"statement": float(loss.detach())}
        if config.concept_weight:
            direct = self.concept(F.relu(projected))[:, columns]
            concept = statement_loss(direct, soft, self.positive_weight[columns])
            loss = loss + config.concept_weight * concept
            parts["concept"] = float(concept.detach())
        if config.measurement_weight:
            known = ~measured.isnan()
            error = F.smooth_l1_loss(
                self.measure(projected), measured.nan_to_num(), reduction="none"
            )
            measurement = (error * known).sum() / known.sum().clamp_min(1)
            loss = loss + config.measurement_weight * measurement
            parts["measurement"] = float(measurement.detach())
        if config.uma_weight:
            uma = clip_loss(*self.model.uma_views(pooled), 1 / 0.07)
            loss = loss + config.uma_weight * uma
            parts["uma"] = float(uma.detach())
        if not math.isfinite(float(loss.detach())):
            msg = f"the loss is {float(loss.detach())!r} at step {step}"
            raise MerlError(msg)
        self._update(loss, step)
        return {name: round(value, 4) for name, value in parts.items()}

    def _update(self, loss: Tensor, step: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            self.model.logit_scale.clamp_(1, 100)
            pairs = zip(
                self.average.state_dict().values(), self.model.state_dict().values(), strict=True
            )
            for kept, new in pairs:
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def _draw(self) -> tuple[Tensor, ...]:
        sizes = [self.config.batch_size]
        if len(self.sources) == 2:
            n_real = round(self.config.batch_size * self.config.real_share)
            sizes = [n_real, self.config.batch_size - n_real]
        batches = [
            source.batch(self.rng.choice(len(source), size, p=weights))
            for source, weights, size in zip(self.sources, self.weights, sizes, strict=True)
        ]
        return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))

    def _draw_texts(self) -> tuple[Tensor, Tensor]:
        """Return concept columns (M,) and features (M, D) of texts drawn for every concept."""
        chosen, columns = [], []
        for column, (bare, composed) in enumerate(self.rows):
            for _ in range(self.config.texts_per_concept):
                rows = bare if self.rng.random() < self.config.bare_share else composed
                chosen.append(int(rows[self.rng.integers(len(rows))]))
                columns.append(column)
        vectors = self.corpus.text_vectors[chosen]
        noise = self.config.text_noise * torch.randn(vectors.shape, generator=self.generator)
        if self.config.model.text.standardized:
            noise = noise * self.model.text_spread
        features = self.model.encode_text(vectors + noise)
        return torch.tensor(columns), features

    def start_from(self, source: str, number: int) -> None:
        """Take the weights of one of a checkpoint's members.

        Raises:
            MerlError: It has another configuration, or fewer members.
        """
        initial = members_of(load_checkpoint(source).model)
        if number >= len(initial):
            msg = f"checkpoint {source!r} has {len(initial)} members, the recipe {number + 1}"
            raise MerlError(msg)
        if self.model.config != initial[number].config:
            msg = f"checkpoint {source!r} has another model configuration than the recipe"
            raise MerlError(msg)
        for model in (self.model, self.average):
            model.load_state_dict(initial[number].state_dict())


def _schedule(step: int, done: float, config: TrainConfig) -> float:
    """Return the factor of the learning rate: linear warm-up, times half a cosine to zero."""
    warm = min(1.0, step / max(1, config.warmup_steps))
    return warm * 0.5 * (1 + math.cos(math.pi * done))


def _positive_weight(sources: list[Examples]) -> Tensor:
    """Return how much a positive of each concept counts: the root of negatives per positive."""
    positive = sum((s.targets == 1).mean(axis=0) for s in sources)
    negative = sum((s.targets == 0).mean(axis=0) for s in sources)
    ratio = np.sqrt(np.asarray(negative) / np.clip(np.asarray(positive), 1e-4, None))
    return torch.from_numpy(np.clip(ratio, 1, 8).astype(np.float32))
