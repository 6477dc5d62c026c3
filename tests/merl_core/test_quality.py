"""Quality checks: each fault is found by its own check, and the verdict agrees with readers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from merl_core.quality import Quality, assess_quality
from merl_core.records import STANDARD_LEADS, Record

FS = 250.0


def heart(fs: float = FS, duration_s: float = 10.0) -> Record:
    """Twelve leads of one regular beat with P, QRS and T, consistent by Einthoven."""
    t = np.arange(0, duration_s, 1 / fs)
    phase = np.mod(t, 0.8)
    waves = ((0.15, 0.1, 0.03), (0.30, 1.0, 0.012), (0.34, -0.25, 0.012), (0.52, 0.3, 0.05))
    beat = sum(a * np.exp(-((phase - at) ** 2) / (2 * w * w)) for at, a, w in waves)
    one, two = 0.6 * beat, 1.0 * beat
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [scale * beat for scale in (-0.5, -0.3, 0.6, 1.2, 1.1, 0.9)]
    rng = np.random.default_rng(0)
    noise = 0.005 * rng.standard_normal((12, t.size))
    return Record((np.stack(limb + chest) + noise).astype(np.float32), STANDARD_LEADS, fs)


def changed(record: Record, lead: str, values: object) -> Record:
    signal = record.signal.copy()
    signal[record.leads.index(lead)] = values
    return replace(record, signal=signal)


def failed(quality: Quality) -> dict[str, tuple[str, ...]]:
    return {check.name: check.leads for check in quality.failed}


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0, 1000.0])
def test_a_clean_recording_is_acceptable_at_any_rate(fs: float) -> None:
    quality = assess_quality(heart(fs))
    assert quality.acceptable
    assert failed(quality) == {}


def test_a_flat_lead_is_named() -> None:
    quality = assess_quality(changed(heart(), "V3", 0.0))
    assert failed(quality)["flat_share"] == ("V3",)
    assert not quality.acceptable


def test_noise_in_one_lead_is_named() -> None:
    record = heart()
    noise = np.random.default_rng(1).standard_normal(record.sig_len)
    quality = assess_quality(changed(record, "V1", noise))
    assert failed(quality)["noise_mv"] == ("V1",)
    assert failed(quality)["beat_agreement"] == ("V1",)


def test_noise_in_several_leads_makes_a_recording_unacceptable() -> None:
    record = heart()
    for seed, lead in enumerate(("V1", "V2", "V3")):
        noise = np.random.default_rng(seed).standard_normal(record.sig_len)
        record = changed(record, lead, noise)
    assert not assess_quality(record).acceptable


def test_mains_hum_is_named() -> None:
    record = heart(500.0)
    t = np.arange(record.sig_len) / 500
    hum = record.signal[7] + 0.5 * np.sin(2 * np.pi * 50 * t)
    assert failed(assess_quality(changed(record, "V2", hum)))["mains_share"] == ("V2",)


def test_clipping_is_named() -> None:
    record = heart()
    clipped = np.clip(3 * record.signal[9], -0.2, 0.8)
    assert failed(assess_quality(changed(record, "V4", clipped)))["clipped_share"] == ("V4",)


def test_a_wandering_baseline_is_named() -> None:
    record = heart()
    t = np.arange(record.sig_len) / FS
    moved = record.signal[11] + 3 * np.sin(2 * np.pi * 0.2 * t)
    assert failed(assess_quality(changed(record, "V6", moved)))["wander_mv"] == ("V6",)


def test_missing_samples_make_a_recording_unacceptable() -> None:
    record = heart()
    record.signal[4, :1000] = np.nan
    quality = assess_quality(record)
    assert failed(quality)["missing_share"] == ("aVL",)
    assert not quality.acceptable


def test_a_limb_lead_that_contradicts_the_others_is_found() -> None:
    record = heart()
    quality = assess_quality(changed(record, "III", record.signal[1]))
    assert "einthoven_residual_mv" in failed(quality)


def test_swapped_arm_electrodes_are_suspected() -> None:
    record = heart()
    order = [0, 2, 1, 4, 3, 5, 6, 7, 8, 9, 10, 11]
    signal = record.signal[order].copy()
    signal[0] *= -1
    assert "limb_lead_reversal" in failed(assess_quality(replace(record, signal=signal)))


def test_a_recording_of_one_second_is_unacceptable() -> None:
    quality = assess_quality(heart(duration_s=1.0))
    assert failed(quality) == {"duration_s": ()}
    assert not quality.acceptable


def test_a_recording_without_any_value_is_unacceptable() -> None:
    record = heart()
    quality = assess_quality(replace(record, signal=np.full_like(record.signal, np.nan)))
    assert not quality.acceptable


def test_the_score_agrees_with_readers_of_the_2011_challenge(shared: Path) -> None:
    with np.load(shared / "data/cinc2011/set_a_part1.npz") as data:
        signals, labels = data["signal"][:160], data["acceptable"][:160]
        unit, fs = float(data["unit_microvolt"]) / 1000, float(data["fs"])
    known = labels != -1
    scores = [
        assess_quality(Record((x * unit).astype(np.float32), STANDARD_LEADS, fs)).score
        for x in signals[known]
    ]
    assert roc_auc_score(labels[known] == 1, scores) >= 0.93
