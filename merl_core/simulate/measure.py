"""Measurements of a heart's conducted beat before noise, and what they oblige a reader to state."""

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import Floats, to_twelve
from merl_core.simulate.waves import (
    Hearts,
    atrial_kernels,
    qrs_kernel,
    ventricular_amplitudes,
    ventricular_kernels,
)

STEP_MS = 4.0
N_STEPS = 160

Measurements = dict[str, NDArray[np.float64]]


def qrs_waveform(h: Hearts) -> Floats:
    """Return the conducted QRS in the eight leads, shape (N, 64, 8), mV."""
    return np.asarray(qrs_kernel() @ h.qrs[:, 0])


def clean_beat(h: Hearts, qt_ms: NDArray[np.float64], span: NDArray[np.float64]) -> Floats:
    """Return the conducted ventricular beat from QRS onset, shape (N, 12, 160), 4 ms a step."""
    n = len(h)
    time = np.broadcast_to(np.arange(N_STEPS, dtype=np.float32) * np.float32(STEP_MS), (n, N_STEPS))
    kernels = ventricular_kernels(
        time, h.qrs_ms[:, 0], qt_ms, span[:, 0], h.j_ms, h.t_width, h.t_skew, 1.4
    )
    eight = kernels @ ventricular_amplitudes(h)[:, 0]
    return to_twelve(eight.transpose(0, 2, 1))


def measure(h: Hearts, qt_ms: NDArray[np.float64], span: NDArray[np.float64]) -> Measurements:
    """Return amplitudes, axis and ST of the conducted beat; amplitudes in mV of shape (N, 12)."""
    beat = clean_beat(h, qt_ms, span)
    time = np.arange(N_STEPS) * STEP_MS
    inside = time[None] <= h.qrs_ms[:, :1] + 4
    qrs = np.where(inside[:, None], beat, 0)
    r, s_wave = qrs.max(axis=2), -qrs.min(axis=2)
    j60 = np.minimum(((h.qrs_ms[:, 0] + 60) / STEP_MS).round().astype(int), N_STEPS - 1)
    j20 = np.minimum(((h.qrs_ms[:, 0] + 24) / STEP_MS).round().astype(int), N_STEPS - 1)
    rows = np.arange(len(h))
    after = time[None] > (h.qrs_ms[:, 0] + 0.25 * (qt_ms - h.qrs_ms[:, 0]))[:, None]
    late = np.where((after & (time[None] < qt_ms[:, None] + 8))[:, None], beat, 0)
    high, low = late.max(axis=2), late.min(axis=2)
    net_one, net_foot = r[:, 0] - s_wave[:, 0], r[:, 5] - s_wave[:, 5]
    p_limb = h.p[:, 0].sum(axis=1)
    return {
        "qrs_axis_deg": np.rad2deg(np.arctan2(net_foot * 2 / np.sqrt(3), net_one)),
        "p_axis_deg": np.rad2deg(
            np.arctan2((p_limb[:, 1] - p_limb[:, 0] / 2) * 2 / np.sqrt(3), p_limb[:, 0])
        ),
        "p_mv": _p_amplitude(h),
        "r_mv": r,
        "s_mv": s_wave,
        "q_mv": _q_depth(qrs),
        "st_mv": beat[rows, :, j60],
        "j_mv": beat[rows, :, j20],
        "t_mv": np.where(high > -low, high, low),
        "t_high_mv": high,
        "t_low_mv": low,
        "sokolow_lyon_mv": s_wave[:, 6] + np.maximum(r[:, 10], r[:, 11]),
        "cornell_mv": r[:, 4] + s_wave[:, 8],
    }


def _p_amplitude(h: Hearts) -> Floats:
    """Return the largest deflection of the sinus P wave, signed, shape (N, 12)."""
    time = np.broadcast_to(np.arange(40, dtype=np.float32) * np.float32(STEP_MS), (len(h), 40))
    wave = atrial_kernels(time, h.p_ms, h.pr_ms)[:, :, :2] @ h.p[:, 0]
    twelve = to_twelve(wave.transpose(0, 2, 1))
    high, low = twelve.max(axis=2), twelve.min(axis=2)
    return np.asarray(np.where(high > -low, high, low))


