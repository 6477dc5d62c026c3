"""The beat scheduler: when atria and ventricles are activated, and from where.

Every schedule starts before the recording and ends after it, so that the record's edges look like
any other part. Times are seconds from the record's start; a ventricular time is the onset of QRS,
an atrial time the onset of P.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEAD_IN_S = 2.5
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
    """`all`, `wenckebach`, `mobitz2`, `two_to_one`, `high_degree`, `complete`, ..."""
    ectopy: tuple[str, ...] = ()
    paced: str = ""
    """`atrial`, `ventricular` or `dual`."""
    on_demand: bool = False
    """Whether the ventricles are paced in one part of the record and beat by themselves in the
    other."""
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


def schedule(plan: Plan, duration_s: float, rng: np.random.Generator) -> Schedule:
    """Return the activations of one record of `duration_s` seconds."""
    end = duration_s + 1.5
    if plan.paced:
        return _paced(plan, end, rng)
    build = _BUILDERS.get(plan.origin)
    return build(plan, end, rng) if build else _sinus(plan, end, rng)


def _regular(
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


def _sinus(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    atria = _regular(plan.rate_bpm, plan.variability, end, rng)
    form = SINUS
    if plan.origin in {"atrial", "atrial_tachycardia"}:
        form = ECTOPIC_P
    forms = [form] * len(atria)
    if plan.origin == "wandering":
        forms = [int(np.sin(i / 2.2) > 0) for i in range(len(atria))]
    if plan.origin == "pause":
        k = int(rng.integers(3, max(4, len(atria) - 3)))
        atria = atria.copy()
        atria[k:] += (60 / plan.rate_bpm) * rng.uniform(1.2, 2.0)
    if plan.origin == "sinus_block":
        k = int(rng.integers(3, max(4, len(atria) - 3)))
        keep = [i for i in range(len(atria)) if i != k]
        atria, forms = atria[keep], [forms[i] for i in keep]
    if plan.conduction == "complete":
        return _complete_block(plan, atria, end, rng)
    if plan.conduction != "all":
        return _partial_block(plan, atria, rng)
    _conduct_with_ectopy(plan, list(atria), forms, out, rng)
    return out


def _complete_block(
    plan: Plan, atria: NDArray[np.float64], end: float, rng: np.random.Generator
) -> Schedule:
    out = Schedule()
    for t in _regular(plan.atrial_rate_bpm, 0.02, end, rng):
        out.p_wave(float(t))
    form = ECTOPIC if plan.escape_ventricular else CONDUCTED
    for t in _regular(plan.rate_bpm, 0.006, end, rng):
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


def _conduct_with_ectopy(
    plan: Plan, atria: list[float], forms: list[int], out: Schedule, rng: np.random.Generator
) -> None:
    """Conduct every atrial beat, with the ectopic beats that the plan names put between."""
    n = len(atria)
    ventricular = set(plan.ectopy) & _VENTRICULAR
    early = _atrial_positions(plan, n, rng)
    shift = 0.0
    after = _ventricular_positions(plan, n, rng) if ventricular else {}
    rr = 60.0 / plan.rate_bpm
    coupling = rng.uniform(0.50, 0.72)
    early_share = rng.uniform(1.0, 1.25)
    skip = 0
    for i in range(n):
        t = atria[i] + shift
        if skip:
            skip -= 1
            out.p_wave(t, forms[i])
            continue
        form, delay = forms[i], plan.pr_s
        if i in early:
            early_by = (1 - min(coupling * early_share, 0.86)) * rr
            t -= early_by
            shift -= early_by * (0.6 if early[i] != "blocked" else 0.4)
            form = ECTOPIC_P
        if early.get(i) == "junctional":
            out.beat(t + delay)
            out.p_wave(t + delay + 0.06, ECTOPIC_P, 0.7)
            continue
        out.p_wave(t, form)
        if early.get(i) == "blocked":
            continue
        out.beat(t + delay, ECTOPIC_2 if early.get(i) == "aberrant" else CONDUCTED)
        if i in after:
            skip = _insert_ventricular(after[i], t + delay, rr, coupling, out, rng)


_VENTRICULAR = {
    "pvc",
    "couplet",
    "multifocal",
    "interpolated",
    "r_on_t",
    "ventricular_bigeminy",
    "ventricular_trigeminy",
}


def _insert_ventricular(
    kind: str, onset: float, rr: float, coupling: float, out: Schedule, rng: np.random.Generator
) -> int:
    """Add one or two ectopic beats after the QRS at `onset`; return how many sinus beats fail."""
    jitter = 1 + 0.015 * rng.normal()
    wait = max(0.34, coupling * rr * jitter)
    form = ECTOPIC
    if kind == "r_on_t":
        wait = 0.30
    if kind == "multifocal" and rng.random() < 0.5:
        form, wait = ECTOPIC_2, wait * 1.1
    out.beat(onset + wait, form, 1 + 0.04 * rng.normal())
    if kind == "couplet":
        out.beat(onset + wait + max(0.36, 0.55 * rr), form, 1 + 0.04 * rng.normal())
        return 1 if wait + 0.55 * rr < 1.45 * rr else 2
    return 0 if kind == "interpolated" else 1


def _ventricular_positions(plan: Plan, n: int, rng: np.random.Generator) -> dict[int, str]:
    offset = int(rng.integers(0, 3))
    for kind, period in (("ventricular_bigeminy", 2), ("ventricular_trigeminy", 3)):
        if kind in plan.ectopy:
            return {i: kind for i in range(n) if (i + offset) % period == period - 2}
    rate = max(plan.rate_bpm, 30) / 60
    first = int(LEAD_IN_S * rate) + 1
    last = max(first + 3, n - int(2.2 * rate) - 1)
    out: dict[int, str] = {}
    for kind in sorted(set(plan.ectopy) & _VENTRICULAR):
        count = 2 + int(rng.integers(0, 2)) if kind == "multifocal" else 1 + int(rng.integers(0, 3))
        for i in rng.choice(np.arange(first, last), size=min(count, last - first), replace=False):
            if not {int(i) - 1, int(i), int(i) + 1} & set(out):
                out[int(i)] = kind
    return out


def _atrial_positions(plan: Plan, n: int, rng: np.random.Generator) -> dict[int, str]:
    offset = int(rng.integers(0, 3))
    for kind, period in (("atrial_bigeminy", 2), ("atrial_trigeminy", 3)):
        if kind in plan.ectopy:
            return {i: kind for i in range(1, n) if (i + offset) % period == 0}
    kinds = {
        "pac": "pac",
        "blocked_pac": "blocked",
        "junctional_pc": "junctional",
        "aberrant": "aberrant",
    }
    rate = max(plan.rate_bpm, 30) / 60
    first = int(LEAD_IN_S * rate) + 1
    last = max(first + 3, n - int(2.2 * rate) - 1)
    out: dict[int, str] = {}
    for kind in sorted(set(plan.ectopy) & set(kinds)):
        for i in rng.choice(
            np.arange(first, last),
            size=min(1 + int(rng.integers(0, 3)), last - first),
            replace=False,
        ):
            if not {int(i) - 1, int(i), int(i) + 1} & set(out):
                out[int(i)] = kinds[kind]
    return out


def _irregular(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    """Irregularly irregular ventricular times; the f-waves are drawn elsewhere."""
    out = Schedule()
    rr = 60.0 / plan.rate_bpm
    spread = rng.uniform(0.13, 0.28)
    t = -LEAD_IN_S
    ectopic = set(plan.ectopy) & _VENTRICULAR
    chance = 0.12 if ectopic else 0.0
    while t < end:
        step = float(np.clip(rr * np.exp(rng.normal() * spread), 0.30, 2.6 * rr))
        t += step
        out.beat(t)
        if rng.random() < chance:
            t += max(0.36, 0.6 * rr)
            out.beat(t, ECTOPIC)
    return out


def _flutter(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    cycle = 60.0 / plan.atrial_rate_bpm
    ratio = max(2, round(plan.atrial_rate_bpm / plan.rate_bpm))
    variable = plan.variability > 0.1
    t = -LEAD_IN_S + cycle * rng.random()
    while t < end:
        out.beat(t + 0.004 * rng.normal())
        t += cycle * (
            int(rng.choice([2, 3, 4, 5], p=[0.35, 0.25, 0.3, 0.1])) if variable else ratio
        )
    return out


def _reentry(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    """Regular narrow tachycardia; P retrograde or hidden; may start within the record."""
    out = Schedule()
    delay = plan.pr_s
    start = -LEAD_IN_S
    if "paroxysm" in plan.ectopy:
        start = rng.uniform(2.5, 6.0)
        for t in _regular(75 + 15 * rng.random(), 0.02, start - 0.35, rng):
            out.p_wave(float(t))
            out.beat(float(t) + 0.16)
    for t in _regular(plan.rate_bpm, 0.004, end, rng):
        if t > start:
            out.beat(float(t))
            out.p_wave(float(t) + delay, ECTOPIC_P, 0.8)
    return out


def _junctional(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    where = rng.choice([-0.10, 0.0, 0.09], p=[0.3, 0.4, 0.3])
    for t in _regular(plan.rate_bpm, 0.008, end, rng):
        out.beat(float(t))
        if where:
            out.p_wave(float(t) + float(where), ECTOPIC_P, 0.8)
    return out


def _ventricular(plan: Plan, end: float, rng: np.random.Generator) -> Schedule:
    out = Schedule()
    start = -LEAD_IN_S
    if "run" in plan.ectopy:
        start = rng.uniform(2.0, 4.5)
        for t in _regular(80, 0.02, start - 0.45, rng):
            out.p_wave(float(t))
            out.beat(float(t) + 0.16)
    for t in _regular(plan.rate_bpm, 0.006, end, rng):
        if t > start:
            out.beat(float(t), ECTOPIC)
    if plan.conduction == "complete":
        for t in _regular(plan.atrial_rate_bpm, 0.02, end, rng):
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
    ventricular = plan.paced in {"ventricular", "dual"}
    fibrillating = plan.origin == "fibrillation"
    own_until = end * rng.uniform(0.25, 0.6) if plan.on_demand else -LEAD_IN_S
    for t in _regular(plan.rate_bpm, 0.002, end, rng):
        onset = float(t) + plan.pr_s
        if t < own_until:
            out.beat(onset)
            if not fibrillating:
                out.p_wave(float(t))
            continue
        if plan.paced in {"atrial", "dual"}:
            out.spike(float(t) - 0.012, ventricular=False)
            out.p_wave(float(t))
        if ventricular:
            out.spike(onset - 0.014, ventricular=True)
        out.beat(onset, ECTOPIC if ventricular else CONDUCTED)
    if plan.paced == "ventricular" and not fibrillating:
        for t in _regular(plan.atrial_rate_bpm, 0.03, end, rng):
            if t >= own_until:
                out.p_wave(float(t))
    return out


_BUILDERS = {
    "fibrillation": _irregular,
    "flutter": _flutter,
    "reentry": _reentry,
    "junctional": _junctional,
    "ventricular": _ventricular,
    "multifocal": _multifocal,
    "chaos": _chaos,
}
