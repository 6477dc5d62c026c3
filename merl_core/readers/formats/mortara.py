"""Mortara (ELI) XML: root `ECG` with one `CHANNEL` a lead."""

from ecgdatakit.parsing.parsers import mortara_el250

from merl_core.readers.assembly import Findings, averages_only
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record


def _recognises(part: Part) -> bool:
    return part.root_tag == "ECG"


def _read(part: Part) -> Record:
    findings = Findings()
    if b"<CHANNEL" not in part.document and b"<TYPICAL_CYCLE" in part.document:
        raise averages_only("ELI file")
    parsed = parse(mortara_el250.MortaraEL250Parser, part.document, findings, ".xml")
    return to_record(parsed, "mortara", findings)


FORMATS = (Format("mortara", "Mortara ELI XML", _recognises, _read, order=30),)
