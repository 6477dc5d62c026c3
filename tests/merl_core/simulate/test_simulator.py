"""The simulator as a whole: determinism, the leads' laws, and measures read off the output."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import find_peaks

from merl_core.simulate import SimulatedBatch, simulate
from merl_core.simulate.noise import electrode_noise

I, II, III, AVR, AVL, AVF, V1, V2, V3, V4, V5, V6 = range(12)  # noqa: E741
FS = 500


def clean(*findings: str, n: int = 24, seed: int = 4, fs: float = FS) -> SimulatedBatch:
    """Simulate n noise-free records of the same findings."""
    return simulate([findings] * n, n_records=n, fs=fs, seed=seed, noise_level=0.0)


def r_times(signal: NDArray[np.float32], fs: float = FS) -> NDArray[np.intp]:
    """Find beats in one record (12, T) by the steepness of all leads together."""
    steep = np.sqrt((np.gradient(signal, axis=1) ** 2).sum(axis=0))
    smooth = np.convolve(steep, np.hanning(int(0.06 * fs)), "same")
    peaks, _ = find_peaks(smooth, height=0.4 * smooth.max(), distance=int(0.24 * fs))
    return peaks


def mean_beat(signal: NDArray[np.float32], fs: float = FS) -> NDArray[np.float32]:
    """Average the beats of one record from 350 ms before to 550 ms after, baseline removed."""
    before, after = int(0.35 * fs), int(0.55 * fs)
    at = [t for t in r_times(signal, fs) if before <= t < signal.shape[1] - after]
    beat = np.mean([signal[:, t - before : t + after] for t in at], axis=0)
    return beat - np.median(beat[:, : int(0.05 * fs)], axis=1, keepdims=True)


def qrs_bounds(beat: NDArray[np.float32], fs: float = FS) -> tuple[float, float]:
    """Onset and end of QRS in a mean beat, ms, where any lead's slope exceeds 6 uV/ms."""
    slope = np.abs(np.gradient(beat, axis=1)).max(axis=0) * fs / 1000
    steep = np.flatnonzero(slope > 0.006)
    steep = steep[np.abs(steep - 0.35 * fs) < 0.13 * fs]
    return steep[0] * 1000 / fs, steep[-1] * 1000 / fs


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (simulate(None, n_records=20, seed=3) for _ in range(2))
    assert first.signals.tobytes() == second.signals.tobytes()
    assert first.findings == second.findings
    assert first.reports == second.reports


def test_another_seed_gives_other_records() -> None:
    first, second = (simulate(None, n_records=4, seed=seed) for seed in (1, 2))
    assert first.signals.tobytes() != second.signals.tobytes()


def test_einthovens_law_holds_with_noise() -> None:
    signals = simulate(None, n_records=40, seed=1).signals
    assert signals.shape == (40, 12, 1000)
    assert signals.dtype == np.float32
    np.testing.assert_allclose(signals[:, I] + signals[:, III], signals[:, II], atol=1e-5)
    np.testing.assert_allclose(signals[:, AVR] + signals[:, AVL] + signals[:, AVF], 0, atol=1e-5)


@pytest.mark.parametrize(("fs", "duration_s"), [(250, 10.0), (100, 5.0), (500, 4.0)])
def test_rate_and_length_are_as_asked(fs: float, duration_s: float) -> None:
    batch = simulate(None, n_records=5, fs=fs, duration_s=duration_s, seed=1)
    assert batch.signals.shape == (5, 12, round(fs * duration_s))
    assert np.isfinite(batch.signals).all()


def test_without_noise_the_beats_of_a_paced_rhythm_are_alike() -> None:
    asked = [("atrial-paced-rhythm",)]
    clean_one = simulate(asked, n_records=1, seed=3, fs=500, noise_level=0).signals[0]
    noisy_one = simulate(asked, n_records=1, seed=3, fs=500, noise_level=1).signals[0]
    rough = [np.abs(np.diff(s, n=2, axis=1)).mean() for s in (clean_one, noisy_one)]
    assert rough[1] > 1.5 * rough[0]


@pytest.mark.parametrize(
    ("finding", "low_hz", "high_hz"),
    [("baseline-wander", 0.0, 1.0), ("muscle-artifact", 20.0, 120.0), ("powerline-noise", 48, 62)],
)
def test_noise_that_is_asked_for_lies_in_its_band(
    finding: str, low_hz: float, high_hz: float
) -> None:
    def power(*names: str) -> float:
        signals = simulate([names] * 30, n_records=30, fs=250, seed=6).signals[:, II]
        spectrum = np.abs(np.fft.rfft(signals - signals.mean(axis=1, keepdims=True))) ** 2
        hz = np.fft.rfftfreq(signals.shape[1], 1 / 250)
        return float(np.median(spectrum[:, (hz >= low_hz) & (hz < high_hz)].sum(axis=1)))

    assert power("sinus-rhythm", finding) > 3 * power("sinus-rhythm")


