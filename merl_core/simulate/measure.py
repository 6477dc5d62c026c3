"""Measurements of a heart's conducted beat before noise."""

import numpy as np
from numpy.typing import NDArray

from merl_core.criteria import Measurements, frontal_axis_deg, wave_measures
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
    j60 = np.minimum(((h.qrs_ms[:, 0] + 60) / STEP_MS).round().astype(int), N_STEPS - 1)
    j20 = np.minimum(((h.qrs_ms[:, 0] + 24) / STEP_MS).round().astype(int), N_STEPS - 1)
    rows = np.arange(len(h))
    after = time[None] > (h.qrs_ms[:, 0] + 0.25 * (qt_ms - h.qrs_ms[:, 0]))[:, None]
    late = np.where((after & (time[None] < qt_ms[:, None] + 8))[:, None], beat, 0)
    p_limb = h.p[:, 0].sum(axis=1)
    return wave_measures(qrs, late) | {
        "p_axis_deg": frontal_axis_deg(p_limb[:, 0], p_limb[:, 1] - p_limb[:, 0] / 2),
        "p_mv": _p_amplitude(h),
        "st_mv": beat[rows, :, j60],
        "j_mv": beat[rows, :, j20],
    }


def _p_amplitude(h: Hearts) -> Floats:
    """Return the largest deflection of the sinus P wave, signed, shape (N, 12)."""
    time = np.broadcast_to(np.arange(40, dtype=np.float32) * np.float32(STEP_MS), (len(h), 40))
    wave = atrial_kernels(time, h.p_ms, h.pr_ms)[:, :, :2] @ h.p[:, 0]
    twelve = to_twelve(wave.transpose(0, 2, 1))
    high, low = twelve.max(axis=2), twelve.min(axis=2)
    return np.asarray(np.where(high > -low, high, low))
