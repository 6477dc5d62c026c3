"""ISHNE Holter standard output file (Badilini 1998): magic `ISHNE1.0`, 16-bit samples."""

from ecgdatakit.parsing.parsers.ishne_holter import ISHNEHolterParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record


def _recognises(part: Part) -> bool:
    return part.head[:8] == b"ISHNE1.0"


def _read(part: Part) -> Record:
    findings = Findings()
    return to_record(parse(ISHNEHolterParser, part.content, findings, ".ecg"), "ishne", findings)


FORMATS = (Format("ishne", "ISHNE Holter", _recognises, _read, order=10),)