def _q_depth(qrs: Floats) -> Floats:
    """Return the depth of the negative part before R (QS: the whole), shape (N, 12)."""
    peak = qrs.argmax(axis=2)
    before = np.arange(qrs.shape[2])[None, None] <= peak[:, :, None]
    return np.asarray(-np.where(before, qrs, 0).min(axis=2))


_CONTIGUOUS = ((1, 2, 5), (0, 4), (6, 7, 8), (8, 9, 10), (10, 11, 0), (7, 8, 9), (9, 10, 11))


def _in_neighbours(hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether two contiguous leads show it, shape (N,)."""
    pairs = np.array([hit[:, list(group)].sum(axis=1) >= 2 for group in _CONTIGUOUS])
    return np.asarray(pairs.any(axis=0))


def morphology_statements(h: Hearts, m: Measurements) -> dict[str, NDArray[np.bool_]]:
    """Return, for each statement that follows from the beat's measures, which records show it.

    Source: axis and voltage: Surawicz et al. (2009) and Hancock et al. (2009), AHA/ACCF/HRS
    recommendations parts III and V; ST and Q: Fourth universal definition (2018).
    """
    axis, age = m["qrs_axis_deg"], h.age
    limb, chest = slice(0, 6), slice(6, 12)
    total = m["r_mv"] + m["s_mv"]
    raised = np.tile([0.1] * 6 + [0.18, 0.2, 0.2, 0.15, 0.1, 0.1], (len(h), 1))
    raised[:, 7:9] = np.where(h.female, 0.17, np.where(age < 40, 0.25, 0.2))[:, None]
    cornell = np.where(h.female, 2.0, 2.8)
    sokolow = np.where(age < 35, 4.2, 3.5)
    tall = (m["r_mv"][:, limb].max(axis=1) >= 2.0) | (m["r_mv"][:, chest].max(axis=1) >= 3.0)
    q_leads = [0, 1, 4, 5, 8, 9, 10, 11]
    q_hit = np.zeros_like(m["q_mv"], dtype=bool)
    q_hit[:, q_leads] = (m["q_mv"][:, q_leads] > 0.14) & (
        m["q_mv"][:, q_leads] > 0.4 * np.maximum(m["r_mv"][:, q_leads], 0.05)
    )
    negative = (m["t_low_mv"] < -0.1) & (-m["t_low_mv"] > m["t_high_mv"])
    negative[:, [3, 6]] = False
    upright = np.abs(m["t_mv"][:, [0, 1, 8, 9, 10, 11]]).max(axis=1)
    return {
        "left-axis-deviation": (axis < -30) & (axis >= -90),
        "right-axis-deviation": (axis > np.where(age < 30, 100, 92)) & (axis <= 180),
        "extreme-axis-deviation": axis < -90,
        "low-qrs-voltage": total[:, limb].max(axis=1) < 0.51,
        "high-qrs-voltage": tall,
        "voltage-criteria-left-ventricular-hypertrophy": (m["sokolow_lyon_mv"] >= sokolow)
        | (m["cornell_mv"] > cornell)
        | (m["r_mv"][:, 4] > 1.1),
        "poor-r-wave-progression": (m["r_mv"][:, 8] < 0.3) & (m["s_mv"][:, 8] > 0.3),
        "st-elevation": _in_neighbours((m["st_mv"] >= raised) & (m["j_mv"] >= 0.8 * raised)),
        "st-depression": _in_neighbours((m["st_mv"] <= -0.07) & (m["j_mv"] <= -0.045)),
        "t-wave-inversion": _in_neighbours(negative),
        "low-t-wave": upright < 0.11,
        "q-wave": _in_neighbours(q_hit),
        "tall-r-wave-v1": m["r_mv"][:, 6] > np.maximum(m["s_mv"][:, 6], 0.4),
        "clockwise-rotation": m["r_mv"][:, 10] < 0.8 * m["s_mv"][:, 10],
        "counterclockwise-rotation": (m["r_mv"][:, 7] > 1.3 * m["s_mv"][:, 7])
        & (m["r_mv"][:, 10] > m["s_mv"][:, 10]),
    }
