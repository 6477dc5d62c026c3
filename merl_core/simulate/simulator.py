"""Findings in, recordings out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merl_core.criteria import Measurements, criteria_met
from merl_core.simulate import noise, waves
from merl_core.simulate.beats import ECTOPIC, Plan, Schedule
from merl_core.simulate.draws import sample_findings
from merl_core.simulate.findings import (
    COMBINED,
    FINDINGS,
    STAGES,
    TERRITORY_OF,
    check_findings,
)
from merl_core.simulate.infarction import ACUTE, OLD, SUBACUTE, infarction
from merl_core.simulate.leads import Floats, to_twelve
from merl_core.simulate.limits import keep_axis_normal, keep_voltage
from merl_core.simulate.measure import measure
from merl_core.simulate.morphology import make_ectopic_forms
from merl_core.simulate.render import add_continuous, render_beats
from merl_core.simulate.reports import STYLES, write_report
from merl_core.simulate.rhythm import schedule
from merl_core.simulate.rhythm_plans import MOST_CALM
from merl_core.simulate.statements import state_findings

_CHUNK = 512


@dataclass(frozen=True, eq=False, slots=True)
class SimulatedBatch:
    """Artificial recordings with what they show. N records, T samples."""

    signals: NDArray[np.float32]
    """Shape (N, 12, T), mV, leads in the order of `STANDARD_LEADS`, noise included, unfiltered."""
    findings: tuple[tuple[str, ...], ...]
    """Local concept ids that a careful reader states of each tracing; ancestors are not listed."""
    measurements: dict[str, NDArray[np.float64]]
    """`heart_rate_bpm`, `pr_ms`, `qrs_ms`, `qt_ms`, `qtc_ms`, `qrs_axis_deg`, ...: shape (N,);
    amplitudes `r_mv`, `s_mv`, `q_mv`, `st_mv`, `t_mv`: (N, 12). NaN where there is none."""
    reports: tuple[str, ...]
    ages: NDArray[np.float64]
    """Years."""
    sexes: tuple[str, ...]
    """`F` or `M`."""


def simulate(
    findings: Sequence[Sequence[str]] | None,
    *,
    n_records: int,
    fs: float = 100,
    duration_s: float = 10.0,
    seed: int,
    noise_level: float = 1.0,
    report_style: str | None = None,
) -> SimulatedBatch:
    """Simulate 12-lead ECGs that show the given findings.

    Args:
        findings: One sequence of local concept ids a record, all in `FINDINGS`; or None to draw
            them with `sample_findings`. Without a rhythm the record is in sinus rhythm.
        n_records: Number of records, the length of `findings` if given.
        fs: Sampling rate, Hz.
        duration_s: Length, seconds.
        seed: Same seed, same bytes.
        noise_level: 0 for none, 1 for what a clinic records.
        report_style: `plain`, `cart`, `clinician` or `german`; None for a mixture.

    Returns:
        The batch. Its findings also hold what the drawn heart shows beyond those asked for: axis,
        rate, intervals, voltage.

    Raises:
        MerlError: A finding is unknown, or two exclude each other.
        ValueError: `findings` has another length than `n_records`, or there is no such style.
    """
    if findings is not None and len(findings) != n_records:
        msg = f"{len(findings)} sets of findings given for n_records={n_records!r}"
        raise ValueError(msg)
    if report_style is not None and report_style not in STYLES:
        msg = f"report_style {report_style!r} is none of {', '.join(STYLES)}"
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    if findings is None:
        asked = [sample_findings(rng) for _ in range(n_records)]
    else:
        asked = [tuple(one) for one in findings]
        for one in asked:
            check_findings(one)
    parts = [
        _simulate_chunk(asked[i : i + _CHUNK], fs, duration_s, rng, noise_level, report_style)
        for i in range(0, n_records, _CHUNK)
    ]
    return _join(parts, round(fs * duration_s))


def _join(parts: list[SimulatedBatch], sig_len: int) -> SimulatedBatch:
    if not parts:
        return SimulatedBatch(np.zeros((0, 12, sig_len), np.float32), (), {}, (), np.zeros(0), ())
    return SimulatedBatch(
        signals=np.concatenate([p.signals for p in parts]),
        findings=tuple(f for p in parts for f in p.findings),
        measurements={
            k: np.concatenate([p.measurements[k] for p in parts]) for k in parts[0].measurements
        },
        reports=tuple(r for p in parts for r in p.reports),
        ages=np.concatenate([p.ages for p in parts]),
        sexes=tuple(s for p in parts for s in p.sexes),
    )


def _resolve(asked: tuple[str, ...], rng: np.random.Generator) -> tuple[tuple[str, ...], int]:
    """Return the findings with combined ones split and implied ones added, and the stage."""
    out: list[str] = []
    for name in asked:
        out += [*COMBINED.get(name, ()), name, *FINDINGS[name].implies]
    stages = [STAGES[name] for name in out if name in STAGES]
    drawn = int(rng.choice([ACUTE, SUBACUTE, OLD], p=[0.16, 0.22, 0.62]))
    stage = stages[0] if stages else drawn
    if any(name in TERRITORY_OF for name in out):
        if stage == ACUTE:
            out += ["acute-myocardial-infarction"]
            if "posterior-myocardial-infarction" not in out:
                out += ["stemi"]
        elif stage == OLD and (stages or rng.random() < 0.7):
            out += ["old-myocardial-infarction"]
        for combined, (territory, named_stage) in COMBINED.items():
            if territory in out and named_stage in out:
                out.append(combined)
    return tuple(dict.fromkeys(out)), stage


def _ages(shown: Sequence[tuple[str, ...]], rng: np.random.Generator) -> NDArray[np.float64]:
    young = {"normal-ecg", "early-repolarization", "sinus-arrhythmia", "wolff-parkinson-white-left"}
    healthy = np.array([bool(young & set(one)) for one in shown])
    ages = np.where(healthy, rng.normal(44, 17, len(shown)), rng.normal(64, 15, len(shown)))
    return np.clip(ages, 18, 94).round()


def _rows(shown: Sequence[tuple[str, ...]]) -> dict[str, NDArray[np.intp]]:
    members: dict[str, list[int]] = {}
    for i, one in enumerate(shown):
        for name in one:
            members.setdefault(name, []).append(i)
    return {name: np.array(members[name]) for name in FINDINGS if name in members}


def _simulate_chunk(
    asked: Sequence[tuple[str, ...]],
    fs: float,
    duration_s: float,
    rng: np.random.Generator,
    noise_level: float,
    report_style: str | None,
) -> SimulatedBatch:
    n, sig_len = len(asked), round(fs * duration_s)
    resolved = [_resolve(one, rng) for one in asked]
    shown = [one for one, _ in resolved]
    stage = np.array([stage for _, stage in resolved])
    rows = _rows(shown)
    ages, female = _ages(shown, rng), rng.random(n) < 0.48
    hearts = waves.random_hearts(rng, ages, female)
    make_ectopic_forms(hearts, rng)
    _change_hearts(hearts, rows, stage, rng)
    plans = _plans(hearts, shown, rows, rng)
    schedules = [schedule(plan, duration_s, rng) for plan in plans]
    for i in rows.get("electrical-alternans", np.zeros(0, int)):
        step = rng.uniform(0.18, 0.4)
        schedules[i].v_gain = [1 + step * (-1) ** k for k in range(len(schedules[i].v_time))]
    rate = np.array([_rate(s, duration_s) for s in schedules])
    rr = 60 / np.clip(np.nan_to_num(rate, nan=75.0), 30, 230)
    wide = 0.5 * np.maximum(hearts.qrs_ms[:, 0] - 105, 0)
    qt = np.minimum((hearts.qtc_ms + wide) * rr ** (1 / 3), 1000 * rr * 0.88 + 30)
    span = waves.visible_span(hearts)
    eight = render_beats(hearts, schedules, rr, qt, span, fs, sig_len, rng)
    add_continuous(eight, plans, shown, fs, rng)
    signals = _record(eight, rows, fs, rng, noise_level)
    measured = measure(hearts, qt, span)
    statements = criteria_met(measured, hearts.age, hearts.female)
    _fill_intervals(measured, hearts, plans, shown, rate, qt, rr)
    measured["rr_range_s"] = np.array(
        [_rr_range(plan, one, duration_s) for plan, one in zip(plans, schedules, strict=True)]
    )
    stated = state_findings(shown, plans, hearts, measured, statements, fs)
    reports = tuple(
        write_report(
            one, {k: float(v[i]) for k, v in measured.items() if v.ndim == 1}, rng, report_style
        )
        for i, one in enumerate(stated)
    )
    sexes = tuple("F" if f else "M" for f in female)
    return SimulatedBatch(signals, stated, measured, reports, ages, sexes)


def _change_hearts(
    h: waves.Hearts,
    rows: dict[str, NDArray[np.intp]],
    stage: NDArray[np.intp],
    rng: np.random.Generator,
) -> None:
    for name, index in rows.items():
        effect = FINDINGS[name].source
        if effect:
            effect(h, index, rng)
    normal = rows.get("normal-ecg", np.zeros(0, int))
    keep_axis_normal(h, normal, rng)
    waves.project(h, rng)
    keep_voltage(h, rows, rng)
    for name, index in rows.items():
        effect = FINDINGS[name].surface
        if effect:
            effect(h, index, rng)
        if name in TERRITORY_OF:
            for value in (ACUTE, SUBACUTE, OLD):
                some = index[stage[index] == value]
                if len(some):
                    infarction(TERRITORY_OF[name][0], value)(h, some, rng)


def _plans(
    h: waves.Hearts,
    shown: Sequence[tuple[str, ...]],
    rows: dict[str, NDArray[np.intp]],
    rng: np.random.Generator,
) -> list[Plan]:
    plans = []
    variability = np.clip(0.02 * np.exp(0.6 * rng.normal(size=len(shown))), 0.006, MOST_CALM)
    for i, one in enumerate(shown):
        plan = Plan(float(h.rate_bpm[i]), float(h.pr_ms[i]) / 1000, variability=variability[i])
        for name in FINDINGS:
            effect = FINDINGS[name].plan if name in one else None
            if effect:
                effect(plan, rng)
        if plan.origin == "sinus" and plan.conduction == "all" and not plan.paced:
            limit = 60 / plan.rate_bpm - 0.26
            plan.pr_s = min(plan.pr_s, max(limit, 0.11))
        h.pr_ms[i] = plan.pr_s * 1000
        plans.append(plan)
    h.p_ms[:] = np.where(h.pr_ms < 120, np.minimum(h.p_ms, np.maximum(h.pr_ms - 4, 60)), h.p_ms)
    return plans


def _rate(one: Schedule, duration_s: float) -> float:
    times = np.sort([t for t in one.v_time if 0 <= t < duration_s])
    if len(times) < 2:
        return float("nan") if not len(times) else 60 / duration_s
    return float(60 * (len(times) - 1) / (times[-1] - times[0]))


def _rr_range(plan: Plan, one: Schedule, duration_s: float) -> float:
    """Return the longest less the shortest RR interval of a sinus rhythm conducted beat by beat."""
    if plan.origin != "sinus" or plan.ectopy or plan.paced or plan.conduction != "all":
        return float("nan")
    times = np.sort([t for t in one.v_time if 0 <= t < duration_s])
    return float(np.ptp(np.diff(times))) if len(times) > 2 else float("nan")


def _record(
    eight: Floats,
    rows: dict[str, NDArray[np.intp]],
    fs: float,
    rng: np.random.Generator,
    noise_level: float,
) -> NDArray[np.float32]:
    """Return the twelve leads as recorded: gain error, noise, electrodes exchanged."""
    n, _, sig_len = eight.shape
    usual = np.full(n, float(noise_level))
    levels = {k: usual.copy() for k in ("wander", "muscle", "mains", "motion")}
    for name, kind, factor in (
        ("baseline-wander", "wander", 9.0),
        ("muscle-artifact", "muscle", 9.0),
        ("powerline-noise", "mains", 14.0),
        ("electrode-problem", "motion", 60.0),
    ):
        levels[kind][rows.get(name, np.zeros(0, int))] *= factor
    if noise_level > 0:
        gain = np.exp(0.03 * noise_level * rng.normal(size=(n, 1, 1)))
        eight = eight * gain.astype(np.float32)
        drawn = noise.electrode_noise(n, sig_len, fs, levels, rng)
        eight = eight + noise.leads_from_electrodes(drawn)
    swapped = rows.get("limb-lead-reversal", np.zeros(0, int))
    if len(swapped):
        one, two = eight[swapped, 0].copy(), eight[swapped, 1].copy()
        eight[swapped, 0], eight[swapped, 1] = -one, two - one
    return to_twelve(eight).astype(np.float32)


def _is_ventricular(plan: Plan) -> bool:
    """Return whether the ventricles are driven from within themselves."""
    escape = plan.conduction == "complete" and plan.escape_ventricular
    return plan.origin == "ventricular" or plan.paced in {"ventricular", "dual"} or escape


def _fill_intervals(
    measured: Measurements,
    h: waves.Hearts,
    plans: list[Plan],
    shown: Sequence[tuple[str, ...]],
    rate: NDArray[np.float64],
    qt: NDArray[np.float64],
    rr: NDArray[np.float64],
) -> None:
    no_pr = np.array(
        [
            p.origin
            not in {"sinus", "atrial", "atrial_tachycardia", "pause", "sinus_block", "wandering"}
            or p.conduction == "complete"
            or p.paced == "ventricular"
            for p in plans
        ]
    )
    form = np.array([int(_is_ventricular(p)) for p in plans])
    chaos = np.array([p.origin == "chaos" for p in plans])
    rows = np.arange(len(plans))
    measured["heart_rate_bpm"] = np.where(chaos, np.nan, rate)
    measured["pr_ms"] = np.where(no_pr | chaos, np.nan, h.pr_ms)
    measured["p_ms"] = np.where(no_pr | chaos, np.nan, h.p_ms)
    measured["qrs_ms"] = np.where(chaos, np.nan, h.qrs_ms[rows, form])
    measured["qt_ms"] = np.where(
        chaos, np.nan, qt + np.where(form == ECTOPIC, 0.45 * (h.qrs_ms[rows, form] - 90), 0)
    )
    measured["qtc_ms"] = np.where(chaos, np.nan, measured["qt_ms"] / rr ** (1 / 3))
    for name in ("qrs_axis_deg", "p_axis_deg"):
        measured[name] = np.where(chaos | (form == ECTOPIC), np.nan, measured[name])
