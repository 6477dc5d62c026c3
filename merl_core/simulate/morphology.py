"""Chambers, voltage, axis, ectopic forms and intervals: what these findings do to hearts."""

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.conduction import RIGHT_TERMINAL
from merl_core.simulate.effects import Effect, Rows, add_st_vector, mean_vector, vectors, widen
from merl_core.simulate.leads import Floats, frontal_rotation, transverse_rotation
from merl_core.simulate.waves import Hearts, qrs_kernel

_BUMP = np.sin(np.pi * (np.arange(9) + 0.5) / 9).astype(np.float32)


def left_ventricular_hypertrophy(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Larger forces to the left and back; P and T are not enlarged with them."""
    n = len(rows)
    h.gain[rows] = np.clip(h.gain[rows], 0.85, 1.4)
    more = rng.uniform(1.30, 1.85, n)[:, None, None]
    lead = np.array([0.8, 0.95, 0.5], dtype=np.float32)
    h.loop[rows, 0, 2:5] *= (1 + (more - 1) * lead).astype(np.float32)
    turned = transverse_rotation(rng.uniform(0.0, 0.25, n)) @ frontal_rotation(
        np.deg2rad(rng.uniform(2, 30, n))
    )
    h.turn[rows] = 0.6 * h.turn[rows] + 0.4 * np.eye(3, dtype=np.float32)
    h.loop[rows, 0] = np.einsum("nij,nkj->nki", turned, h.loop[rows, 0])
    widen(h, rows, rng.uniform(2, 16, n), 118)
    h.t_vector[rows, 0] *= rng.uniform(0.5, 1.0, n)[:, None].astype(np.float32)


def left_ventricular_strain(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Downsloping ST depression and asymmetric T inversion over the left ventricle."""
    n = len(rows)
    mean = mean_vector(h.loop[rows, 0]) * 9
    degree = rng.uniform(0.05, 0.125, n)[:, None]
    h.t_vector[rows, 0] = (0.15 * h.t_vector[rows, 0] - degree * mean * (1.0, 0.7, 0.55)).astype(
        np.float32
    )
    h.t_vector[rows, 0, 2] -= 0.05
    h.t_local[rows] *= 0.2
    add_st_vector(h, rows, (-0.35 * degree * mean).astype(np.float32))


def right_ventricular_hypertrophy(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Forces to the right, front and down: tall R in V1, deep S in V6, right axis, strain."""
    n = len(rows)
    degree = rng.uniform(0.65, 1.15, n)[:, None]
    right = np.array([-0.58, 0.22, -0.48])
    profile = np.array([0, 0.0, 0.1, 0.75, 1.05, 0.9, 0.45, 0.1, 0.0])
    h.loop[rows, 0] = h.loop[rows, 0] * np.array([0.62, 0.9, 0.55], dtype=np.float32) + (
        profile[:, None] * (degree * right)[:, None]
    ).astype(np.float32)
    widen(h, rows, rng.uniform(0, 12, n), 116)
    strain = rng.uniform(0.0, 0.30, n)[:, None]
    h.t_vector[rows, 0] = h.t_vector[rows, 0] * 0.8 + (strain * (0.35, -0.2, 1.1)).astype(
        np.float32
    )
    h.t_local[rows] *= 0.5
    add_st_vector(h, rows, (strain * (0.05, -0.05, 0.2)).astype(np.float32))


def septal_hypertrophy(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Deep narrow Q in inferior and lateral leads, tall R in V1 and V2."""
    n = len(rows)
    h.loop[rows, 0, 1] += (rng.uniform(1, 1.8, n)[:, None] * (-0.38, -0.28, -0.35)).astype(
        np.float32
    )
    h.loop[rows, 0, 2] *= 0.5
    h.loop[rows, 0, 3:5] *= rng.uniform(1.0, 1.4, n)[:, None, None].astype(np.float32)


def hypertrophic_cardiomyopathy(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Septal Q waves, high voltage and deeply inverted T waves."""
    septal_hypertrophy(h, rows, rng)
    h.loop[rows, 0, 3:6] *= 1.35
    left_ventricular_strain(h, rows, rng)
    h.t_vector[rows, 0] *= rng.uniform(1.2, 2.0, len(rows))[:, None].astype(np.float32)


def left_atrial_enlargement(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """P of 120 ms or more, notched in II; what V1 shows of it is drawn by `left_atrial_p`."""
    n = len(rows)
    h.p_vector[rows, 0, 1] *= rng.uniform(1.1, 1.6, n)[:, None].astype(np.float32)
    h.p_vector[rows, 0, 1, 2] += rng.uniform(0.04, 0.14, n).astype(np.float32)
    h.p_ms[rows] = rng.uniform(121, 146, n)
    h.pr_ms[rows] = np.maximum(h.pr_ms[rows], h.p_ms[rows] + rng.uniform(22, 50, n))


def right_atrial_enlargement(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Peaked P of 0.25 mV or more in II, III, aVF; tall initial part in V1."""
    n = len(rows)
    more = rng.uniform(0.11, 0.23, n)[:, None] / np.sqrt(h.gain[rows])[:, None]
    h.p_vector[rows, 0, 0] += (more * (0.25, 1.0, -0.75)).astype(np.float32)
    h.p_vector[rows, 0, 1] += (more * (0.10, 0.45, 0.0)).astype(np.float32)
    h.p_ms[rows] = np.clip(h.p_ms[rows], 84, 108)


def biatrial_enlargement(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Tall and long P."""
    right_atrial_enlargement(h, rows, rng)
    left_atrial_enlargement(h, rows, rng)


def frontal_axis(h: Hearts, rows: Rows) -> NDArray[np.float64]:
    """Return the QRS axis of the conducted beat before projection, degrees."""
    along, _, rest = _limb_parts(h, rows)
    return _axis_of(along + rest)


def _limb_parts(h: Hearts, rows: Rows) -> tuple[Floats, Floats, Floats]:
    """Return what I and II see of the QRS, each of shape (n, 64, 2).

    Turned in the frontal plane by an angle, they see cos * the first + sin * the second + the last.
    """
    field = h.field[rows, :2] @ h.turn[rows]
    curve = qrs_kernel() @ h.loop[rows, 0]  # (n, 64, 3)
    x, y, z = (curve[:, :, None, k] for k in range(3))
    to_x, to_y, to_z = (field[:, None, :, k] for k in range(3))
    return to_x * x + to_y * y, to_y * x - to_x * y, to_z * z


def _axis_of(limb: Floats) -> NDArray[np.float64]:
    """Return the axis, degrees, of I and II of shape (..., steps, 2)."""
    net = limb.max(axis=-2) + limb.min(axis=-2)
    foot = (net[..., 1] - net[..., 0] / 2) * 2 / np.sqrt(3)
    return np.asarray(np.rad2deg(np.arctan2(foot, net[..., 0])), dtype=np.float64)


def turn_axis_to(h: Hearts, rows: Rows, target_deg: NDArray[np.float64]) -> None:
    """Turn QRS, and T a part of the way, in the frontal plane until the QRS axis is at a target.

    The axis does not follow the turn steadily: of 48 turns the nearest is taken and improved.
    """
    along, across, rest = _limb_parts(h, rows)
    best, least = np.zeros(len(rows)), np.full(len(rows), np.inf)
    steps = np.linspace(-np.pi, np.pi, 48, endpoint=False)
    for width in (steps, steps / 48, steps / 48**2):
        around = best.copy()
        for step in width:
            angle = (around + step)[:, None, None].astype(np.float32)
            axis = _axis_of(np.cos(angle) * along + np.sin(angle) * across + rest)
            off = np.abs((target_deg - axis + 180) % 360 - 180)
            best, least = np.where(off < least, around + step, best), np.minimum(off, least)
    h.loop[rows, 0] = np.einsum("nij,nkj->nki", frontal_rotation(best), h.loop[rows, 0])
    part = frontal_rotation(0.7 * best)
    h.t_vector[rows, 0] = np.einsum("nij,nj->ni", part, h.t_vector[rows, 0])


def axis_between(low: float, high: float) -> Effect:
    """Return an effect that puts the QRS axis between two angles, degrees."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        turn_axis_to(h, rows, rng.uniform(low, high, len(rows)))

    return effect


def rotate_transverse(low_deg: float, high_deg: float) -> Effect:
    """Return an effect that turns QRS and T about the long axis; positive: clockwise rotation."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        turn = transverse_rotation(np.deg2rad(rng.uniform(low_deg, high_deg, len(rows))))
        h.loop[rows, 0] = np.einsum("nij,nkj->nki", turn, h.loop[rows, 0])
        h.turn[rows] = 0.5 * h.turn[rows] + 0.5 * np.eye(3, dtype=np.float32)

    return effect


def s1s2s3(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Terminal force to the right and up: S in I, II and III."""
    late = np.array([0, 0, 0, 0, 0.15, 1.0, 0.9, 0.35, 0.0])[:, None] * (-0.75, -0.62, 0.1)
    h.loop[rows, 0] += (rng.uniform(0.8, 1.2, len(rows))[:, None, None] * late).astype(np.float32)


def s1q3t3(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """S in I, Q and inverted T in III."""
    n = len(rows)
    degree = rng.uniform(0.8, 1.25, n)[:, None, None]
    early = np.array([0.2, 0.9, 0.3, 0, 0, 0, 0, 0, 0])[:, None] * (0.10, -0.34, 0.0)
    late = np.array([0, 0, 0, 0, 0.2, 1.0, 0.7, 0.2, 0])[:, None] * (-0.68, 0.15, -0.1)
    h.loop[rows, 0] += (degree * (early + late)).astype(np.float32)
    h.t_vector[rows, 0, 1] = -0.06 - 0.08 * rng.random(n)
    h.t_local[rows, 1] = -0.02


def pulmonary_embolism(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """S1Q3T3 with a terminal force to the right and inverted T in V1 to V4."""
    s1q3t3(h, rows, rng)
    n = len(rows)
    h.loop[rows, 0] += RIGHT_TERMINAL * rng.uniform(0.2, 1.0, n)[:, None, None].astype(np.float32)
    h.t_vector[rows, 0, 2] += rng.uniform(0.25, 0.42, n).astype(np.float32)
    h.t_local[rows, 2:6] -= 0.08


def dextrocardia(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """The heart mirrored: everything in I inverted, R falling from V1 to V6."""
    h.loop[rows, :, :, 0] *= -1
    h.t_vector[rows, :, 0] *= -1
    h.p_vector[rows, :, :, 0] *= -1
    h.t_local[rows] *= 0


def scale_voltage(low: float, high: float) -> Effect:
    """Return an effect that sets what share of the voltage reaches the skin."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        h.gain[rows] = rng.uniform(low, high, len(rows))

    return effect


def make_ectopic_forms(h: Hearts, rng: np.random.Generator) -> None:
    """Draw the two ectopic ventricular forms of every heart from usual origins."""
    n = len(h)
    origins = vectors(
        (0.30, 1.00, 0.65),   # right outflow tract: left bundle form, inferior axis
        (0.55, -0.65, 0.85),  # right apex
        (-0.35, -0.85, -0.60),  # posterior fascicle: right bundle form, superior axis
        (-0.85, 0.25, -0.50),  # left free wall
        (-0.25, 0.95, -0.55),  # left outflow tract
        (0.75, 0.05, 0.75),   # septum
    )  # fmt: skip
    for form in (1, 2):
        axis = origins[rng.integers(0, len(origins), n)] + 0.18 * rng.normal(size=(n, 3))
        size = 0.85 * np.exp(0.25 * rng.normal(size=(n, 1)))
        wobble = 0.15 * rng.normal(size=(n, 9, 3)) * _BUMP[:, None]
        shape = _BUMP ** rng.uniform(0.9, 1.7, (n, 1))
        tilt = np.linspace(-1, 1, 9)[:, None] * (0.25 * rng.normal(size=(n, 1, 3)))
        loop = shape[:, :, None] * ((axis * size)[:, None] + tilt) + wobble
        h.loop[:, form] = loop
        h.qrs_ms[:, form] = np.clip(rng.normal(154, 15, n), 126, 195)
        mean = loop.mean(axis=1)
        h.t_vector[:, form] = -rng.uniform(0.7, 1.25, (n, 1)) * mean
        h.st[:, form] = np.einsum("nlc,nc->nl", h.field @ h.turn, -0.16 * mean)
    h.p_vector[:, 1] = h.p_vector[:, 0]
    h.p_vector[:, 1, :, 1] *= -rng.uniform(0.5, 1.0, (n, 1))
    h.p_vector[:, 1, :, 0] *= rng.uniform(-0.6, 0.8, (n, 1))


def paced_form(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Make the first ectopic form that of right ventricular apical pacing."""
    n = len(rows)
    axis = np.array([0.45, -0.85, 0.80]) + 0.12 * rng.normal(size=(n, 3))
    loop = _BUMP[:, None] * (axis * rng.uniform(0.55, 0.95, (n, 1)))[:, None]
    h.loop[rows, 1] = loop + 0.08 * rng.normal(size=(n, 9, 3)) * _BUMP[:, None]
    h.qrs_ms[rows, 1] = rng.uniform(140, 185, n)
    mean = loop.mean(axis=1)
    h.t_vector[rows, 1] = -0.95 * mean
    h.st[rows, 1] = np.einsum("nlc,nc->nl", h.field[rows] @ h.turn[rows], -0.16 * mean)


def qtc_between(low: float, high: float) -> Effect:
    """Return an effect that sets the corrected QT interval, ms."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        h.qtc_ms[rows] = rng.uniform(low, high, len(rows))

    return effect


def first_degree_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """PR above 200 ms, mostly not far above it."""
    n = len(rows)
    h.pr_ms[rows] = rng.triangular(204, 222, 335, n)
    h.p_ms[rows] = np.clip(h.p_ms[rows] + rng.uniform(0, 10, n), 84, 119)


def pr_between(low: float, high: float) -> Effect:
    """Return an effect that sets the PR interval, ms."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        h.pr_ms[rows] = rng.uniform(low, high, len(rows))
        h.p_ms[rows] = np.minimum(h.p_ms[rows], h.pr_ms[rows] - 4)

    return effect
