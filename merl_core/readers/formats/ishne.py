"""ISHNE Holter standard output file (Badilini 1998): magic `ISHNE1.0`, 16-bit samples."""

import re
from typing import Any

from ecgdatakit.parsing.parsers.ishne_holter import ISHNEHolterParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import STANDARD_LEADS, Record


def _recognises(part: Part) -> bool:
    return part.head[:8] == b"ISHNE1.0"


def _read(part: Part) -> Record:
    findings = Findings()
    parsed = parse(ISHNEHolterParser, part.content, findings, ".ecg")
    _assume_names(parsed.leads, findings)
    return to_record(parsed, "ishne", findings)


def _assume_names(leads: list[Any], findings: Findings) -> None:
    """Name twelve leads of the specification 0, unknown, in the standard order."""
    unknown = [lead for lead in leads if re.fullmatch(r"Lead \d+", lead.label)]
    if len(leads) == len(unknown) == len(STANDARD_LEADS):
        findings.warn(
            "leads_assumed", f"no lead names; read in the order {', '.join(STANDARD_LEADS)}"
        )
        for lead, name in zip(leads, STANDARD_LEADS, strict=True):
            lead.label = name


FORMATS = (Format("ishne", "ISHNE Holter", _recognises, _read, order=10),)
