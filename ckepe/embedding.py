"""The embedder seam: how texts become vectors, without ckepe knowing by what."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns texts into vectors; implemented outside, so that ckepe imports no torch."""

    @property
    def embedder_id(self) -> str:
        """Name and hash of the weights; an index made by another embedder is rebuilt."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return L2-normalised vectors of shape (N, D)."""
