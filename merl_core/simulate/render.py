"""From activation times to signals: every beat and continuous wave placed on the time grid."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate import atrial_activity, waves
from merl_core.simulate.beats import Plan, Schedule
from merl_core.simulate.leads import Floats

_V_WINDOW_MS = (-60.0, 840.0)
_P_WINDOW_MS = (-40.0, 420.0)
_SPIKE_A = np.array([0.3, 0.45, -0.2, -0.1, 0.1, 0.2, 0.2, 0.2], dtype=np.float32)
_SPIKE_V = np.array([0.2, -0.5, -0.4, -0.5, -0.4, -0.3, -0.2, -0.2], dtype=np.float32)


def render_beats(
    h: waves.Hearts,
    schedules: list[Schedule],
    rr: NDArray[np.float64],
    qt: NDArray[np.float64],
    span: NDArray[np.float64],
    fs: float,
    sig_len: int,
    rng: np.random.Generator,
) -> Floats:
    """Return all beats in the eight leads, shape (N, 8, T)."""
    n = len(h)
    out = np.zeros((n, sig_len, 8), dtype=np.float32)
    rec = np.repeat(np.arange(n), [len(s.v_time) for s in schedules])
    if len(rec):
        time = np.concatenate([s.v_time for s in schedules])
        form = np.concatenate([s.v_form for s in schedules]).astype(int)
        gain = np.concatenate([s.v_gain for s in schedules])
        keep = (time > -0.9) & (time < sig_len / fs + 0.1)
        rec, time, form, gain = rec[keep], time[keep], form[keep], gain[keep]
        breath = 1 + (0.02 + 0.04 * rng.random(n))[rec] * np.sin(2 * np.pi * 0.25 * time + rec)
        first, local = _window(time, fs, _V_WINDOW_MS)
        beat_qt = qt[rec] + np.where(form > 0, 0.45 * (h.qrs_ms[rec, form] - 90), 0)
        beat_qt = np.minimum(beat_qt, 1000 * rr[rec] * 0.9 + 60)
        kernels = waves.ventricular_kernels(
            local,
            h.qrs_ms[rec, form],
            beat_qt,
            span[rec, form],
            h.j_ms[rec],
            h.t_width[rec],
            h.t_skew[rec],
            350 / fs,
        )
        amplitudes = waves.ventricular_amplitudes(h)[rec, form]
        amplitudes *= (gain * breath)[:, None, None].astype(np.float32)
        _scatter(out, kernels @ amplitudes, rec, first)
    rec = np.repeat(np.arange(n), [len(s.p_time) for s in schedules])
    if len(rec):
        time = np.concatenate([s.p_time for s in schedules])
        form = np.concatenate([s.p_form for s in schedules]).astype(int)
        gain = np.concatenate([s.p_gain for s in schedules])
        keep = (time > -0.5) & (time < sig_len / fs + 0.1)
        rec, time, form, gain = rec[keep], time[keep], form[keep], gain[keep]
        first, local = _window(time, fs, _P_WINDOW_MS)
        kernels = waves.atrial_kernels(local, h.p_ms[rec], np.clip(h.pr_ms[rec], 100, 350))
        amplitudes = np.concatenate([h.p[rec, form], h.pr_segment[rec, None]], axis=1)
        amplitudes = amplitudes * gain[:, None, None].astype(np.float32)
        _scatter(out, kernels @ amplitudes, rec, first)
    _add_spikes(out, schedules, fs, rng)
    return out.transpose(0, 2, 1)


def _window(
    time_s: NDArray[np.float64], fs: float, window_ms: tuple[float, float]
) -> tuple[NDArray[np.intp], Floats]:
    """Return each event's first sample, and the times (ms) of its samples from the event."""
    start, end = (round(ms * fs / 1000) for ms in window_ms)
    first = np.floor(time_s * fs).astype(np.intp) + start
    grid = first[:, None] + np.arange(end - start)
    return first, ((grid / fs - time_s[:, None]) * 1000).astype(np.float32)


def _scatter(out: Floats, beats: Floats, rec: NDArray[np.intp], first: NDArray[np.intp]) -> None:
    """Add windows (E, W, 8) to `out` (N, T, 8); what lies outside is dropped."""
    n, sig_len, _ = out.shape
    width = beats.shape[1]
    padded = np.zeros((n, sig_len + 2 * width, 8), dtype=np.float32)
    at = np.clip(first + width, 0, sig_len + width)
    order = np.concatenate([[0], np.flatnonzero(np.diff(rec)) + 1, [len(rec)]])
    slot = np.arange(len(rec)) - np.repeat(order[:-1], np.diff(order))
    columns = np.arange(width)
    for k in range(int(slot.max()) + 1):
        some = np.flatnonzero(slot == k)
        padded[rec[some, None], at[some, None] + columns] += beats[some]
    out += padded[:, width:-width]


def _add_spikes(
    out: Floats, schedules: list[Schedule], fs: float, rng: np.random.Generator
) -> None:
    for i, one in enumerate(schedules):
        if not one.spike_time:
            continue
        size = rng.uniform(0.25, 1.6) * (1 if rng.random() < 0.8 else 0.3)
        shape = np.exp(0.3 * rng.normal(size=8))
        for time, ventricular in zip(one.spike_time, one.spike_ventricular, strict=True):
            k = round(time * fs)
            if 0 <= k < out.shape[1]:
                lead = (_SPIKE_V if ventricular else _SPIKE_A) * shape * size
                out[i, k : k + max(1, round(0.002 * fs))] += lead.astype(np.float32)


def add_continuous(
    eight: Floats,
    plans: list[Plan],
    shown: Sequence[tuple[str, ...]],
    fs: float,
    rng: np.random.Generator,
) -> None:
    """Add fibrillatory and flutter waves in place; fibrillating ventricles replace all beats."""
    clock = (np.arange(eight.shape[2]) / fs).astype(np.float32)
    for i, plan in enumerate(plans):
        if plan.origin == "fibrillation":
            eight[i] += atrial_activity.fibrillatory_waves(clock, rng)
        elif plan.origin == "flutter":
            eight[i] += atrial_activity.flutter_waves(clock, plan.atrial_rate_bpm, rng)
        elif plan.origin == "chaos":
            torsades = "torsades-de-pointes" in shown[i]
            draw = (
                atrial_activity.torsades if torsades else atrial_activity.ventricular_fibrillation
            )
            eight[i] = draw(clock, rng)
