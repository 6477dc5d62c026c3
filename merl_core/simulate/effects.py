"""What effects of findings on hearts are made of.

Every effect has the signature `effect(hearts, rows, rng)`; source effects change vectors before the
projection, surface effects change leads after it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.leads import Floats
from merl_core.simulate.waves import NORMAL_LOOP, Hearts

Rows = NDArray[np.intp]
Effect = Callable[[Hearts, Rows, np.random.Generator], None]


def vectors(*rows: tuple[float, float, float]) -> Floats:
    """Return a loop of vectors, shape (9, 3), float32."""
    return np.array(rows, dtype=np.float32)


def mean_vector(loop: Floats) -> Floats:
    """Return the mean QRS vector of loops (..., 9, 3)."""
    return np.asarray(loop.mean(axis=-2), dtype=np.float32)


def spread(rng: np.random.Generator, n: int, sd: float) -> NDArray[np.float64]:
    """Return factors around 1, shape (n,); `sd` is that of their logarithm."""
    return np.exp(sd * rng.normal(size=n))


def replace_loop(h: Hearts, rows: Rows, template: Floats, keep: float = 0.7) -> None:
    """Give the conducted beat another loop, keeping part of what is individual in it."""
    h.loop[rows, 0] = template + keep * (h.loop[rows, 0] - NORMAL_LOOP)


def discordant(h: Hearts, rows: Rows, t_share: float, st_share: float, mix: float = 1.0) -> None:
    """Turn T and ST against the QRS, as after abnormal depolarisation."""
    mean = mean_vector(h.loop[rows, 0])
    h.t_vector[rows, 0] = (1 - mix) * h.t_vector[rows, 0] - mix * t_share * mean * 9
    h.t_local[rows] *= 1 - mix
    add_st_vector(h, rows, -mix * st_share * mean * 9)


def widen(h: Hearts, rows: Rows, by_ms: NDArray[np.float64], limit_ms: float) -> None:
    """Lengthen the conducted QRS up to a limit; one that is longer than the limit stays."""
    width = h.qrs_ms[rows, 0]
    h.qrs_ms[rows, 0] = np.maximum(width, np.minimum(width + by_ms, limit_ms))


def add_st_vector(h: Hearts, rows: Rows, vector: Floats) -> None:
    """Add an ST vector (n, 3) to the conducted beat, as the leads see it."""
    h.st[rows, 0] += np.einsum("nlc,nc->nl", h.field[rows] @ h.turn[rows], vector)
