"""What findings change in the leads themselves: infarction, ischemia, ST and T of other causes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import Floats
from merl_core.simulate.morphology import Effect, Rows
from merl_core.simulate.territories import TERRITORIES
from merl_core.simulate.waves import Hearts

ACUTE, SUBACUTE, OLD = 0, 1, 2


def _varied(
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

    The limb leads are treated as I and aVF, so that III, aVL and aVR follow.

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
    kept = np.where(plane > 0, 1 - np.minimum(loss * hurt[:, None], 0.95), 1.0)
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
        pattern = _varied(h, rows, territory, rng, 0.25)
        if territory in {"lateral", "inferolateral"}:
            pattern[:, :1] *= rng.uniform(0.6, 1.5, (n, 1))
            pattern[:, 6:] *= rng.uniform(0.3, 1.1, (n, 1))
        size = rng.uniform(0.45, 1.0, n)
        h.t[rows, 0] *= rng.uniform(0.3, 1.0, (n, 1))
        if stage == ACUTE:
            least = 0.6 if "posterior" in territory else 0.0
            _necrosis(
                h, rows, pattern, size * rng.uniform(least, least + 0.5, n), rng.uniform(0.3, 1, n)
            )
            _acute_injury(h, rows, pattern, rng)
        else:
            _necrosis(h, rows, pattern, size * rng.uniform(0.75, 1.0, n), rng.uniform(0.4, 1.1, n))
            weight = (0.12, 0.50) if stage == SUBACUTE else (-0.12, 0.12)
            share = rng.uniform(0.3, 1.0, n) if stage == SUBACUTE else rng.uniform(-0.65, 0.6, n)
            _remote_change(h, rows, pattern, rng)
            _invert_t(h, rows, pattern, rng.uniform(*weight, n), share)
            lift = rng.uniform(0.04, 0.12, n) if stage == SUBACUTE else rng.uniform(0.0, 0.03, n)
            h.st[rows, 0] += pattern * lift[:, None].astype(np.float32)
            h.qrs_ms[rows, 0] = np.minimum(h.qrs_ms[rows, 0] + rng.uniform(0, 10, n), 117)

    return effect


def _remote_change(h: Hearts, rows: Rows, pattern: Floats, rng: np.random.Generator) -> None:
    """Lower T and ST of the rest of the left ventricle, as a healed infarction often leaves it."""
    n = len(rows)
    where = TERRITORIES["nonspecific"] * (1 - np.clip(np.abs(pattern), 0, 1))
    degree = np.where(rng.random((n, 1)) < 0.6, rng.uniform(0.2, 1.0, (n, 1)), 0.0)
    kept = 1 - np.clip(where, 0, 1) * degree * rng.uniform(0.5, 1.1, (n, 1))
    h.t[rows, 0] = h.t[rows, 0] * kept - where * degree * rng.uniform(0.0, 0.05, (n, 1))
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
        pattern = np.clip(_varied(h, rows, territory, rng), -0.25, 1.2).astype(np.float32)
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
        pattern = np.clip(_varied(h, rows, territory, rng), -0.2, 1.2).astype(np.float32)
        sink = rng.uniform(0.10, 0.34, n)[:, None].astype(np.float32)
        h.st[rows, 0] -= pattern * sink
        h.st_slope[rows] -= pattern * sink * rng.uniform(-0.1, 0.35, (n, 1)).astype(np.float32)
        keep = 1 - np.clip(pattern, 0, 1) * rng.uniform(0.2, 0.8, (n, 1)).astype(np.float32)
        h.t[rows, 0] *= keep

    return effect


_DRAWN = (
    "nonspecific",
    "lateral",
    "inferolateral",
    "far_anterolateral",
    "diffuse",
    "anterior",
    "inferior",
)
_DRAWN_SHARES = (0.25, 0.17, 0.15, 0.15, 0.08, 0.10, 0.10)


def _drawn_territories(rows: Rows, rng: np.random.Generator) -> Iterator[tuple[str, Rows]]:
    """Yield the rows of each territory, drawn for every row; the left lateral wall leads."""
    choice = rng.choice(len(_DRAWN), len(rows), p=_DRAWN_SHARES)
    for k, name in enumerate(_DRAWN):
        some = rows[choice == k]
        if len(some):
            yield name, some


def st_shift(low: float, high: float) -> Effect:
    """Return an ST shift of `low` to `high` mV in a territory drawn for each heart."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        for name, some in _drawn_territories(rows, rng):
            pattern = np.clip(_varied(h, some, name, rng), 0, 1.2)
            shift = rng.uniform(low, high, (len(some), 1))
            h.st[some, 0] += (pattern * shift).astype(np.float32)
            if high < 0:
                h.t[some, 0] *= 1 - np.minimum(pattern, 1) * rng.uniform(0, 1.2, (len(some), 1))

    return effect


