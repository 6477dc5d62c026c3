"""The simulated normal beat against the mean normal beat of PTB-XL."""

import ast
import csv
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


@pytest.mark.slow
def test_the_mean_normal_beat_resembles_the_real_one_in_every_lead(shared: Path) -> None:
    real = [mean_beat(s) for s in normal_records(shared / "data" / "ptb-xl", 400)]
    batch = simulate([("normal-ecg", "sinus-rhythm")] * 400, n_records=400, seed=0)
    simulated = [mean_beat(s) for s in batch.signals]
    one = np.mean([b for b in real if b is not None], axis=0)[:, 15:90]
    two = np.mean([b for b in simulated if b is not None], axis=0)[:, 15:90]
    correlation = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(one, two, strict=True)])
    size = np.abs(two).max(axis=1) / np.abs(one).max(axis=1)
    large = np.arange(12) != 2
    assert (correlation[large] > 0.95).all(), correlation.round(3)
    assert correlation[2] > 0.8, "III is small: the mean beats of two samples differ there"
    assert ((size[large] > 0.8) & (size[large] < 1.25)).all(), size.round(2)
