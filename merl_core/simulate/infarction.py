"""Infarction, ischemia and injury by territory: what they change in the leads."""

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.effects import Effect, Rows, widen
from merl_core.simulate.leads import Floats
from merl_core.simulate.territories import TERRITORIES
from merl_core.simulate.waves import Hearts

ACUTE, SUBACUTE, OLD = 0, 1, 2


def varied(
    h: Hearts, rows: Rows, territory: str, rng: np.random.Generator, spread: float = 0.15
) -> Floats:
    """Return the territory's pattern with individual extent, shape (n, 8)."""
    pattern = TERRITORIES[territory]
    n = len(rows)
    chest = np.concatenate([np.full(2, 0.08), np.full(6, 0.14)])
    out = pattern * np.exp(spread * rng.normal(size=(n, 8))) + chest * 0.4 * rng.normal(size=(n, 8))
    return np.asarray(out, dtype=np.float32)


def _necrosis(
    h: Hearts,
    rows: Rows,
    pattern: Floats,
    depth: NDArray[np.float64],
    q_share: NDArray[np.float64],
) -> None:
    """Lose R and gain Q where the pattern is positive; mirror it where it is negative.

    The limb leads are treated as I and aVF, so that III, aVL and aVR follow. What shows as Q takes
    the first forces nearly whole.

    Args:
        h: The hearts.
        rows: Which of them.
        pattern: Of the territory, shape (n, 8).
        depth: How much of the wall is lost, 0 to 1.
        q_share: How much of that shows as Q, the rest as loss of R alone.
    """
    qrs = h.qrs[rows, 0]
    height = np.abs(qrs).max(axis=1)
    plane = np.concatenate(
        [qrs[..., :1], qrs[..., 1:2] - 0.5 * qrs[..., :1], qrs[..., 2:]], axis=-1
    )
    wanted = np.concatenate(
        [pattern[:, :1], pattern[:, 1:2] - 0.5 * pattern[:, :1], pattern[:, 2:]], axis=-1
    )
    hurt = np.clip(wanted, 0, 1) * depth[:, None]
    mirror = np.clip(wanted, -1, 0) * depth[:, None]
    early = np.array([0.25, 0.95, 1.0, 0.45, 0.0, 0, 0, 0, 0], dtype=np.float32)[:, None]
    middle = np.array([0.0, 0.1, 0.4, 1.0, 0.9, 0.4, 0.1, 0, 0], dtype=np.float32)[:, None]
    loss = np.array([0.6, 1.0, 0.95, 0.75, 0.55, 0.4, 0.3, 0.2, 0.1], dtype=np.float32)[:, None]
    lost = loss * hurt[:, None]
    lost[:, :3] *= 1 + 0.8 * q_share[:, None, None]
    kept = np.where(plane > 0, 1 - np.minimum(lost, 0.95), 1.0)
    q_mv = hurt * (0.06 + 0.28 * np.clip(height, 0.3, 1.6)) * q_share[:, None]
    gained = -0.45 * mirror[:, None] * middle * np.clip(height, 0.3, 1.6)[:, None]
    kept = np.where(plane < 0, 1 + 0.65 * loss * mirror[:, None], kept)
    plane = plane * kept - q_mv[:, None] * early + gained
    plane[..., 2:] -= (0.5 * hurt * np.clip(height, 0.3, 1.6))[:, None, 2:] * middle
    two = plane[..., 1:2] + 0.5 * plane[..., :1]
    h.qrs[rows, 0] = np.concatenate([plane[..., :1], two, plane[..., 2:]], axis=-1)


