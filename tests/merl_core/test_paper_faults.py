"""Faults of the paper's public code that no other test names; what is done instead."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from merl_core.checkpoint import Checkpoint, CheckpointConfig
from merl_core.encoders.text import pad_tokens
from merl_core.engine import Engine
from merl_core.errors import InvalidRecordError
from merl_core.model import MERL_LEADS, EcgConfig, MerlModel, ModelConfig, SignalConfig
from merl_core.records import STANDARD_LEADS, Record
from merl_core.training_data import embed_texts

PAPER_SIGNAL = SignalConfig(
    leads=MERL_LEADS, fs=500, normalization="merl_minmax", low_hz=None, high_hz=None
)


def engine_of(signal: SignalConfig, pool: str = "attention") -> Engine:
    """A small model with the paper's kind of head, and untrained weights."""
    ecg = EcgConfig.model_validate({"depths": (1, 1), "widths": (4, 4), "pool": pool})
    config = ModelConfig(signal=signal, ecg=ecg, embed_dim=8)
    torch.manual_seed(0)
    model = MerlModel(config).eval()
    described = CheckpointConfig(name="x", model=config)
    return Engine(Checkpoint(Path(), described, model, torch.zeros(0, 8), "", ""), "cpu")


def record(signal: np.ndarray[Any, Any], fs: float = 500) -> Record:
    return Record(signal=signal.astype(np.float32), leads=STANDARD_LEADS, fs=fs)


def draws(seed: int = 11) -> np.ndarray[Any, Any]:
    return np.random.RandomState(seed).standard_normal((12, 5000)) * 0.3


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    path = shared / "golden" / "merl_reference.json"
    content: dict[str, Any] = json.loads(path.read_text())["preprocessing"]
    return content


def test_the_input_of_ptb_xl_is_the_reference(golden: dict[str, Any]) -> None:
    windows, _ = engine_of(PAPER_SIGNAL).prepare(record(draws()))
    assert windows.shape == (1, 12, 5000)
    np.testing.assert_allclose(windows[0].mean(axis=1), golden["ptbxl_row_means"], atol=1e-6)
    first = np.array(golden["ptbxl_first_columns"])
    np.testing.assert_allclose(windows[0, :, : first.shape[1]], first, atol=1e-6)


def test_the_input_of_cpsc2018_is_the_reference_where_that_is_asked_for(
    golden: dict[str, Any],
) -> None:
    signal = PAPER_SIGNAL.model_copy(update={"keep_s": 5.0})
    windows, warnings = engine_of(signal).prepare(record(draws()))
    np.testing.assert_allclose(windows[0].mean(axis=1), golden["cpsc2018_row_means"], atol=1e-6)
    last = np.array(golden["cpsc2018_last_columns"])
    np.testing.assert_allclose(windows[0, :, -last.shape[1] :], last, atol=1e-6)
    assert "cut_to_first_seconds" in {warning.code for warning in warnings}


def test_a_long_recording_is_seen_whole_in_windows() -> None:
    long = np.concatenate([draws(1), draws(2), draws(3)], axis=1)
    assert engine_of(PAPER_SIGNAL).encode_ecg(record(long)).features.shape == (5, 8)


@pytest.mark.parametrize(("seconds", "fs"), [(10.0, 257.0), (8.0, 500.0), (10.2, 1000.0)])
def test_any_length_and_rate_reach_the_attention_pool_as_5000_samples(
    seconds: float, fs: float
) -> None:
    short = draws()[:, : round(seconds * fs)] if seconds * fs <= 5000 else np.tile(draws(), 3)
    windows, _ = engine_of(PAPER_SIGNAL).prepare(record(short[:, : round(seconds * fs)], fs))
    assert windows.shape[1:] == (12, 5000)


def test_scaling_by_the_record_loses_voltage_and_millivolts_keep_it() -> None:
    tall = record(3 * draws())
    papers, ours = engine_of(PAPER_SIGNAL), engine_of(SignalConfig(fs=500), "statistics")
    np.testing.assert_allclose(
        papers.prepare(tall)[0], papers.prepare(record(draws()))[0], atol=1e-5
    )
    low, high = ours.prepare(record(draws()))[0], ours.prepare(tall)[0]
    np.testing.assert_allclose(high, 3 * low, atol=1e-4)


