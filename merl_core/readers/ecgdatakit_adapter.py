"""The only door to ecgdatakit: its records become ours, its files live in a private folder."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    age_at,
    assemble,
    check_count,
    clean_statements,
    millivolts_per,
)
from merl_core.records import DeviceReport, Record

_MEASUREMENTS = {
    "heart_rate": "heart_rate_bpm",
    "rr_interval": "rr_ms",
    "pr_interval": "pr_ms",
    "qrs_duration": "qrs_ms",
    "qt_interval": "qt_ms",
    "qtc_bazett": "qtc_ms",
    "qtc_fridericia": "qtc_fridericia_ms",
    "p_axis": "p_axis_deg",
    "qrs_axis": "qrs_axis_deg",
    "t_axis": "t_axis_deg",
}


def parse(parser: Callable[[], Any], content: bytes, findings: Findings, suffix: str = "") -> Any:
    """Return ecgdatakit's record of the content, raw counts not yet scaled.

    Raises:
        InvalidRecordError: The parser refuses the content.
    """
    with tempfile.TemporaryDirectory(prefix="merl-") as folder:
        path = Path(folder) / f"recording{suffix}"
        path.write_bytes(content)
        with findings.library_warnings():
            return parser().parse(path)


def to_record(parsed: Any, format_name: str, findings: Findings) -> Record:
    """Return an ecgdatakit record as ours, without what names a person.

    Leads without a unit of voltage, and leads of another length or rate than most, are left out
    with a warning.

    Raises:
        InvalidRecordError: No lead has a usable unit.
    """
    leads = _voltage_leads(parsed.leads, findings)
    check_count(sum(len(lead.samples) for lead in leads))
    rows = [_millivolts(lead) for lead in leads]
    patient, recording = parsed.patient, parsed.recording
    age = patient.age if patient.age is not None else age_at(patient.birth_date, recording.date)
    return assemble(
        np.stack(rows),
        [lead.label for lead in leads],
        leads[0].sampling_rate,
        format_name,
        findings,
        start=recording.date,
        age_years=None if age is None else float(age),
        sex=patient.sex,
        device=_device(parsed),
    )


def _millivolts(lead: Any) -> NDArray[np.float32]:
    unit = millivolts_per(lead.resolution_unit if lead.is_raw else lead.units) or 1.0
    values = np.asarray(lead.samples, np.float64)
    if lead.is_raw:
        values = values * lead.resolution + lead.offset
    return (values * unit).astype(np.float32)


def _voltage_leads(leads: Iterable[Any], findings: Findings) -> list[Any]:
    usable: list[Any] = []
    left_out: list[Any] = []
    for lead in leads:
        unit = lead.resolution_unit if lead.is_raw else lead.units
        known = millivolts_per(unit or "") is not None and not (lead.is_raw and not lead.resolution)
        (usable if known and len(lead.samples) else left_out).append(lead)
    if not usable:
        msg = "no lead of the file has samples in a known unit of voltage"
        raise InvalidRecordError(msg, code="unknown_unit")
    kinds = [(len(lead.samples), lead.sampling_rate) for lead in usable]
    common = max(set(kinds), key=kinds.count)
    left_out += [lead for lead, kind in zip(usable, kinds, strict=True) if kind != common]
    if left_out:
        names = ", ".join(str(lead.label) for lead in left_out)
        findings.warn("signals_left_out", f"left out (other unit, length or rate): {names}")
    return [lead for lead, kind in zip(usable, kinds, strict=True) if kind == common]


def _device(parsed: Any) -> DeviceReport:
    measured = {
        ours: float(value)
        for theirs, ours in _MEASUREMENTS.items()
        if (value := getattr(parsed.measurements, theirs)) is not None
    }
    statements = [
        f"{left} {right}".strip()
        for left, right in parsed.interpretation.statements
        if left or right
    ]
    patient, recording = parsed.patient, parsed.recording
    identities = [
        patient.patient_id, patient.first_name, patient.last_name, recording.technician,
        recording.referring_physician, parsed.interpretation.interpreter,
    ]  # fmt: skip
    return DeviceReport(measured, clean_statements(statements, [i for i in identities if i]))
