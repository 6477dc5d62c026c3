"""Philips Sierra XML 1.03, 1.04, 1.04.01: root `restingecgdata`, waveforms often XLI compressed.

Every file ends with a calibration pulse, which is cut.
"""

from dataclasses import replace

import numpy as np
from ecgdatakit.parsing.parsers.sierra_xml import SierraXMLParser
from numpy.typing import NDArray

from merl_core.readers.assembly import Findings, averages_only
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record, RecordWarning

_SAME_MV = 0.02
"""Leads closer than this show the same calibration pulse, not a heart."""
_MIN_PULSE_S = 0.1
_MAX_PULSE_S = 2.0


def _recognises(part: Part) -> bool:
    return part.root_tag == "restingecgdata"


def _read(part: Part) -> Record:
    findings = Findings()
    if b"<parsedwaveforms" not in part.document and b"<repbeat" in part.document:
        raise averages_only("Sierra file")
    parsed = parse(SierraXMLParser, part.document, findings, ".xml")
    return without_calibration(to_record(parsed, "philips_sierra", findings))


def without_calibration(record: Record) -> Record:
    """Return the recording without a trailing part that is the same in all leads."""
    cut = _calibration_length(record.signal)
    if not _MIN_PULSE_S <= cut / record.fs <= _MAX_PULSE_S or len(record.leads) < 3:
        return record
    message = f"the last {cut} samples, a calibration pulse that all leads share, were cut off"
    warning = RecordWarning("calibration_pulse_removed", message)
    return replace(
        record, signal=record.signal[:, :-cut].copy(), warnings=(*record.warnings, warning)
    )


def _calibration_length(signal: NDArray[np.float32]) -> int:
    """Return how many samples at the end are equal in all leads within 20 microvolts."""
    differs = np.flatnonzero(~(np.ptp(signal, axis=0) <= _SAME_MV))
    return signal.shape[1] - int(differs[-1]) - 1 if differs.size else 0


FORMATS = (Format("philips_sierra", "Philips Sierra XML", _recognises, _read, order=30),)
