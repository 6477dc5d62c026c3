"""GE MUSE XML: root `RestingECG`; the rhythm waveform is read, the median beat is not."""

import re
from typing import Any

from ecgdatakit.exceptions import CorruptedFileError
from ecgdatakit.parsing.parsers.ge_muse_xml import GEMuseXMLParser

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, averages_only
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record

_MEDIAN = re.compile(rb"<WaveformType>\s*Median", re.IGNORECASE)


def _recognises(part: Part) -> bool:
    return part.root_tag.lower() == "restingecg"


def _read(part: Part) -> Record:
    findings = Findings()
    try:
        parsed = parse(GEMuseXMLParser, part.document, findings, ".xml")
    except CorruptedFileError as error:
        if "No rhythm waveform" not in str(error):
            raise
        if _MEDIAN.search(part.document):
            raise averages_only("MUSE file") from error
        msg = "the MUSE file holds no waveform"
        raise InvalidRecordError(msg, code="no_signal") from error
    _assume_microvolts(parsed.leads, findings)
    return to_record(parsed, "ge_muse", findings)


def _assume_microvolts(leads: list[Any], findings: Findings) -> None:
    """Complete leads that state how much a unit is worth but not of what, as some exports do."""
    for lead in leads:
        if lead.is_raw and not lead.resolution_unit and lead.resolution != 1:
            findings.warn("unit_assumed", "LeadAmplitudeUnits is missing: microvolts, as MUSE has")
            lead.resolution_unit = "uV"


FORMATS = (Format("ge_muse", "GE MUSE XML", _recognises, _read, order=30),)