def test_one_spike_squeezes_the_papers_input_and_leaves_ours() -> None:
    spiked = draws()
    spiked[7, 2500] = 15.0
    ours = engine_of(SignalConfig(fs=500, low_hz=None, high_hz=None), "statistics")
    rest = np.s_[0, 0, :2000]
    spread = [float(e.prepare(record(x))[0][rest].std()) for e in (engine_of(PAPER_SIGNAL), ours)
              for x in (draws(), spiked)]  # fmt: skip
    assert spread[1] < 0.3 * spread[0]
    assert spread[3] == pytest.approx(spread[2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gap_is_refused_by_lead_and_sample_and_never_becomes_a_constant(value: float) -> None:
    holed = draws()
    holed[2, 1000:1400] = value
    with pytest.raises(InvalidRecordError, match=r"lead 'III' .* from sample 1000"):
        engine_of(PAPER_SIGNAL).prepare(record(holed))


def test_leads_that_contradict_each_other_are_warned_of() -> None:
    one, two = draws(1)[0], draws(2)[0]
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    sound = np.stack([*limb, *draws(3)[6:]])
    swapped = sound[[0, 1, 2, 3, 5, 4, *range(6, 12)]]  # aVF and aVL by position
    engine = engine_of(PAPER_SIGNAL)
    assert "limb_leads_inconsistent" not in {w.code for w in engine.prepare(record(sound))[1]}
    assert "limb_leads_inconsistent" in {w.code for w in engine.prepare(record(swapped))[1]}


def test_scores_do_not_depend_on_the_recordings_and_classes_beside_them() -> None:
    engine = engine_of(PAPER_SIGNAL)
    x = np.stack([draws(i) for i in range(3)]).astype(np.float32)
    np.testing.assert_allclose(
        engine.encode_windows(x)[:1], engine.encode_windows(x[:1]), atol=1e-6
    )
    prompts = {"a": "atrial fibrillation", "b": "left bundle branch block"}
    both = {s.label: s.score for s in engine.classify(record(draws()), prompts).scores}
    one = engine.classify(record(draws()), {"b": prompts["b"]}).scores[0]
    assert one.score == pytest.approx(both["b"], abs=1e-6)


def test_encoding_leaves_the_statistics_of_batch_normalisation_as_they_are() -> None:
    engine = engine_of(PAPER_SIGNAL)
    before = {name: t.clone() for name, t in engine.checkpoint.model.named_buffers()}
    assert any("running_mean" in name for name in before)
    engine.encode_windows(np.stack([draws(i) for i in range(3)]).astype(np.float32))
    after = dict(engine.checkpoint.model.named_buffers())
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_texts_are_padded_to_the_longest_of_a_batch_and_not_to_a_fixed_length() -> None:
    tokens, is_token = pad_tokens([[5, 6, 7], [8]])
    assert tokens.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert is_token is not None
    assert is_token.tolist() == [[True, True, True], [True, False, False]]
    assert pad_tokens([[5, 6], [7, 8]])[1] is None


class CountingEncoder:
    """Gives a vector of a text's length, and counts the texts that it was asked for."""

    embedder_id = "counting:1"
    embed_dim = 2
    pad_id = 0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: list[str]) -> np.ndarray[Any, Any]:
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        return [[1] for _ in texts]


def test_each_distinct_text_is_encoded_once_also_in_a_later_run(tmp_path: Path) -> None:
    first, later = CountingEncoder(), CountingEncoder()
    found = embed_texts(["sinus", "pause", "sinus"], tmp_path, first)
    assert found.tolist() == [[5, 1], [5, 1], [5, 1]]
    assert sorted(first.asked) == ["pause", "sinus"]
    again = embed_texts(["sinus", "flutter"], tmp_path, later)
    assert again.tolist() == [[5, 1], [7, 1]]
    assert later.asked == ["flutter"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
