"""Codes of leads in ISO/IEEE 11073 (MDC) and SCP-ECG, as DICOM, FHIR and HL7 carry them."""

import re
from typing import Final

from merl_core.records import STANDARD_LEADS, canonical_lead

_LEADS: Final = {
    1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF",
    3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6",
    9: "V7", 66: "V8", 67: "V9", 11: "V3R", 12: "V4R", 13: "V5R",
    16: "X", 17: "Y", 18: "Z",
}  # fmt: skip
"""Shared by MDC (`2:1`) and SCP-ECG (`5.6.3-9-1`). Source: ISO 11073-10102; DICOM CID 3001."""
CODED_LEADS: Final = frozenset(_LEADS.values())
_MDC_POTENTIAL: Final = 131_328
"""MDC_ECG_ELEC_POTL: the code of a lead's potential is this plus the lead's number."""
_NUMBERED = re.compile(r"(?:2:|5\.6\.3-9-)(\d{1,3})")
_NAMED = re.compile(r"(?:MDC|MINDRAY)_ECG_(?:LEAD|ELEC_POTL)_(\w+)", re.IGNORECASE)


def lead_of_code(code: str) -> str:
    """Return the lead that a code stands for, an empty string if it is none of a lead known here.

    Args:
        code: `2:1`, `5.6.3-9-1`, `131329`, `MDC_ECG_LEAD_AVR` or `MDC_ECG_ELEC_POTL_AVR`.
    """
    text = code.strip()
    numbered = _NUMBERED.fullmatch(text)
    if numbered:
        return _LEADS.get(int(numbered[1]), "")
    if text.isascii() and text.isdigit() and len(text) == 6:
        return _LEADS.get(int(text) - _MDC_POTENTIAL, "")
    named = _NAMED.fullmatch(text)
    return known_lead(named[1]) if named else ""


def known_lead(name: str) -> str:
    """Return the standard spelling of a name if it is that of a lead, else an empty string."""
    lead = canonical_lead(name)
    if lead in STANDARD_LEADS:
        return lead
    return lead.upper() if lead.upper() in CODED_LEADS else ""
