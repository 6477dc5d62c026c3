"""Tables and arrays without a standard: which axis is time, which column which lead, what unit.

Each rule that is not stated in the file leaves a warning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    USUAL_RATES,
    Findings,
    assemble,
    check_count,
    leads_told_by_others,
    millivolts_per,
    typical_span,
    usual_rate,
)
from merl_core.records import STANDARD_LEADS, Record, canonical_lead

ASSUMED_DURATION_S = 10.0
EIGHT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
_TIME_UNITS = {"ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "ns": 1e-9}
_TIME_UNITS |= {"s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0}
_TIME = re.compile(
    r"(?:time|t|elapsed(?:[ _]time)?|zeit|tiempo|timestamp)(?:[\s_/]*|[\s_]in[\s_])[\[(]?"
    r"(?P<unit>ms|msec|milliseconds|us|ns|s|secs?|seconds)?[\])]?"
    r"|(?P<bare>ms|msec|milliseconds|secs?|seconds)",
    re.IGNORECASE,
)
_RATE_NAME = re.compile(
    r"fs|hz|(?:sampl(?:e|ing)[ _]?)(?:rate|freq(?:uency)?)(?:[ _]?[\[(]?hz[\])]?)?", re.IGNORECASE
)
_INDEX = re.compile(
    r"(?:unnamed.*|index|idx|#|n|no\.?|sample(?:s|[ _-]?(?:no|number|index|#))?)?", re.I
)
_UNIT_SUFFIX = re.compile(
    r"^(?P<name>.*?)[\s_]*[\[(_ /](?:in[ _])?(?P<unit>[mµμun]?v|(?:micro|milli)volts?)[\])]?$",
    re.IGNORECASE,
)
_NAMED_RATE = re.compile(r"(?<![\d.])(\d{2,5})[ _-]?hz", re.IGNORECASE)
_MAX_NAME = 64
_MICROVOLT_SPAN = (15.0, 15_000.0)
_MILLIVOLT_SPAN = (0.02, 15.0)
_VOLT_SPAN = (1e-4, 0.015)
_SPANS = (
    (_MICROVOLT_SPAN, 1e-3, "microvolts"),
    (_MILLIVOLT_SPAN, 1.0, "millivolts"),
    (_VOLT_SPAN, 1e3, "volts"),
)


@dataclass(slots=True)
class Table:
    """Numbers with what the file says about them."""

    values: NDArray[Any]
    """Two axes, time and leads in either order."""
    names: Sequence[str] = field(default_factory=list)
    """Of the columns (or of the leads), empty if the file gives none."""
    fs: float | None = None
    unit: str = ""
    step_mv: float | None = None
    """Of whole numbers without a unit."""


def table_to_record(table: Table, format_name: str, findings: Findings, hint: str = "") -> Record:
    """Return the recording in a table.

    Rules where the file says nothing, each with a warning: the longer axis is time; twelve
    columns are the standard leads in the standard order, eight are I, II, V1 to V6; the rate
    follows from a time column, else from a file name with `500Hz`, else from the assumption that
    the recording lasts ten seconds if that gives a rate in use; values that typically span 0.02
    to 15 are millivolts, 15 to 15,000 microvolts, 0.0001 to 0.015 volts.

    Raises:
        InvalidRecordError: `unknown_leads`, `unknown_rate` or `unknown_unit` if no rule fits.
    """
    values = np.asarray(table.values)
    check_count(values.size)
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        msg = f"an array of shape {values.shape} and type {values.dtype} is no recording"
        raise InvalidRecordError(msg)
    stated = [name if len(name) < _MAX_NAME else f"{name[:_MAX_NAME]}..." for name in table.names]
    signal, names = _leads_first(values.astype(np.float64, copy=False), stated)
    signal, names, fs = _without_time(signal, names, table.fs, findings)
    signal, names, units = _named_leads(signal, names, table.unit, findings)
    rate = fs or table.fs or _assumed_rate(signal.shape[1], hint, findings)
    is_bare = not any(units)
    if table.step_mv and is_bare and np.array_equal(signal, np.rint(signal), equal_nan=True):
        findings.warn(
            "gain_applied", f"whole numbers read as {table.step_mv:g} mV each, as the file says"
        )
        return assemble(signal * table.step_mv, names, rate, format_name, findings)
    return assemble(signal * _scales(signal, units, findings), names, rate, format_name, findings)


def with_units(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Return the names with each column's unit behind them, as `table_to_record` reads both."""
    return [f"{name} [{unit}]" for name, unit in zip(names, units, strict=True)]


