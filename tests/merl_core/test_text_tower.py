from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from merl_core.checkpoint import (
    CheckpointConfig,
    load_checkpoint,
    save_checkpoint,
    write_calibration,
)
from merl_core.encoders.hub_text import HubTextEncoder
from merl_core.encoders.text import SentenceEncoder
from merl_core.engine import Engine
from merl_core.errors import CheckpointError
from merl_core.model import MEDCPT, EcgConfig, MerlModel, ModelConfig, TextConfig
from merl_core.text_tower import TextTower, load_text_encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sinus", "rhythm", "left", "block", "."]


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, saved as models of the hub are."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, hidden_dropout_prob=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_a_model_of_the_hub_gives_its_own_outputs(hub_folder: Path, pooling: str) -> None:
    encoder = HubTextEncoder(str(hub_folder), pooling=pooling)  # type: ignore[arg-type]
    found = encoder.embed(["sinus rhythm", "left block ."])
    model = BertModel.from_pretrained(hub_folder).eval()
    tokenizer = BertTokenizerFast.from_pretrained(hub_folder)
    with torch.no_grad():
        out = model(**tokenizer("sinus rhythm", return_tensors="pt"))
    expected = {
        "mean": out.last_hidden_state.mean(dim=1),
        "cls": out.last_hidden_state[:, 0],
        "pooler": out.pooler_output,
    }[pooling]
    np.testing.assert_allclose(found[:1], expected.numpy(), atol=1e-6)


def test_a_text_does_not_depend_on_the_texts_beside_it(hub_folder: Path) -> None:
    encoder = HubTextEncoder(str(hub_folder), pooling="pooler")
    together = encoder.embed(["sinus", "left block . sinus rhythm", "rhythm"])
    np.testing.assert_array_equal(together[1:2], encoder.embed(["left block . sinus rhythm"]))
    np.testing.assert_array_equal(together, encoder.embed(
        ["sinus", "left block . sinus rhythm", "rhythm"]))  # fmt: skip  # no dropout either


def test_offline_an_absent_model_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(CheckpointError) as caught:
        load_text_encoder(MEDCPT)
    message = str(caught.value)
    assert "hf download ncbi/MedCPT-Query-Encoder --revision d83a36cc6b8e" in message
    assert "\n" not in message


def test_a_model_of_another_width_is_refused(hub_folder: Path) -> None:
    config = TextConfig(model=str(hub_folder), sha256="", width=384)
    with pytest.raises(CheckpointError, match="gives 16 numbers, not 384"):
        load_text_encoder(config)


def test_words_beside_the_sentence_are_those_of_one_encoder() -> None:
    vectors = load_text_encoder(TextConfig(words=True, width=768)).embed(["left axis deviation"])
    assert vectors.shape == (1, 768)
    with pytest.raises(CheckpointError, match="gives 768 numbers, not 384"):
        load_text_encoder(TextConfig(words=True))
    with pytest.raises(ValueError, match="words are those of all-MiniLM-L6-v2"):
        TextConfig(model="another", words=True)


def hub_config(folder: Path) -> ModelConfig:
    text = TextConfig(
        model=str(folder), sha256="", pooling="pooler", width=16, hidden=8, n_adapted_layers=1
    )
    ecg = EcgConfig(depths=(1,), widths=(4,))
    return ModelConfig(ecg=ecg, text=text, embed_dim=8)


def test_only_the_last_layers_are_trained(hub_folder: Path) -> None:
    encoder = HubTextEncoder(str(hub_folder), pooling="mean")
    tower = TextTower(encoder, 1)
    tokens = torch.tensor(encoder.tokenize(["sinus rhythm"]))
    tower(tokens, None).sum().backward()
    trained = {n for n, p in tower.module.named_parameters() if p.grad is not None}
    assert trained
    assert all(name.startswith("encoder.layer.2.") for name in trained)
    assert set(tower.delta()) == trained


def test_frozen_layers_have_no_dropout_and_trained_ones_do(hub_folder: Path) -> None:
    encoder = HubTextEncoder(str(hub_folder), pooling="mean")
    tower = TextTower(encoder, 1)
    layers = list(tower.module.encoder.layer)
    tower.train()
    assert not any(m.training for m in layers[0].modules())
    assert layers[2].training
    tokens = torch.tensor(encoder.tokenize(["sinus rhythm"]))
    assert not torch.equal(tower(tokens, None), tower(tokens, None))
    tower.eval()
    np.testing.assert_allclose(
        tower(tokens, None).detach().numpy(), encoder.embed(["sinus rhythm"]), atol=1e-6
    )


def test_more_layers_than_there_are_is_refused(hub_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="9 layers to train, but it has 3"):
        TextTower(HubTextEncoder(str(hub_folder)), 9)


def test_trained_layers_travel_with_the_checkpoint(hub_folder: Path, tmp_path: Path) -> None:
    config = hub_config(hub_folder)
    tower = TextTower(load_text_encoder(config.text), 1)
    with torch.no_grad():
        for parameter in tower.module.encoder.layer[-1].parameters():
            parameter.add_(torch.randn_like(parameter))
    save_checkpoint(
        tmp_path / "c", CheckpointConfig(name="c", model=config), MerlModel(config),
        torch.zeros(0, 8), text_delta=tower.delta(),
    )  # fmt: skip
    loaded = load_checkpoint(tmp_path / "c")
    adapted = load_text_encoder(config.text, delta=loaded.text_delta).embed(["left block"])
    plain = load_text_encoder(config.text).embed(["left block"])
    assert np.abs(adapted - plain).max() > 0.05
    assert Engine(loaded, "cpu").encode_text(["left block"]).shape == (1, 8)
    write_calibration(loaded, {}, tmp_path / "calibrated")
    assert load_checkpoint(tmp_path / "calibrated").text_delta.keys() == loaded.text_delta.keys()
    (tmp_path / "c" / "text_delta.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"text_delta\.safetensors' cannot be read"):
        load_checkpoint(tmp_path / "c")


def test_layers_of_the_bundled_encoder_can_be_trained_too() -> None:
    encoder = SentenceEncoder()
    tower = TextTower(encoder, 2)
    tokens = torch.tensor(encoder.tokenize(["atrial fibrillation"]))
    out = tower(tokens, None)
    np.testing.assert_allclose(out.detach(), encoder.embed(["atrial fibrillation"]), atol=1e-5)
    out[0, 0].backward()
    assert all(".layer.4." in f".{n}" or ".layer.5." in f".{n}" for n in tower.delta())
    assert not any(p.requires_grad for p in encoder.module.parameters())
