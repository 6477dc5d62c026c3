"""From the heart vector to the leads: a lead field with anatomy and electrode placement varied."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ],
    dtype=np.float32,
)
_LEAD_GAIN = np.array([1.24, 1.05, 0.83, 1.30, 1.04, 1.16, 1.08, 1.02], dtype=np.float32)

LEAD_FIELD: Floats = _DOWER * _LEAD_GAIN[:, None]
"""Shape (8, 3): mV in I, II, V1 to V6 per unit of the vector (x left, y down, z back).

Source: Dower, "A lead synthesizer for the Frank system" (1968); Edenbrandt and Pahlm,
J Electrocardiol 21:361 (1988). Each lead's gain is set so that the mean normal beat has the
amplitudes of the mean of 771 normal records of PTB-XL 1.0.3.
"""

ATRIAL_CHEST_GAIN: Floats = np.array([0.50, 0.29, 0.31, 0.35, 0.40, 0.46], dtype=np.float32)
"""The atria lie farther from the chest electrodes than the ventricles: P waves are smaller."""


def random_rotations(
    rng: np.random.Generator, n: int, sd_deg: tuple[float, float, float]
) -> Floats:
    """Return rotations, shape (n, 3, 3), in the frontal, transverse and sagittal planes.

    Args:
        rng: Source of randomness.
        n: Number of matrices.
        sd_deg: Standard deviations of the three angles, degrees.
    """
    angles = rng.normal(size=(n, 3)) * np.deg2rad(sd_deg)
    return (
        frontal_rotation(angles[:, 0])
        @ transverse_rotation(angles[:, 1])
        @ sagittal_rotation(angles[:, 2])
    )


def _rotation(angle: NDArray[np.floating], first: int, second: int) -> Floats:
    out = np.zeros((len(angle), 3, 3), dtype=np.float32)
    out[:, range(3), range(3)] = 1.0
    out[:, first, first] = out[:, second, second] = np.cos(angle)
    out[:, first, second] = -np.sin(angle)
    out[:, second, first] = np.sin(angle)
    return out


def frontal_rotation(angle: NDArray[np.floating]) -> Floats:
    """Return matrices (n, 3, 3) that turn the frontal axis clockwise (rightward) by `angle` rad."""
    return _rotation(angle, 0, 1)


def transverse_rotation(angle: NDArray[np.floating]) -> Floats:
    """Return matrices (n, 3, 3) that turn left forces backwards by `angle` rad."""
    return _rotation(angle, 0, 2)


def sagittal_rotation(angle: NDArray[np.floating]) -> Floats:
    """Return matrices (n, 3, 3) that turn downward forces backwards by `angle` rad."""
    return _rotation(angle, 1, 2)


def random_lead_fields(rng: np.random.Generator, n: int) -> Floats:
    """Return lead fields of `n` bodies, shape (n, 8, 3).

    Coefficients vary by 12 %, chest electrodes sit up to about half an interspace off along the
    chest and above or below their place.
    """
    fields = LEAD_FIELD * (1 + 0.12 * rng.normal(size=(n, 8, 3)))
    chest = fields[:, 2:]
    shift = np.clip(0.30 * rng.normal(size=(n, 1)) + 0.15 * rng.normal(size=(n, 6)), -0.9, 0.9)
    position = np.clip(np.arange(6) + shift, 0, 5)
    low = np.minimum(position.astype(int), 4)
    part = (position - low)[..., None]
    rows = np.arange(n)[:, None]
    chest = (1 - part) * chest[rows, low] + part * chest[rows, low + 1]
    chest[..., 1] += 0.10 * rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=(n, 6))
    chest *= np.exp(0.12 * rng.normal(size=(n, 1, 1)) + 0.18 * rng.normal(size=(n, 6, 1)))
    fields[:, 2:] = chest
    return fields.astype(np.float32)


def to_twelve(eight: Floats) -> Floats:
    """Return the twelve standard leads of I, II, V1 to V6; axis -2 grows from 8 to 12.

    Source: Einthoven's law and Goldberger's definitions of the augmented leads.
    """
    one, two = eight[..., 0:1, :], eight[..., 1:2, :]
    limbs = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return np.concatenate((*limbs, eight[..., 2:, :]), axis=-2)
