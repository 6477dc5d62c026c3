"""What a rhythm shall be, and what it is: a plan, and the times of activation.

Times are seconds from the record's start; a ventricular time is the onset of QRS, an atrial time
the onset of P.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEAD_IN_S, TAIL_S = 2.5, 1.5
"""Seconds that every schedule starts before the record and ends after it."""
CONDUCTED, ECTOPIC, ECTOPIC_2 = 0, 1, 2
SINUS, ECTOPIC_P = 0, 1


@dataclass(slots=True)
class Plan:
    """What the rhythm of one record shall be."""

    rate_bpm: float
    pr_s: float
    origin: str = "sinus"
    """`sinus`, `fibrillation`, `flutter`, `junctional`, `ventricular`, `reentry`, ..."""
    variability: float = 0.015
    """Respiratory variation of the RR interval, relative."""
    conduction: str = "all"
    """`all`, `wenckebach`, `mobitz2`, `two_to_one`, `high` or `complete`."""
    ectopy: tuple[str, ...] = ()
    paced: str = ""
    """`atrial`, `ventricular` or `dual`."""
    on_demand: bool = False
    """Whether the ventricles are paced in one part of the record and beat by themselves in the
    other."""
    tracks_atria: bool = False
    """Whether stimulated ventricles follow P waves; if not, the atria have a rate of their own."""
    escape_ventricular: bool = False
    atrial_rate_bpm: float = 80.0


@dataclass(slots=True)
class Schedule:
    """Activation times of one record."""

    v_time: list[float] = field(default_factory=list)
    v_form: list[int] = field(default_factory=list)
    v_gain: list[float] = field(default_factory=list)
    p_time: list[float] = field(default_factory=list)
    p_form: list[int] = field(default_factory=list)
    p_gain: list[float] = field(default_factory=list)
    spike_time: list[float] = field(default_factory=list)
    spike_ventricular: list[bool] = field(default_factory=list)

    def beat(self, time: float, form: int = CONDUCTED, gain: float = 1.0) -> None:
        """Add a ventricular activation."""
        self.v_time.append(time)
        self.v_form.append(form)
        self.v_gain.append(gain)

    def p_wave(self, time: float, form: int = SINUS, gain: float = 1.0) -> None:
        """Add an atrial activation."""
        self.p_time.append(time)
        self.p_form.append(form)
        self.p_gain.append(gain)

    def spike(self, time: float, *, ventricular: bool) -> None:
        """Add a pacemaker's stimulus."""
        self.spike_time.append(time)
        self.spike_ventricular.append(ventricular)


def regular_times(
    rate_bpm: float, variability: float, end: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Activation times with respiratory variation and a little wander of the rate."""
    rr = 60.0 / rate_bpm
    n = int((end + LEAD_IN_S) / (rr * 0.6)) + 3
    breath = rng.uniform(0.15, 0.33)
    phase = 2 * np.pi * rng.random()
    clock = np.arange(n) * rr
    steps = rr * (
        1
        + variability * 1.4 * np.sin(2 * np.pi * breath * clock + phase)
        + variability * rng.uniform(0.2, 0.8) * rng.normal(size=n)
    )
    times = -LEAD_IN_S - rr * rng.random() + np.cumsum(np.maximum(steps, 0.22))
    return times[times < end]
