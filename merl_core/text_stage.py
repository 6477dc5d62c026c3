"""The last stage of training: the text tower alone learns more wordings; ECG features stay.

A report is a statement too: an ECG shows it if it shows all that the report says. So texts of any
length and language come to lie near the ECGs that they describe, and near each other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.losses import statement_loss
from merl_core.model import MerlModel
from merl_core.targets import Targets, Vocabulary, rarity_weights
from merl_core.training.schedule import warm_cosine

logger = logging.getLogger(__name__)

_ENCODED_AT_ONCE: Final = 64
_MAX_ENCODED: Final = 8000
_WARMUP_STEPS: Final = 30
_EMA_DECAY: Final = 0.98
_BALANCED_SCALE: Final = 10.0
_RARITY_POWER: Final = 0.75
_REPORT_WEIGHT: Final = 5.0
"""How much an ECG that shows a report counts: few show one of several findings."""


class TextStage(BaseModel):
    """Part of a recipe; everything that changes a number of this stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_steps: int = Field(default=600, gt=0)
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    n_ecgs: int = Field(default=1000, gt=0)
    """ECGs in each step, as many from each source."""
    n_reports: int = Field(default=64, gt=0)
    """Reports in each step."""
    report_weight: float = 0.5
    balance_weight: float = 0.07
    """Of a loss in which the ECGs that show a concept weigh as much as those that do not, drawn
    so that rare concepts are among them: their texts learn little otherwise."""
    contrast_weight: float = 0.1
    """Of a classification of each text among the canonical names, where these lie at first."""
    contrast_scale: float = 10.0


@dataclass(frozen=True, eq=False, slots=True)
class Reports:
    """Reports with all that they say."""

    vectors: Tensor
    """Sentence vectors, shape (R, W)."""
    says: NDArray[np.bool_]
    """Shape (R, C): the concepts that a report states, with their ancestors."""


@dataclass(frozen=True, eq=False, slots=True)
class Names:
    """Texts of single concepts."""

    vectors: Tensor
    """Sentence vectors, shape (M, W)."""
    rows: Sequence[NDArray[np.int64]]
    """Positions of each concept's texts."""
    canonical: Tensor
    """Sentence vectors of the canonical names, shape (C, W)."""


@dataclass(frozen=True, eq=False, slots=True)
class EncodedEcgs:
    """ECGs of one source."""

    features: Tensor
    """Normalised, shape (N, D)."""
    targets: Targets
    """Shape (N, C); 1, 0 or NaN."""


def encode_source(model: MerlModel, signals: NDArray[np.int16], targets: Targets) -> EncodedEcgs:
    """Return a source's first 8,000 ECGs, (N, 12, T) in microvolts, as the model's features."""
    signals, targets = signals[:_MAX_ENCODED], targets[:_MAX_ENCODED]
    parts = []
    with torch.no_grad():
        for start in range(0, len(signals), _ENCODED_AT_ONCE):
            part = signals[start : start + _ENCODED_AT_ONCE].astype(np.float32) / 1000
            parts.append(model.encode_ecg(torch.from_numpy(part)))
    return EncodedEcgs(torch.cat(parts), targets)


def shows_all(targets: Tensor, says: Tensor) -> Tensor:
    """Return whether ECGs show all that reports say.

    Args:
        targets: Shape (N, C); 1, 0 or NaN for unknown.
        says: Shape (R, C), bool.

    Returns:
        Shape (N, R): 0 where something is known to be absent, 1 where everything is known to be
        there, else NaN.
    """
    wanted = says.float()
    absent = (targets == 0).float() @ wanted.T
    shown = (targets == 1).float() @ wanted.T
    out = torch.full_like(absent, float("nan"))
    out[shown == wanted.sum(dim=1)] = 1.0
    out[absent > 0] = 0.0
    return out


