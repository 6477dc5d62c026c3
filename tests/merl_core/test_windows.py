"""Long recordings: windows that overlap, cover everything, and leave out what was not recorded."""

import numpy as np
import pytest

from merl_core import preprocess
from merl_core.errors import InvalidRecordError
from merl_core.preprocess import bandpass, prepare, resample
from merl_core.records import STANDARD_LEADS, Record
from merl_core.windows import MAX_WINDOWS, place_windows

from .test_preprocess import record, wave


def windows_of(one: Record, fs: float = 100.0) -> tuple[np.ndarray, set[str]]:
    windows, warnings = prepare(one, STANDARD_LEADS, fs, 10.0)
    return windows, {warning.code for warning in warnings}


@pytest.mark.parametrize("seconds", [10.0, 10.4])
@pytest.mark.parametrize("fs", [100.0, 257.5, 500.0])
def test_ten_seconds_are_one_window_of_the_whole_filtered_signal(fs: float, seconds: float) -> None:
    windows, codes = windows_of(record(fs, seconds))
    whole = bandpass(resample(wave(fs, seconds), fs, 100.0), 100.0)
    start = (whole.shape[1] - 1000) // 2
    np.testing.assert_array_equal(windows, whole[None, :, start : start + 1000])
    assert codes == (set() if fs == 100.0 else {"resampled"})


@pytest.mark.parametrize("seconds", [10.6, 12.0, 30.0, 61.3, 300.0])
def test_windows_overlap_by_half_and_reach_both_ends(seconds: float) -> None:
    starts, (warning,) = place_windows(round(seconds * 500), 500.0, 10.0)
    assert (starts[0], starts[-1]) == (0, round(seconds * 500) - 5000)
    assert np.diff(starts).max() <= 2500
    assert warning.code == "windowed"
    assert f"{len(starts)} windows" in warning.message


def test_up_to_ten_minutes_nothing_lies_between_windows() -> None:
    starts, warnings = place_windows(600 * 500, 500.0, 10.0)
    assert len(starts) == MAX_WINDOWS
    assert np.diff(starts).max() <= 5000
    assert [w.code for w in warnings] == ["windowed"]


def test_a_day_is_sampled_evenly_and_said_so() -> None:
    starts, warnings = place_windows(24 * 3600 * 200, 200.0, 10.0)
    assert len(starts) == MAX_WINDOWS
    assert np.ptp(np.diff(starts)) <= 1
    assert [w.code for w in warnings] == ["windowed", "windows_sampled"]
    assert "600 of the 86400 s" in warnings[1].message


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0])
def test_windows_are_cut_from_what_filtering_the_whole_would_give(fs: float) -> None:
    one = record(fs, 31.0)
    windows, codes = windows_of(one)
    starts, _ = place_windows(one.sig_len, fs, 10.0)
    whole = bandpass(resample(one.signal, fs, 100.0), 100.0)
    for window, start in zip(windows, starts, strict=True):
        at = min(round(start * 100 / fs), whole.shape[1] - 1000)
        np.testing.assert_allclose(window, whole[:, at : at + 1000], atol=0.02)
    assert codes == ({"windowed"} if fs == 100.0 else {"windowed", "resampled"})


def test_only_the_windows_are_filtered_however_long_the_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filtered: list[int] = []

    def counted(signal: np.ndarray, *arguments: float) -> np.ndarray:
        filtered.append(signal.size)
        return bandpass(signal, *arguments)

    monkeypatch.setattr(preprocess, "bandpass", counted)
    signal = np.tile(wave(100.0, 60.0), 60)  # an hour
    windows, codes = windows_of(Record(signal, STANDARD_LEADS, 100.0))
    assert windows.shape == (MAX_WINDOWS, 12, 1000)
    assert "windows_sampled" in codes
    assert sum(filtered) <= MAX_WINDOWS * 12 * 1400


def test_a_window_with_a_long_gap_is_left_out_and_the_rest_classified() -> None:
    one = record(100.0, 60.0)
    one.signal[7, 3000:3100] = np.nan
    windows, codes = windows_of(one)
    assert len(windows) == 11 - 2
    assert codes == {"windowed", "windows_left_out"}
    assert np.isfinite(windows).all()


def test_a_window_in_which_nothing_was_recorded_is_left_out() -> None:
    one = record(100.0, 60.0)
    one.signal[:, 2000:4000] = 0
    windows, codes = windows_of(one)
    assert len(windows) == 11 - 3
    assert "windows_left_out" in codes


def test_short_gaps_of_a_long_recording_are_interpolated_and_named() -> None:
    one = record(500.0, 30.0)
    one.signal[3, 10_000:10_020] = np.nan
    windows, warnings = prepare(one, STANDARD_LEADS, 100.0, 10.0)
    assert [w.code for w in warnings] == ["windowed", "gaps_interpolated", "resampled"]
    assert "in aVR" in warnings[1].message
    np.testing.assert_allclose(windows, windows_of(record(500.0, 30.0))[0], atol=0.1)


def test_gaps_in_every_window_are_refused_with_lead_and_sample() -> None:
    one = record(500.0, 12.0)
    one.signal[7, 3000:3500] = np.nan
    with pytest.raises(InvalidRecordError, match=r"'V2' has no values for 1.00 s from sample 3000"):
        windows_of(one)


def test_a_swapped_lead_of_a_long_recording_is_pointed_out() -> None:
    one = record(100.0, 30.0)
    one.signal[[4, 5]] = one.signal[[5, 4]]
    assert "limb_leads_inconsistent" in windows_of(one)[1]
