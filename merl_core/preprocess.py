"""From a recording to model input: leads by name, gaps, filter, rate, windows."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from merl_core.errors import InvalidRecordError
from merl_core.records import Record, RecordWarning, canonical_lead, select_leads
from merl_core.windows import cut_chunks, is_longer, place_windows

LIMB_COEFFICIENTS: Final = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
"""Each limb lead as a sum of I and II. Source: Einthoven 1908; Goldberger 1942."""
MAX_GAP_S: Final = 0.2
"""Longer runs of missing samples are not filled: a P wave or a QRS complex could hide in one."""
MIN_DURATION_S: Final = 2.5
_SAME_RATE: Final = 1e-6
MIN_AMPLITUDE_MV: Final = 0.05
MAX_AMPLITUDE_MV: Final = 20.0
_BLANK_S: Final = 0.5
_MARGIN_S: Final = 2.0
"""Around a window of a long recording; the filter at 0.5 Hz has settled by then."""
_LIMB_TOLERANCE_MV: Final = 0.15


@cache
def _filter_sections(fs: float, low: float, high: float | None) -> NDArray[np.float64]:
    nyquist = fs / 2
    if high is None or high >= 0.95 * nyquist:
        sections: NDArray[np.float64] = butter(2, low / nyquist, "highpass", output="sos")
    else:
        sections = butter(2, (low / nyquist, high / nyquist), "bandpass", output="sos")
    return sections


def bandpass(
    signal: NDArray[np.float32], fs: float, low: float = 0.5, high: float | None = 40.0
) -> NDArray[np.float32]:
    """Return the signal filtered forwards and backwards, without delay.

    Removes baseline wander and makes recordings of devices with different filters alike. Where
    `high` lies beyond what `fs` can carry, only wander is removed.

    Args:
        signal: Shape (..., T), finite.
        fs: Samples per second.
        low: Lower edge in Hz.
        high: Upper edge in Hz; None for none.

    Returns:
        Same shape, float32.
    """
    sections = _filter_sections(fs, low, high)
    pad = min(signal.shape[-1] - 1, round(2 * fs))
    filtered = sosfiltfilt(sections, signal.astype(np.float64), axis=-1, padlen=pad)
    return filtered.astype(np.float32)


def resample(signal: NDArray[np.float32], fs: float, target_fs: float) -> NDArray[np.float32]:
    """Return the signal at another rate, its ends continued by a line and not by zeros.

    Args:
        signal: Shape (..., T).
        fs: Its samples per second.
        target_fs: Samples per second of the result.

    Returns:
        Shape (..., T'), T' = T * target_fs / fs.
    """
    if math.isclose(fs, target_fs, rel_tol=_SAME_RATE):
        return signal
    scale = 1000  # rates such as 257.5 Hz stay exact
    up, down = round(target_fs * scale), round(fs * scale)
    common = math.gcd(up, down)
    resampled = resample_poly(signal, up // common, down // common, axis=-1, padtype="line")
    return resampled.astype(np.float32)


def prepare(
    record: Record,
    leads: Sequence[str],
    fs: float,
    window_s: float,
    *,
    low: float | None = 0.5,
    high: float | None = 40.0,
    keep_s: float | None = None,
) -> tuple[NDArray[np.float32], tuple[RecordWarning, ...]]:
    """Return model input for a recording, and what was done to it.

    Missing limb leads are derived from any two of them; short gaps are filled; the recording is
    resampled and filtered. One shorter than a window is centred in zeros, a longer one cut into
    overlapping windows, those with a long gap left out.

    Args:
        record: The recording, in millivolts.
        leads: Leads of the model, in its order.
        fs: Rate of the model.
        window_s: Length of a window in seconds.
        low: Lower edge of the filter in Hz; None for no filter at all.
        high: Upper edge of the filter in Hz; None for none.
        keep_s: Only these first seconds are kept, followed by zeros; None for all of it.

    Returns:
        Windows of shape (W, L, T), millivolts, and warnings.

    Raises:
        InvalidRecordError: A lead is missing (`missing_lead`), the recording is too short
            (`too_short`), every window has a gap too long to fill (`not_finite`), or nothing was
            recorded (`unusable_signal`).
    """
    signal, warnings = complete_leads(record, leads)
    signal, trimmed = _trim_blank_ends(signal, record.fs)
    warnings += trimmed
    if signal.shape[-1] < MIN_DURATION_S * record.fs:
        seconds = signal.shape[-1] / record.fs
        msg = f"recording of {seconds:.2f} s is too short, expected {MIN_DURATION_S} s or more"
        raise InvalidRecordError(msg, code="too_short")
    length = round(fs * window_s)
    resampled = _rate_warnings(record.fs, fs)
    if keep_s is None and is_longer(signal.shape[1], record.fs * window_s):
        chunks, offsets, cut = _usable_chunks(signal, record.fs, window_s, leads)
        chunks = _at_rate(chunks, record.fs, fs, low, high)
        begins = np.minimum((offsets * (fs / record.fs)).round(), chunks.shape[-1] - length)
        windows = np.stack(
            [c[:, b : b + length] for c, b in zip(chunks, begins.astype(int), strict=True)]
        )
        return windows, tuple(warnings + cut + resampled)
    signal, filled = fill_gaps(signal, record.fs, leads)
    warnings += filled + _check_amplitudes(signal, leads) + _check_limb_leads(signal, leads)
    signal = _at_rate(signal, record.fs, fs, low, high)
    if keep_s is not None:
        windows, cut = _first_seconds(signal, round(fs * keep_s), length)
    else:
        windows, cut = _one_window(signal, length)
    return windows, tuple(warnings + cut + resampled)


def _rate_warnings(fs: float, target_fs: float) -> list[RecordWarning]:
    if math.isclose(fs, target_fs, rel_tol=_SAME_RATE):
        return []
    message = f"{fs:g} samples per second brought to the model's {target_fs:g}"
    return [RecordWarning("resampled", message)]


def _at_rate(
    signal: NDArray[np.float32], fs: float, target_fs: float, low: float | None, high: float | None
) -> NDArray[np.float32]:
    """Return the signal resampled, and filtered if `low` says so."""
    resampled = resample(signal, fs, target_fs)
    return resampled if low is None else bandpass(resampled, target_fs, low, high)


def _usable_chunks(
    signal: NDArray[np.float32], fs: float, window_s: float, leads: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.intp], list[RecordWarning]]:
    """Return the windows of a long recording as `cut_chunks` does, gaps filled, bad ones left out.

    Raises:
        InvalidRecordError: Each has a gap that is too long (`not_finite`).
    """
    length = round(window_s * fs)
    starts, warnings = place_windows(signal.shape[1], fs, window_s)
    usable = [s for s in starts if _is_usable(signal[:, s : s + length], fs)]
    if not usable:
        fill_gaps(signal, fs, leads)
        msg = f"nothing was recorded in any window of {window_s:g} s"
        raise InvalidRecordError(msg, code="unusable_signal")
    if len(usable) < len(starts):
        message = (
            f"{len(starts) - len(usable)} of {len(starts)} windows left out: a lead has no values "
            f"for more than {MAX_GAP_S} s, or no lead moves"
        )
        warnings.append(RecordWarning("windows_left_out", message))
    chunks, offsets = cut_chunks(signal, np.array(usable), length, round(_MARGIN_S * fs))
    shown = _joined(chunks, offsets, length)
    if gaps := [leads[int(i)] for i in np.flatnonzero(~np.isfinite(shown).all(axis=1))]:
        message = f"missing samples interpolated in {', '.join(gaps)}"
        warnings.append(RecordWarning("gaps_interpolated", message))
    for chunk in chunks:
        _interpolate(chunk)
    shown = _joined(chunks, offsets, length)
    warnings += _check_amplitudes(shown, leads) + _check_limb_leads(shown, leads)
    return chunks, offsets, warnings


def _joined(
    chunks: NDArray[np.float32], offsets: NDArray[np.intp], length: int
) -> NDArray[np.float32]:
    """Return the windows alone, one after the other: (L, W * length)."""
    parts = [chunk[:, at : at + length] for chunk, at in zip(chunks, offsets, strict=True)]
    return np.concatenate(parts, axis=1)


def _is_usable(window: NDArray[np.float32], fs: float) -> bool:
    """Return True for a window (L, T) in which some lead moves and no gap is too long."""
    missing = ~np.isfinite(window)
    if missing.any():
        return all(_longest_run(row)[1] <= MAX_GAP_S * fs for row in missing[missing.any(axis=1)])
    return bool((window != window[:, :1]).any())


def complete_leads(
    record: Record, leads: Sequence[str]
) -> tuple[NDArray[np.float32], list[RecordWarning]]:
    """Return the rows of `leads`, missing limb leads derived from two others.

    Raises:
        InvalidRecordError: A lead is missing and cannot be derived (`missing_lead`).
    """
    row = {canonical_lead(lead): i for i, lead in enumerate(record.leads)}
    missing = [lead for lead in leads if lead not in row and lead in LIMB_COEFFICIENTS]
    present = [lead for lead in LIMB_COEFFICIENTS if lead in row]
    if not missing or len(present) < 2:
        return select_leads(record, leads), []
    basis = np.array([LIMB_COEFFICIENTS[lead] for lead in present[:2]])  # (2, 2)
    pair = np.stack([record.signal[row[lead]] for lead in present[:2]])
    one_two = np.linalg.inv(basis) @ pair  # I and II
    derived = np.array([LIMB_COEFFICIENTS[lead] for lead in missing]) @ one_two
    complete = Record(
        signal=np.concatenate([record.signal, derived.astype(np.float32)]),
        leads=(*record.leads, *missing),
        fs=record.fs,
    )
    message = f"{', '.join(missing)} derived from {present[0]} and {present[1]}"
    return select_leads(complete, leads), [RecordWarning("leads_derived", message)]


def fill_gaps(
    signal: NDArray[np.float32], fs: float, leads: Sequence[str]
) -> tuple[NDArray[np.float32], list[RecordWarning]]:
    """Return the signal with short runs of missing samples interpolated, lead by lead.

    Raises:
        InvalidRecordError: A run is longer than 0.2 s (`not_finite`), named by lead and sample.
    """
    missing = ~np.isfinite(signal)
    if not missing.any():
        return signal, []
    for i in map(int, np.flatnonzero(missing.any(axis=1))):
        start, run = _longest_run(missing[i])
        if run > MAX_GAP_S * fs:
            msg = (
                f"lead {leads[i]!r} has no values for {run / fs:.2f} s from sample {start}; "
                f"gaps up to {MAX_GAP_S} s are filled"
            )
            raise InvalidRecordError(msg, code="not_finite")
    signal = signal.copy()
    names = ", ".join(leads[i] for i in _interpolate(signal))
    message = f"{int(missing.sum())} missing samples interpolated in {names}"
    return signal, [RecordWarning("gaps_interpolated", message)]


def _longest_run(missing: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of missing samples of one lead begins, and how long it is."""
    edges = np.flatnonzero(np.diff(np.pad(missing.astype(np.int8), 1)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])


def _interpolate(signal: NDArray[np.float32]) -> list[int]:
    """Fill what is missing in each row of (L, T) by straight lines; return the rows filled."""
    missing = ~np.isfinite(signal)
    rows = [int(i) for i in np.flatnonzero(missing.any(axis=1))]
    places = np.arange(signal.shape[1])
    for i in rows:
        known = ~missing[i]
        signal[i] = np.interp(places, places[known], signal[i, known])
    return rows


def _one_window(
    signal: NDArray[np.float32], length: int
) -> tuple[NDArray[np.float32], list[RecordWarning]]:
    """Return the signal's middle as one window of shape (1, L, length), a short one in zeros."""
    n_leads, sig_len = signal.shape
    if sig_len < length:
        start = (length - sig_len) // 2
        window = np.zeros((1, n_leads, length), dtype=np.float32)
        window[0, :, start : start + sig_len] = signal
        message = f"{sig_len} samples centred in a window of {length}"
        return window, [RecordWarning("padded", message)]
    start = (sig_len - length) // 2
    return signal[None, :, start : start + length].copy(), []


def _first_seconds(
    signal: NDArray[np.float32], n_kept: int, length: int
) -> tuple[NDArray[np.float32], list[RecordWarning]]:
    """Return one window of the first samples, zeros behind them.

    Source: Liu et al. 2024, public code of MERL, CPSC2018: 2500 of 5000 samples.
    """
    window = np.zeros((1, len(signal), length), dtype=np.float32)
    kept = signal[:, : min(n_kept, length)]
    window[0, :, : kept.shape[1]] = kept
    message = f"the first {kept.shape[1]} samples in a window of {length}"
    return window, [RecordWarning("cut_to_first_seconds", message)]


def merl_minmax(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the signal scaled to 0..1 over all leads together, for the paper's weights.

    Absolute voltage is lost; only models that were trained on such input should see it.

    Source: Liu et al. 2024, public code of MERL.
    """
    lowest, highest = signal.min(), signal.max()
    scaled: NDArray[np.float32] = (signal - lowest) / (highest - lowest + 1e-8)
    return scaled


def _trim_blank_ends(
    signal: NDArray[np.float32], fs: float
) -> tuple[NDArray[np.float32], list[RecordWarning]]:
    """Cut leading and trailing stretches in which no lead moves, or none has a value."""
    with np.errstate(invalid="ignore"):  # between two infinite samples
        steps = np.diff(signal, axis=1)
    is_alive = (np.isfinite(steps) & (steps != 0)).any(axis=0)
    alive = np.flatnonzero(is_alive)
    if alive.size == 0:
        msg = "no lead of the recording changes at any time: nothing was recorded"
        raise InvalidRecordError(msg, code="unusable_signal")
    first, last = int(alive[0]), int(alive[-1])
    start = first + 1 if first > 0 else 0  # the step out of the blank belongs to it
    stop = last + 1 if last + 2 < signal.shape[1] else signal.shape[1]
    blank = (start + signal.shape[1] - stop) / fs
    if blank < _BLANK_S:
        return signal, []
    message = f"{blank:.2f} s without any signal cut off at the ends"
    return signal[:, start:stop], [RecordWarning("blank_ends_trimmed", message)]


def _check_amplitudes(signal: NDArray[np.float32], leads: Sequence[str]) -> list[RecordWarning]:
    span = np.ptp(signal, axis=1)
    flat = [lead for lead, mv in zip(leads, span, strict=True) if mv == 0]
    warnings = []
    if flat:
        warnings.append(RecordWarning("flat_lead", f"no signal in {', '.join(flat)}"))
    largest = float(span.max())
    if not MIN_AMPLITUDE_MV <= largest <= MAX_AMPLITUDE_MV:
        message = f"largest lead spans {largest:.3g} mV: is the file's unit millivolts?"
        warnings.append(RecordWarning("implausible_amplitude", message))
    return warnings


def _check_limb_leads(signal: NDArray[np.float32], leads: Sequence[str]) -> list[RecordWarning]:
    """Warn where limb leads contradict Einthoven's law: a lead is swapped or mislabelled."""
    row = {lead: i for i, lead in enumerate(leads)}
    if not {"I", "II"} <= row.keys():
        return []
    centred = signal - np.median(signal, axis=1, keepdims=True)
    for lead, (one, two) in LIMB_COEFFICIENTS.items():
        if lead in ("I", "II") or lead not in row:
            continue
        expected = one * centred[row["I"]] + two * centred[row["II"]]
        rms = float(np.sqrt(np.mean((centred[row[lead]] - expected) ** 2)))
        if rms > max(_LIMB_TOLERANCE_MV, 0.5 * float(np.std(expected))):
            message = f"lead {lead} is not what I and II imply ({rms:.2f} mV apart on average)"
            return [RecordWarning("limb_leads_inconsistent", message)]
    return []
