"""EDF, EDF+ and BDF: 16- or 24-bit samples in data records behind a header of plain text."""

import re
from datetime import datetime
from typing import Any

import edfio
import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, assemble, check_count, millivolts_per
from merl_core.readers.registry import Format
from merl_core.readers.tables import assumed_scale
from merl_core.readers.upload import Part
from merl_core.records import STANDARD_LEADS, Record, canonical_lead

_OTHER_KINDS = re.compile(
    r"\b(eeg|emg|eog|resp|pleth|spo2|sao2|abp|art|temp|pulse|marker|status|event|annotations)\b",
    re.IGNORECASE,
)


def _recognises(part: Part) -> bool:
    return part.head[:8] in (b"0       ", b"\xffBIOSEMI") and len(part.content) > 256


def _read(part: Part) -> Record:
    findings = Findings()
    is_bdf = part.head[:1] == b"\xff"
    with findings.library_warnings():
        read = edfio.read_bdf if is_bdf else edfio.read_edf
        recording = read(part.content, header_encoding="latin-1")
        signals = _ecg_signals(recording, findings)
        check_count(len(signals) * len(signals[0].digital))
        rows = np.stack([s.data for s in signals])
        rows *= _millivolts(signals, rows, findings)
    if part.content[192:197] in (b"EDF+D", b"BDF+D"):
        findings.warn("discontinuous", "the recording has interruptions, read without their gaps")
    return assemble(
        rows,
        [_label(s) for s in signals],
        float(signals[0].sampling_frequency),
        "bdf" if is_bdf else "edf",
        findings,
        start=_start(recording),
        age_years=_age(recording),
        sex=_patient_field(recording, 1),
    )


def _label(signal: Any) -> str:
    return re.sub(r"^(?:ECG|EKG)[\s_-]+", "", signal.label.strip(), flags=re.IGNORECASE)


def _ecg_signals(recording: Any, findings: Findings) -> list[Any]:
    """Return the signals that may be ECG leads, of one rate and length.

    They are in volts, or named as standard leads without any dimension.
    """
    usable = [
        s
        for s in recording.signals
        if not _OTHER_KINDS.search(s.label)
        and (
            millivolts_per(s.physical_dimension) is not None
            or (not s.physical_dimension.strip() and canonical_lead(_label(s)) in STANDARD_LEADS)
        )
    ]
    if not usable:
        msg = f"none of the {len(recording.signals)} signals is an ECG in a unit of voltage"
        raise InvalidRecordError(msg, code="unknown_unit")
    standard = [s for s in usable if canonical_lead(_label(s)) in STANDARD_LEADS] or usable
    rates = [(s.sampling_frequency, s.samples_per_data_record) for s in standard]
    common = max(set(rates), key=rates.count)
    kept = [s for s in usable if (s.sampling_frequency, s.samples_per_data_record) == common]
    left_out = [s.label for s in recording.signals if s not in kept]
    if left_out:
        findings.warn("signals_left_out", f"left out: {', '.join(left_out)[:200]}")
    return kept


def _millivolts(
    signals: list[Any], rows: NDArray[np.float64], findings: Findings
) -> NDArray[np.float64]:
    """Return what one physical unit of each signal is in mV, by its dimension or by its span."""
    stated = [millivolts_per(s.physical_dimension) for s in signals]
    if None in stated:
        bare = rows[[scale is None for scale in stated]]
        assumed = assumed_scale(bare, findings)
        stated = [assumed if scale is None else scale for scale in stated]
    return np.array(stated, dtype=np.float64)[:, None]


def _start(recording: Any) -> datetime | None:
    try:
        return datetime.combine(recording.startdate, recording.starttime)
    except (ValueError, AttributeError):
        return None


def _patient_field(recording: Any, place: int) -> str | None:
    """Return a sub-field of EDF+ patient identification: code, sex, birth date, name, ..."""
    fields = recording.local_patient_identification.split(" ")
    return fields[place] if len(fields) > 3 and fields[place] != "X" else None


def _age(recording: Any) -> float | None:
    try:
        born = datetime.strptime(_patient_field(recording, 2) or "", "%d-%b-%Y")
        day = recording.startdate
    except (ValueError, AttributeError):
        return None
    return float(day.year - born.year - ((day.month, day.day) < (born.month, born.day)))


FORMATS = (Format("edf", "EDF, EDF+, BDF", _recognises, _read, order=10),)
