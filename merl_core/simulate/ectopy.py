"""Premature beats: where they fall, and what they do to the beats after them."""

from collections.abc import Sequence

import numpy as np

from merl_core.simulate.beats import (
    CONDUCTED,
    ECTOPIC,
    ECTOPIC_2,
    ECTOPIC_P,
    LEAD_IN_S,
    Plan,
    Schedule,
)

_VENTRICULAR = {
    "pvc",
    "couplet",
    "multifocal",
    "interpolated",
    "r_on_t",
    "ventricular_bigeminy",
    "ventricular_trigeminy",
}


def conduct_with_ectopy(
    plan: Plan, atria: list[float], forms: list[int], out: Schedule, rng: np.random.Generator
) -> None:
    """Conduct every atrial beat, with the ectopic beats that the plan names put between."""
    n = len(atria)
    early = _atrial_positions(plan, n, rng)
    shift = 0.0
    after = ventricular_positions(plan, n, rng)
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
            skip = insert_ventricular(after[i], t + delay, rr, coupling, out, rng)


def conduct_between(plan: Plan, times: Sequence[float], rng: np.random.Generator) -> Schedule:
    """Conduct a rhythm that ectopic beats do not reset, but for what they leave refractory."""
    out = Schedule()
    after = ventricular_positions(plan, len(times), rng)
    coupling, rr = rng.uniform(0.50, 0.72), 60.0 / plan.rate_bpm
    excitable, place = -np.inf, 0
    for t in times:
        if t < excitable:
            continue
        out.beat(t)
        if place in after:
            place += insert_ventricular(after[place], t, rr, coupling, out, rng)
            excitable = out.v_time[-1] + max(0.36, 0.6 * rr)
        place += 1
    return out


def insert_ventricular(
    kind: str,
    onset: float,
    rr: float,
    coupling: float,
    out: Schedule,
    rng: np.random.Generator,
    *,
    form: int = ECTOPIC,
) -> int:
    """Add one or two ectopic beats after the QRS at `onset`; return how many sinus beats fail."""
    jitter = 1 + 0.015 * rng.normal()
    wait = max(0.34, coupling * rr * jitter)
    if kind == "r_on_t":
        wait = 0.30
    if kind == "multifocal" and rng.random() < 0.5:
        form, wait = ECTOPIC_2, wait * 1.1
    out.beat(onset + wait, form, 1 + 0.04 * rng.normal())
    if kind == "couplet":
        out.beat(onset + wait + max(0.36, 0.55 * rr), form, 1 + 0.04 * rng.normal())
        return 1 if wait + 0.55 * rr < 1.45 * rr else 2
    return 0 if kind == "interpolated" else 1


def ventricular_positions(plan: Plan, n: int, rng: np.random.Generator) -> dict[int, str]:
    """Return after which of `n` beats, 1.5 s beyond the record's end, an ectopic one falls."""
    kinds = sorted(set(plan.ectopy) & _VENTRICULAR)
    if not kinds:
        return {}
    offset = int(rng.integers(0, 3))
    for kind, period in (("ventricular_bigeminy", 2), ("ventricular_trigeminy", 3)):
        if kind in plan.ectopy:
            return {i: kind for i in range(n) if (i + offset) % period == period - 2}
    rate = max(plan.rate_bpm, 30) / 60
    first = int(LEAD_IN_S * rate) + 1
    last = max(first + 3, n - int(2.2 * rate) - 1)
    out: dict[int, str] = {}
    for kind in kinds:
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
