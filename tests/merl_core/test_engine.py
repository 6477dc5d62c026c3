from pathlib import Path

import numpy as np
import pytest

from merl_core.engine import Engine
from merl_core.errors import CheckpointError, InvalidRecordError
from merl_core.records import STANDARD_LEADS, Record
from merl_core.zero_shot import (
    first_phrase,
    is_event,
    join_windows,
    percentile_interval,
    percentiles,
)

PROMPTS = {"afib": "atrial fibrillation", "lbbb": "left bundle branch block"}


def noise(seed: int = 0, seconds: float = 10.0, fs: float = 100.0) -> Record:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(12, round(seconds * fs))).astype(np.float32)
    signal[2] = signal[1] - signal[0]
    signal[3] = -(signal[0] + signal[1]) / 2
    signal[4] = signal[0] - signal[1] / 2
    signal[5] = signal[1] - signal[0] / 2
    return Record(signal, STANDARD_LEADS, fs)


@pytest.fixture
def engine(tiny_checkpoint: Path) -> Engine:
    return Engine(tiny_checkpoint, device="cpu")


def test_every_prompt_gets_a_cosine_and_a_percentile(engine: Engine) -> None:
    rows = engine.classify(noise(), PROMPTS).scores
    assert [row.label for row in rows] == ["afib", "lbbb"]
    assert all(-1 <= row.score <= 1 and 0 <= (row.percentile or 0) <= 100 for row in rows)
    assert all(row.probability is None for row in rows)


def test_the_order_of_classes_permutes_the_scores(engine: Engine) -> None:
    forward = engine.classify(noise(), PROMPTS).scores
    backward = engine.classify(noise(), dict(reversed(PROMPTS.items()))).scores
    assert forward == backward[::-1]


def test_a_score_does_not_depend_on_the_other_prompts(engine: Engine) -> None:
    alone = engine.classify(noise(), {"afib": "atrial fibrillation"}).scores[0]
    together = engine.classify(noise(), PROMPTS).scores[0]
    assert alone.score == pytest.approx(together.score, abs=1e-6)


def test_one_window_is_encoded_like_many(engine: Engine) -> None:
    windows = np.concatenate([engine.prepare(noise(seed))[0] for seed in range(5)])
    together = engine.encode_windows(windows)
    alone = np.concatenate([engine.encode_windows(window[None]) for window in windows])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_padded_recording_scores_like_its_signal_alone(engine: Engine) -> None:
    record = noise(seconds=8.0)
    zeros = Record(np.pad(record.signal, ((0, 0), (100, 100))), record.leads, record.fs)
    one, two = (engine.encode_ecg(r).features for r in (record, zeros))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_texts_are_encoded_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = engine.encode_text(["atrial flutter", "atrial flutter"])
    monkeypatch.setattr(engine, "_encode_new", lambda texts: pytest.fail("encoded again"))
    np.testing.assert_array_equal(engine.encode_text(["atrial flutter"]), first[:1])


def test_no_prompts_is_bad_input(engine: Engine) -> None:
    with pytest.raises(InvalidRecordError, match="at least one class"):
        engine.classify(noise(), {})


def test_an_unknown_device_is_refused(tiny_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="device 'toaster' cannot be used"):
        Engine(tiny_checkpoint, device="toaster")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("ventricular premature complex", True),
        ("paroxysmal supraventricular tachycardia", True),
        ("second degree AV block", True),
        ("left bundle branch block; QRS of 120 ms or more", False),
        ("left ventricular hypertrophy", False),
    ],
)
def test_events_are_told_from_lasting_findings(prompt: str, expected: bool) -> None:
    assert is_event(prompt) is expected


def test_events_take_the_best_window_and_findings_the_mean() -> None:
    cosines = np.array([[0.1, 0.1], [0.5, 0.5]], dtype=np.float32)
    joined = join_windows(cosines, ["premature beat", "left axis deviation"])
    np.testing.assert_allclose(joined, [0.5, 0.3])


def test_percentile_counts_what_lies_below_and_half_of_ties() -> None:
    reference = np.array([[0.1], [0.2], [0.2], [0.9]], dtype=np.float32)
    assert percentiles(np.float32([0.2]), reference)[0] == 50
    assert percentiles(np.float32([1.0]), reference)[0] == 100


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("atrial fibrillation, absent P waves", "atrial fibrillation"),
        ("LBBB; QRS of 0.12 s or more", "LBBB"),
        ("left axis deviation", "left axis deviation"),
        (", odd", ", odd"),
    ],
)
def test_the_first_phrase_of_a_prompt_is_its_name(prompt: str, name: str) -> None:
    assert first_phrase(prompt) == name


def test_a_prompt_lies_between_its_name_and_its_text(engine: Engine) -> None:
    text = "atrial fibrillation, absent P waves, irregular RR intervals"
    joined, name = engine.encode_text([text, "atrial fibrillation"])
    whole = engine._project_texts([text])[0]
    np.testing.assert_allclose(joined @ name, joined @ whole, atol=1e-5)


def test_german_is_encoded_as_what_it_says_in_english_where_the_checkpoint_asks_for_it() -> None:
    engine = Engine("merl-sim", device="cpu")
    assert engine.config.text.german == "in_english"
    one, two = engine.encode_text(["Linksschenkelblock", "left bundle branch block"])
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_german_is_encoded_as_written_elsewhere(engine: Engine) -> None:
    one, two = engine.encode_text(["Linksschenkelblock", "left bundle branch block"])
    assert not np.allclose(one, two, atol=1e-2)


def test_a_percentile_comes_with_the_interval_that_its_bank_allows(engine: Engine) -> None:
    row = engine.classify(noise(), PROMPTS).scores[0]
    assert row.percentile is not None
    assert row.percentile_interval is not None
    low, high = row.percentile_interval
    assert low <= row.percentile <= high
    assert 5 < high - low < 30
    assert engine.n_reference == 50


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    assert percentile_interval(50.0, 100) == pytest.approx((40.38, 59.62), abs=0.01)
    assert percentile_interval(0.0, 20) == pytest.approx((0.0, 16.11), abs=0.01)
    assert percentile_interval(100.0, 20) == pytest.approx((83.89, 100.0), abs=0.01)
