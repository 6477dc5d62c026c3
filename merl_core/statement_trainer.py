"""One member's training by statements: draws, losses, updates, and the state to go on from."""

import copy
import json
import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.augment import augment
from merl_core.checkpoint import load_checkpoint
from merl_core.corpus import Corpus
from merl_core.ensemble import members_of
from merl_core.errors import MerlError
from merl_core.losses import clip_loss, statement_loss
from merl_core.model import MerlModel, join_parts
from merl_core.targets import confusable_pairs, draw_weights
from merl_core.train_config import TrainConfig
from merl_core.training.schedule import warm_cosine
from merl_core.training_data import Examples, n_measurements

_LIKENESS_POWER: Final = 4
"""Of the cosine of two names: left and right differ by little, most siblings by much."""


class StatementTrainer:
    """Model, optimiser and random draws of one member.

    Args:
        config: The recipe.
        corpus: What it draws from.
        seed: Of the weights and of every draw.
    """

    def __init__(self, config: TrainConfig, corpus: Corpus, seed: int) -> None:
        self.config, self.corpus = config, corpus
        torch.manual_seed(seed)
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
        normal = corpus.vocabulary.index["normal-ecg"]
        self.weights = [
            draw_weights(s.targets, config.rarity_power, normal, config.normal_share)
            for s in sources
        ]
        self.sources = sources
        self.positive_weight = _positive_weight(sources)
        self.confusable = self._confusable()

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
            group["lr"] = config.learning_rate * warm_cosine(step, config.warmup_steps, done)
        self.model.train()
        signals, targets, has_voltage, measured = self._draw()
        fs = config.model.signal.fs
        signals = augment(signals, has_voltage, fs, config.augmentation, self.generator)
        is_low = config.precision == "bfloat16"
        with torch.autocast(signals.device.type, torch.bfloat16, enabled=is_low):
            pooled, ecg_parts = self.model.project_parts(signals)
        pooled, ecg_parts = pooled.float(), [part.float() for part in ecg_parts]
        columns, text_features = self._draw_texts()
        smooth = config.label_smoothing
        soft = targets[:, columns] * (1 - 2 * smooth) + smooth
        pair_weight = self._pair_weight(targets)[:, columns] if config.confusion_weight else None

        def align(projected: Tensor) -> Tensor:
            features = F.normalize(projected, dim=-1)
            logits = self.model.logit_scale * features @ text_features.T + self.prior[columns]
            return statement_loss(logits, soft, self.positive_weight[columns], pair_weight)

        loss = align(join_parts(ecg_parts))
        losses = {"statement": float(loss.detach())}
        if len(ecg_parts) > 1:
            alone = torch.stack([align(part) for part in ecg_parts]).sum()
            loss = loss + config.part_weight * alone
            losses["parts"] = float(alone.detach())
        projected = ecg_parts[0]
        if config.concept_weight:
            direct = self.concept(F.relu(projected))[:, columns]
            concept = statement_loss(direct, soft, self.positive_weight[columns], pair_weight)
            loss = loss + config.concept_weight * concept
            losses["concept"] = float(concept.detach())
        if config.measurement_weight:
            known = ~measured.isnan()
            error = F.smooth_l1_loss(
                self.measure(projected), measured.nan_to_num(), reduction="none"
            )
            measurement = (error * known).sum() / known.sum().clamp_min(1)
            loss = loss + config.measurement_weight * measurement
            losses["measurement"] = float(measurement.detach())
        if config.uma_weight:
            uma = clip_loss(*self.model.uma_views(pooled), 1 / 0.07)
            loss = loss + config.uma_weight * uma
            losses["uma"] = float(uma.detach())
        if not math.isfinite(float(loss.detach())):
            msg = f"the loss is {float(loss.detach())!r} at step {step}"
            raise MerlError(msg)
        self._update(loss, step)
        return {name: round(value, 4) for name, value in losses.items()}

    def _confusable(self) -> Tensor:
        """Return how easily two concepts' names are confused, shape (C, C), 0 to 1."""
        names = torch.stack([self.corpus.text_vectors[bare].mean(dim=0) for bare, _ in self.rows])
        names = F.normalize(names, dim=-1)
        are_pairs = torch.from_numpy(confusable_pairs(self.corpus.vocabulary))
        return (names @ names.T).clamp_min(0) ** _LIKENESS_POWER * are_pairs

    def _pair_weight(self, targets: Tensor) -> Tensor:
        """Return how much each pair of (B, C) counts: more for what is easily confused."""
        shown = (targets == 1).to(self.confusable.dtype)
        alike = (shown[:, :, None] * self.confusable).amax(dim=1)  # (B, C)
        return 1 + self.config.confusion_weight * alike * (targets == 0)

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

    def state(self) -> dict[str, Any]:
        """Return all that the updates to come depend on."""
        return {
            "modules": {name: part.state_dict() for name, part in self._modules().items()},
            "prior": self.prior.detach(),
            "optimizer": self.optimizer.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        for name, part in self._modules().items():
            part.load_state_dict(state["modules"][name])
        with torch.no_grad():
            self.prior.copy_(state["prior"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])

    def _modules(self) -> dict[str, nn.Module]:
        return {
            "model": self.model,
            "average": self.average,
            "measure": self.measure,
            "concept": self.concept,
        }

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


def _positive_weight(sources: list[Examples]) -> Tensor:
    """Return how much a positive of each concept counts: the root of negatives per positive."""
    positive = sum((s.targets == 1).mean(axis=0) for s in sources)
    negative = sum((s.targets == 0).mean(axis=0) for s in sources)
    ratio = np.sqrt(np.asarray(negative) / np.clip(np.asarray(positive), 1e-4, None))
    return torch.from_numpy(np.clip(ratio, 1, 8).astype(np.float32))