def t_change(low: float, high: float, depth_low: float, depth_high: float) -> Effect:
    """Return a T change in a territory drawn for each heart.

    Args:
        low: Smallest factor on the T waves there.
        high: Largest factor.
        depth_low: Smallest depth of inversion, mV.
        depth_high: Largest depth.
    """

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        for name, some in _drawn_territories(rows, rng):
            where = np.clip(_varied(h, some, name, rng) * 1.2, 0, 1)
            factor = rng.uniform(low, high, (len(some), 1))
            depth = rng.uniform(depth_low, depth_high, (len(some), 1))
            h.t[some, 0] = h.t[some, 0] * (1 - where * (1 - factor)) - where * depth
            h.t_late[some] *= 1 - where

    return effect


def left_atrial_p(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Deepen the terminal part of P in V1, which the other electrodes hardly see."""
    h.p[rows, 0, 1, 2] -= rng.uniform(0.0, 0.07, len(rows)).astype(np.float32)


def right_bundle_near_field(low: float, high: float) -> Effect:
    """Return the late R' of V1, of `low` to `high` mV, which hardly reaches other electrodes."""

    def effect(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
        late = np.array([0, 0, 0, 0, 0.25, 0.8, 1.0, 0.6, 0.12], dtype=np.float32)
        size = rng.uniform(low, high, len(rows)) * np.sqrt(h.gain[rows])
        h.qrs[rows, 0, :, 2] += (size[:, None] * late).astype(np.float32)
        h.qrs[rows, 0, :, 3] += (size[:, None] * late * rng.uniform(0, 0.3, (len(rows), 1))).astype(
            np.float32
        )

    return effect


def left_bundle_near_field(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Deepen S as far as V4: the late left ventricle moves away from these electrodes."""
    deep = np.clip(h.qrs[rows, 0, :, 3:4], None, 0)
    share = np.array([0.42, 0.32, 0.0]) * np.exp(0.25 * rng.normal(size=(len(rows), 1, 3)))
    h.qrs[rows, 0, :, 4:7] += (deep * share).astype(np.float32)
    h.qrs[rows, 0, :, 0] *= rng.uniform(1.1, 1.5, (len(rows), 1)).astype(np.float32)


def flat_t(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """T waves low in all leads: less than a tenth of R."""
    h.t[rows, 0] *= rng.uniform(0.05, 0.3, (len(rows), 1)).astype(np.float32)


def tall_t(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """T waves tall in the chest leads and II."""
    h.t[rows, 0] *= rng.uniform(1.9, 3.0, (len(rows), 1)).astype(np.float32)


def biphasic_t(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """T first up and then down in the chest leads."""
    n = len(rows)
    where = np.array([0.3, 0.3, 0.2, 0.9, 1, 1, 0.8, 0.5]) * np.exp(0.3 * rng.normal(size=(n, 8)))
    h.t_late[rows] -= (where * rng.uniform(0.22, 0.42, (n, 1))).astype(np.float32)
    h.t[rows, 0] = np.maximum(h.t[rows, 0], (0.15 * where).astype(np.float32)) * np.float32(0.9)


def wellens(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Deep symmetric or biphasic T in V2 and V3, ST hardly raised."""
    n = len(rows)
    where = np.array([0.1, 0, 0.3, 1, 1, 0.7, 0.3, 0.1]) * np.exp(0.12 * rng.normal(size=(n, 8)))
    deep = rng.random((n, 1)) < 0.65
    depth = rng.uniform(0.30, 0.65, (n, 1))
    h.t[rows, 0] = np.where(
        deep, h.t[rows, 0] * (1 - np.minimum(where, 1)) - where * depth, h.t[rows, 0]
    )
    h.t_late[rows] -= np.where(deep, 0, where * depth * 1.1).astype(np.float32)
    h.t_width[rows] = 0.9


def de_winter(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Upsloping ST depression into tall symmetric T in V2 to V5; ST raised in aVR."""
    where = np.array([0.15, 0.2, 0.1, 0.9, 1, 1, 0.8, 0.4])
    size = rng.uniform(0.8, 1.3, (len(rows), 1))
    h.st[rows, 0] -= (where * size * 0.22).astype(np.float32)
    h.st_slope[rows] += (where * size * 0.25).astype(np.float32)
    h.t[rows, 0] += (where * size * 0.55).astype(np.float32)


def early_repolarization(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """J point raised with a notch, ST concave, T tall; lateral, inferior or both."""
    n = len(rows)
    inferior = rng.random((n, 1)) < 0.5
    lateral = np.array([0.5, 0.4, 0.1, 0.8, 1.0, 1.0, 0.9, 0.7])
    where = np.where(inferior, lateral + np.array([-0.1, 0.6, 0, -0.2, 0, 0, 0, 0.1]), lateral)
    lift = rng.uniform(0.09, 0.20, (n, 1))
    h.st[rows, 0] += (where * lift).astype(np.float32)
    h.st_slope[rows] += (where * lift * 0.7).astype(np.float32)
    notch = np.where(rng.random((n, 1)) < 0.7, rng.uniform(0.08, 0.2, (n, 1)), 0.02)
    notched = np.array([0.4, 0.6, 0.0, 0.1, 0.5, 1.0, 1.0, 0.8])
    h.j_wave[rows] += (notched * notch).astype(np.float32)
    h.t[rows, 0] *= rng.uniform(1.2, 1.8, (n, 1)).astype(np.float32)
    h.rate_bpm[rows] = np.minimum(h.rate_bpm[rows], rng.uniform(60.5, 80, n))


def pericarditis(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Concave ST elevation nearly everywhere but aVR and V1, PR segment depressed."""
    pattern = np.clip(_varied(h, rows, "diffuse", rng), -0.3, 1.2)
    lift = rng.uniform(0.12, 0.26, (len(rows), 1))
    h.st[rows, 0] += (pattern * lift).astype(np.float32)
    h.st_slope[rows] += (pattern * lift * 0.5).astype(np.float32)
    h.pr_segment[rows] -= (pattern * rng.uniform(0.05, 0.11, (len(rows), 1))).astype(np.float32)


def digitalis(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Scooped ST depression where R is tall, low T, short QT."""
    n = len(rows)
    sign = np.clip(h.qrs[rows, 0].mean(axis=1) * 6, -0.5, 1.0)
    depth = rng.uniform(0.09, 0.20, (n, 1))
    h.st[rows, 0] -= (sign * depth * 0.55).astype(np.float32)
    h.st_slope[rows] -= (sign * depth * 0.75).astype(np.float32)
    h.t[rows, 0] *= rng.uniform(0.15, 0.6, (n, 1)).astype(np.float32)
    h.qtc_ms[rows] = rng.uniform(345, 390, n)


def hyperkalemia(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Tall, narrow, symmetric T; low P; QRS wider as it worsens."""
    n = len(rows)
    degree = rng.random(n)
    h.t[rows, 0] *= (1.8 + 1.4 * degree)[:, None].astype(np.float32)
    h.t_width[rows] = 0.66
    h.p[rows] *= (1 - 0.75 * degree)[:, None, None, None].astype(np.float32)
    h.qrs_ms[rows, 0] += 30 * np.maximum(degree - 0.4, 0)
    h.pr_ms[rows] = np.minimum(h.pr_ms[rows] + 25 * degree, 230)


def hypokalemia(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Flat T, prominent U, ST depression."""
    n = len(rows)
    h.t[rows, 0] *= rng.uniform(0.1, 0.5, (n, 1)).astype(np.float32)
    size = np.array([0.05, 0.09, 0.02, 0.18, 0.20, 0.16, 0.12, 0.08]) * rng.uniform(
        0.7, 1.4, (n, 1)
    )
    h.u[rows] += size.astype(np.float32)
    where = np.array([0.4, 0.6, -0.1, 0.3, 0.6, 0.9, 1.0, 0.9])
    h.st[rows, 0] -= (where * rng.uniform(0.03, 0.10, (n, 1))).astype(np.float32)


def u_wave(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """A prominent U wave in V2 to V4 with a normal T."""
    size = np.array([0.03, 0.06, 0.02, 0.15, 0.16, 0.12, 0.08, 0.05])
    h.u[rows] += (size * rng.uniform(0.7, 1.3, (len(rows), 1))).astype(np.float32)


def inverted_u(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """A negative U wave in V4 to V6."""
    size = np.array([0.04, 0.04, 0.0, 0.0, 0.04, 0.09, 0.11, 0.09])
    h.u[rows] = -(size * rng.uniform(0.7, 1.3, (len(rows), 1))).astype(np.float32)


def brugada(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Type 1: J point 0.2 mV or more, ST coved downwards into a negative T in V1 and V2."""
    n = len(rows)
    where = np.array([0, 0, 1.0, 1.05, 0.35, 0, 0, 0]) * np.exp(0.1 * rng.normal(size=(n, 8)))
    lift = rng.uniform(0.20, 0.40, (n, 1))
    h.st[rows, 0] += (where * lift).astype(np.float32)
    h.j_wave[rows] += (where * lift * 0.7).astype(np.float32)
    h.st_slope[rows] -= (where * lift * 0.85).astype(np.float32)
    inside = np.minimum(where, 1)
    h.t[rows, 0] = h.t[rows, 0] * (1 - inside) - inside * rng.uniform(0.12, 0.3, (n, 1))


def osborn(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """A dome at the J point in all leads with tall R; slow rate, long QT."""
    n = len(rows)
    size = np.array([0.15, 0.25, 0.05, 0.2, 0.35, 0.45, 0.45, 0.35]) * rng.uniform(0.6, 1.3, (n, 1))
    h.j_wave[rows] += size.astype(np.float32)
    h.j_ms[rows] = rng.uniform(15, 22, n)
    h.rate_bpm[rows] = rng.uniform(40, 59, n)
    h.qtc_ms[rows] = rng.uniform(455, 510, n)


def epsilon(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """A small wave after QRS in V1 to V3, T inverted there."""
    n = len(rows)
    where = np.array([0, 0, 1.0, 0.9, 0.6, 0.1, 0, 0])
    h.j_wave[rows] += (where * rng.uniform(0.09, 0.17, (n, 1))).astype(np.float32)
    h.j_ms[rows] = 8
    inside = np.minimum(where, 1)
    h.t[rows, 0] = h.t[rows, 0] * (1 - inside) - inside * rng.uniform(0.1, 0.3, (n, 1))


def aneurysm(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """QS in V1 to V4 with ST still raised and T shallowly inverted."""
    n = len(rows)
    pattern = _varied(h, rows, "anteroseptal", rng)
    _necrosis(h, rows, pattern, rng.uniform(0.85, 1.0, n), np.ones(n))
    h.st[rows, 0] += pattern * rng.uniform(0.13, 0.26, (n, 1)).astype(np.float32)
    _invert_t(h, rows, pattern, rng.uniform(0.03, 0.2, n), np.ones(n))


def takotsubo(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Deep T inversion in most leads with a long QT, ST a little raised in V2 to V5."""
    n = len(rows)
    where = np.array([0.6, 0.55, 0.0, 0.8, 1, 1, 0.95, 0.8]) * np.exp(0.1 * rng.normal(size=(n, 8)))
    h.t[rows, 0] = -(where * rng.uniform(0.30, 0.7, (n, 1))).astype(np.float32)
    h.st[rows, 0] += (where * rng.uniform(0.0, 0.12, (n, 1))).astype(np.float32)
    h.qtc_ms[rows] = rng.uniform(470, 540, n)


def cerebral_t(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Giant, wide T inversion with a very long QT."""
    n = len(rows)
    where = np.array([0.5, 0.5, 0.2, 0.8, 1, 1, 0.9, 0.7]) * np.exp(0.12 * rng.normal(size=(n, 8)))
    h.t[rows, 0] = -(where * rng.uniform(0.6, 1.2, (n, 1))).astype(np.float32)
    h.t_width[rows] = 1.3
    h.qtc_ms[rows] = rng.uniform(490, 580, n)


def poor_r_progression(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """R of at most 0.3 mV as far as V3."""
    n = len(rows)
    share = np.array([1, 1, 0.45, 0.3, 0.25, 0.45, 0.8, 1.0]) * np.exp(
        0.15 * rng.normal(size=(n, 8))
    )
    qrs = h.qrs[rows, 0]
    h.qrs[rows, 0] = np.where(qrs > 0, qrs * np.minimum(share, 1)[:, None], qrs)
    peak = np.maximum(h.qrs[rows, 0, :, 4].max(axis=1), 1e-3)
    cap = np.minimum(rng.uniform(0.10, 0.27, n) / peak, 1)
    three = h.qrs[rows, 0, :, 4]
    h.qrs[rows, 0, :, 4] = np.where(three > 0, three * cap[:, None], three)


def pathological_q(h: Hearts, rows: Rows, rng: np.random.Generator) -> None:
    """Q waves of 40 ms and more in one territory, T untouched."""
    choice = rng.choice(4, len(rows), p=[0.18, 0.55, 0.15, 0.12])
    for k, name in enumerate(("anteroseptal", "inferior", "lateral", "high_lateral")):
        some = rows[choice == k]
        if len(some):
            pattern = _varied(h, some, name, rng, 0.25)
            depth, q_share = rng.uniform(0.55, 0.95, len(some)), rng.uniform(0.6, 1.1, len(some))
            _necrosis(h, some, pattern, depth, q_share)
