"""Schiller SEMA XML: root `...SchillerEDI`; `wavedata` elements, averages before the rhythm."""

from datetime import datetime
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    age_at,
    assemble,
    averages_only,
    clean_statements,
    millivolts_per,
)
from merl_core.readers.formats.cardiosoft import samples
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import DeviceReport, Record

_MEASUREMENTS = {
    "HR": "heart_rate_bpm", "RR": "rr_ms", "P": "p_ms", "PR": "pr_ms", "PQ": "pr_ms",
    "QRS": "qrs_ms", "QT": "qt_ms", "QTC": "qtc_ms", "P_AXIS": "p_axis_deg",
    "QRS_AXIS": "qrs_axis_deg", "T_AXIS": "t_axis_deg",
}  # fmt: skip


def _recognises(part: Part) -> bool:
    return part.root_tag.endswith("SchillerEDI")


def _read(part: Part) -> Record:
    findings = Findings()
    root = fromstring(part.document)
    wave = _rhythm(root)
    fs = _number(wave, "resolution/samplerate/value", "resolution/samplerate")
    paths = ("resolution/yres/unitperbit", "resolution/yres/value", "resolution/yres")
    step = _number(wave, *paths)
    exponent = _number(wave, "resolution/samplerate/exponent")
    unit = wave.findtext("resolution/yres/units") or "uV"
    to_mv = millivolts_per(unit)
    if fs is None or step is None or to_mv is None or exponent not in (None, 0, 1):
        msg = f"wavedata has rate {fs!r} (exponent {exponent!r}) and resolution {step!r} {unit!r}"
        raise InvalidRecordError(msg, code="unknown_unit")
    leads: dict[str, NDArray[np.float64]] = {}
    for channel in wave.findall("channel"):
        kind = (channel.findtext("datastype") or "COMMASEPARATE").strip().upper()
        if not kind.startswith("COMMASEPARAT"):
            msg = f"channel data of type {kind!r}; COMMASEPARATE is read"
            raise InvalidRecordError(msg)
        name = (channel.findtext("name") or f"channel {len(leads) + 1}").strip()
        leads[name] = samples(channel.findtext("data"))
    lengths = {name: len(values) for name, values in leads.items()}
    if len(set(lengths.values())) != 1:
        msg = f"channels of different lengths, or none: {lengths}"
        raise InvalidRecordError(msg)
    start = _moment(root)
    return assemble(
        np.stack(list(leads.values())) * step * to_mv,
        list(leads),
        fs,
        "schiller",
        findings,
        start=start,
        age_years=age_at(_date(root.findtext(".//patdata/birthdate")), start),
        sex=root.findtext(".//patdata/gender"),
        device=_device(root),
    )


def _rhythm(root: Element) -> Element:
    waves = [w for w in root.iter("wavedata") if w.find("channel") is not None]
    rhythms = [w for w in waves if "RHYTHM" in (w.findtext("type") or "").upper()]
    if not rhythms and any("AVERAG" in (w.findtext("type") or "").upper() for w in waves):
        raise averages_only("Schiller file")
    if not rhythms:
        kinds = [w.findtext("type") for w in waves]
        msg = f"the Schiller file holds no rhythm, only {kinds}"
        raise InvalidRecordError(msg, code="no_signal")
    return max(rhythms, key=lambda w: len(w.findtext("channel/data") or ""))


def _number(element: Element, *paths: str) -> float | None:
    for path in paths:
        try:
            return float((element.findtext(path) or "").strip())
        except ValueError:
            continue
    return None


def _date(text: str | None) -> datetime | None:
    digits = "".join(filter(str.isdigit, text or ""))[:14]
    for pattern, length in (("%Y%m%d%H%M%S", 14), ("%Y%m%d", 8)):
        try:
            return datetime.strptime(digits[:length], pattern)
        except ValueError:
            continue
    return None


def _moment(root: Element) -> datetime | None:
    day = root.findtext(".//startdatetime/date") or ""
    clock = (root.findtext(".//startdatetime/time") or "")[:8]
    return _date(day + clock)


def _device(root: Element) -> DeviceReport:
    measured: dict[str, float] = {}
    for note in root.iter("annotation_global"):
        names = [element.text or "" for element in note.findall("name")]
        values = [element.text or "" for element in note.findall("value")]
        for name, value in zip(names, values, strict=False):
            key = _MEASUREMENTS.get(name.strip().upper().replace(" ", "_"))
            try:
                if key:
                    measured.setdefault(key, float(value))
            except ValueError:
                continue
    texts = [
        element.findtext("textdata") or element.text or ""
        for element in root.iter("textdata")
        if "DIAG" in (element.findtext("type") or "").upper()
        or "INTERPRET" in (element.findtext("type") or "").upper()
    ]
    people = [root.findtext(f".//patdata/{name}") or "" for name in ("id", "lastname", "firstname")]
    return DeviceReport(measured, clean_statements(texts, people))


FORMATS = (Format("schiller", "Schiller SEMA XML", _recognises, _read, order=30),)
