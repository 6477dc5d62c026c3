"""Premature beats: where they fall, and what they do to the beats after them."""

from collections.abc import Sequence

import numpy as np

from merl_core.simulate.beats import (
    CONDUCTED,
    ECTOPIC,
    ECTOPIC_2,
    ECTOPIC_P,
    LEAD_IN_S,
    TAIL_S,
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
_ATRIAL = {"pac", "blocked_pac", "junctional_pc", "aberrant"}


class VentricularEctopy:
    """The ventricular ectopic beats of a plan.

    Args:
        plan: Names their kinds.
        n: Beats of the rhythm they fall into, from `LEAD_IN_S` before the record to `TAIL_S` after.
        rng: Draws where they fall.
        form: Form of QRS.
    """

    def __init__(
        self, plan: Plan, n: int, rng: np.random.Generator, *, form: int = ECTOPIC
    ) -> None:
        self._after = _ventricular_positions(plan, n, rng)
        """After which beats one falls, and its kind."""
        self.coupling = rng.uniform(0.50, 0.72)
        """Of the RR interval, how long after a beat it comes."""
        self.rr_s = 60.0 / plan.rate_bpm
        self._rng, self._form = rng, form

    def follow(self, place: int, onset: float, out: Schedule) -> int:
        """Add what falls after beat `place`, QRS at `onset`; return how many beats fail for it."""
        if place not in self._after:
            return 0
        kind, form, rr, rng = self._after[place], self._form, self.rr_s, self._rng
        jitter = 1 + 0.015 * rng.normal()
        wait = max(0.34, self.coupling * rr * jitter)
        if kind == "r_on_t":
            wait = 0.30
        if kind == "multifocal" and rng.random() < 0.5:
            form, wait = ECTOPIC_2, wait * 1.1
        out.beat(onset + wait, form, 1 + 0.04 * rng.normal())
        if kind == "couplet":
            out.beat(onset + wait + max(0.36, 0.55 * rr), form, 1 + 0.04 * rng.normal())
            return 1 if wait + 0.55 * rr < 1.45 * rr else 2
        return 0 if kind == "interpolated" else 1


def conduct_with_ectopy(
    plan: Plan, atria: Sequence[float], forms: Sequence[int], rng: np.random.Generator
) -> Schedule:
    """Conduct every atrial beat, with the ectopic beats that the plan names put between."""
    out = Schedule()
    n = len(atria)
    early = _atrial_positions(plan, n, rng)
    shift = 0.0
    ventricular = VentricularEctopy(plan, n, rng)
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
            early_by = (1 - min(ventricular.coupling * early_share, 0.86)) * ventricular.rr_s
            t -= early_by
            shift -= early_by * (0.6 if early[i] != "blocked_pac" else 0.4)
            form = ECTOPIC_P
        if early.get(i) == "junctional_pc":
            out.beat(t + delay)
            out.p_wave(t + delay + 0.06, ECTOPIC_P, 0.7)
            continue
        out.p_wave(t, form)
        if early.get(i) == "blocked_pac":
            continue
        out.beat(t + delay, ECTOPIC_2 if early.get(i) == "aberrant" else CONDUCTED)
        skip = ventricular.follow(i, t + delay, out)
    return out


def conduct_between(plan: Plan, times: Sequence[float], rng: np.random.Generator) -> Schedule:
    """Conduct a rhythm that ectopic beats do not reset, but for what they leave refractory."""
    out = Schedule()
    ventricular = VentricularEctopy(plan, len(times), rng)
    excitable, place = -np.inf, 0
    for t in times:
        if t < excitable:
            continue
        out.beat(t)
        failing = ventricular.follow(place, t, out)
        if failing:
            excitable = out.v_time[-1] + max(0.36, 0.6 * ventricular.rr_s)
        place += 1 + failing
    return out


def _ventricular_positions(plan: Plan, n: int, rng: np.random.Generator) -> dict[int, str]:
    kinds = sorted(set(plan.ectopy) & _VENTRICULAR)
    if not kinds:
        return {}
    offset = int(rng.integers(0, 3))
    for kind, period in (("ventricular_bigeminy", 2), ("ventricular_trigeminy", 3)):
        if kind in plan.ectopy:
            return {i: kind for i in range(n) if (i + offset) % period == period - 2}
    return _scattered(kinds, plan, n, rng)


def _atrial_positions(plan: Plan, n: int, rng: np.random.Generator) -> dict[int, str]:
    offset = int(rng.integers(0, 3))
    for kind, period in (("atrial_bigeminy", 2), ("atrial_trigeminy", 3)):
        if kind in plan.ectopy:
            return {i: kind for i in range(1, n) if (i + offset) % period == 0}
    return _scattered(sorted(set(plan.ectopy) & _ATRIAL), plan, n, rng)


def _scattered(
    kinds: Sequence[str], plan: Plan, n: int, rng: np.random.Generator
) -> dict[int, str]:
    """Draw one to three beats of each kind within the record, two or three if multifocal."""
    rate = max(plan.rate_bpm, 30) / 60
    first = int(LEAD_IN_S * rate) + 1
    last = max(first + 3, n - int((TAIL_S + 0.7) * rate) - 1)
    out: dict[int, str] = {}
    for kind in kinds:
        least = 2 if kind == "multifocal" else 1
        count = int(rng.integers(least, 4))
        for i in rng.choice(np.arange(first, last), size=min(count, last - first), replace=False):
            if not {int(i) - 1, int(i), int(i) + 1} & set(out):
                out[int(i)] = kind
    return out
