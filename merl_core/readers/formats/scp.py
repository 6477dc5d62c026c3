"""SCP-ECG (EN 1064, ISO 11073-91064): binary sections with checksums, often Huffman coded."""

import struct

from ecgdatakit.exceptions import CorruptedFileError
from ecgdatakit.parsing.parsers.scp_ecg import SCPECGParser

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, averages_only
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record

_HEADER = 16
_PREAMBLE = 6
_REFERENCE_BEATS = 5
"""The section that holds them."""
_LEAD_ENTRY = 9
"""Section 3: start (4 bytes), end (4 bytes), lead code (1 byte), EN 1064 5.6."""


def _recognises(part: Part) -> bool:
    head = part.head
    if len(head) < 32:
        return False
    section, length = struct.unpack_from("<HI", head, 8)
    first, index = struct.unpack_from("<H4xI", head, 22)
    return bool(section == 0 and 26 <= length < 2**16 and first == 0 and index == 7)


def _read(part: Part) -> Record:
    declared = struct.unpack_from("<I", part.content, 2)[0]
    if declared > len(part.content):
        msg = f"SCP-ECG record declares {declared} bytes but the file has {len(part.content)}"
        raise InvalidRecordError(msg, code="truncated_file")
    findings = Findings()
    try:
        parsed = parse(SCPECGParser, part.content, findings, ".scp")
    except CorruptedFileError as error:
        if "(rhythm data) is missing" in str(error):
            raise _without_rhythm(part.content) from error
        repaired = _with_first_sample_one(part.content) if "sample range" in str(error) else None
        if repaired is None:
            raise
        findings = Findings()
        findings.warn("lead_start_repaired", "leads start at sample 0; read as 1 (Contec)")
        parsed = parse(SCPECGParser, repaired, findings, ".scp")
    return to_record(parsed, "scp", findings)


def _without_rhythm(content: bytes) -> InvalidRecordError:
    """Return the error for a record without section 6."""
    if _section_offset(content, _REFERENCE_BEATS) is not None:
        return averages_only("SCP-ECG record")
    msg = "the SCP-ECG record holds no rhythm data (section 6)"
    return InvalidRecordError(msg, code="no_signal")


def _with_first_sample_one(content: bytes) -> bytes | None:
    """Return the content with section 3's zero lead starts set to 1, None if there are none."""
    offset = _section_offset(content, 3)
    if offset is None:
        return None
    body = offset + _HEADER
    n_leads = content[body]
    repaired = bytearray(content)
    changed = False
    for lead in range(n_leads):
        at = body + 2 + lead * _LEAD_ENTRY
        if struct.unpack_from("<I", content, at)[0] == 0:
            struct.pack_into("<I", repaired, at, 1)
            changed = True
    return bytes(repaired) if changed else None


def _section_offset(content: bytes, wanted: int) -> int | None:
    length = struct.unpack_from("<I", content, _PREAMBLE + 4)[0]
    for at in range(_PREAMBLE + _HEADER, min(_PREAMBLE + length, len(content) - 10), 10):
        section, size, index = struct.unpack_from("<HII", content, at)
        if section == wanted and size and 0 < index <= len(content) - _HEADER - 2:
            return int(index) - 1
    return None


FORMATS = (Format("scp", "SCP-ECG", _recognises, _read, order=20),)