def _leads_first(
    values: NDArray[np.float64], names: list[str]
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the values of shape (columns, T): by the number of names, else the longer is time."""
    rows, columns = values.shape
    if names and len(names) == columns and (len(names) != rows or rows >= columns):
        return values.T, names
    if names and len(names) == rows:
        return values, names
    return (values.T if rows >= columns else values), names


def _without_time(
    signal: NDArray[np.float64], names: list[str], fs: float | None, findings: Findings
) -> tuple[NDArray[np.float64], list[str], float | None]:
    """Take out columns of time, index and rate; return the rate that they tell."""
    if len(signal) < 2 or signal.shape[1] < 3:
        return signal, names, fs
    keep = list(range(len(signal)))
    rate = fs
    named = [name.strip() for name in names] if len(names) == len(signal) else [""] * len(signal)
    for row, name in enumerate(named):
        if _RATE_NAME.fullmatch(name) and np.ptp(signal[row]) == 0:
            rate = rate or float(signal[row, 0])
            keep.remove(row)
            continue
        time = _TIME.fullmatch(name)
        if not (row < 2 or time):
            continue
        steps = np.diff(signal[row])
        is_ramp = _is_ramp(steps)
        if not is_ramp and not (time and np.all(steps > 0)):
            continue
        if time:
            if not is_ramp:
                message = f"the steps of column {name!r} differ; the rate is that of the usual step"
                findings.warn("discontinuous", message)
            unit = _TIME_UNITS.get((time["unit"] or time["bare"] or "").lower())
            step = (signal[row, -1] - signal[row, 0]) / len(steps)
            rate = rate or _rate_of(step if is_ramp else np.median(steps), unit, findings)
        elif name and not _INDEX.fullmatch(name):
            continue
        elif not name and rate is None and not np.all(steps == 1):
            rate = _rate_of((signal[row, -1] - signal[row, 0]) / len(steps), None, findings)
        keep.remove(row)
    kept_names = [names[i] for i in keep] if len(names) == len(signal) else names
    return _rows(signal, keep), kept_names, rate


def _rows(signal: NDArray[np.float64], kept: Sequence[int]) -> NDArray[np.float64]:
    """Return some rows in their order, without a copy where they are neighbours."""
    if kept and kept[-1] - kept[0] + 1 == len(kept):
        return signal[kept[0] : kept[-1] + 1]
    return signal[list(kept)]


def _is_ramp(steps: NDArray[np.float64]) -> bool:
    """Return True for steps of values that rise evenly, as time and row numbers do."""
    return bool(np.all(steps > 0) and np.ptp(steps) <= 0.5 * np.median(steps) + 1e-9)


def _rate_of(step: float, unit_s: float | None, findings: Findings) -> float:
    """Return samples per second from the time between two, in seconds if no unit is known."""
    if unit_s is None:
        unit_s = 1.0 if step < 0.06 else 1e-3
        word = "seconds" if unit_s == 1.0 else "milliseconds"
        findings.warn("time_unit_assumed", f"time steps of {step:g} read as {word}")
    return usual_rate(1.0 / (float(step) * unit_s))


def _named_leads(
    signal: NDArray[np.float64], names: list[str], unit: str, findings: Findings
) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """Return the rows that are leads, their names, and the unit of each where one is stated.

    The unit behind a lead's name goes before `unit`; leads without any take that of the others.
    """
    if len(names) == len(signal) and not _only_counts(names):
        split = [_split_unit(name) for name in leads_told_by_others(names, findings)]
        unit = unit or next((own for _, own in split if own), "")
        leads = [canonical_lead(name) for name, _ in split]
        units = [own or unit for _, own in split]
        known = [i for i, lead in enumerate(leads) if lead in STANDARD_LEADS]
        if known:
            left_out = [leads[i] for i in range(len(leads)) if not _may_be_lead(leads[i])]
            if left_out:
                findings.warn("signals_left_out", f"columns left out: {', '.join(left_out)[:200]}")
            kept = [i for i in range(len(leads)) if _may_be_lead(leads[i])]
            return _rows(signal, kept), [leads[i] for i in kept], [units[i] for i in kept]
    assumed = {12: STANDARD_LEADS, 8: EIGHT_LEADS}.get(len(signal))
    if assumed is None:
        msg = (
            f"{len(signal)} columns without lead names; name them (I, II, V1, ...) in a first "
            "line, or send 12 or 8 in the standard order"
        )
        raise InvalidRecordError(msg, code="unknown_leads")
    findings.warn("leads_assumed", f"no lead names; read in the order {', '.join(assumed)}")
    return signal, list(assumed), [unit] * len(assumed)


def _split_unit(name: str) -> tuple[str, str]:
    """Return a lead's name and the unit behind it; other names as they are."""
    suffix = _UNIT_SUFFIX.match(name.strip())
    if suffix is None or canonical_lead(suffix["name"]) not in STANDARD_LEADS:
        return name, ""
    return suffix["name"], suffix["unit"]


def _only_counts(names: Sequence[str]) -> bool:
    """Return True for V1 to V12: R's names of the columns of a table that has none."""
    n = len(names)
    return n > len(EIGHT_LEADS) and [name.lower() for name in names] == [
        f"v{i + 1}" for i in range(n)
    ]


def _may_be_lead(lead: str) -> bool:
    return lead in STANDARD_LEADS or bool(
        re.fullmatch(r"v[x-z789]|V[3-9]R|[XYZ]|ML\w+", lead, re.I)
    )


def _assumed_rate(sig_len: int, hint: str, findings: Findings) -> float:
    named = _NAMED_RATE.search(hint)
    if named:
        findings.warn("rate_assumed", f"no sampling rate in the file; {named[1]} Hz by its name")
        return float(named[1])
    rate = sig_len / ASSUMED_DURATION_S
    if rate in USUAL_RATES:
        findings.warn("rate_assumed", f"no sampling rate in the file; {rate:g} Hz if it lasts 10 s")
        return rate
    msg = f"no sampling rate for {sig_len} samples; add a time column, or a first line `# fs: 500`"
    raise InvalidRecordError(msg, code="unknown_rate")


def _scales(
    signal: NDArray[np.float64], units: Sequence[str], findings: Findings
) -> float | NDArray[np.float64]:
    """Return the factors to millivolts: by the stated units, else by the amplitude."""
    if not any(units):
        return assumed_scale(signal, findings)
    factors = {unit: millivolts_per(unit) for unit in set(units)}
    unknown = next((unit for unit, factor in factors.items() if factor is None), None)
    if unknown is not None:
        msg = f"unit {unknown!r} is not one of mV, uV, V"
        raise InvalidRecordError(msg, code="unknown_unit")
    return np.array([factors[unit] for unit in units], dtype=np.float64)[:, None]


def assumed_scale(signal: NDArray[np.float64], findings: Findings) -> float:
    """Return the factor to millivolts that the amplitude of (L, T) suggests, with a warning.

    Raises:
        InvalidRecordError: It fits neither mV, uV nor V (`unknown_unit`).
    """
    span = typical_span(signal)
    for (low, high), factor, word in _SPANS:
        if low <= span < high:
            findings.warn("unit_assumed", f"no unit; a typical span of {span:.4g} read as {word}")
            return factor
    msg = f"no unit, and a typical span of {span:.4g} fits neither V, mV nor uV; name the unit"
    raise InvalidRecordError(msg, code="unknown_unit")
