"""What a careful reader states of a tracing: the findings asked for, and what they brought."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from merl_core.criteria import has_long_qt, is_sinus_arrhythmia, not_stated_beside
from merl_core.simulate.beats import Plan
from merl_core.simulate.findings import FINDINGS
from merl_core.simulate.waves import Hearts

Measured = Mapping[str, NDArray[np.float64]]

_SINUS = {"sinus-rhythm", "sinus-bradycardia", "sinus-tachycardia", "sinus-arrhythmia"}
STATEMENTS = frozenset(FINDINGS) | {
    "av-dissociation",
    "prolonged-pr-interval",
    "qrs-widening",
    "reciprocal-st-depression",
    "tall-r-wave-v1",
    "trifascicular-block",
    "voltage-criteria-left-ventricular-hypertrophy",
}
"""Everything that may be stated of a record: what is not stated of one, it does not show."""

_MEASURED_ANEW = {
    "low-qrs-voltage",
    "left-axis-deviation",
    "right-axis-deviation",
    "extreme-axis-deviation",
    "poor-r-wave-progression",
}
"""Stated only if the tracing still shows them beside the record's other findings."""
_INTERVALS = {
    "first-degree-av-block",
    "prolonged-qt-interval",
    "short-pr-interval",
    "short-qt-interval",
}
"""Stated only by what is measured, whatever was asked for."""
_RIGHT_AND_POSTERIOR = {"complete-right-bundle-branch-block", "left-posterior-fascicular-block"}


def state_findings(
    shown: Sequence[tuple[str, ...]],
    plans: Sequence[Plan],
    h: Hearts,
    measured: Measured,
    statements: Mapping[str, NDArray[np.bool_]],
    fs: float,
) -> tuple[tuple[str, ...], ...]:
    """Return the findings stated of each record.

    Args:
        shown: Findings that were asked for, implied ones included.
        plans: Rhythm plans.
        h: The hearts.
        measured: Measurements of each record.
        statements: Which record's conducted beat fulfils which criterion.
        fs: Sampling rate; mains noise cannot be seen below twice its frequency.
    """
    out = []
    for i, one in enumerate(shown):
        names = [n for n in one if n != "normal-ecg"]
        names = [n for n in names if n not in _INTERVALS]
        if is_sinus_arrhythmia(measured["rr_range_s"][i]):
            names = list(dict.fromkeys(["sinus-arrhythmia", *names]))
        names = _with_rhythm(names, plans[i], float(measured["heart_rate_bpm"][i]))
        names += _intervals(names, plans[i], h, measured, i)
        conducted = bool(np.isfinite(measured["qrs_axis_deg"][i]))
        names = [n for n in names if n not in _MEASURED_ANEW or (conducted and statements[n][i])]
        if conducted:
            names += _morphology(names, statements, i)
        if fs <= 120:
            names = [n for n in names if n != "powerline-noise"]
        names = list(dict.fromkeys(names))
        quality = {n for n in names if FINDINGS.get(n) and FINDINGS[n].family == "quality"}
        if set(names) - quality <= _SINUS and plans[i].conduction == "all":
            names = [n for n in names if n in _SINUS]
            names.insert(0, "normal-ecg")
            names += sorted(quality)
        out.append(tuple(names))
    return tuple(out)


def _with_rhythm(names: list[str], plan: Plan, rate: float) -> list[str]:
    """Return the names with the rhythm that the rate obliges to."""
    sinus = plan.origin == "sinus" and not plan.paced and plan.conduction != "complete"
    if not sinus:
        names = [n for n in names if n != "sinus-rhythm"]
        fibrillating = plan.paced and plan.origin == "fibrillation"
        return ["atrial-fibrillation", *names] if fibrillating else names
    names = [
        n for n in names if n not in {"sinus-rhythm", "sinus-bradycardia", "sinus-tachycardia"}
    ]
    atrial = plan.rate_bpm if plan.conduction != "all" else rate
    if plan.ectopy:
        atrial = plan.rate_bpm
    if atrial < 60:
        return ["sinus-bradycardia", *names]
    if atrial > 100:
        return ["sinus-tachycardia", *names]
    return names if "sinus-arrhythmia" in names else ["sinus-rhythm", *names]


def _intervals(names: list[str], plan: Plan, h: Hearts, measured: Measured, i: int) -> list[str]:
    out = []
    pr, qrs, qtc = (float(measured[k][i]) for k in ("pr_ms", "qrs_ms", "qtc_ms"))
    if set(names) >= _RIGHT_AND_POSTERIOR:
        out.append("bifascicular-block")
    if plan.conduction == "all" and plan.origin == "sinus" and plan.paced == "":
        if pr > 200:
            out += ["first-degree-av-block", "prolonged-pr-interval"]
            if "bifascicular-block" in {*names, *out}:
                out.append("trifascicular-block")
        elif pr < 120:
            out.append("short-pr-interval")
    if (plan.origin != "chaos" or qrs >= 120) and has_long_qt(qtc, qrs, h.female[i]):
        out.append("prolonged-qt-interval")
    if qtc < 352:
        out.append("short-qt-interval")
    if qrs >= 120:
        out.append("qrs-widening")
    return out


def _morphology(names: list[str], statements: Mapping[str, NDArray[np.bool_]], i: int) -> list[str]:
    have = set(names)
    true = {name for name, hit in statements.items() if hit[i]}
    if have & {"acute-myocardial-infarction"} and "st-depression" in true:
        true.discard("st-depression")
        true.add("reciprocal-st-depression")
    return sorted(true - not_stated_beside(have) - have)
