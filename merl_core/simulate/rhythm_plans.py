"""Which plan of the beat scheduler each rhythm finding stands for."""

from collections.abc import Callable
from typing import Final

import numpy as np

from merl_core.simulate.beats import Plan

PlanEffect = Callable[[Plan, np.random.Generator], None]
MOST_CALM: Final = 0.055
"""Variability of a sinus rhythm up to which it is no sinus arrhythmia."""


def rhythm(
    origin: str,
    rate: tuple[float, float] | None = None,
    *,
    variability: float | None = None,
    pr_s: tuple[float, float] | None = None,
    atrial_rate: tuple[float, float] | None = None,
    conduction: str = "",
    ectopy: str = "",
    paced: str = "",
) -> PlanEffect:
    """Return the change of a plan that starts this rhythm; ranges are drawn from uniformly."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        plan.origin = origin
        if rate:
            plan.rate_bpm = rng.uniform(*rate)
        if variability is not None:
            plan.variability = variability * rng.uniform(0.7, 1.8)
        if pr_s:
            plan.pr_s = rng.uniform(*pr_s)
        if atrial_rate:
            plan.atrial_rate_bpm = rng.uniform(*atrial_rate)
        if conduction:
            plan.conduction = conduction
        if ectopy:
            plan.ectopy = (*plan.ectopy, ectopy)
        if paced:
            plan.paced = paced

    return effect


def slowed_to(rate: tuple[float, float]) -> PlanEffect:
    """Return the change of a plan faster than a range to a rate drawn from it."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        if plan.rate_bpm > rate[1]:
            plan.rate_bpm = rng.uniform(*rate)

    return effect


def hastened_to(rate: tuple[float, float]) -> PlanEffect:
    """Return the change of a plan slower than a range to a rate drawn from it."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        if plan.rate_bpm < rate[0]:
            plan.rate_bpm = rng.uniform(*rate)

    return effect


def not_faster_than(rate_bpm: float) -> PlanEffect:
    """Return the change of a plan that bounds its rate."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        plan.rate_bpm = min(plan.rate_bpm, rate_bpm)

    return effect


def ventricular_pacing(plan: Plan, rng: np.random.Generator) -> None:
    """Stimulated ventricles that follow P waves or do not, or under fibrillating atria."""
    plan.paced = "ventricular"
    plan.rate_bpm = rng.uniform(58, 82)
    plan.atrial_rate_bpm = rng.uniform(62, 98)
    plan.on_demand = bool(rng.random() < 0.2)
    if rng.random() < 0.3:
        plan.origin = "fibrillation"
    elif rng.random() < 0.4:
        plan.tracks_atria = True
        plan.pr_s = rng.uniform(0.12, 0.2)


def dual_chamber_pacing(plan: Plan, rng: np.random.Generator) -> None:
    """Stimulated atria, and ventricles after them."""
    plan.paced = "dual"
    plan.rate_bpm = rng.uniform(59, 82)
    plan.pr_s = rng.uniform(0.14, 0.2)
    plan.on_demand = bool(rng.random() < 0.2)


def flutter(plan: Plan, rng: np.random.Generator) -> None:
    """Atrial rate 240 to 330; conducted 2:1, 3:1, 4:1 or variably."""
    plan.origin = "flutter"
    plan.atrial_rate_bpm = rng.uniform(240, 330)
    ratio = int(rng.choice([2, 3, 4]))
    plan.variability = 0.2 if rng.random() < 0.4 else 0.0
    plan.rate_bpm = plan.atrial_rate_bpm / (3.2 if plan.variability else ratio)


def complete_block(plan: Plan, rng: np.random.Generator) -> None:
    """Sinus P waves of their own rate; a slow junctional or ventricular escape rhythm."""
    plan.conduction = "complete"
    plan.atrial_rate_bpm = rng.uniform(65, 105)
    plan.escape_ventricular = bool(rng.random() < 0.45)
    low, high = (27, 42) if plan.escape_ventricular else (36, 54)
    plan.rate_bpm = rng.uniform(low, high)


def partial_block(conduction: str, rate: tuple[float, float]) -> PlanEffect:
    """Return the change of a plan that drops beats; `rate` is that of the atria."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        plan.conduction = conduction
        plan.rate_bpm = rng.uniform(*rate)
        plan.variability = 0.01

    return effect


def ectopy(kind: str) -> PlanEffect:
    """Return the change of a plan that puts ectopic beats in."""

    def effect(plan: Plan, rng: np.random.Generator) -> None:
        plan.ectopy = (*plan.ectopy, kind)
        if plan.origin == "sinus":
            plan.rate_bpm = min(plan.rate_bpm, 112)
        if plan.variability <= MOST_CALM:
            plan.variability = min(plan.variability, 0.03)

    return effect


def paroxysmal(plan: Plan, rng: np.random.Generator) -> None:
    """A tachycardia that starts within the record."""
    plan.origin = "reentry"
    plan.rate_bpm = rng.uniform(155, 215)
    plan.pr_s = rng.uniform(0.04, 0.12)
    plan.ectopy = (*plan.ectopy, "paroxysm")


def ventricular_tachycardia(plan: Plan, rng: np.random.Generator) -> None:
    """Wide complexes at 120 to 210 a minute, sustained or a run, atria dissociated."""
    plan.origin = "ventricular"
    plan.rate_bpm = rng.uniform(125, 205)
    if rng.random() < 0.3:
        plan.ectopy = (*plan.ectopy, "run")
    else:
        plan.conduction = "complete"
        plan.atrial_rate_bpm = rng.uniform(65, 95)
