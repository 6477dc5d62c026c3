"""Simulated normal ECGs against those of PTB-XL: the mean beat, its spread, and the noise."""

import ast
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from merl_core.simulate import simulate

_BAND = butter(3, [0.5, 40], "band", fs=100, output="sos")
_STEEP = butter(2, [8, 30], "band", fs=100, output="sos")


def mean_beat(signal: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """Median beat of one record (12, 1000) at 100 Hz, 400 ms before the R peak to 600 after."""
    steep = np.abs(sosfiltfilt(_STEEP, signal, axis=1)).sum(axis=0)
    peaks, _ = find_peaks(steep, height=0.5 * np.percentile(steep, 99), distance=35)
    inside = [p for p in peaks if 40 <= p < signal.shape[1] - 60]
    if len(inside) < 4:
        return None
    filtered = sosfiltfilt(_BAND, signal, axis=1)
    beat = np.median([filtered[:, p - 40 : p + 60] for p in inside], axis=0)
    return beat - beat[:, 84:90].mean(axis=1, keepdims=True)


def normal_records(folder: Path, limit: int) -> list[NDArray[np.floating]]:
    with (folder / "ptbxl_database.csv").open(encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle) if r["scp_codes"].startswith("{'NORM': 100")]
    rows = [r for r in rows if set(ast.literal_eval(r["scp_codes"])) <= {"NORM", "SR"}][:limit]
    paths = [folder / f"{r['filename_lr']}.dat" for r in rows]
    return [np.fromfile(path, "<i2").reshape(-1, 12).T / 1000 for path in paths]


def mean_beats(signals: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    beats = [mean_beat(signal) for signal in signals]
    return np.array([beat for beat in beats if beat is not None])


@pytest.fixture(scope="module")
def real_signals(shared: Path) -> list[NDArray[np.floating]]:
    return normal_records(shared / "data" / "ptb-xl", 400)


@pytest.fixture(scope="module")
def simulated_signals() -> list[NDArray[np.floating]]:
    asked = [("normal-ecg", "sinus-rhythm")] * 400
    return list(simulate(asked, n_records=400, seed=0).signals)


@pytest.fixture(scope="module")
def real_beats(real_signals: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    return mean_beats(real_signals)


@pytest.fixture(scope="module")
def simulated_beats(simulated_signals: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    return mean_beats(simulated_signals)


def level_between_beats(signal: NDArray[np.floating]) -> float:
    """Median over beats and leads of what moves in the 100 ms before P, mV."""
    filtered = sosfiltfilt(_BAND, signal, axis=1)
    steep = np.abs(sosfiltfilt(_STEEP, signal, axis=1)).sum(axis=0)
    peaks, _ = find_peaks(steep, height=0.5 * np.percentile(steep, 99), distance=35)
    quiet = [filtered[:, p - 38 : p - 28] for p in peaks if p >= 40]
    return float(np.median(np.std(quiet, axis=2)))


@pytest.mark.slow
def test_the_mean_normal_beat_resembles_the_real_one_in_every_lead(
    real_beats: NDArray[np.floating], simulated_beats: NDArray[np.floating]
) -> None:
    one = real_beats.mean(axis=0)[:, 15:90]
    two = simulated_beats.mean(axis=0)[:, 15:90]
    correlation = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(one, two, strict=True)])
    size = np.abs(two).max(axis=1) / np.abs(one).max(axis=1)
    large = np.arange(12) != 2
    assert (correlation[large] > 0.95).all(), correlation.round(3)
    assert correlation[2] > 0.8, "III is small: the mean beats of two samples differ there"
    assert ((size[large] > 0.8) & (size[large] < 1.25)).all(), size.round(2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wave", "start", "stop", "extreme"),
    [("P", 18, 33, np.max), ("R", 35, 48, np.max), ("S", 35, 48, np.min), ("T", 55, 84, np.max)],
)
def test_normal_hearts_differ_as_much_as_real_ones(
    real_beats: NDArray[np.floating],
    simulated_beats: NDArray[np.floating],
    wave: str,
    start: int,
    stop: int,
    extreme: Callable[..., NDArray[np.floating]],
) -> None:
    real_range, simulated_range = (
        [np.percentile(extreme(beats[:, :, start:stop], axis=2), q, axis=0) for q in (5, 95)]
        for beats in (real_beats, simulated_beats)
    )
    ratio = np.delete(np.diff(simulated_range, axis=0)[0] / np.diff(real_range, axis=0)[0], 3)
    assert (ratio > 0.55).all(), f"{wave}: {ratio.round(2)}"
    assert (ratio < 1.8).all(), f"{wave}: {ratio.round(2)}"


@pytest.mark.slow
def test_the_noise_between_beats_is_that_of_a_clinic(
    real_signals: list[NDArray[np.floating]], simulated_signals: list[NDArray[np.floating]]
) -> None:
    real, simulated = (
        np.percentile([level_between_beats(one) for one in signals], [25, 50, 75])
        for signals in (real_signals, simulated_signals)
    )
    assert (simulated / real > 0.6).all(), (real, simulated)
    assert (simulated / real < 1.7).all(), (real, simulated)
