"""GE CardioSoft XML: root `CardiologyXML`; leads as decimal text in `StripData`.

Without a strip, the full disclosure of an exercise test: all samples of all leads in turns.
"""

import contextlib
import re
from datetime import datetime
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    assemble,
    averages_only,
    check_count,
    clean_statements,
)
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import DeviceReport, Record

_MEASUREMENTS = {
    "VentricularRate": "heart_rate_bpm", "PQInterval": "pr_ms", "PRInterval": "pr_ms",
    "PDuration": "p_ms", "QRSDuration": "qrs_ms", "QTInterval": "qt_ms", "QTCInterval": "qtc_ms",
    "RRInterval": "rr_ms", "PAxis": "p_axis_deg", "RAxis": "qrs_axis_deg", "TAxis": "t_axis_deg",
}  # fmt: skip
_FULL = "FullDisclosure"
_LIMB = {"1": "I", "2": "II", "3": "III"}
_UV_PER_LSB = {"uvperlsb": 1.0, "nvperlsb": 1e-3, "mvperlsb": 1e3}


def _recognises(part: Part) -> bool:
    return part.root_tag == "CardiologyXML"


def _read(part: Part) -> Record:
    findings = Findings()
    root = fromstring(part.document)
    strip = _strip(root, findings)
    is_full = strip.tag == _FULL
    fs = _number(strip, "SampleRate")
    resolution = strip.find("Resolution")
    unit = (resolution.get("units") or "uVperLsb").lower() if resolution is not None else ""
    microvolts = _number(strip, "Resolution")
    if fs is None or microvolts is None or unit not in _UV_PER_LSB:
        msg = (
            f"{strip.tag} gives rate {fs!r} and resolution {microvolts!r} {unit!r}; both are needed"
        )
        raise InvalidRecordError(msg, code="unknown_unit")
    leads = (
        _in_turns(strip)
        if is_full
        else {
            wave.get("lead") or f"lead {i + 1}": samples(wave.text)
            for i, wave in enumerate(strip.findall("WaveformData"))
        }
    )
    if len({len(values) for values in leads.values()}) > 1:
        msg = f"leads of different lengths: { {name: len(v) for name, v in leads.items()} }"
        raise InvalidRecordError(msg)
    return assemble(
        np.stack(list(leads.values())) * microvolts * _UV_PER_LSB[unit] / 1000,
        list(leads),
        fs,
        "cardiosoft",
        findings,
        start=_moment(root),
        age_years=_number(root, "PatientInfo/Age"),
        sex=root.findtext("PatientInfo/Gender"),
        device=_device(root),
    )


def samples(text: str | None) -> NDArray[np.float64]:
    """Return the numbers of a text, apart by commas, semicolons or white space.

    Nothing between two commas is a sample that was not recorded.

    Raises:
        InvalidRecordError: A part is not a number.
    """
    plain = (text or "").strip().rstrip(",").split(",")
    check_count(len(plain) * 12)
    with contextlib.suppress(ValueError):
        return np.array(plain, dtype=np.float64)
    joined = re.sub(r" ?[,;] ?", ",", " ".join((text or "").split())).rstrip(",")
    tokens = joined.replace(" ", ",").split(",")
    check_count(len(tokens) * 12)
    try:
        return np.array([token or "nan" for token in tokens], dtype=np.float64)
    except ValueError as error:
        msg = "waveform data that are not numbers apart by commas"
        raise InvalidRecordError(msg) from error


def _strip(root: Element, findings: Findings) -> Element:
    """Return the longest rhythm strip, else the full disclosure.

    Median beats lie under other elements.
    """
    strips = [
        element
        for outer in root.iter("StripData")
        for element in outer.iter()
        if element.tag in ("StripData", "Strip") and element.find("WaveformData") is not None
    ]
    full = root.find(f".//{_FULL}")
    if not strips and full is not None and (full.findtext(f"{_FULL}Data") or "").strip():
        return full
    if not strips and root.find(".//MedianSamples/WaveformData") is not None:
        raise averages_only("CardioSoft file")
    if not strips:
        msg = "the CardioSoft file holds neither StripData with waveforms nor full disclosure"
        raise InvalidRecordError(msg, code="no_signal")
    if len(strips) > 1:
        findings.warn("several_strips", f"the longest of {len(strips)} rhythm strips was read")
    return max(strips, key=lambda strip: len(strip.findtext("WaveformData") or ""))


def _in_turns(full: Element) -> dict[str, NDArray[np.float64]]:
    """Return the leads of a full disclosure: the first sample of each, the second of each, ...

    Raises:
        InvalidRecordError: The leads are not named, or do not share the samples.
    """
    names = [name.strip() for name in (full.findtext("LeadOrder") or "").split(",") if name.strip()]
    values = samples(full.findtext(f"{_FULL}Data"))
    declared = _number(full, "NumberOfChannels") or len(names)
    if not names or declared != len(names) or len(set(names)) < len(names):
        msg = f"full disclosure of {declared:g} channels names {len(names)} leads"
        raise InvalidRecordError(msg, code="unknown_leads")
    if len(values) % len(names):
        msg = f"full disclosure of {len(values)} samples, which {len(names)} leads do not share"
        raise InvalidRecordError(msg, code="truncated_file")
    return {_LIMB.get(name, name): values[i :: len(names)] for i, name in enumerate(names)}


def _number(element: Element, path: str) -> float | None:
    try:
        return float((element.findtext(path) or "").strip().replace(",", "."))
    except ValueError:
        return None


def _moment(root: Element) -> datetime | None:
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    parts = [_number(root, f"ObservationDateTime/{name}") for name in names]
    try:
        return datetime(*(int(part) for part in parts if part is not None))  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        return None


def _device(root: Element) -> DeviceReport:
    measured = {}
    for theirs, ours in _MEASUREMENTS.items():
        value = _number(root, f"RestingECGMeasurements/{theirs}")
        if value is not None:
            measured[ours] = value
    tags = ("DiagnosisText", "ConclusionText")
    texts = [element.text or "" for tag in tags for element in root.iter(tag)]
    people = [
        root.findtext(f"PatientInfo/{path}") or ""
        for path in ("PID", "Name/FamilyName", "Name/GivenName")
    ]
    return DeviceReport(measured, clean_statements(texts, people))


FORMATS = (Format("cardiosoft", "GE CardioSoft XML", _recognises, _read, order=30),)
