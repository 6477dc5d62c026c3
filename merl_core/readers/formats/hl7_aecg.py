"""HL7 annotated ECG (FDA XML): root `AnnotatedECG`; series of sets of sequences, one a lead."""

from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from ecgdatakit.parsing.parsers.hl7_aecg import HL7aECGParser

from merl_core.readers.assembly import Findings, averages_only, usual_rate
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.lead_codes import known_lead, lead_of_code
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import STANDARD_LEADS, Record


class _Parser(HL7aECGParser):
    """The library's parser, which reads the first series and set alone, able to choose and join."""

    def __init__(self, findings: Findings) -> None:
        super().__init__()
        self._findings = findings

    def _select_series(self, root: Element, file_path: Path) -> tuple[Element, Element | None]:
        """Return the series with the most standard leads, the longest of them; and the beat."""
        series = root.findall("component/series")
        rhythms = [one for one in series if _is_rhythm(one)]
        if series and not rhythms:
            raise averages_only("annotated ECG")
        if len(rhythms) < 2:
            chosen: tuple[Element, Element | None] = super()._select_series(root, file_path)
            return chosen
        self._findings.warn("several_series", f"the fullest of {len(rhythms)} series was read")
        return max(rhythms, key=_fullness), None

    def _read_sequence_set(
        self, series: Element, kind: str, file_path: Path
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the leads of all sets: carts write the columns of the printout as sets."""
        sets = series.findall("component/sequenceSet")
        if kind != "rhythm" or len(sets) < 2:
            read: tuple[list[Any], dict[str, Any]]
            read = super()._read_sequence_set(series, kind, file_path)
            return read
        read_one = super()._read_sequence_set
        found = [read_one(_alone(one), kind, file_path) for one in sets]
        first = found[0][1]
        leads: list[Any] = []
        is_shifted = False
        for more, time in found:
            shift = round(_seconds_between(first, time) * float(first.get("sampling_rate") or 0))
            known = {lead.label for lead in leads}
            for lead in more:
                if lead.label in known:
                    message = "a lead is in several sequence sets; the first is read"
                    self._findings.warn("several_series", message)
                    continue
                if shift > 0:
                    is_shifted = True
                    lead.samples = np.concatenate([np.full(shift, np.nan), lead.samples])
                leads.append(lead)
        return _of_one_length(leads) if is_shifted else leads, first

    def _read_time(self, code: str, value: Element | None) -> dict[str, Any]:
        """Return the time base with its rate as it is, which the library rounds to whole hertz."""
        n_warnings = len(self._warnings)
        time: dict[str, Any] = super()._read_time(code, value)
        if time.get("sampling_rate_exact"):
            del self._warnings[n_warnings:]
            time["sampling_rate"] = usual_rate(time["sampling_rate_exact"])
        return time

    @staticmethod
    def _lead_label(code: str) -> str | None:
        """Return the lead of an MDC or vendor code, or of a bare name."""
        label: str | None = HL7aECGParser._lead_label(code)
        return label or lead_of_code(code) or known_lead(code) or None


def _is_rhythm(series: Element) -> bool:
    code = series.find("code")
    return (code.get("code") or "" if code is not None else "").upper() != "REPRESENTATIVE_BEAT"


def _fullness(series: Element) -> tuple[int, int]:
    """Return how many standard leads a series holds, and about how long they are."""
    codes = [code.get("code") or "" for code in series.iterfind(".//sequence/code")]
    leads = {_Parser._lead_label(code) for code in codes} & set(STANDARD_LEADS)
    return len(leads), max((len(d.text or "") for d in series.iterfind(".//digits")), default=0)


def _alone(sequence_set: Element) -> Element:
    """Return a series with one sequence set."""
    series = Element("series")
    SubElement(series, "component").append(sequence_set)
    return series


def _seconds_between(first: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how much later another set begins, 0 where the file does not tell."""
    begins = [_moment(str(time.get("head") or "")) for time in (first, other)]
    if begins[0] is None or begins[1] is None:
        return 0.0
    return (begins[1] - begins[0]).total_seconds()


def _moment(head: str) -> datetime | None:
    for pattern in ("%Y%m%d%H%M%S.%f", "%Y%m%d%H%M%S"):
        try:
            return datetime.strptime(head.partition("+")[0].partition("-")[0], pattern)
        except ValueError:
            continue
    return None


def _of_one_length(leads: list[Any]) -> list[Any]:
    """Return the leads, those that end early continued as not recorded."""
    longest = max(len(lead.samples) for lead in leads)
    for lead in leads:
        missing = np.full(longest - len(lead.samples), np.nan)
        lead.samples = np.concatenate([lead.samples, missing])
    return leads


def _recognises(part: Part) -> bool:
    return part.root_tag == "AnnotatedECG"


def _read(part: Part) -> Record:
    findings = Findings()
    parsed = parse(lambda: _Parser(findings), part.document, findings, ".xml")
    return to_record(parsed, "hl7_aecg", findings)


FORMATS = (Format("hl7_aecg", "HL7 aECG", _recognises, _read, order=30),)
