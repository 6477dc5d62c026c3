"""Vectors of the packaged sources' texts, shipped so that a first start need not compute them.

A shipped vector is used only for the very text and embedder that it was made with; whatever is
missing is computed. `make vectors` brings the file up to date.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ckepe.embedding import Embedder

PACKAGED: Final = Path(__file__).parent / "data" / "vectors.npz"
_BATCH: Final = 256


class KnownVectors:
    """An embedder that looks its texts up first.

    Args:
        embedder: Asked for texts that are not known.
        known: Vectors by `text_key`.
    """

    def __init__(self, embedder: Embedder, known: Mapping[bytes, NDArray[np.float16]]) -> None:
        self._embedder = embedder
        self._known = known

    @property
    def embedder_id(self) -> str:
        """That of the embedder behind it."""
        return self._embedder.embedder_id

    @property
    def max_tokens(self) -> int:
        """That of the embedder behind it."""
        return self._embedder.max_tokens

    def count_tokens(self, text: str) -> int:
        """Return what the embedder behind it counts."""
        return self._embedder.count_tokens(text)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return L2-normalised vectors of shape (N, D)."""
        keys = [text_key(self.embedder_id, text) for text in texts]
        missing = [i for i, key in enumerate(keys) if key not in self._known]
        computed = self._embedder.embed([texts[i] for i in missing]) if missing else None
        if computed is not None and len(missing) == len(texts):
            return computed
        width = next(iter(self._known.values())).shape[0]
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        for i, key in enumerate(keys):
            if key in self._known:
                vectors[i] = self._known[key]
        if computed is not None:
            vectors[missing] = computed
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        normalized: NDArray[np.float32] = vectors / np.maximum(norms, 1e-12)
        return normalized


def text_key(embedder_id: str, text: str) -> bytes:
    """Return the key of a text's vector, 8 bytes."""
    return hashlib.sha256(f"{embedder_id}\n{text}".encode()).digest()[:8]


@cache
def packaged_vectors(path: Path = PACKAGED) -> Mapping[bytes, NDArray[np.float16]]:
    """Return the shipped vectors by key; none where the file is absent."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as content:
        return {
            key.tobytes(): row for key, row in zip(content["keys"], content["vectors"], strict=True)
        }


def write_vectors(
    path: Path,
    embedder: Embedder,
    texts: Sequence[str],
    known: Mapping[bytes, NDArray[np.float16]] | None = None,
) -> None:
    """Write the vectors of all texts, the same bytes for the same texts.

    Args:
        path: The file.
        embedder: Computes what is not known.
        texts: In any order; each is written once.
        known: Vectors of an earlier file by `text_key`, taken over as they are.
    """
    ordered = sorted(set(texts))
    keys = [text_key(embedder.embedder_id, text) for text in ordered]
    rows = {key: known[key] for key in keys if known and key in known}
    missing = [(k, t) for k, t in zip(keys, ordered, strict=True) if k not in rows]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        vectors = embedder.embed([text for _, text in batch]).astype(np.float16)
        rows.update(zip((key for key, _ in batch), vectors, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(
            file,
            keys=np.stack([np.frombuffer(key, dtype=np.uint8) for key in keys]),
            vectors=np.stack([rows[key] for key in keys]),
        )
