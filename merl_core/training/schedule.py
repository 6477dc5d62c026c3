"""Learning rate by step."""

import math
from typing import Final

RESTART_STEPS: Final = 5000
"""Period of the paper's schedule. Source: public code of MERL, its trainer."""


def cosine(step: int, n_steps: int, warmup_steps: int) -> float:
    """Return the factor of the learning rate: linear warm-up, then half a cosine to zero.

    Args:
        step: Of the update to come, from 0.
        n_steps: Updates in all.
        warmup_steps: Updates until the factor is 1.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def restarts(step: int) -> float:
    """Return the factor of the paper's schedule: a cosine that starts anew, without warm-up."""
    return 0.5 * (1 + math.cos(math.pi * (step % RESTART_STEPS) / RESTART_STEPS))


def warm_cosine(step: int, n_warmup: int, done: float) -> float:
    """Return the factor of a short training: linear warm-up, times half a cosine to zero.

    Args:
        step: Updates so far.
        n_warmup: Updates until the full rate.
        done: Share of the training that is over, 0 to 1.
    """
    return min(1.0, step / max(1, n_warmup)) * 0.5 * (1 + math.cos(math.pi * done))
