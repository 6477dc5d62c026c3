"""GE MUSE XML: root `RestingECG`; the rhythm waveform is read, the median beat is not."""

from ecgdatakit.parsing.parsers.ge_muse_xml import GEMuseXMLParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record


def _recognises(part: Part) -> bool:
    return part.root_tag.lower() == "restingecg"


def _read(part: Part) -> Record:
    findings = Findings()
    return to_record(parse(GEMuseXMLParser, part.document, findings, ".xml"), "ge_muse", findings)


FORMATS = (Format("ge_muse", "GE MUSE XML", _recognises, _read, order=30),)