def test_usual_noise_falls_with_frequency() -> None:
    noise = electrode_noise(
        20, 1000, 100, {k: np.ones(20) for k in ("wander", "muscle", "mains", "motion")},
        np.random.default_rng(6),
    )  # fmt: skip
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=(0, 1))
    bands = [power[a:b].mean() for a, b in ((10, 30), (30, 80), (80, 200))]
    assert bands[0] > bands[1] > bands[2]


def test_no_records_are_an_empty_batch() -> None:
    assert simulate([], n_records=0, seed=1).signals.shape == (0, 12, 1000)


def test_the_measured_rate_is_the_parameter() -> None:
    batch = clean("normal-ecg", "sinus-rhythm")
    for signal, rate in zip(batch.signals, batch.measurements["heart_rate_bpm"], strict=True):
        assert 60 * FS / np.diff(r_times(signal)).mean() == pytest.approx(rate, abs=3)


def test_the_measured_qrs_duration_is_the_parameter() -> None:
    batch = clean("sinus-rhythm", n=40)
    measured = [np.diff(qrs_bounds(mean_beat(s)))[0] for s in batch.signals]
    error = np.array(measured) - batch.measurements["qrs_ms"]
    assert abs(np.median(error)) < 12
    assert np.percentile(np.abs(error), 80) < 20


def test_the_measured_pr_interval_is_the_parameter() -> None:
    batch = clean("first-degree-av-block", n=30)
    errors = []
    for signal, pr in zip(batch.signals, batch.measurements["pr_ms"], strict=True):
        beat = mean_beat(signal)
        onset = qrs_bounds(beat)[0]
        atrial = np.abs(beat[[I, II, AVF]]).max(axis=0)[: int(onset * FS / 1000) - 10]
        first = np.flatnonzero(atrial > 0.15 * atrial.max())[0] * 1000 / FS
        errors.append(onset - first - pr)
    assert abs(np.median(errors)) < 20


def test_the_measured_qt_interval_is_the_parameter() -> None:
    batch = clean("sinus-rhythm", n=40, seed=9)
    errors = []
    for signal, qt in zip(batch.signals, batch.measurements["qt_ms"], strict=True):
        beat = mean_beat(signal)
        onset = qrs_bounds(beat)[0]
        late = beat[:, int(0.35 * FS) + 75 :]
        lead = late[np.abs(late).max(axis=1).argmax()]
        peak = int(np.abs(lead).argmax())
        fall = np.gradient(lead * np.sign(lead[peak]))[peak : peak + 60]
        steepest = peak + int(fall.argmin())
        end = steepest + abs(lead[steepest]) / -fall.min()
        errors.append((end + int(0.35 * FS) + 75) * 1000 / FS - onset - qt)
    assert abs(np.median(errors)) < 20


@pytest.mark.parametrize(
    ("finding", "low", "high"),
    [("left-axis-deviation", -80, -27), ("right-axis-deviation", 88, 155)],
)
def test_the_measured_axis_is_the_parameter(finding: str, low: float, high: float) -> None:
    batch = clean("sinus-rhythm", finding)
    for signal, expected in zip(batch.signals, batch.measurements["qrs_axis_deg"], strict=True):
        beat = mean_beat(signal)[:, int(0.25 * FS) : int(0.45 * FS)]
        one, foot = (beat[k].max() + beat[k].min() for k in (I, AVF))
        axis = np.rad2deg(np.arctan2(foot * 2 / np.sqrt(3), one))
        assert axis == pytest.approx(expected, abs=12)
        assert low < expected < high


def test_the_measured_st_level_is_the_parameter() -> None:
    batch = clean("acute-inferior-myocardial-infarction")
    rows = np.arange(24)
    levels = []
    for signal, qrs in zip(batch.signals, batch.measurements["qrs_ms"], strict=True):
        beat = mean_beat(signal)
        at = int((qrs_bounds(beat)[0] + qrs + 60) * FS / 1000)
        levels.append(beat[:, at])
    expected = batch.measurements["st_mv"][rows]
    assert np.median(np.abs(np.array(levels) - expected)) < 0.04
