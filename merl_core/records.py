"""Record: one ECG recording, whatever file it came from."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

_MAX_NAME = 100
"""Characters; what is longer names no lead."""
_CANONICAL = {lead.lower(): lead for lead in STANDARD_LEADS}
_CANONICAL |= {"di": "I", "dii": "II", "diii": "III", "d1": "I", "d2": "II", "d3": "III"}
_BEFORE = re.compile(
    r"(?:(?:mdc|mindray|ecg|ekg|elec|potl|leads?|ableitung|d[eé]rivation|derivaci[oó]n|channel|ch|"
    r"signal)[\s_.:/-]*)+"
)
_SPACED = re.compile(r"(?:(a)[\s_-]?)?(v)[\s_-]?0?([rlf1-6])")
_AFTER = re.compile(
    r"[\s_.:/-]*(?:ref|lead|ecg|ekg|raw|tracing|\(.*\)|\[.*\]|, augmented voltage, \w+)$"
)


@dataclass(frozen=True, slots=True)
class RecordWarning:
    """Something about a recording that was changed, or that is in doubt."""

    code: str
    """Stable snake-case name: `leads_derived`, `calibration_pulse_removed`, `gaps_interpolated`."""
    message: str


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What the recording device itself measured and printed; shown, never used for scores."""

    measurements: dict[str, float] = field(default_factory=dict)
    """`heart_rate_bpm`, `pr_ms`, `qrs_ms`, `qt_ms`, `qtc_ms`, `p_axis_deg`, `qrs_axis_deg`, ..."""
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One ECG recording. Carries no name, number or other identity of the patient."""

    signal: NDArray[np.float32]
    """Shape (L, T), millivolts; NaN where the device recorded nothing."""
    leads: tuple[str, ...]
    """One name a row; standard leads in their standard spelling, `aVR` and not `AVR`."""
    fs: float
    """Samples per second."""
    format: str = "array"
    """`wfdb`, `dicom`, `scp`, `csv`, ..."""
    sha256: str = ""
    """Of the bytes of the file, or of the parts in the order of their names."""
    start: datetime | None = None
    age_years: float | None = None
    sex: str | None = None
    """`F` or `M`."""
    device: DeviceReport = field(default_factory=DeviceReport)
    derived_leads: tuple[str, ...] = ()
    """Leads that the file lacks and that follow exactly from others (III from I and II)."""
    warnings: tuple[RecordWarning, ...] = ()

    def __post_init__(self) -> None:
        """Check shape, rate and lead names."""
        if self.signal.ndim != 2 or self.signal.shape[0] != len(self.leads):
            msg = f"signal of shape {self.signal.shape} does not hold the {len(self.leads)} leads"
            raise InvalidRecordError(msg)
        if self.signal.shape[1] == 0:
            msg = "the recording holds no samples"
            raise InvalidRecordError(msg)
        if not (np.isfinite(self.fs) and self.fs > 0):
            msg = f"sampling rate {self.fs!r} is not a positive number of samples per second"
            raise InvalidRecordError(msg)
        repeated = {lead for lead in self.leads if self.leads.count(lead) > 1}
        if repeated:
            msg = f"lead {sorted(repeated)[0]!r} is named twice"
            raise InvalidRecordError(msg)

    @property
    def sig_len(self) -> int:
        """Number of samples of each lead."""
        return int(self.signal.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.sig_len / self.fs


def canonical_lead(name: str) -> str:
    """Return the standard spelling of a lead name; other names come back stripped.

    Accepts any case, and the decorations that files carry: `Lead II`, `ECG aVR`, `V1-REF`,
    `MDC_ECG_LEAD_V1`, `Ⅲ`; and the limb leads as they are named in Spanish and Portuguese: `DI`,
    `D2`. A lead with its sign turned (`-aVR`) is another lead and keeps its name.
    """
    return name.strip() if len(name) > _MAX_NAME else _canonical(name)


@lru_cache(4096)
def _canonical(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).strip()
    key = plain.lower()
    before = _BEFORE.match(key)
    key = key[before.end() :] if before else key
    while (after := _AFTER.search(key)) and after.start():
        key = key[: after.start()]
    spaced = _SPACED.fullmatch(key)
    return _CANONICAL.get("".join(spaced.groups("")) if spaced else key, plain)


def select_leads(record: Record, leads: Sequence[str]) -> NDArray[np.float32]:
    """Return the signal's rows in the order of `leads`, found by name.

    Files differ in order (MIMIC-IV-ECG writes aVF before aVL) and in case (PTB-XL: "AVR").

    Args:
        record: The recording.
        leads: Lead names in the order that the model was trained on.

    Returns:
        Array of shape (len(leads), T), millivolts.

    Raises:
        InvalidRecordError: A lead is missing.
    """
    row = {canonical_lead(lead): i for i, lead in enumerate(record.leads)}
    missing = [lead for lead in leads if lead not in row]
    if missing:
        names = ", ".join(map(repr, missing))
        msg = f"lead {names} missing; the recording has {', '.join(record.leads)}"
        raise InvalidRecordError(msg, code="missing_lead")
    return record.signal[[row[lead] for lead in leads]]
