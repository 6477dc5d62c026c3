"""The beat scheduler: when atria and ventricles are activated, and from where.

Every schedule starts before the recording and ends after it, so that the record's edges look like
any other part.
"""

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.beats import (
    CONDUCTED,
    ECTOPIC,
    ECTOPIC_2,
    ECTOPIC_P,
    LEAD_IN_S,
    SINUS,
    TAIL_S,
    Plan,
    Schedule,
    regular_times,
)
from merl_core.simulate.ectopy import VentricularEctopy, conduct_between, conduct_with_ectopy


def schedule(plan: Plan, duration_s: float, rng: np.random.Generator) -> Schedule:
    """Return the activations of one record of `duration_s` seconds."""
    end = duration_s + TAIL_S
    if plan.paced:
        return _paced(plan, end, rng)
    build = _BUILDERS.get(plan.origin)
    return build(plan, end, rng) if build else _sinus(plan, end, rng)


def _sinus(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    atria = regular_times(plan.rate_bpm, plan.variability, end, rng)
    if plan.origin == "pause":
        gap_s = (60 / plan.rate_bpm) * rng.uniform(1.2, 2.0)
        atria[_shown(atria, gap_s, end, rng) :] += gap_s
    if plan.origin == "sinus_block":
        atria = np.delete(atria, _shown(atria, 60 / plan.rate_bpm, end, rng))
    if plan.conduction == "complete":
        return _complete_block(plan, end, rng)
    if plan.conduction != "all":
        return _partial_block(plan, atria, rng)
    form = ECTOPIC_P if plan.origin in {"atrial", "atrial_tachycardia"} else SINUS
    forms = [form] * len(atria)
    if plan.origin == "wandering":
        forms = [int(np.sin(i / 2.2) > 0) for i in range(len(atria))]
    return conduct_with_ectopy(plan, list(atria), forms, rng)


def _shown(atria: NDArray[np.float64], gap_s: float, end: float, rng: np.random.Generator) -> int:
    """Draw a beat which the record still shows `gap_s` later, and the beat before it too."""
    latest = end - TAIL_S - 0.4
    inside = 1 + np.flatnonzero((atria[:-1] > 0) & (atria[1:] + gap_s < latest))
    return int(rng.choice(inside)) if len(inside) else len(atria) // 2


def _complete_block(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    for t in regular_times(plan.atrial_rate_bpm, 0.02, end, rng):
        out.p_wave(float(t))
    form = ECTOPIC if plan.escape_ventricular else CONDUCTED
    for t in regular_times(plan.rate_bpm, 0.006, end, rng):
        out.beat(float(t), form)
    return out


def _partial_block(plan: Plan, atria: NDArray[np.float64], rng: np.random.Generator) -> Schedule:
    out = Schedule()
    cycle = int(rng.integers(3, 6))
    k = int(rng.integers(0, cycle))
    first = rng.uniform(0.06, 0.12)
    for t in atria:
        out.p_wave(float(t))
        if plan.conduction == "wenckebach":
            if k < cycle - 1:
                delay = first * (1 - 0.5**k) / 0.5
                out.beat(float(t) + plan.pr_s + delay)
        elif plan.conduction == "mobitz2":
            if k < cycle - 1:
                out.beat(float(t) + plan.pr_s)
        else:
            ratio = 2 if plan.conduction == "two_to_one" else 3 + (cycle > 4)
            if k % ratio == 0:
                out.beat(float(t) + plan.pr_s)
            cycle = ratio * 4
        k += 1
        if k >= cycle:
            k = 0
            if plan.conduction in {"wenckebach", "mobitz2"}:
                cycle = int(np.clip(cycle + rng.integers(-1, 2), 3, 6))
    return out


def _irregular(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    """Irregularly irregular ventricular times; the f-waves are drawn elsewhere."""
    rr = 60.0 / plan.rate_bpm
    spread = rng.uniform(0.13, 0.28)
    times = [-LEAD_IN_S]
    while times[-1] < end:
        step = float(np.clip(rr * np.exp(rng.normal() * spread), 0.30, 2.6 * rr))
        times.append(times[-1] + step)
    return conduct_between(plan, times, rng)


def _flutter(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    cycle = 60.0 / plan.atrial_rate_bpm
    ratio = max(2, round(plan.atrial_rate_bpm / plan.rate_bpm))
    variable = plan.variability > 0.1
    times: list[float] = []
    t = -LEAD_IN_S + cycle * rng.random()
    while t < end:
        times.append(t + 0.004 * rng.normal())
        t += cycle * (
            int(rng.choice([2, 3, 4, 5], p=[0.35, 0.25, 0.3, 0.1])) if variable else ratio
        )
    return conduct_between(plan, times, rng)


def _reentry(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    """Regular narrow tachycardia; P retrograde or hidden; may start within the record."""
    out = Schedule()
    delay = plan.pr_s
    start = -LEAD_IN_S
    if "paroxysm" in plan.ectopy:
        start = rng.uniform(2.5, 6.0)
        for t in regular_times(75 + 15 * rng.random(), 0.02, start - 0.35, rng):
            out.p_wave(float(t))
            out.beat(float(t) + 0.16)
    for t in regular_times(plan.rate_bpm, 0.004, end, rng):
        if t > start:
            out.beat(float(t))
            out.p_wave(float(t) + delay, ECTOPIC_P, 0.8)
    return out


def _junctional(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    where = rng.choice([-0.10, 0.0, 0.09], p=[0.3, 0.4, 0.3])
    for t in regular_times(plan.rate_bpm, 0.008, end, rng):
        out.beat(float(t))
        if where:
            out.p_wave(float(t) + float(where), ECTOPIC_P, 0.8)
    return out


def _ventricular(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    start = -LEAD_IN_S
    if "run" in plan.ectopy:
        start = rng.uniform(2.0, 4.5)
        for t in regular_times(80, 0.02, start - 0.45, rng):
            out.p_wave(float(t))
            out.beat(float(t) + 0.16)
    for t in regular_times(plan.rate_bpm, 0.006, end, rng):
        if t > start:
            out.beat(float(t), ECTOPIC)
    if plan.conduction == "complete":
        for t in regular_times(plan.atrial_rate_bpm, 0.02, end, rng):
            out.p_wave(float(t))
    return out


def _multifocal(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    rr = 60.0 / plan.rate_bpm
    t = -LEAD_IN_S
    while t < end:
        t += float(np.clip(rr * (1 + 0.16 * rng.normal()), 0.36, 2.0))
        out.p_wave(t, int(rng.random() < 0.6), float(rng.choice([0.5, 0.9, 1.4, -0.8])))
        out.beat(t + plan.pr_s + 0.03 * rng.normal())
    return out


def _chaos(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    """No discrete beats at all: fibrillating ventricles, or none."""
    return Schedule()


def _paced(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    own_until = end * rng.uniform(0.25, 0.6) if plan.on_demand else -LEAD_IN_S
    times = regular_times(plan.rate_bpm, 0.002, end, rng)
    premature = VentricularEctopy(plan, len(times), rng, form=ECTOPIC_2)
    shift, place = 0.0, 0
    for regular in times:
        t = float(regular) + shift
        onset = _paced_cycle(plan, t, out, own=t < own_until)
        place += 1 + premature.follow(place, onset, out)
        shift += out.v_time[-1] - onset
    if plan.paced == "ventricular" and plan.origin != "fibrillation" and not plan.tracks_atria:
        for t in regular_times(plan.atrial_rate_bpm, 0.03, end, rng):
            if t >= own_until:
                out.p_wave(float(t))
    return out


def _paced_cycle(plan: Plan, t: float, out: Schedule, *, own: bool) -> float:
    """Add atria at `t` and ventricles after them, the heart's `own` or not; return QRS onset."""
    stimulates_atria = plan.paced in {"atrial", "dual"}
    stimulates_ventricles = plan.paced in {"ventricular", "dual"} and not own
    onset = t + plan.pr_s
    if stimulates_atria and not own:
        out.spike(t - 0.012, ventricular=False)
    if stimulates_atria or plan.tracks_atria or (own and plan.origin != "fibrillation"):
        out.p_wave(t)
    if stimulates_ventricles:
        out.spike(onset - 0.014, ventricular=True)
    out.beat(onset, ECTOPIC if stimulates_ventricles else CONDUCTED)
    return onset


_BUILDERS = {
    "fibrillation": _irregular,
    "flutter": _flutter,
    "reentry": _reentry,
    "junctional": _junctional,
    "ventricular": _ventricular,
    "multifocal": _multifocal,
    "chaos": _chaos,
}
