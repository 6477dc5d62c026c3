"""What findings change in the leads themselves: ST and T of many causes, J and U waves."""

from collections.abc import Iterator

import numpy as np

from merl_core.simulate.effects import Effect, Rows
from merl_core.simulate.infarction import varied
from merl_core.simulate.waves import Hearts

_DRAWN = (
    "nonspecific",
    "lateral",
    "inferolateral",
    "far_anterolateral",
    "diffuse",
    "anterior",
    "inferior",
)
_DRAWN_SHARES = (0.33, 0.20, 0.15, 0.16, 0.05, 0.055, 0.055)


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
            pattern = np.clip(varied(h, some, name, rng), 0, 1.2)
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
            where = np.clip(varied(h, some, name, rng) * 1.2, 0, 1)
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
    pattern = np.clip(varied(h, rows, "diffuse", rng), -0.3, 1.2)
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
