"""The vector model: what one heart's beats look like, and their rendering onto a time grid.

A ventricular beat is a sum of kernels in time, each with an amplitude in the eight independent
leads: nine Gaussians along the QRS loop, a J wave, the ST segment (level and slope), an asymmetric
T wave, its late part, and a U wave. An atrial beat is a right and a left atrial Gaussian and the
atrial repolarisation. All hearts of a batch are rows of the same arrays.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import (
    ATRIAL_CHEST_GAIN,
    Floats,
    random_lead_fields,
    random_rotations,
    transverse_rotation,
)

N_KNOTS = 9
N_FORMS = 3
"""Ventricular forms of one heart: its conducted beat and two ectopic ones."""
VISIBLE_MV = 0.02
"""A deflection smaller than this is not counted to the QRS complex."""

NORMAL_LOOP: Floats = np.array(
    [
        [-0.01, -0.02, 0.02],
        [-0.07, -0.05, -0.21],
        [0.29, 0.06, -0.07],
        [1.24, 0.50, 0.33],
        [0.42, 0.15, 0.53],
        [-0.32, -0.06, 0.37],
        [0.04, 0.02, 0.09],
        [-0.04, -0.03, 0.01],
        [0.00, 0.00, 0.02],
    ],
    dtype=np.float32,
)
"""Heart vector at nine equal steps of the QRS: septal, free wall, basal forces.