def infarction(territory: str, stage: int) -> Effect:
    """Return the effect of an infarction of one territory at one stage."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        n = len(rows)
        pattern = varied(h, rows, territory, rng, 0.25)
        if territory in {"lateral", "inferolateral"}:
            pattern[:, :1] *= rng.uniform(0.6, 1.5, (n, 1))
            pattern[:, 6:] *= rng.uniform(0.3, 1.1, (n, 1))
        size = rng.uniform(0.65, 1.0, n)
        h.t[rows, 0] *= rng.uniform(0.5, 1.1, (n, 1))
        if stage == ACUTE:
            least = 0.6 if "posterior" in territory else 0.0
            _necrosis(
                h, rows, pattern, size * rng.uniform(least, least + 0.5, n), rng.uniform(0.3, 1, n)
            )
            _acute_injury(h, rows, pattern, rng)
        else:
            _necrosis(h, rows, pattern, size * rng.uniform(0.8, 1.0, n), rng.uniform(0.55, 1.15, n))
            weight = (0.12, 0.50) if stage == SUBACUTE else (-0.12, 0.12)
            share = rng.uniform(0.3, 1.0, n) if stage == SUBACUTE else rng.uniform(-0.65, 0.35, n)
            _remote_change(h, rows, pattern, rng)
            _invert_t(h, rows, pattern, rng.uniform(*weight, n), share)
            lift = rng.uniform(0.04, 0.12, n) if stage == SUBACUTE else rng.uniform(0.0, 0.03, n)
            h.st[rows, 0] += pattern * lift[:, None].astype(np.float32)
            widen(h, rows, rng.uniform(0, 10, n), 117)

    return effect


def _remote_change(h: Hearts, rows: Rows, pattern: Floats, rng: np.random.Generator) -> None:
    """Lower T and ST of the rest of the left ventricle, as a healed infarction often leaves it."""
    n = len(rows)
    where = TERRITORIES["nonspecific"] * (1 - np.clip(np.abs(pattern), 0, 1))
    degree = np.where(rng.random((n, 1)) < 0.6, rng.uniform(0.2, 1.0, (n, 1)), 0.0)
    kept = 1 - np.clip(where, 0, 1) * degree * rng.uniform(0.5, 1.1, (n, 1))
    h.t[rows, 0] = h.t[rows, 0] * kept - where * degree * rng.uniform(0.0, 0.14, (n, 1))
    h.st[rows, 0] -= (where * degree * rng.uniform(0.0, 0.06, (n, 1))).astype(np.float32)


def _acute_injury(h: Hearts, rows: Rows, pattern: Floats, rng: np.random.Generator) -> None:
    n = len(rows)
    lift = rng.uniform(0.16, 0.45, n)[:, None].astype(np.float32)
    h.st[rows, 0] += pattern * lift
    h.st_slope[rows] += pattern * (lift * rng.uniform(-0.1, 0.5, (n, 1))).astype(np.float32)
    late = rng.uniform(0.0, 1.0, (n, 1)).astype(np.float32)
    h.t[rows, 0] += np.clip(pattern, 0, None) * lift * (1.0 - 1.2 * late)
    h.t_late[rows] -= np.clip(pattern, 0, None) * lift * 0.9 * late


def _invert_t(
    h: Hearts, rows: Rows, pattern: Floats, depth: NDArray[np.float64], share: NDArray[np.float64]
) -> None:
    """Take away the T wave where the pattern is positive and turn it over by `depth` mV."""
    where = np.clip(pattern, 0, 1)
    taken = np.minimum(where * (0.4 + 0.6 * share[:, None]) * 1.15, 1).astype(np.float32)
    h.t[rows, 0] *= 1 - taken
    h.t[rows, 0] -= (where * depth[:, None]).astype(np.float32)
    rest = np.clip(pattern, -1, 0) * np.maximum(depth, 0)[:, None] * 0.3
    h.t[rows, 0] -= rest.astype(np.float32)


def ischemia(territory: str) -> Effect:
    """Return horizontal or downsloping ST depression and inverted T in one territory."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        n = len(rows)
        pattern = np.clip(varied(h, rows, territory, rng), -0.25, 1.2).astype(np.float32)
        kind = rng.random(n)
        sink = np.where(kind < 0.25, rng.uniform(0, 0.04, n), rng.uniform(0.045, 0.17, n))
        usual = np.clip(h.st[rows, 0], 0, None) * np.clip(pattern, 0, 1)
        h.st[rows, 0] -= usual * rng.uniform(0.4, 1.0, (n, 1)) + pattern * sink[:, None]
        slope = np.where(kind > 0.5, rng.uniform(0.0, 0.08, n), 0.0)
        h.st_slope[rows] -= pattern * slope[:, None].astype(np.float32)
        depth = np.where(kind > 0.8, rng.uniform(-0.15, 0.05, n), rng.uniform(0.02, 0.30, n))
        _invert_t(h, rows, pattern, depth, np.ones(n))

    return effect


def subendocardial_injury(territory: str) -> Effect:
    """Return marked horizontal ST depression in one territory, T mostly still upright."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        n = len(rows)
        pattern = np.clip(varied(h, rows, territory, rng), -0.2, 1.2).astype(np.float32)
        sink = rng.uniform(0.10, 0.34, n)[:, None].astype(np.float32)
        h.st[rows, 0] -= pattern * sink
        h.st_slope[rows] -= pattern * sink * rng.uniform(-0.1, 0.35, (n, 1)).astype(np.float32)
        keep = 1 - np.clip(pattern, 0, 1) * rng.uniform(0.2, 0.8, (n, 1)).astype(np.float32)
        h.t[rows, 0] *= keep

    return effect


def aneurysm(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """ST still raised and T shallowly inverted over an old anteroseptal infarction."""
    n = len(rows)
    pattern = varied(h, rows, "anteroseptal", rng)
    h.st[rows, 0] += pattern * rng.uniform(0.13, 0.26, (n, 1)).astype(np.float32)
    _invert_t(h, rows, pattern, rng.uniform(0.03, 0.2, n), np.ones(n))


def pathological_q(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Q waves of 40 ms and more in one territory, T untouched."""
    choice = rng.choice(4, len(rows), p=[0.18, 0.55, 0.15, 0.12])
    for k, name in enumerate(("anteroseptal", "inferior", "lateral", "high_lateral")):
        some = rows[choice == k]
        if len(some):
            pattern = varied(h, some, name, rng, 0.25)
            depth, q_share = rng.uniform(0.55, 0.95, len(some)), rng.uniform(0.6, 1.1, len(some))
            _necrosis(h, some, pattern, depth, q_share)
