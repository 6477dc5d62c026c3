"""Contrastive losses: the paper's, with equal texts as positives, and statement-level alignment."""

import torch
from torch import Tensor
from torch.nn import functional as F


def clip_loss(
    one: Tensor, two: Tensor, logit_scale: Tensor | float, same: Tensor | None = None
) -> Tensor:
    """Return the symmetric InfoNCE loss of paired features, both directions summed.

    Optimises that the i-th row of `one` lies nearest to the i-th row of `two`. With `same`, rows
    that belong together beside the pair itself (equal reports) are positives too, each with equal
    weight, instead of negatives of each other.

    Source: Radford et al. 2021; summed and not halved as in Liu et al. 2024 (MERL), section 3.2;
    several positives as in Khosla et al. 2020, equation 2.

    Args:
        one: Shape (B, D), in any length.
        two: Shape (B, D).
        logit_scale: 1 / temperature.
        same: Shape (B, B), True where row i of `one` and row j of `two` belong together.
    """
    logits = logit_scale * F.normalize(one, dim=-1) @ F.normalize(two, dim=-1).T  # (B, B)
    if same is None:
        target = torch.arange(len(logits), device=logits.device)
        return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)
    weight = same.to(logits.dtype)
    forward = weight / weight.sum(dim=1, keepdim=True)
    backward = weight.T / weight.T.sum(dim=1, keepdim=True)
    return F.cross_entropy(logits, forward) + F.cross_entropy(logits.T, backward)


def statement_loss(
    logits: Tensor,
    targets: Tensor,
    positive_weight: Tensor,
    pair_weight: Tensor | None = None,
) -> Tensor:
    """Return the sigmoid loss over ECGs and statements, unknown pairs left out.

    Each ECG is drawn to all texts of statements that it shows and pushed from those that it is
    known not to show, each pair on its own: no negatives are made up from a batch.

    Source: Zhai et al. 2023 (SigLIP), with targets from annotated statements instead of pairs.

    Args:
        logits: Shape (B, M), M texts.
        targets: Shape (B, M); 1, 0 or NaN for unknown.
        positive_weight: Shape (M,): how much a positive counts, more for rare statements.
        pair_weight: Shape (B, M): how much each pair counts; None for 1. The sum is divided by the
            number of known pairs, not by their weights.
    """
    known = ~targets.isnan()
    loss = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), pos_weight=positive_weight, reduction="none"
    )
    if pair_weight is not None:
        loss = loss * pair_weight
    return (loss * known).sum() / known.sum().clamp_min(1)
