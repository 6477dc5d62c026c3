# ruff: noqa: E501
"""Conduction within the ventricles: the loops of blocks, delays and accessory pathways."""

import numpy as np

from merl_core.simulate.effects import (
    Rows,
    add_st_vector,
    discordant,
    replace_loop,
    spread,
    vectors,
)
from merl_core.simulate.waves import NORMAL_LOOP, Hearts

LEFT_BUNDLE = vectors(
    (0.00, 0.00, -0.02), (0.10, 0.03, 0.08), (0.18, 0.10, 0.55), (0.50, 0.14, 0.95), (0.44, 0.04, 0.92),
    (0.42, -0.14, 0.75), (0.28, -0.14, 0.42), (0.05, -0.06, 0.18), (0.00, 0.00, 0.00),
)  # fmt: skip
RIGHT_BUNDLE = vectors(
    (0.00, 0.00, -0.02), (-0.02, 0.02, -0.07), (0.74, 0.17, -0.24), (0.30, 0.17, 0.15), (-0.30, -0.05, -0.09),
    (-0.14, -0.04, -0.16), (-0.20, -0.05, -0.12), (-0.12, -0.03, -0.08), (-0.03, -0.01, -0.02),
)  # fmt: skip
LEFT_ANTERIOR = vectors(
    (0.00, 0.06, -0.06), (0.32, 0.21, -0.12), (0.38, 0.02, 0.22), (0.46, -0.26, 0.35), (0.17, -0.41, 0.42),
    (-0.26, -0.33, 0.42), (-0.10, -0.19, 0.13), (-0.05, -0.08, 0.04), (0.00, 0.00, 0.00),
)  # fmt: skip
LEFT_POSTERIOR = vectors(
    (0.05, -0.06, -0.04), (0.22, -0.16, -0.10), (0.34, 0.12, 0.0), (0.28, 0.75, 0.25), (-0.12, 0.85, 0.45),
    (-0.42, 0.42, 0.38), (-0.20, 0.12, 0.14), (-0.05, 0.02, 0.03), (0.0, 0.0, 0.0),
)  # fmt: skip
RIGHT_TERMINAL = vectors(
    (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (-0.02, 0, 0),
    (-0.10, -0.03, -0.08), (-0.17, -0.06, -0.15), (-0.12, -0.05, -0.10), (-0.03, 0, -0.02),
)  # fmt: skip


def left_bundle_branch_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Complete: late, slurred leftward and posterior forces, no septal forces."""
    size = spread(rng, len(rows), 0.18)[:, None, None] * 1.4
    replace_loop(h, rows, LEFT_BUNDLE, keep=0.45)
    h.loop[rows, 0] *= size
    h.loop[rows, 0, :2, 2] = np.abs(h.loop[rows, 0, :2, 2])
    h.qrs_ms[rows, 0] = np.clip(rng.normal(148, 13, len(rows)), 124, 190)
    discordant(h, rows, 0.085, 0.075)


def incomplete_left_bundle_branch_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Half of the complete block's loop; no septal forces."""
    replace_loop(h, rows, 0.5 * LEFT_BUNDLE + 0.55 * NORMAL_LOOP, keep=0.6)
    h.loop[rows, 0, :2, 2] = np.abs(h.loop[rows, 0, :2, 2]) + 0.05
    h.loop[rows, 0, :2, 0] = np.abs(h.loop[rows, 0, :2, 0]) + 0.05
    h.qrs_ms[rows, 0] = rng.uniform(108, 119, len(rows))
    discordant(h, rows, 0.08, 0.03, mix=0.5)


def right_bundle_branch_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Complete: late forces to the right and forwards; T opposite to them in V1 to V3."""
    replace_loop(h, rows, RIGHT_BUNDLE, keep=0.6)
    late = spread(rng, len(rows), 0.25)[:, None, None] * 1.15
    h.loop[rows, 0, 4:] = RIGHT_BUNDLE[4:] * late + 0.3 * (h.loop[rows, 0, 4:] - RIGHT_BUNDLE[4:])
    h.qrs_ms[rows, 0] = np.clip(rng.normal(141, 11, len(rows)), 122, 175)
    h.t_vector[rows, 0] = h.t_vector[rows, 0] * 0.75 + np.array(
        [0.10, 0.02, 0.12], dtype=np.float32
    )
    h.t_local[rows] *= 0.4
    h.t_local[rows, 2] -= 0.07
    add_st_vector(h, rows, np.full((len(rows), 3), (0.02, 0.0, 0.05), dtype=np.float32))


def incomplete_right_bundle_branch_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """A small terminal force to the right and forwards: rSr' in V1, S in I and V6."""
    late = rng.uniform(0.6, 1.15, len(rows))[:, None, None]
    h.loop[rows, 0, 4:7, 2] *= 0.75
    h.loop[rows, 0] += RIGHT_TERMINAL * late
    h.qrs_ms[rows, 0] = rng.uniform(98, 118, len(rows))
    h.t_vector[rows, 0, 2] += 0.05


def rsr_pattern(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """An rSr' in V1 with a normal QRS duration."""
    h.loop[rows, 0, 4:7, 2] *= 0.75
    h.loop[rows, 0] += RIGHT_TERMINAL * rng.uniform(0.6, 0.95, len(rows))[:, None, None]
    h.qrs_ms[rows, 0] = rng.uniform(84, 98, len(rows))


def left_anterior_fascicular_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """First down, then up and left: qR in aVL, rS in II, III and aVF."""
    replace_loop(h, rows, LEFT_ANTERIOR, keep=0.45)
    h.turn[rows] = 0.5 * h.turn[rows] + 0.5 * np.eye(3, dtype=np.float32)
    h.qrs_ms[rows, 0] = np.clip(rng.normal(100, 7, len(rows)), 84, 116)
    h.t_vector[rows, 0] *= 0.8
    h.t_local[rows] *= 0.8
    h.t_vector[rows, 0, 1] += 0.03


def left_posterior_fascicular_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """First up and left, then down and right: rS in I and aVL, qR in III and aVF.

    Beside a right bundle branch block that one's late forces and width stay.
    """
    width, late = h.qrs_ms[rows, 0], h.loop[rows, 0, 4:].copy()
    replace_loop(h, rows, LEFT_POSTERIOR, keep=0.4)
    h.turn[rows] = 0.5 * h.turn[rows] + 0.5 * np.eye(3, dtype=np.float32)
    narrow = np.clip(rng.normal(100, 7, len(rows)), 84, 116)
    h.qrs_ms[rows, 0] = np.where(width >= 120, width, narrow)
    wide = rows[width >= 120]
    h.loop[wide, 0, 2:4, 0] *= 0.6
    h.loop[wide, 0, 4:] = (
        late[width >= 120]
        + np.array([-0.03, 0.35, 0.1], dtype=np.float32)
        * (np.array([1.3, 1.0, 0.6, 0.3, 0.0], dtype=np.float32)[:, None])
    )
    h.t_vector[rows, 0, 1] -= 0.03


def bifascicular_block(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Left anterior fascicular block in the first half, right bundle branch block in the second."""
    right_bundle_branch_block(h, rows, rng)
    late = h.loop[rows, 0, 4:].copy()
    mixed = LEFT_ANTERIOR.copy()
    mixed[1:4, 1] -= (0.05, 0.2, 0.35)
    h.loop[rows, 0] = mixed + 0.4 * (h.loop[rows, 0] - RIGHT_BUNDLE)
    h.loop[rows, 0, 4:] = (
        late
        + np.array([0.05, -0.32, 0.05], dtype=np.float32)
        * np.array([1.3, 1.0, 0.6, 0.3, 0.0], dtype=np.float32)[:, None]
    )
    h.turn[rows] = 0.4 * h.turn[rows] + 0.6 * np.eye(3, dtype=np.float32)


def intraventricular_delay(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Wide, notched QRS of neither bundle branch block's form: mostly slurred backward forces."""
    n = len(rows)
    h.loop[rows, 0, 2:8] += (0.13 * rng.normal(size=(n, 6, 3))).astype(np.float32)
    late = np.array([0.0, 0.05, 0.16, 0.05]) + rng.normal(size=(n, 4)) * 0.10
    direction = np.array([-0.05, -0.08, 0.42]) + (0.30, 0.32, 0.22) * rng.normal(size=(n, 3))
    profile = np.array([0.0, 0.0, 0.0, 0.25, 0.8, 1.0, 0.9, 0.5, 0.15])
    profile = profile + np.pad(late, ((0, 0), (4, 1)))
    h.loop[rows, 0] += (profile[:, :, None] * direction[:, None]).astype(np.float32)
    h.loop[rows, 0, 3] *= 0.9
    h.qrs_ms[rows, 0] = rng.uniform(111, 140, n)
    discordant(h, rows, 0.06, 0.03, mix=0.25)


def fragmented_qrs(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Notches within a narrow QRS."""
    n = len(rows)
    zigzag = np.array([0, 0, 0.3, -0.9, 1.0, -0.9, 0.6, -0.2, 0], dtype=np.float32)
    direction = rng.normal(size=(n, 1, 3)) * (0.9, 0.7, 0.9)
    h.loop[rows, 0] += (0.33 * zigzag[:, None] * direction).astype(np.float32)
    h.loop[rows, 0, 3] *= 0.8
    h.qrs_ms[rows, 0] = rng.uniform(95, 118, n)


def _preexcitation(
    h: Hearts, rows: Rows, rng: np.random.Generator, delta: tuple[float, float, float]
) -> None:
    n = len(rows)
    degree = rng.uniform(0.55, 1.0, n)[:, None]
    direction = np.array(delta) + 0.10 * rng.normal(size=(n, 3))
    own = h.loop[rows, 0].copy()
    squeezed = np.zeros_like(own)
    squeezed[:, 4:] = own[:, 2:7]
    squeezed[:, 3] = 0.5 * own[:, 2]
    squeezed[:, 4:, 2] *= 0.55 if delta[2] < 0 else 1.0
    slur = np.array([0.30, 0.55, 0.75, 0.8, 0.65, 0.35, 0.15, 0.05, 0.0])
    h.loop[rows, 0] = (squeezed * 0.85 + slur[:, None] * (degree * direction)[:, None]).astype(
        np.float32
    )
    h.qrs_ms[rows, 0] = rng.uniform(118, 155, n)
    h.pr_ms[rows] = rng.uniform(76, 114, n)
    h.p_ms[rows] = np.minimum(h.p_ms[rows], h.pr_ms[rows] - 2)
    mean = np.einsum("ni,k->nki", direction * degree, slur).mean(axis=1)
    h.t_vector[rows, 0] -= (1.0 * mean).astype(np.float32)
    add_st_vector(h, rows, (-0.22 * mean).astype(np.float32))


def left_pathway(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Pre-excitation from the left free wall: delta wave positive in V1, negative in I or aVL."""
    _preexcitation(h, rows, rng, (-0.16, 0.30, -0.72))


def right_pathway(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Pre-excitation from the right free wall: delta wave negative in V1, positive in I and V6."""
    _preexcitation(h, rows, rng, (0.50, -0.22, 0.42))
