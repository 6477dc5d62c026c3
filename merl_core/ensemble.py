"""Several models as one: their features side by side, so that a cosine is the mean of theirs."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from merl_core.errors import CheckpointError
from merl_core.model import MerlModel, ModelConfig


class MerlEnsemble(nn.Module):
    """Models of one configuration that were trained from different seeds.

    Each member has its own space. Its features of length D, all of length 1, are put beside
    those of the others and scaled by one over the root of their number: the dot product of two
    such features is the mean of the members' cosines, and a feature still has length 1.

    Source: Lakshminarayanan et al. 2017 (deep ensembles).

    Args:
        members: The models, of equal configuration.
    """

    def __init__(self, members: Sequence[MerlModel]) -> None:
        super().__init__()
        alone = members[0].config
        self.config = alone.model_copy(update={"n_members": len(members)})
        self.members = nn.ModuleList(members)

    def measure(self, x: Tensor) -> Tensor | None:
        """Return what `MerlModel.measure` does, the same for all members."""
        return members_of(self)[0].measure(x)

    def encode_ecg(self, x: Tensor, measured: Tensor | None = None) -> Tensor:
        """Return normalised ECG features of shape (B, M * D) for windows of shape (B, L, T)."""
        measured = self.measure(x) if measured is None else measured
        return self._joined(lambda member: member.encode_ecg(x, measured))

    def encode_text(self, text_vectors: Tensor) -> Tensor:
        """Return normalised text features of shape (N, M * D) for sentence vectors (N, width)."""
        return self._joined(lambda member: member.encode_text(text_vectors))

    def _joined(self, encode: Callable[[MerlModel], Tensor]) -> Tensor:
        features = [encode(member) for member in members_of(self)]
        joined: Tensor = torch.cat(features, dim=-1) / math.sqrt(len(features))
        return joined


DualEncoder = MerlModel | MerlEnsemble
"""What turns ECGs and texts into features of one space."""


def build_model(config: ModelConfig) -> DualEncoder:
    """Return a model of a configuration, with untrained weights."""
    if config.n_members == 1:
        return MerlModel(config)
    alone = config.model_copy(update={"n_members": 1})
    return MerlEnsemble([MerlModel(alone) for _ in range(config.n_members)])


def join_models(models: Sequence[MerlModel]) -> DualEncoder:
    """Return models as one; a single one stays itself.

    Raises:
        CheckpointError: There is none, or their configurations differ.
    """
    if not models:
        msg = "an ensemble needs at least one model"
        raise CheckpointError(msg)
    for model in models[1:]:
        if model.config != models[0].config:
            msg = "models of an ensemble must have one configuration, these differ"
            raise CheckpointError(msg)
    return models[0] if len(models) == 1 else MerlEnsemble(models)


def members_of(model: DualEncoder) -> list[MerlModel]:
    """Return the single models that an encoder consists of."""
    if isinstance(model, MerlModel):
        return [model]
    return [member for member in model.members if isinstance(member, MerlModel)]
