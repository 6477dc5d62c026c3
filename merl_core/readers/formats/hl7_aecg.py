"""HL7 annotated ECG (FDA XML): root `AnnotatedECG`, one series of sequences in rhythm."""

from ecgdatakit.parsing.parsers.hl7_aecg import HL7aECGParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record


def _recognises(part: Part) -> bool:
    return part.root_tag == "AnnotatedECG"


def _read(part: Part) -> Record:
    findings = Findings()
    return to_record(parse(HL7aECGParser, part.document, findings, ".xml"), "hl7_aecg", findings)


FORMATS = (Format("hl7_aecg", "HL7 aECG", _recognises, _read, order=30),)