Chosen so that the projected beat resembles the mean of 771 normal records of PTB-XL 1.0.3.
"""
NORMAL_T = np.array([0.265, 0.113, -0.139], dtype=np.float32)
NORMAL_T_LOCAL = np.array([0.06, 0.01, -0.06, 0.085, -0.005, -0.06, -0.02, 0.035], dtype=np.float32)
NORMAL_ST = np.array([0.0, -0.018, 0.037, 0.075, 0.045, 0.01, -0.005, -0.01], dtype=np.float32)
T_SPREAD = np.array([0.012, 0.012, 0.045, 0.06, 0.05, 0.035, 0.025, 0.02], dtype=np.float32)
ST_SPREAD = np.array([0.007, 0.007, 0.014, 0.018, 0.018, 0.014, 0.010, 0.008], dtype=np.float32)
"""What differs from heart to heart near each electrode, beyond the vectors: sd in mV."""
AGED_ST = np.array([-0.022, -0.018, 0.015, 0.015, 0.005, -0.018, -0.028, -0.025], dtype=np.float32)
"""What the ST segment has lost at the age of 80, beside 55."""
RIGHT_ATRIUM = np.array([0.090, 0.066, -0.105], dtype=np.float32)
LEFT_ATRIUM = np.array([0.070, 0.026, 0.058], dtype=np.float32)


@dataclass(eq=False, slots=True)
class Hearts:
    """Parameters of N hearts; every array has N rows. Times in ms, amplitudes in mV."""

    age: NDArray[np.float64]
    female: NDArray[np.bool_]
    field: Floats
    """(N, 8, 3) lead field of the body."""
    turn: Floats
    """(N, 3, 3) position of the heart in the chest."""
    loop: Floats
    """(N, forms, 9, 3) QRS vectors."""
    qrs_ms: NDArray[np.float64]
    """(N, forms)"""
    t_vector: Floats
    """(N, forms, 3)"""
    t_local: Floats
    """(N, 8), of the conducted form only."""
    p_vector: Floats
    """(N, 2, 2, 3): sinus and ectopic P; right and left atrial part."""
    p_ms: NDArray[np.float64]
    pr_ms: NDArray[np.float64]
    qtc_ms: NDArray[np.float64]
    t_width: NDArray[np.float64]
    """Width of the T wave relative to the usual."""
    t_skew: NDArray[np.float64]
    """How much longer the T wave rises than it falls; 1 is symmetric."""
    rate_bpm: NDArray[np.float64]
    gain: NDArray[np.float64]
    """Voltage that reaches the skin: habitus, lungs, effusion."""
    qrs: Floats
    """(N, forms, 9, 8) QRS in the leads; set by `project`."""
    j_wave: Floats
    j_ms: NDArray[np.float64]
    st: Floats
    """(N, forms, 8)"""
    st_slope: Floats
    """(N, 8) change of the ST segment from the J point to the T wave."""
    t: Floats
    """(N, forms, 8)"""
    t_late: Floats
    """(N, 8)"""
    u: Floats
    p: Floats
    """(N, 2, 2, 8)"""
    pr_segment: Floats
    """(N, 8)"""

    def __len__(self) -> int:
        return len(self.age)


def random_hearts(
    rng: np.random.Generator, age: NDArray[np.float64], female: NDArray[np.bool_]
) -> Hearts:
    """Return healthy hearts of the given ages (years) and sexes.

    T amplitude and QTc by sex and age, voltage by sex and habitus.
    Source: Rijnbeek et al., J Electrocardiol 47:914 (2014), normal values by age and sex.
    """
    n = len(age)
    loop = np.zeros((n, N_FORMS, N_KNOTS, 3), dtype=np.float32)
    bend = rng.normal(size=(n, N_KNOTS, 3)) * 0.12 * _envelope()[:, None]
    bend[:, 1:-1] = (bend[:, :-2] + 2 * bend[:, 1:-1] + bend[:, 2:]) / 3
    loop[:, 0] = NORMAL_LOOP * np.exp(0.13 * rng.normal(size=(n, N_KNOTS, 1))) + bend
    young = np.clip((45 - age) / 25, 0, 1)
    t_size = (
        1.05 * np.exp(0.26 * rng.normal(size=n)) * np.where(female, 0.82, 1.12) * (1 + 0.25 * young)
    )
    t_size *= np.exp(-0.013 * np.clip(age - 48, 0, 40))
    t_vector = np.zeros((n, N_FORMS, 3), dtype=np.float32)
    t_turn = random_rotations(rng, n, (8, 11, 7))
    t_vector[:, 0] = np.einsum("nij,j->ni", t_turn, NORMAL_T) * t_size[:, None]
    frontal = np.deg2rad(np.clip((50 - age) * 0.45, -16, 14))
    turn = random_rotations(rng, n, (15, 14, 10)) @ transverse_rotation(
        np.deg2rad(np.clip((age - 46) * 0.4, -4, 14))
    )
    cos, sin = np.cos(frontal), np.sin(frontal)
    by_age = np.zeros((n, 3, 3), dtype=np.float32)
    by_age[:, 0, 0] = by_age[:, 1, 1] = cos
    by_age[:, 0, 1], by_age[:, 1, 0], by_age[:, 2, 2] = -sin, sin, 1
    steadier = 0.5 * np.eye(3) + 0.5 * turn.transpose(0, 2, 1)
    t_vector[:, 0] = np.einsum("nij,nj->ni", steadier, t_vector[:, 0])
    size = np.exp(0.20 * rng.normal(size=n)) * np.where(female, 0.92, 1.04)
    p_part = np.stack([RIGHT_ATRIUM, LEFT_ATRIUM]) * np.exp(0.27 * rng.normal(size=(n, 2, 1)))
    p_vector = np.zeros((n, 2, 2, 3), dtype=np.float32)
    p_vector[:, 0] = np.einsum("nij,npj->npi", random_rotations(rng, n, (15, 15, 13)), p_part)
    shape8 = np.zeros((n, 8), dtype=np.float32)
    return Hearts(
        age=age,
        female=female,
        field=random_lead_fields(rng, n),
        turn=(turn @ by_age).astype(np.float32),
        loop=loop,
        qrs_ms=np.repeat(
            np.clip(rng.normal(np.where(female, 86, 93), 7.5), 70, 107)[:, None], N_FORMS, axis=1
        ),
        t_vector=t_vector,
        t_local=(NORMAL_T_LOCAL * t_size[:, None] + T_SPREAD * rng.normal(size=(n, 8))).astype(
            np.float32
        ),
        p_vector=p_vector,
        p_ms=np.clip(rng.normal(104, 9, n), 80, 118),
        pr_ms=np.clip(rng.normal(152 + 0.15 * (age - 50), 19), 121, 196),
        qtc_ms=np.clip(rng.normal(np.where(female, 407, 397), 19), 360, np.where(female, 456, 446)),
        t_width=np.exp(0.11 * rng.normal(size=n)),
        t_skew=np.clip(rng.normal(1.5, 0.25, n), 1.0, 2.2),
        rate_bpm=np.clip(rng.normal(71, 10, n), 60.5, 99),
        gain=size,
        qrs=np.zeros((n, N_FORMS, N_KNOTS, 8), dtype=np.float32),
        j_wave=shape8.copy(),
        j_ms=np.full(n, 11.0),
        st=np.zeros((n, N_FORMS, 8), dtype=np.float32),
        st_slope=shape8.copy(),
        t=np.zeros((n, N_FORMS, 8), dtype=np.float32),
        t_late=shape8.copy(),
        u=shape8.copy(),
        p=np.zeros((n, 2, 2, 8), dtype=np.float32),
        pr_segment=shape8.copy(),
    )


def _envelope() -> NDArray[np.float64]:
    return np.array([0.1, 0.5, 1.0, 1.3, 1.2, 0.9, 0.5, 0.2, 0.05])


def qrs_kernel(n_steps: int = 64) -> Floats:
    """Return what each knot of the loop gives at steps through the QRS, shape (n_steps, 9)."""
    steps = np.linspace(-1.0, N_KNOTS, n_steps)
    kernel = np.exp(-0.5 * ((steps[:, None] - np.arange(N_KNOTS)) / 0.6) ** 2)
    return np.asarray(kernel.astype(np.float32))


def project(hearts: Hearts, rng: np.random.Generator) -> None:
    """Project loops, T and P vectors onto the leads; fills `qrs`, `st`, `t`, `p`, `u`."""
    n = len(hearts)
    gain = hearts.gain.astype(np.float32)
    field = hearts.field @ hearts.turn
    hearts.qrs[:] = np.einsum("nlc,nfkc->nfkl", field, hearts.loop) * gain[:, None, None, None]
    hearts.t += np.einsum("nlc,nfc->nfl", field, hearts.t_vector) * gain[:, None, None]
    hearts.t[:, 0] += hearts.t_local * gain[:, None]
    early = np.where(hearts.female, 0.65, 1.25) * np.exp(0.55 * rng.normal(size=n))
    hearts.st[:, 0] += NORMAL_ST * early[:, None] + ST_SPREAD * rng.normal(size=(n, 8))
    own = (0.013 * rng.normal(size=(n, 3))).astype(np.float32)
    hearts.st[:, 0] += np.einsum("nlc,nc->nl", field, own)
    late = np.clip(hearts.age - 55, 0, 35) / 25 * np.exp(0.5 * rng.normal(size=n))
    hearts.st[:, 0] += late[:, None] * AGED_ST
    hearts.u += np.abs(hearts.t[:, 0]) * 0.09 * np.abs(rng.normal(size=(n, 1)))
    atrial = hearts.field.copy()
    atrial[:, 2:] *= ATRIAL_CHEST_GAIN[:, None]
    weak = np.sqrt(hearts.gain).astype(np.float32)
    hearts.p += np.einsum("nlc,nspc->nspl", atrial, hearts.p_vector) * weak[:, None, None, None]
    hearts.pr_segment += -0.30 * hearts.p[:, 0].sum(axis=1)


def visible_span(hearts: Hearts) -> NDArray[np.float64]:
    """Return where the visible QRS begins and ends, in steps of the loop: shape (N, forms, 2)."""
    steps = np.linspace(-1.2, N_KNOTS + 0.2, 105)
    kernel = np.exp(-0.5 * ((steps[:, None] - np.arange(N_KNOTS)) / 0.6) ** 2).astype(np.float32)
    size = np.abs(np.einsum("sk,nfkl->nfsl", kernel, hearts.qrs)).max(axis=-1)
    limit = np.maximum(VISIBLE_MV, 0.02 * size.max(axis=-1, keepdims=True))
    seen = size > limit
    first = steps[seen.argmax(axis=-1)]
    last = steps[len(steps) - 1 - seen[..., ::-1].argmax(axis=-1)]
    empty = ~seen.any(axis=-1)
    return np.stack([np.where(empty, 0, first), np.where(empty, N_KNOTS - 1, last)], axis=-1)


def ventricular_amplitudes(hearts: Hearts) -> Floats:
    """Return the amplitudes of the 15 kernels of each form, shape (N, forms, 15, 8)."""
    n = len(hearts)
    out = np.zeros((n, N_FORMS, N_KNOTS + 6, 8), dtype=np.float32)
    out[:, :, :N_KNOTS] = hearts.qrs
    out[:, 0, N_KNOTS] = hearts.j_wave
    out[:, :, N_KNOTS + 1] = hearts.st
    out[:, 0, N_KNOTS + 2] = hearts.st_slope
    out[:, :, N_KNOTS + 3] = hearts.t
    out[:, 0, N_KNOTS + 4] = hearts.t_late
    out[:, 0, N_KNOTS + 5] = hearts.u
    return out


def ventricular_kernels(
    time_ms: Floats,
    qrs_ms: NDArray[np.float64],
    qt_ms: NDArray[np.float64],
    span: NDArray[np.float64],
    j_ms: NDArray[np.float64],
    t_width: NDArray[np.float64],
    t_skew: NDArray[np.float64],
    blur_ms: float,
) -> Floats:
    """Return the kernels of E beats at times from the onset of QRS, shape (E, W, 15).

    Args:
        time_ms: Shape (E, W).
        qrs_ms: QRS duration of each beat.
        qt_ms: QT interval of each beat; the T wave's tangent ends there.
        span: Shape (E, 2), from `visible_span`.
        j_ms: Width (one sd) of the J wave.
        t_width: Relative width of the T wave.
        t_skew: Its rise relative to its fall.
        blur_ms: Anti-alias blur (one sd) of the recorder.
    """
    e, w = time_ms.shape
    out = np.empty((e, w, N_KNOTS + 6), dtype=np.float32)
    step = (qrs_ms / (span[:, 1] - span[:, 0])).astype(np.float32)
    start = (-span[:, 0] * step).astype(np.float32)
    sd = 0.6 * step
    wide = np.sqrt(sd**2 + blur_ms**2)
    centre = start[:, None] + step[:, None] * np.arange(N_KNOTS, dtype=np.float32)
    z = (time_ms[:, :, None] - centre[:, None]) / wide[:, None, None]
    out[:, :, :N_KNOTS] = np.exp(-0.5 * z * z) * (sd / wide)[:, None, None]
    right = (0.102 * qt_ms * t_width).astype(np.float32)[:, None]
    left = t_skew.astype(np.float32)[:, None] * right
    peak = qt_ms.astype(np.float32)[:, None] - 2 * right
    j = qrs_ms.astype(np.float32)[:, None]
    j_sd = j_ms.astype(np.float32)[:, None]
    out[:, :, N_KNOTS] = np.exp(-0.5 * ((time_ms - j - 0.6 * j_sd) / j_sd) ** 2)
    rise = _sigmoid((time_ms - j + 6) / 5)
    plateau = rise * _sigmoid((peak + 0.3 * right - time_ms) / (0.55 * right))
    out[:, :, N_KNOTS + 1] = plateau
    length = np.maximum(peak - 0.8 * left - j, 60)
    out[:, :, N_KNOTS + 2] = plateau * np.clip((time_ms - j) / length, 0, 1.2)
    lag = time_ms - peak
    out[:, :, N_KNOTS + 3] = np.exp(-0.5 * (lag / np.where(lag < 0, left, right)) ** 2)
    out[:, :, N_KNOTS + 4] = np.exp(-0.5 * ((lag - 0.9 * right) / (0.75 * right)) ** 2)
    out[:, :, N_KNOTS + 5] = np.exp(-0.5 * ((lag - 3.6 * right - 20) / 32) ** 2)
    return out


def atrial_kernels(
    time_ms: Floats, p_ms: NDArray[np.float64], pr_ms: NDArray[np.float64]
) -> Floats:
    """Return the kernels of E P waves at times from their onset, shape (E, W, 3)."""
    p = p_ms.astype(np.float32)[:, None]
    pr = pr_ms.astype(np.float32)[:, None]
    out = np.empty((*time_ms.shape, 3), dtype=np.float32)
    out[:, :, 0] = np.exp(-0.5 * ((time_ms - 0.36 * p) / (0.16 * p)) ** 2)
    out[:, :, 1] = np.exp(-0.5 * ((time_ms - 0.66 * p) / (0.16 * p)) ** 2)
    out[:, :, 2] = _sigmoid((time_ms - p) / 8) * _sigmoid((pr + 30 - time_ms) / 18)
    return out


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
