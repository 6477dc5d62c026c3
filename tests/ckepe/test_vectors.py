"""Shipped vectors spare work and change nothing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ckepe.embedding import WordHashEmbedder
from ckepe.index import documents
from ckepe.vectors import KnownVectors, packaged_vectors, text_key, write_vectors
from knowledge_sources.knowledge_base import KnowledgeBase
from merl_core.encoders.text import SentenceEncoder


class CountingEmbedder(WordHashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return super().embed(texts)


def test_known_texts_are_not_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    write_vectors(path, WordHashEmbedder(), ["wide QRS", "absent P waves"])
    inner = CountingEmbedder()
    found = KnownVectors(inner, packaged_vectors(path)).embed(["absent P waves", "new text"])
    assert inner.asked == ["new text"]
    expected = WordHashEmbedder().embed(["absent P waves", "new text"])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_vectors_of_another_embedder_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    write_vectors(path, WordHashEmbedder(64), ["wide QRS"])
    inner = CountingEmbedder()
    KnownVectors(inner, packaged_vectors(path)).embed(["wide QRS"])
    assert inner.asked == ["wide QRS"]


def test_without_a_file_everything_is_computed(tmp_path: Path) -> None:
    assert packaged_vectors(tmp_path / "absent.npz") == {}
    embedder = KnownVectors(WordHashEmbedder(), {})
    assert embedder.embed(["wide QRS"]).shape == (1, 256)


def test_the_shipped_vectors_cover_our_own_table(knowledge: KnowledgeBase) -> None:
    known = packaged_vectors()
    own = [d for d in documents(knowledge) if d.concept_id.startswith("ECG:")]
    identifier = SentenceEncoder().embedder_id
    missing = [d.text for d in own if text_key(identifier, d.text) not in known]
    assert len(missing) < 0.35 * len(own), "run `make vectors`"


@pytest.mark.slow
def test_the_shipped_vectors_are_those_of_the_encoder(knowledge: KnowledgeBase) -> None:
    known, encoder = packaged_vectors(), SentenceEncoder()
    texts = [d.text for d in documents(knowledge) if d.concept_id.startswith("ECG:")]
    sample = [t for t in texts if text_key(encoder.embedder_id, t) in known][::40]
    expected = encoder.embed(sample)
    found = KnownVectors(encoder, known).embed(sample)
    np.testing.assert_allclose(found, expected, atol=2e-3)
