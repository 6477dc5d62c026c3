"""What the recording adds: wander, muscle, mains, electrode motion, gain error.

Noise arises at the ten electrodes, so the leads share it as they do in a patient and Einthoven's
law holds for the noise too.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from merl_core.simulate.leads import Floats

N_ELECTRODES = 9
"""RA, LA, LL and V1 to V6; the tenth is ground."""
_SHARE = np.array([1.0, 1.0, 0.85, 0.55, 0.65, 0.5, 0.5, 0.45, 0.35])
"""Muscle noise by electrode: most of it comes from the arms."""
_SLOW_MV = 0.0075
_SLOW_HZ = 3.0
"""Skin potential and movement between wander and muscle: sd at an electrode, and its corner.

Chosen with `_SHARE` so that what the median beat leaves over has the spectrum that it has in 801
normal records of PTB-XL 1.0.3.
"""


def electrode_noise(
    n: int,
    sig_len: int,
    fs: float,
    levels: "dict[str, NDArray[np.float64]]",
    rng: np.random.Generator,
) -> Floats:
    """Return noise at the electrodes, shape (n, 9, T), mV.

    Args:
        n: Number of records.
        sig_len: Samples of each.
        fs: Sampling rate.
        levels: Per kind (`wander`, `muscle`, `mains`, `motion`) a factor for each record; 1 is
            the usual amount in a clinic.
        rng: Source of randomness.
    """
    clock = (np.arange(sig_len) / fs).astype(np.float32)
    out = rng.standard_normal((n, N_ELECTRODES, sig_len), dtype=np.float32)
    muscle = 0.0045 * np.exp(0.5 * rng.normal(size=(n, 1))) * levels["muscle"][:, None]
    own = np.exp(0.35 * rng.normal(size=(n, N_ELECTRODES))) * _SHARE
    swell = 1 + 0.5 * np.sin(
        2 * np.pi * rng.uniform(0.05, 0.3, (n, 1)) * clock + 6.3 * rng.random((n, 1))
    )
    out *= (muscle * own)[:, :, None].astype(np.float32)
    out *= swell[:, None].astype(np.float32)
    _add_slow(out, fs, np.maximum(levels["wander"], levels["muscle"]), rng)
    _add_wander(out, clock, levels["wander"], rng)
    _add_mains(out, clock, fs, levels["mains"], rng)
    _add_motion(out, fs, levels["motion"], rng)
    return out


def _add_slow(out: Floats, fs: float, level: NDArray[np.float64], rng: np.random.Generator) -> None:
    """First-order noise: level below the corner, falling with frequency above it."""
    n, _, sig_len = out.shape
    keep = float(np.exp(-2 * np.pi * _SLOW_HZ / fs))
    settle = round(fs / _SLOW_HZ)
    white = rng.standard_normal((n, N_ELECTRODES, sig_len + settle), dtype=np.float32)
    taps = np.array([np.sqrt(1 - keep**2)], dtype=np.float32)
    slow = lfilter(taps, np.array([1, -keep], dtype=np.float32), white)[..., settle:]
    size = _SLOW_MV * np.exp(0.45 * rng.normal(size=(n, 1))) * np.minimum(level, 4)[:, None]
    slow *= (size * np.exp(0.3 * rng.normal(size=(n, N_ELECTRODES))))[..., None].astype(np.float32)
    out += slow


def _add_wander(
    out: Floats, clock: Floats, level: NDArray[np.float64], rng: np.random.Generator
) -> None:
    n = len(out)
    size = 0.047 * np.exp(0.6 * rng.normal(size=(n, 1))) * level[:, None]
    for low, high, share in ((0.05, 0.15, 1.0), (0.15, 0.35, 0.8), (0.35, 0.7, 0.2)):
        wave = np.sin(2 * np.pi * rng.uniform(low, high, (n, 1)) * clock + 6.3 * rng.random((n, 1)))
        part = (size * share * rng.normal(size=(n, N_ELECTRODES))).astype(np.float32)
        out += part[:, :, None] * wave[:, None].astype(np.float32)


def _add_mains(
    out: Floats, clock: Floats, fs: float, level: NDArray[np.float64], rng: np.random.Generator
) -> None:
    mains = np.where(rng.random(len(out)) < 0.7, 50.0, 60.0) + 0.05 * rng.normal(size=len(out))
    rows = np.flatnonzero((mains < 0.48 * fs) & (level > 0))
    if not len(rows):
        return
    wave = np.sin(2 * np.pi * mains[rows, None] * clock + 6.3 * rng.random((len(rows), 1)))
    size = 0.003 * level[rows, None] * np.abs(rng.normal(size=(len(rows), N_ELECTRODES)))
    out[rows] += size[:, :, None].astype(np.float32) * wave[:, None].astype(np.float32)


def _add_motion(
    out: Floats, fs: float, level: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Jumps of single electrodes that fade within a second or two."""
    n, _, sig_len = out.shape
    chance = np.minimum(0.03 * level, 1.0)
    for row in np.flatnonzero(rng.random(n) < chance):
        for _ in range(1 + int(min(level[row], 8) * rng.random())):
            start = int(rng.integers(sig_len))
            fade = np.exp(-np.arange(sig_len - start) / (fs * rng.uniform(0.15, 1.2)))
            out[row, rng.integers(N_ELECTRODES), start:] += (rng.normal() * 0.35 * fade).astype(
                np.float32
            )


def leads_from_electrodes(electrodes: Floats) -> Floats:
    """Return I, II, V1 to V6, shape (n, 8, T), of potentials at the electrodes."""
    right, left, foot = electrodes[:, 0:1], electrodes[:, 1:2], electrodes[:, 2:3]
    centre = (right + left + foot) / 3
    return np.concatenate([left - right, foot - right, electrodes[:, 3:] - centre], axis=1)
