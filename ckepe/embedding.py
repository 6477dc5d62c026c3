"""The embedder seam: how texts become vectors, without ckepe knowing by what."""

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_sources.naming import normalize_name


class Embedder(Protocol):
    """Turns texts into vectors; implemented outside, so that ckepe imports no torch."""

    @property
    def embedder_id(self) -> str:
        """Name and hash of the weights; an index made by another embedder is rebuilt."""

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text that is read whole."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text takes, those at its start and end included."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return L2-normalised vectors of shape (N, D)."""


class WordHashEmbedder:
    """An embedder that knows words and no meaning: for tests, ours and users'.

    Args:
        embed_dim: Length of a vector; words share a place where it is small.
        max_tokens: Longest text, in words.
    """

    def __init__(self, embed_dim: int = 256, max_tokens: int = 256) -> None:
        self._embed_dim = embed_dim
        self._max_tokens = max_tokens

    @property
    def embedder_id(self) -> str:
        """Name and size."""
        return f"word-hash:{self._embed_dim}"

    @property
    def max_tokens(self) -> int:
        """Words of the longest text."""
        return self._max_tokens

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return L2-normalised word counts of shape (N, embed_dim)."""
        vectors = np.full((len(texts), self._embed_dim), 1e-6, dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in normalize_name(text).split():
                row[zlib.crc32(word.encode()) % self._embed_dim] += 1.0
        normalized: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return normalized