def balanced_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the sigmoid loss with shown and absent weighing the same in every statement.

    Args:
        logits: Shape (B, M), M texts.
        targets: Shape (B, M); 1, 0 or NaN for unknown. A text that all ECGs of the batch show, or
            none, does not count.
    """
    shown, absent = (targets == 1).float(), (targets == 0).float()
    n_shown, n_absent = shown.sum(dim=0), absent.sum(dim=0)
    of_shown = (F.softplus(-logits) * shown).sum(dim=0) / n_shown.clamp_min(1)
    of_absent = (F.softplus(logits) * absent).sum(dim=0) / n_absent.clamp_min(1)
    counts = ((n_shown > 0) & (n_absent > 0)).float()
    return ((of_shown + of_absent) / 2 * counts).sum() / counts.sum().clamp_min(1)


def related(vocabulary: Vocabulary) -> Tensor:
    """Return shape (C, C), bool: pairs of which one is an ancestor of the other."""
    out = torch.zeros(len(vocabulary), len(vocabulary), dtype=torch.bool)
    for local, column in vocabulary.index.items():
        for above in vocabulary.ancestors[local] - {local}:
            out[column, vocabulary.index[above]] = True
    return out | out.T


def adapt_texts(
    model: MerlModel,
    sources: Sequence[EncodedEcgs],
    names: Names,
    reports: Reports,
    stage: TextStage,
    *,
    is_related: Tensor,
    positive_weight: Tensor,
    text_noise: float,
    label_smoothing: float,
    seed: int,
) -> None:
    """Train the text projection of a model in place; its ECG tower and temperature stay.

    Args:
        model: In eval mode, and left so.
        sources: ECGs with their targets, encoded by this model.
        names: Texts of single concepts.
        reports: Texts of several.
        stage: The recipe's part.
        is_related: As `related` returns it: pairs that are not told apart.
        positive_weight: Shape (C,), of the concepts' statements.
        text_noise: Spread of the noise on sentence vectors, as a share of theirs.
        label_smoothing: Of the targets.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    rarity = [rarity_weights(source.targets, _RARITY_POWER) for source in sources]
    with torch.no_grad():
        anchors = model.encode_text(names.canonical)
    trained = list(model.proj_t.requires_grad_().parameters())
    kept = [parameter.detach().clone() for parameter in trained]
    prior = nn.Parameter(torch.full((len(anchors),), -2.0))
    report_prior = nn.Parameter(torch.tensor(-3.0))
    balanced_prior = nn.Parameter(torch.zeros(len(anchors)))
    balanced_scale = nn.Parameter(torch.tensor(_BALANCED_SCALE))
    optimizer = torch.optim.AdamW(
        [
            {"params": trained, "weight_decay": stage.weight_decay},
            {
                "params": [prior, report_prior, balanced_prior, balanced_scale],
                "weight_decay": 0.0,
            },
        ]
    )
    scale = model.logit_scale.detach()
    spread = model.text_spread if model.config.text.standardized else torch.ones(())

    def encode(vectors: Tensor) -> Tensor:
        noise = torch.randn(vectors.shape, generator=generator)
        return model.encode_text(vectors + text_noise * spread * noise)

    model.train()
    for step in range(stage.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = stage.learning_rate * warm_cosine(
                step, _WARMUP_STEPS, step / stage.n_steps
            )
        ecgs, targets = _draw_ecgs(sources, [None] * len(sources), stage.n_ecgs, rng)
        rare, rare_targets = _draw_ecgs(sources, rarity, stage.n_ecgs, rng)
        of_names = encode(names.vectors[[int(rng.choice(rows)) for rows in names.rows]])
        drawn = rng.choice(len(reports.says), min(stage.n_reports, len(reports.says)), False)
        of_reports = encode(reports.vectors[drawn])
        shown = torch.cat([targets, shows_all(targets, torch.from_numpy(reports.says[drawn]))], 1)
        shown = shown * (1 - 2 * label_smoothing) + label_smoothing
        n_names = len(of_names)
        weight = torch.full((len(drawn),), _REPORT_WEIGHT)
        among = stage.contrast_scale * of_names @ anchors.T
        among = among.masked_fill(is_related, -torch.inf)
        loss = (
            statement_loss(scale * ecgs @ of_names.T + prior, shown[:, :n_names], positive_weight)
            + stage.report_weight
            * statement_loss(scale * ecgs @ of_reports.T + report_prior, shown[:, n_names:], weight)
            + stage.balance_weight
            * balanced_loss(balanced_scale * rare @ of_names.T + balanced_prior, rare_targets)
            + stage.contrast_weight * F.cross_entropy(among, torch.arange(n_names))
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        share = 1 - min(_EMA_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, parameter in zip(kept, trained, strict=True):
                mean.lerp_(parameter, share)
    with torch.no_grad():
        for mean, parameter in zip(kept, trained, strict=True):
            parameter.copy_(mean)
    logger.info("text stage: loss %.4f", float(loss.detach()))
    model.eval().requires_grad_(False)


def _draw_ecgs(
    sources: Sequence[EncodedEcgs],
    weights: Sequence[NDArray[np.float64] | None],
    n_ecgs: int,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    features, targets = [], []
    for source, share in zip(sources, weights, strict=True):
        rows = rng.choice(len(source.targets), n_ecgs // len(sources), p=share)
        features.append(source.features[rows])
        targets.append(torch.from_numpy(source.targets[rows]))
    return torch.cat(features), torch.cat(targets)
