"""The measures of a beat, what they oblige a reader to state, and beside what it is not stated."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Measurements = dict[str, NDArray[np.float64]]
"""Measures of N beats by name: amplitudes in mV of shape (N, 12), axis and widths (N,)."""

_CONTIGUOUS = ((1, 2, 5), (0, 4), (6, 7, 8), (8, 9, 10), (10, 11, 0), (7, 8, 9), (9, 10, 11))

_WIDE = {
    "complete-left-bundle-branch-block",
    "incomplete-left-bundle-branch-block",
    "complete-right-bundle-branch-block",
    "wolff-parkinson-white-left",
    "wolff-parkinson-white-right",
    "ventricular-paced-rhythm",
    "dual-chamber-paced-rhythm",
    "ventricular-tachycardia",
    "idioventricular-rhythm",
    "accelerated-idioventricular-rhythm",
    "ventricular-fibrillation",
    "torsades-de-pointes",
}
_SECONDARY = {
    "left-ventricular-strain",
    "hypertrophic-cardiomyopathy-pattern",
    "limb-lead-reversal",
    "brugada-pattern",
}
_NO_R_PROGRESSION = {
    "anterior-myocardial-infarction",
    "anteroseptal-myocardial-infarction",
    "septal-myocardial-infarction",
    "extensive-anterior-myocardial-infarction",
    "anterolateral-myocardial-infarction",
    "ventricular-aneurysm",
    "low-qrs-voltage",
    "dextrocardia",
}


def wave_measures(qrs: NDArray[Any], t_wave: NDArray[Any]) -> Measurements:
    """Return height, depth and axis of beats, and what Sokolow and Lyon and Cornell add up.

    Args:
        qrs: Shape (N, 12, W), millivolts, 0 outside QRS.
        t_wave: Shape (N, 12, W), millivolts, 0 outside T.
    """
    r, s = qrs.max(axis=-1), -qrs.min(axis=-1)
    to_r = np.arange(qrs.shape[-1]) <= qrs.argmax(axis=-1)[..., None]
    high, low = t_wave.max(axis=-1), t_wave.min(axis=-1)
    return {
        "qrs_axis_deg": frontal_axis_deg(r[:, 0] - s[:, 0], r[:, 5] - s[:, 5]),
        "r_mv": r,
        "s_mv": s,
        "q_mv": -np.where(to_r, qrs, 0).min(axis=-1),
        "t_mv": np.where(high > -low, high, low),
        "t_high_mv": high,
        "t_low_mv": low,
        "sokolow_lyon_mv": s[:, 6] + np.maximum(r[:, 10], r[:, 11]),
        "cornell_mv": r[:, 4] + s[:, 8],
    }


def frontal_axis_deg(one: NDArray[Any], foot: NDArray[Any]) -> NDArray[Any]:
    """Return the axis in degrees of sizes in I and aVF, which sees the vector shortened."""
    return np.asarray(np.rad2deg(np.arctan2(foot * 2 / np.sqrt(3), one)))


def criteria_met(
    m: Measurements, age: NDArray[np.floating], female: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """Return, for each statement that follows from a beat's measures, which records show it.

    Args:
        m: Measures of N beats.
        age: Years, shape (N,).
        female: Shape (N,).

    Source: axis and voltage: Surawicz et al. (2009) and Hancock et al. (2009), AHA/ACCF/HRS
    recommendations parts III and V; ST and Q: Fourth universal definition (2018).
    """
    axis = m["qrs_axis_deg"]
    limb, chest = slice(0, 6), slice(6, 12)
    total = m["r_mv"] + m["s_mv"]
    raised = np.tile([0.1] * 6 + [0.18, 0.2, 0.2, 0.15, 0.1, 0.1], (len(axis), 1))
    raised[:, 7:9] = np.where(female, 0.17, np.where(age < 40, 0.25, 0.2))[:, None]
    cornell = np.where(female, 2.0, 2.8)
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


def has_long_qt(qtc_ms: ArrayLike, qrs_ms: ArrayLike, female: ArrayLike) -> NDArray[np.bool_]:
    """Return where QTc is prolonged; beside a wide QRS, which lengthens QT, from 500 ms.

    Source: Rautaharju et al. (2009), AHA/ACCF/HRS recommendations part IV: 460 ms in women, 450 ms
    in men; two milliseconds more here.
    """
    limit = np.where(np.asarray(qrs_ms) >= 120, 500, np.where(female, 462, 452))
    return np.asarray(qtc_ms > limit)


def is_sinus_arrhythmia(rr_range_s: ArrayLike) -> NDArray[np.bool_]:
    """Return where RR intervals of a sinus rhythm differ by more than 0.12 s."""
    return np.asarray(rr_range_s) > 0.12


def not_stated_beside(have: Collection[str]) -> set[str]:
    """Return the statements of `criteria_met` that others explain or make meaningless.

    Repolarisation is not judged where conduction is not normal, R progression not where an
    infarction explains it, and so on.
    """
    found = set(have)
    skip: set[str] = set()
    if found & (_WIDE | _SECONDARY):
        skip |= {"st-elevation", "st-depression", "t-wave-inversion", "low-t-wave", "q-wave"}
    if found & (_WIDE - {"complete-right-bundle-branch-block"}):
        skip |= {
            "poor-r-wave-progression",
            "voltage-criteria-left-ventricular-hypertrophy",
            "clockwise-rotation",
            "tall-r-wave-v1",
            "counterclockwise-rotation",
            "high-qrs-voltage",
        }
    if "complete-right-bundle-branch-block" in found:
        skip |= {"counterclockwise-rotation", "tall-r-wave-v1"}
    if found & _NO_R_PROGRESSION:
        skip |= {"poor-r-wave-progression", "clockwise-rotation"}
    if found & {"early-repolarization", "pericarditis"}:
        skip |= {"low-t-wave", "st-depression"}
    if "limb-lead-reversal" in found:
        skip |= {"left-axis-deviation", "right-axis-deviation", "extreme-axis-deviation"}
    if "third-degree-av-block" in found:
        skip |= {"st-elevation", "st-depression", "t-wave-inversion", "low-t-wave"}
    if found & {"right-ventricular-hypertrophy", "posterior-myocardial-infarction", "dextrocardia"}:
        skip |= {"clockwise-rotation", "counterclockwise-rotation", "poor-r-wave-progression"}
    return skip


def _in_neighbours(hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether two contiguous leads show it, shape (N,)."""
    pairs = np.array([hit[:, list(group)].sum(axis=1) >= 2 for group in _CONTIGUOUS])
    return np.asarray(pairs.any(axis=0))
