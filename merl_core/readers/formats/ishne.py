"""ISHNE Holter standard output file (Badilini 1998): magic `ISHNE1.0`, 16-bit samples."""

import re
import struct
from typing import Any

import numpy as np
from ecgdatakit.parsing.parsers.ishne_holter import ISHNEHolterParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import STANDARD_LEADS, Record

_DECLARED_AT = 14
"""Samples of each lead, behind the magic, the checksum and the length of the comments."""
_FAULT = -32768
"""What the standard proposes for a lead that was off."""


def _recognises(part: Part) -> bool:
    return part.head[:8] == b"ISHNE1.0"


def _read(part: Part) -> Record:
    findings = Findings()
    parsed = parse(ISHNEHolterParser, part.content, findings, ".ecg")
    _assume_names(parsed.leads, findings)
    _note_what_is_missing(part.content, parsed.leads, findings)
    return to_record(parsed, "ishne", findings)


def _note_what_is_missing(content: bytes, leads: list[Any], findings: Findings) -> None:
    """Warn of a file shorter than it declares, and leave open where a lead was off."""
    declared = struct.unpack_from("<i", content, _DECLARED_AT)[0]
    held = len(leads[0].samples)
    if declared > held and declared != held * len(leads):
        findings.warn("truncated", f"the file holds {held} of {declared} declared samples")
    for lead in leads:
        off = lead.samples == _FAULT
        if off.any():
            findings.warn("padding_value", "samples of a lead that was off read as not recorded")
            lead.samples = np.where(off, np.nan, lead.samples)


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
