"""The sentence encoder that a model's config names, frozen, adapted, or with layers in training."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from merl_core.encoders.hub_text import HubTextEncoder
from merl_core.encoders.text import MODEL_SHA256, SentenceEncoder, batches_by_length
from merl_core.errors import CheckpointError
from merl_core.model import MINILM, TextConfig


class TextEncoder(Protocol):
    """Turns texts into vectors; `encode_with` does so by a copy of `module`, with gradients."""

    module: nn.Module
    pad_id: int

    @property
    def embedder_id(self) -> str:
        """Name and revision or hash."""

    @property
    def embed_dim(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (N, D)."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, not padded."""

    def encode_with(self, module: nn.Module, token_ids: Tensor, is_token: Tensor | None) -> Tensor:
        """Return vectors (B, D) that a copy of `module` gives for tokens (B, T)."""


def load_text_encoder(
    config: TextConfig,
    folder: Path | None = None,
    device: str = "cpu",
    delta: Mapping[str, Tensor] | None = None,
) -> TextEncoder:
    """Return the sentence encoder of a config.

    Args:
        config: Names it.
        folder: Where its files are; None looks in its package, then in the hub's cache.
        device: A torch device.
        delta: Tensors that a training changed; they take the place of the published ones.

    Raises:
        CheckpointError: It is not on this machine, has another width or hash than the config
            says, or the delta does not fit.
    """
    encoder: TextEncoder
    if config.model == MINILM:
        if config.sha256 not in ("", MODEL_SHA256["model.safetensors"]):
            msg = f"text model {MINILM} with sha256 {config.sha256!r} is not the one known here"
            raise CheckpointError(msg)
        encoder = SentenceEncoder(folder, device=device, with_words=config.words)
    else:
        name = str(folder) if folder is not None else config.model
        encoder = HubTextEncoder(name, config.revision, config.pooling, device)
    if encoder.embed_dim != config.width:
        msg = f"text model {config.model!r} gives {encoder.embed_dim} numbers, not {config.width}"
        raise CheckpointError(msg)
    if delta:
        _apply(encoder, delta, config.model)
    return encoder


def _apply(encoder: TextEncoder, delta: Mapping[str, Tensor], name: str) -> None:
    encoder.module = copy.deepcopy(encoder.module)
    expected = encoder.module.state_dict()
    for key, tensor in delta.items():
        if key not in expected or expected[key].shape != tensor.shape:
            msg = f"adapted tensor {key!r} does not fit text model {name!r}"
            raise CheckpointError(msg)
    encoder.module.load_state_dict(expected | {k: t.float() for k, t in delta.items()})
    encoder.module.eval().requires_grad_(False)


class TextTower(nn.Module):
    """A sentence encoder whose last layers are trained; the others stay as published.

    Args:
        encoder: The published encoder; a copy is trained.
        n_layers: How many of the last layers.

    Raises:
        CheckpointError: The encoder has fewer layers, or none that are known by name.
    """

    def __init__(self, encoder: TextEncoder, n_layers: int) -> None:
        super().__init__()
        self._encoder = encoder
        self.module = copy.deepcopy(encoder.module).requires_grad_(False)
        layers = getattr(getattr(self.module, "encoder", None), "layer", None)
        if not isinstance(layers, nn.ModuleList) or len(layers) < n_layers:
            found = len(layers) if isinstance(layers, nn.ModuleList) else "no"
            msg = f"{encoder.embedder_id}: {n_layers} layers to train, but it has {found} layers"
            raise CheckpointError(msg)
        self._trained = list(layers)[len(layers) - n_layers :]
        for layer in self._trained:
            layer.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Put the trained layers into training mode; the frozen ones have no dropout."""
        super().train(False)
        self.training = mode
        for layer in self._trained:
            layer.train(mode)
        return self

    def forward(self, token_ids: Tensor, is_token: Tensor | None) -> Tensor:
        """Return vectors of shape (B, D) for tokens (B, T)."""
        return self._encoder.encode_with(self.module, token_ids, is_token)

    def delta(self) -> dict[str, Tensor]:
        """Return the tensors that are trained, by their names in the published model."""
        named = self.module.named_parameters()
        return {name: p.detach().cpu() for name, p in named if p.requires_grad}


def embed_frozen(tower: TextTower, encoder: TextEncoder, texts: Sequence[str]) -> Tensor:
    """Return vectors (N, D) of texts by a tower in training, without gradients, in eval mode."""
    was_training = tower.training
    tower.eval()
    token_ids = encoder.tokenize(texts)
    device = next(tower.parameters()).device
    vectors = torch.zeros(len(texts), encoder.embed_dim, device=device)
    with torch.no_grad():
        for positions in batches_by_length(token_ids):
            tokens = torch.tensor([token_ids[i] for i in positions], device=device)
            vectors[positions] = tower(tokens, None)
    tower.train(was_training)
    return vectors
