"""FHIR R4 and R5: an ECG Observation, or a Bundle with one, whose leads are SampledData.

JSON and NDJSON; XML is brought into the shape of the JSON first.

Source: HL7 FHIR, SampledData: value = origin + data * factor; `period` in ms (R4), or `interval`
with `intervalUnit` (R5); data may hold E (error), U and L (beyond the limits).
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    age_at,
    assemble,
    check_count,
    check_signals,
    clean_statements,
    millivolts_per,
)
from merl_core.readers.lead_codes import known_lead, lead_of_code
from merl_core.readers.registry import Format
from merl_core.readers.tables import assumed_scale
from merl_core.readers.upload import Part
from merl_core.records import DeviceReport, Record

_NAMESPACE = "{http://hl7.org/fhir}"
_XML_ROOTS = ("Bundle", "DiagnosticReport", "Observation")
_XML_LISTS = frozenset({"coding", "component", "contained", "entry"})
"""Elements that the reading below takes as lists, however often they occur."""
_MARKS = tuple('"resourceType"'.encode(c) for c in ("utf-8", "utf-16-le", "utf-16-be"))
_INTERVAL_MS = {"ms": 1.0, "s": 1000.0, "us": 1e-3, "min": 60_000.0}
_MAX_RESOURCES = 10_000


def _recognises(part: Part) -> bool:
    if part.root_tag.rpartition(":")[2] in _XML_ROOTS:
        return b"http://hl7.org/fhir" in part.document[:4096]
    start = part.head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    if not start.startswith((b"{", b"[")):
        return False
    return any(mark in part.content for mark in _MARKS)


def _read(part: Part) -> Record:
    findings = Findings()
    resources = list(_resources(_documents(part)))
    leads: dict[str, NDArray[np.float64]] = {}
    rates: dict[str, float] = {}
    start = None
    units: list[str] = []
    bare: list[str] = []
    for resource in resources:
        for name, sampled in _sampled(resource):
            values = _values(name, sampled, findings)
            if values is None:
                units.append(f"{name}: {_unit(sampled)!r}")
                continue
            check_signals(len(leads) + 1)
            if not _unit(sampled):
                bare.append(name)
            if name in leads:
                msg = f"the upload holds lead {name!r} several times; send one recording"
                raise InvalidRecordError(msg, code="several_records")
            leads[name], rates[name] = values, _rate(sampled)
            start = start or _moment(resource)
    if not leads and units:
        msg = f"no sampled data in a unit of voltage; origin gives {'; '.join(units)[:200]}"
        raise InvalidRecordError(msg, code="unknown_unit")
    if not leads:
        msg = "the FHIR resource holds no Observation with sampled data"
        raise InvalidRecordError(msg, code="no_signal")
    kinds = {(rates[name], len(values)) for name, values in leads.items()}
    if len(kinds) > 1:
        msg = f"the leads differ in rate or length: {sorted(kinds)[:4]}"
        raise InvalidRecordError(msg)
    fs = next(iter(rates.values()))
    if bare:
        scale = assumed_scale(np.stack([leads[name] for name in bare]), findings)
        leads |= {name: leads[name] * scale for name in bare}
    age, sex = _patient(resources, start)
    return assemble(
        np.stack(list(leads.values())),
        list(leads),
        fs,
        "fhir",
        findings,
        start=start,
        age_years=age,
        sex=sex,
        device=DeviceReport({}, _statements(resources)),
    )


def _documents(part: Part) -> list[Any]:
    """Return the resources of a file: one, a list, or one a line (the bulk export's NDJSON).

    Raises:
        InvalidRecordError: It is not valid JSON.
    """
    if part.root_tag:
        return [_resource_of_xml(fromstring(part.document))]
    decoder = json.JSONDecoder()
    text = part.text.strip()
    documents: list[Any] = []
    at = 0
    try:
        while at < len(text) and len(documents) < _MAX_RESOURCES:
            document, at = decoder.raw_decode(text, at)
            documents += document if isinstance(document, list) else [document]
            at += len(text[at : at + 100]) - len(text[at : at + 100].lstrip())
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        msg = f"{part.name!r} is not valid JSON: {reason}"
        raise InvalidRecordError(msg) from error
    return documents


def _resource_of_xml(element: Element) -> dict[str, Any]:
    """Return a resource as its JSON would be, numbers as texts."""
    kind = element.tag.removeprefix(_NAMESPACE)
    content = _value_of_xml(element)
    return {"resourceType": kind, **(content if isinstance(content, dict) else {})}


def _value_of_xml(element: Element) -> Any:
    """Return a primitive's `value`, or the children by name."""
    if not len(element):
        return element.get("value")
    found: dict[str, Any] = {}
    for child in element:
        name = child.tag.removeprefix(_NAMESPACE)
        is_holder = name in ("contained", "resource") and len(child)
        value = _resource_of_xml(child[0]) if is_holder else _value_of_xml(child)
        if name in _XML_LISTS:
            found.setdefault(name, []).append(value)
        else:
            found.setdefault(name, value)
    return found


def _resources(documents: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the resources, those of bundles, and what they contain."""
    waiting = list(documents)
    seen = 0
    while waiting:
        resource = waiting.pop(0)
        seen += 1
        if not isinstance(resource, dict) or seen > _MAX_RESOURCES:
            continue
        yield resource
        contained = resource.get("contained") or []
        entries = resource.get("entry") or []
        waiting += [item for item in contained if isinstance(item, dict)]
        waiting += [item.get("resource") for item in entries if isinstance(item, dict)]


def _sampled(resource: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if resource.get("resourceType") != "Observation":
        return
    parts = [resource, *(resource.get("component") or [])]
    for number, part in enumerate(parts):
        sampled = part.get("valueSampledData") if isinstance(part, dict) else None
        if isinstance(sampled, dict) and sampled.get("data"):
            yield _lead_name(part.get("code")) or f"component {number}", sampled


def _lead_name(code: Any) -> str:
    """Return the standard lead that a CodeableConcept names, by text, display or code."""
    if not isinstance(code, dict):
        return ""
    codings = [item for item in code.get("coding") or [] if isinstance(item, dict)]
    words = [
        str(word)
        for word in (
            code.get("text"),
            *(c.get("display") for c in codings),
            *(c.get("code") for c in codings),
        )
        if isinstance(word, str | int)
    ]
    for word in words:
        lead = known_lead(word) or lead_of_code(word)
        if lead:
            return lead
    return str(code.get("text") or "").strip()


def _values(name: str, sampled: dict[str, Any], findings: Findings) -> NDArray[np.float64] | None:
    """Return the samples in mV, NaN for E, U and L; None if they are not volts.

    Those of a lead without any unit, as the examples of FHIR have it, come as they are.
    """
    origin = sampled.get("origin") or {}
    scale = next((mv for word in _units(sampled) if (mv := millivolts_per(word))), None)
    if not _units(sampled) and known_lead(name):
        scale = 1.0
    if scale is None:
        findings.warn("signals_left_out", f"{name!r} is in {_unit(sampled)!r}: left out")
        return None
    if int(sampled.get("dimensions") or 1) != 1:
        msg = f"{name!r} has several dimensions; one for each lead is read"
        raise InvalidRecordError(msg)
    tokens = str(sampled["data"]).split()
    check_count(len(tokens) * 12)
    beyond = {"E", "U", "L"}
    if not beyond.isdisjoint(tokens):
        findings.warn("padding_value", "errors (E) and values beyond the limits (U, L) left open")
        tokens = ["nan" if token in beyond else token for token in tokens]
    data = np.array(tokens, dtype=np.float64)
    factor = float(sampled.get("factor") or 1.0)
    return (float(origin.get("value") or 0.0) + data * factor) * scale


def _units(sampled: dict[str, Any]) -> list[str]:
    origin = sampled.get("origin") or {}
    return [str(origin[key]) for key in ("code", "unit") if origin.get(key)]


def _unit(sampled: dict[str, Any]) -> str:
    return next(iter(_units(sampled)), "")


def _rate(sampled: dict[str, Any]) -> float:
    """Return samples per second from the period (R4) or the interval (R5)."""
    if sampled.get("period") is not None:
        return 1000.0 / float(sampled["period"])
    unit = str(sampled.get("intervalUnit") or "")
    interval = sampled.get("interval")
    if interval is None or unit not in _INTERVAL_MS:
        msg = f"sampled data without a period, or with the interval unit {unit!r}"
        raise InvalidRecordError(msg, code="unknown_rate")
    return 1000.0 / (float(interval) * _INTERVAL_MS[unit])


def _moment(resource: dict[str, Any]) -> datetime | None:
    period = resource.get("effectivePeriod") or {}
    text = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    return _parsed(text or (period.get("start") if isinstance(period, dict) else None))


def _parsed(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None


def _patient(
    resources: list[dict[str, Any]], start: datetime | None
) -> tuple[float | None, str | None]:
    for resource in resources:
        if resource.get("resourceType") == "Patient":
            return age_at(_parsed(resource.get("birthDate")), start), resource.get("gender")
    return None, None


def _statements(resources: list[dict[str, Any]]) -> tuple[str, ...]:
    found: list[str] = []
    for resource in resources:
        if resource.get("resourceType") == "DiagnosticReport" and resource.get("conclusion"):
            found.append(str(resource["conclusion"]))
        if resource.get("resourceType") == "Observation":
            found += [
                str(part["valueString"])
                for part in resource.get("component") or []
                if isinstance(part, dict) and part.get("valueString")
            ]
    return clean_statements(found)


FORMATS = (Format("fhir", "FHIR Observation or Bundle", _recognises, _read, order=35),)
