"""Limits that a finding, or its absence, sets to voltage and axis."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import Floats, to_twelve
from merl_core.simulate.measure import qrs_waveform
from merl_core.simulate.morphology import turn_axis_to
from merl_core.simulate.waves import Hearts

_NONE = np.zeros(0, dtype=np.intp)


def keep_axis_normal(h: Hearts, rows: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Turn back the hearts among `rows` whose frontal QRS axis is not normal."""
    if not len(rows):
        return
    field = h.field[rows] @ h.turn[rows]
    limb = np.einsum("nlc,nkc->nkl", field[:, :2], h.loop[rows, 0])
    net = limb.max(axis=1) + limb.min(axis=1)
    axis = np.rad2deg(np.arctan2((net[:, 1] - net[:, 0] / 2) * 2 / np.sqrt(3), net[:, 0]))
    off = (axis < -22) | (axis > 84)
    if off.any():
        turn_axis_to(h, rows[off], rng.uniform(-10, 78, int(off.sum())))


def keep_voltage(h: Hearts, rows: Mapping[str, NDArray[np.intp]], rng: np.random.Generator) -> None:
    """Scale QRS: normal hearts within the criteria, hypertrophied ones above one of them.

    Source: Hancock et al., AHA/ACCF/HRS recommendations part V (2009): Sokolow-Lyon 3.5 mV, Cornell
    2.0 mV (women) and 2.8 mV (men); low voltage: no limb lead reaches 0.5 mV.
    """
    qrs = qrs_waveform(h)
    r, s = qrs.max(axis=1), -qrs.min(axis=1)
    avl = (qrs[..., 0] - qrs[..., 1] / 2).max(axis=1)
    sokolow = s[:, 2] + np.maximum(r[:, 6], r[:, 7])
    excess = np.maximum(sokolow / 3.5, (avl + s[:, 4]) / np.where(h.female, 2.0, 2.8))
    large = np.zeros(len(h), dtype=bool)
    for name in ("left-ventricular-hypertrophy", "hypertrophic-cardiomyopathy-pattern"):
        large[rows.get(name, _NONE)] = True
    factor = np.ones((len(h), 8))
    aim = rng.uniform(1.0, 1.32, len(h))
    factor[large] = np.maximum(aim[large] / excess[large], 0.85)[:, None]
    held = ~large & (excess > 0.97) & (rng.random(len(h)) < 0.9)
    factor[held] = (rng.uniform(0.75, 0.96, int(held.sum())) / excess[held])[:, None]
    twelve = to_twelve(qrs.transpose(0, 2, 1))
    _make_low(factor, rows.get("low-qrs-voltage", _NONE), twelve, rng)
    tall = rows.get("high-qrs-voltage", _NONE)
    reach = np.maximum(
        twelve[tall, :6].max(axis=(1, 2)) / 1.8, twelve[tall, 6:].max(axis=(1, 2)) / 2.5
    )
    factor[tall] = (rng.uniform(1.05, 1.25, len(tall)) / reach)[:, None]
    h.qrs[:, 0] *= factor[:, None].astype(np.float32)
    _keep_progression(h, rows.get("normal-ecg", _NONE), rng)


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
