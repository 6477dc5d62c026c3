"""Limits that a finding, or its absence, sets to voltage and axis."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import Floats, to_twelve
from merl_core.simulate.measure import qrs_waveform
from merl_core.simulate.morphology import frontal_axis, turn_axis_to
from merl_core.simulate.waves import Hearts

_NONE = np.zeros(0, dtype=np.intp)


def keep_axis_normal(h: Hearts, rows: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Turn back the hearts among `rows` whose frontal QRS axis is not normal."""
    if not len(rows):
        return
    axis = frontal_axis(h, rows)
    off = (axis < -22) | (axis > 84)
    if off.any():
        turn_axis_to(h, rows[off], rng.uniform(-10, 78, int(off.sum())))


def keep_voltage(h: Hearts, rows: Mapping[str, NDArray[np.intp]], rng: np.random.Generator) -> None:
    """Scale QRS: normal hearts within the criteria, hypertrophied ones above one of them.

    Source: Hancock et al., AHA/ACCF/HRS recommendations part V (2009): Sokolow-Lyon 3.5 mV, Cornell
    2.0 mV (women) and 2.8 mV (men), Sokolow-Lyon higher in the young; low voltage: no limb lead
    reaches 0.5 mV.
    """
    qrs = qrs_waveform(h)
    r, s = qrs.max(axis=1), -qrs.min(axis=1)
    avl = (qrs[..., 0] - qrs[..., 1] / 2).max(axis=1)
    sokolow = s[:, 2] + np.maximum(r[:, 6], r[:, 7])
    excess = np.maximum(
        sokolow / np.where(h.age < 35, 4.2, 3.5), (avl + s[:, 4]) / np.where(h.female, 2.0, 2.8)
    )
    twelve = to_twelve(qrs.transpose(0, 2, 1))
    reach = np.maximum(twelve[:, :6].max(axis=(1, 2)) / 2.0, twelve[:, 6:].max(axis=(1, 2)) / 3.0)
    normal = rows.get("normal-ecg", _NONE)
    excess[normal] = np.maximum(excess, reach)[normal]
    large = np.zeros(len(h), dtype=bool)
    for name in ("left-ventricular-hypertrophy", "hypertrophic-cardiomyopathy-pattern"):
        large[rows.get(name, _NONE)] = True
    factor = np.ones((len(h), 8))
    aim = rng.uniform(1.0, 1.32, len(h))
    factor[large] = np.maximum(aim[large] / excess[large], 0.85)[:, None]
    held = ~large & (excess > 0.97) & (rng.random(len(h)) < 0.8)
    held[normal] = excess[normal] > 0.97
    factor[held] = (rng.uniform(0.80, 0.97, int(held.sum())) / excess[held])[:, None]
    _make_low(factor, rows.get("low-qrs-voltage", _NONE), twelve, rng)
    tall = rows.get("high-qrs-voltage", _NONE)
    factor[tall] = (rng.uniform(1.03, 1.3, len(tall)) / reach[tall])[:, None]
    h.qrs[:, 0] *= factor[:, None].astype(np.float32)
    _keep_progression(h, normal, rng)


def _make_low(
    factor: NDArray[np.float64],
    rows: NDArray[np.intp],
    twelve: Floats,
    rng: np.random.Generator,
) -> None:
    """Bring the limb leads under 0.5 mV, the chest leads with them or only in part."""
    total = twelve[rows].max(axis=2) - twelve[rows].min(axis=2)
    limb = 0.5 / total[:, :6].max(axis=1) * rng.uniform(0.65, 0.97, len(rows))
    chest = np.where(rng.random(len(rows)) < 0.5, limb, np.clip(2.2 * limb, limb, 1.0))
    factor[rows, :2] = limb[:, None]
    factor[rows, 2:] = chest[:, None]


def _keep_progression(h: Hearts, rows: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Raise R in V2 and V3 of normal hearts where V3 would not reach 0.3 mV."""
    height = np.maximum(qrs_waveform(h)[rows, :, 4].max(axis=1), 0.02)
    low = height < 0.34
    lift = np.minimum(rng.uniform(0.34, 0.6, int(low.sum())) / height[low], 4)
    chest = h.qrs[rows[low], 0, :, 3:5]
    h.qrs[rows[low], 0, :, 3:5] = np.where(chest > 0, chest * lift[:, None, None], chest)
