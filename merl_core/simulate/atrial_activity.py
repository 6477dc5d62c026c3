"""Activity without discrete beats: fibrillatory and flutter waves, fibrillating ventricles."""

import numpy as np

from merl_core.simulate.leads import Floats

#                     I    II   V1   V2    V3   V4   V5   V6
_F_WAVES = np.array([0.18, 0.45, 1.0, 0.55, 0.3, 0.2, 0.15, 0.12], dtype=np.float32)
_FLUTTER = np.array([0.05, -1.0, 0.75, 0.25, 0.0, -0.15, -0.2, -0.25], dtype=np.float32)


def _drifting_phase(
    rate_hz: float, spread: float, clock: Floats, rng: np.random.Generator
) -> Floats:
    knots = rng.normal(size=9) * spread
    wobble = np.interp(clock, np.linspace(clock[0], clock[-1], 9), knots)
    steps = (rate_hz + wobble) * (clock[1] - clock[0])
    return np.asarray(2 * np.pi * np.cumsum(steps) + 6.3 * rng.random(), dtype=np.float32)


def fibrillatory_waves(clock: Floats, rng: np.random.Generator) -> Floats:
    """Return f-waves of 5 to 8 Hz in the eight leads, shape (8, T): coarse or fine."""
    size = 0.055 * np.exp(0.55 * rng.normal())
    rate = rng.uniform(5.0, 7.8)
    out = np.zeros((8, len(clock)), dtype=np.float32)
    for share in (1.0, 0.6, 0.45):
        phase = _drifting_phase(rate * rng.uniform(0.85, 1.15), 0.5, clock, rng)
        wave = np.sin(phase) + 0.35 * np.sin(2 * phase + 1)
        lead = (
            _F_WAVES
            * np.exp(0.25 * rng.normal(size=8))
            * rng.choice([-1, 1], size=8, p=[0.25, 0.75])
        )
        out += (size * share * lead)[:, None].astype(np.float32) * wave
    return out


def flutter_waves(clock: Floats, rate_bpm: float, rng: np.random.Generator) -> Floats:
    """Return the saw-tooth of atrial flutter in the eight leads, shape (8, T)."""
    turn = _drifting_phase(rate_bpm / 60, 0.02, clock, rng) / (2 * np.pi) % 1.0
    fall = rng.uniform(0.6, 0.75)
    tooth = np.where(turn < fall, turn / fall, (1 - turn) / (1 - fall))
    smooth = tooth - 0.5 + 0.12 * np.sin(2 * np.pi * turn)
    size = 0.20 * np.exp(0.3 * rng.normal()) * (1 if rng.random() < 0.85 else -0.8)
    lead = _FLUTTER * np.exp(0.2 * rng.normal(size=8))
    return np.asarray((size * lead)[:, None] * smooth, dtype=np.float32)


def ventricular_fibrillation(clock: Floats, rng: np.random.Generator) -> Floats:
    """Return disorganised ventricular activity, shape (8, T)."""
    out = np.zeros((8, len(clock)), dtype=np.float32)
    slow = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * clock + 6.3 * rng.random())
    for share in (0.5, 0.35, 0.25, 0.2):
        wave = np.sin(_drifting_phase(rng.uniform(3.5, 7.0), 1.1, clock, rng))
        out += (share * rng.normal(size=8))[:, None].astype(np.float32) * wave * slow
    return out * np.float32(rng.uniform(0.4, 1.2))


def torsades(clock: Floats, rng: np.random.Generator) -> Floats:
    """Return wide complexes whose axis twists about the baseline, shape (8, T)."""
    beat = _drifting_phase(rng.uniform(3.3, 4.6), 0.15, clock, rng)
    twist = 2 * np.pi * rng.uniform(0.18, 0.35) * clock + 6.3 * rng.random()
    lag = rng.uniform(0, 2 * np.pi, 8)[:, None]
    size = rng.uniform(0.5, 1.1, 8)[:, None]
    wave = np.sin(beat) + 0.3 * np.sin(2 * beat)
    return np.asarray(size * np.cos(twist + lag) * wave, dtype=np.float32)
