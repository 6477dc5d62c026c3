"""Which findings are drawn together, and how often."""

import numpy as np
from numpy.typing import NDArray

from merl_core.simulate.findings import (
    COMBINED,
    FINDINGS,
    TERRITORY_OF,
    Finding,
    conflicting,
)

_PICKS: tuple[tuple[str, float], ...] = (
    ("technical", 0.012),
    ("conduction", 0.27),
    ("infarction", 0.24),
    ("av", 0.17),
    ("hypertrophy", 0.20),
    ("atrial", 0.16),
    ("ischemia", 0.22),
    ("repolarization", 0.26),
    ("pattern", 0.10),
    ("axis", 0.10),
    ("voltage", 0.07),
    ("interval", 0.10),
    ("ectopy", 0.13),
    ("atrial_ectopy", 0.10),
    ("alternans", 0.008),
    ("quality", 0.05),
)
_COMPANIONS = (
    ("left-ventricular-hypertrophy", "nonspecific-ischemic-change", 0.12),
    ("left-ventricular-hypertrophy", "left-ventricular-strain", 0.5),
    ("left-ventricular-hypertrophy", "left-atrial-enlargement", 0.36),
    ("anteroseptal-myocardial-infarction", "left-anterior-fascicular-block", 0.25),
    ("anterior-myocardial-infarction", "left-anterior-fascicular-block", 0.25),
    ("anteroseptal-myocardial-infarction", "inferior-myocardial-infarction", 0.2),
    ("anterior-myocardial-infarction", "inferior-myocardial-infarction", 0.2),
    ("anterolateral-myocardial-infarction", "inferior-myocardial-infarction", 0.2),
    ("anterolateral-myocardial-infarction", "anteroseptal-myocardial-infarction", 0.4),
    ("inferolateral-myocardial-infarction", "anteroseptal-myocardial-infarction", 0.3),
    ("lateral-myocardial-infarction", "anteroseptal-myocardial-infarction", 0.2),
    ("inferior-myocardial-infarction", "complete-right-bundle-branch-block", 0.08),
    ("anteroseptal-myocardial-infarction", "complete-right-bundle-branch-block", 0.08),
    ("anterolateral-myocardial-infarction", "left-anterior-fascicular-block", 0.25),
    ("left-posterior-fascicular-block", "complete-right-bundle-branch-block", 0.5),
    ("left-anterior-fascicular-block", "incomplete-right-bundle-branch-block", 0.08),
    ("complete-left-bundle-branch-block", "left-atrial-enlargement", 0.2),
    ("complete-right-bundle-branch-block", "left-atrial-enlargement", 0.15),
    ("complete-left-bundle-branch-block", "first-degree-av-block", 0.18),
    ("complete-right-bundle-branch-block", "first-degree-av-block", 0.12),
    ("bifascicular-block", "first-degree-av-block", 0.15),
    ("left-anterior-fascicular-block", "first-degree-av-block", 0.1),
    ("intraventricular-conduction-disturbance", "first-degree-av-block", 0.1),
    ("left-atrial-enlargement", "first-degree-av-block", 0.15),
    ("anteroseptal-myocardial-infarction", "first-degree-av-block", 0.12),
    ("inferior-myocardial-infarction", "first-degree-av-block", 0.08),
    ("right-ventricular-hypertrophy", "right-atrial-enlargement", 0.3),
    ("right-ventricular-hypertrophy", "incomplete-right-bundle-branch-block", 0.25),
    ("anterolateral-ischemia", "inferior-ischemia", 0.15),
    ("nonspecific-t-wave-change", "nondiagnostic-t-abnormality", 0.5),
    ("nondiagnostic-t-abnormality", "nonspecific-t-wave-change", 0.3),
    ("low-t-wave", "st-depression", 0.35),
    ("st-depression", "low-t-wave", 0.2),
    ("st-depression", "nondiagnostic-t-abnormality", 0.2),
    ("t-wave-inversion", "st-depression", 0.2),
    ("digitalis-effect", "atrial-fibrillation", 0.4),
    ("digitalis-effect", "low-t-wave", 0.3),
)
"""What often comes with a finding: the pair, and the chance.

What is never drawn with a finding is learnt as its opposite, so every pair that hospitals see
often has to be here or in `_PICKS`. Source: Hancock et al. (2009), recommendations part V, on
atrial signs of ventricular overload; Elizari et al., Circulation 115:1154 (2007), on the left
anterior fascicle, which the artery of the anterior wall feeds; for the rest, how often the
statements of PTB-XL 1.0.3 (folds 1 to 9) are made together.
"""
_BY_FAMILY: dict[str, list[Finding]] = {}
for _item in FINDINGS.values():
    _BY_FAMILY.setdefault(_item.family, []).append(_item)


def _draw(family: str, rng: np.random.Generator) -> str:
    items = _BY_FAMILY[family]
    weights = np.array([item.weight for item in items])
    return items[int(rng.choice(len(items), p=weights / weights.sum()))].id


def sample_findings(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw findings that go together.

    One record in four is normal. Two in five of the others are built around a finding drawn from
    the whole registry, so that rare ones are seen often enough to learn; the rest, and what is
    added to each, follows clinical proportions.
    """
    if rng.random() < 0.25:
        return ("normal-ecg", _CALM[int(rng.integers(len(_CALM)))])
    drawn: list[str] = []
    if rng.random() < 0.4:
        drawn.append(_FOCUS[int(rng.choice(len(_FOCUS), p=_FOCUS_SHARES))])
    for _ in range(8):
        candidate = _draw("rhythm", rng)
        if drawn and FINDINGS[drawn[0]].family == "rhythm":
            break
        if not any(conflicting(candidate, other) for other in drawn):
            drawn.append(candidate)
            break
    dampen = 0.7 if len(drawn) > 1 else 1.0
    for k in rng.permutation(len(_PICKS)):
        family, chance = _PICKS[int(k)]
        if rng.random() < chance * dampen:
            candidate = _draw(family, rng)
            if not any(conflicting(candidate, other) for other in drawn):
                drawn.append(candidate)
    for cause, companion, chance in _COMPANIONS:
        if cause in drawn and rng.random() < chance:
            family = FINDINGS[companion].family
            others = [d for d in drawn if d == cause or FINDINGS[d].family != family]
            if not any(conflicting(companion, other) for other in others):
                drawn = [*others, companion]
    return tuple(drawn)


_CALM = (*["sinus-rhythm"] * 5, "sinus-bradycardia", "sinus-bradycardia", "sinus-arrhythmia")
_FOCUS = tuple(
    item.id
    for item in FINDINGS.values()
    if item.family not in {"normal", "stage"} and item.id not in {"sinus-rhythm", *COMBINED}
)


def _focus_shares() -> NDArray[np.float64]:
    """Return the chance of each: between uniform and clinical, the families' sizes evened out."""
    weight = np.array(
        [FINDINGS[i].weight or TERRITORY_OF.get(i, ("", 0.0))[1] for i in _FOCUS], dtype=float
    )
    share = np.clip(weight, 0.1, 1.2) ** 0.6
    return np.asarray(share / share.sum())


_FOCUS_SHARES = _focus_shares()
