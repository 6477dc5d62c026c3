"""From what a parser found to a `Record`: names, units, doubts, and nothing that names a person."""

import contextlib
import re
import warnings as python_warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.records import DeviceReport, Record, RecordWarning, canonical_lead

MAX_VALUES = 32_000_000
"""Samples over all leads: 90 minutes of 12 leads at 500 Hz, a day of three at 120 Hz."""
MAX_SIGNALS = 500
MAX_VALUES_PER_BYTE = 20
"""Of a compressed file. ECGs reach 2; only flat signals, or bombs, more than 20."""
_ALWAYS_READ = 1_000_000
_MEASURED = 2000
"""About how many samples of a lead its amplitude is measured on."""
USUAL_RATES = (
    100, 120, 125, 128, 180, 200, 240, 250, 256, 257, 300, 320, 360, 400, 480, 500, 512, 600, 720,
    800, 960, 1000, 1024, 1200, 2000, 4000,
)  # fmt: skip
"""Samples per second that ECG devices and collections use."""
MIN_FS, MAX_FS = 20.0, 50_000.0
PLAUSIBLE_SPAN_MV = (0.15, 8.0)
"""Median over leads of the range that holds 99 % of a lead's samples: 0.41 to 3.9 in 300 records
of PTB-XL."""

_NUMBERED_LIMB = re.compile(r"(?:LEAD|L)?[ _-]?([123])")
_IEC_CHEST = ("C1", "C2", "C3", "C4", "C5", "C6")
_MILLIVOLTS = {"mv": 1.0, "millivolt": 1.0, "uv": 1e-3, "microvolt": 1e-3, "v": 1e3, "volt": 1e3}
_MILLIVOLTS |= {"nv": 1e-6, "nanovolt": 1e-6, "mcv": 1e-3}
_MILLIVOLTS |= {"266400": 1e3, "266418": 1.0, "266419": 1e-3, "266420": 1e-6}
"""Also the codes of MDC_DIM_VOLT and its parts (ISO/IEEE 11073-10101)."""
_BY_PERSON = re.compile(
    r"\b(confirmed|over-?read|reviewed|referred|edited|interpreted|signed|ordered|requested|"
    r"acquired|validated|befundet|bestätigt|confirmado|validé)\s+(by|von|por|par)\b"
    r"|\b(attending|technician|operator|physician|doctor|patient(?:'s)? name|patient id|"
    r"name|mrn)\s*:",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Findings:
    """What a parser collects on its way, to be made into a record by `assemble`."""

    warnings: list[RecordWarning] = field(default_factory=list)

    def warn(self, code: str, message: str) -> None:
        """Note something that was changed or is in doubt; the same note is kept once."""
        warning = RecordWarning(code, message)
        if warning not in self.warnings:
            self.warnings.append(warning)

    @contextlib.contextmanager
    def library_warnings(self) -> Iterator[None]:
        """Turn what a library warns about into warnings of the record."""
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always")
            yield
        for warning in caught:
            text = str(warning.message)
            if not issubclass(warning.category, (DeprecationWarning, FutureWarning)):
                self.warn(_code_of(text), without_quotations(text))


def without_quotations(text: str) -> str:
    """Return a library's message without the values that it quotes: they may name a person."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S+", "(...)", " ".join(text.split()))[:300]


def _code_of(text: str) -> str:
    lowered = text.lower()
    if "crc" in lowered or "checksum" in lowered:
        return "crc_mismatch"
    if any(
        word in lowered
        for word in ("truncat", "ends after", "shorter", "incomplete", "but file contains")
    ):
        return "truncated"
    return "reader_note"


def millivolts_per(unit: str) -> float | None:
    """Return how many mV one `unit` is, None if it is not a unit of voltage."""
    key = unit.strip().strip("()[]").lower().replace("µ", "u").replace("μ", "u").replace("?v", "uv")
    key = key.removeprefix("â")  # a micro sign in UTF-8, read as Latin-1
    if key.startswith("mdc_dim_"):
        key = key.removeprefix("mdc_dim_").replace("_", "")
    return _MILLIVOLTS.get(key) or _MILLIVOLTS.get(key.removesuffix("s"))


def usual_rate(rate: float) -> float:
    """Return the rate that devices use nearest to one within 0.25 %, else the rate as it is.

    Files round the time between samples: 0.0039 s stands for 256 Hz.
    """
    nearest = min(USUAL_RATES, key=lambda usual: abs(usual - rate))
    return float(nearest) if abs(nearest - rate) < 0.0025 * rate else rate


def check_count(n_values: int, packed_bytes: int | None = None) -> None:
    """Refuse a recording of more values than are read, before memory is taken for it.

    Args:
        n_values: As the file declares, over all leads.
        packed_bytes: Size of the file if it is compressed, to notice what unpacks to far more.

    Raises:
        InvalidRecordError: `too_large`.
    """
    limit = MAX_VALUES
    if packed_bytes is not None:
        limit = min(limit, max(_ALWAYS_READ, MAX_VALUES_PER_BYTE * packed_bytes))
    if n_values > limit:
        msg = f"the recording declares {n_values} values; up to {limit} are read"
        raise InvalidRecordError(msg, code="too_large")


def check_signals(n_signals: int) -> None:
    """Refuse a recording of more signals than any device has.

    Raises:
        InvalidRecordError: `too_large`.
    """
    if n_signals > MAX_SIGNALS:
        msg = f"the recording holds {n_signals} signals; up to {MAX_SIGNALS} are read"
        raise InvalidRecordError(msg, code="too_large")


def assemble(
    signal: NDArray[Any],
    leads: Sequence[str],
    fs: float,
    format_name: str,
    findings: Findings,
    *,
    start: datetime | None = None,
    age_years: float | None = None,
    sex: str | None = None,
    device: DeviceReport | None = None,
) -> Record:
    """Return the record of a parsed file, after the checks that hold for every format.

    Args:
        signal: Shape (L, T), millivolts, NaN where nothing was recorded.
        leads: Names as the file spells them.
        fs: Samples per second.
        format_name: For `Record.format`.
        findings: Warnings so far; more are added.
        start: When the recording began.
        age_years: The patient's age then; values outside of 0 to 130 are dropped.
        sex: Any spelling; `F`, `M` or nothing remains.
        device: The device's own measurements and statements.

    Raises:
        InvalidRecordError: No leads, no samples, no usable voltage, or an impossible rate.
    """
    if signal.ndim != 2 or not signal.size:
        msg = f"the file holds no ECG samples (shape {signal.shape})"
        raise InvalidRecordError(msg)
    check_count(signal.size)
    check_signals(len(signal))
    if not (np.isfinite(fs) and MIN_FS <= fs <= MAX_FS):
        msg = f"a sampling rate of {fs!r} Hz is outside of {MIN_FS:g} to {MAX_FS:g} Hz"
        raise InvalidRecordError(msg)
    with np.errstate(over="ignore", invalid="ignore"):
        signal = np.ascontiguousarray(signal, dtype=np.float32)
    signal = _without_infinities(signal, findings)
    names = [canonical_lead(lead) for lead in leads_told_by_others(leads, findings)]
    signal, names = _unique_leads(signal, names, findings)
    _check_amplitude(signal, names, findings)
    return Record(
        signal,
        tuple(names),
        float(fs),
        format=format_name,
        start=start.replace(tzinfo=None) if start else None,
        age_years=age_years if age_years is not None and 0 <= age_years <= 130 else None,
        sex=_sex(sex),
        device=device or DeviceReport(),
        warnings=tuple(findings.warnings),
    )


def averages_only(what: str) -> InvalidRecordError:
    """Return the error for a file whose only waveforms are averages: they are no recording."""
    msg = f"the {what} holds median beats or averages only; the rhythm recording is needed"
    return InvalidRecordError(msg, code="averages_only")


def clean_statements(statements: Sequence[str], identities: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the statements without those that name a person.

    Args:
        statements: As the device printed them.
        identities: The patient's and the physicians' names and numbers, where the file has
            them as fields of their own; a statement that repeats one is dropped.
    """
    words = {w.lower() for item in identities for w in re.findall(r"\w{3,}", str(item))}
    kept: list[str] = []
    for statement in statements:
        text = " ".join(str(statement).split())
        named = words & set(re.findall(r"\w{3,}", text.lower()))
        if text and not named and not _BY_PERSON.search(text) and text not in kept:
            kept.append(text[:500])
    return tuple(kept[:200])


def age_at(birth: datetime | None, when: datetime | None) -> float | None:
    """Return the age in whole years at a time, None if either is unknown."""
    if birth is None or when is None:
        return None
    before_birthday = (when.month, when.day) < (birth.month, birth.day)
    return float(when.year - birth.year - before_birthday)


def _sex(value: str | None) -> str | None:
    first = (value or "").strip().upper()[:1]
    return {"F": "F", "W": "F", "M": "M"}.get(first)


def _without_infinities(signal: NDArray[np.float32], findings: Findings) -> NDArray[np.float32]:
    finite = np.isfinite(signal)
    if finite.all():
        return signal
    infinite = np.isinf(signal)
    if infinite.any():
        findings.warn("not_finite", f"{int(infinite.sum())} infinite values read as not recorded")
        signal = np.where(infinite, np.float32(np.nan), signal)
    if not finite.any():
        msg = "no lead holds a single finite value"
        raise InvalidRecordError(msg, code="unusable_signal")
    return signal


def leads_told_by_others(names: Sequence[str], findings: Findings) -> list[str]:
    """Return the names with those read as leads that only the others tell.

    `C1` to `C6` beside limb leads are the chest leads V1 to V6 (IEC 60601); `1`, `2` and `3`, with
    or without `Lead` or `L` before them, are the limb leads beside aVF and V1.
    """
    canonical = [canonical_lead(name).upper() for name in names]
    known = set(canonical)
    if {"I", "II", *_IEC_CHEST} <= known and "V1" not in known:
        findings.warn("leads_assumed", "C1 to C6 beside I and II read as V1 to V6")
        renamed = {lead: f"V{lead[1]}" for lead in _IEC_CHEST}
        return [renamed.get(lead, name) for lead, name in zip(canonical, names, strict=True)]
    limbs = [_NUMBERED_LIMB.fullmatch(lead) for lead in canonical]
    if {"AVF", "V1"} <= known and not {"I", "II"} & known and sum(map(bool, limbs)) in (2, 3):
        findings.warn("leads_assumed", "1, 2 and 3 beside aVF and V1 read as I, II and III")
        return [
            "I" * int(limb[1]) if limb else name for limb, name in zip(limbs, names, strict=True)
        ]
    return list(names)


def _unique_leads(
    signal: NDArray[np.float32], names: list[str], findings: Findings
) -> tuple[NDArray[np.float32], list[str]]:
    if len(names) != len(signal):
        msg = f"{len(names)} lead names for {len(signal)} signals"
        raise InvalidRecordError(msg)
    kept: list[int] = []
    unique: list[str] = []
    for row, name in enumerate(names):
        chosen = name or f"lead {row + 1}"
        copy = 2
        while chosen in unique:
            chosen = f"{name} ({copy})"
            copy += 1
        if chosen != name and name:
            first = kept[unique.index(name)]
            if np.array_equal(signal[first], signal[row], equal_nan=True):
                findings.warn("duplicate_lead", f"lead {name!r} is stored twice; read once")
                continue
            findings.warn(
                "duplicate_lead", f"lead {name!r} is named twice; the second is {chosen!r}"
            )
        kept.append(row)
        unique.append(chosen)
    return signal if len(kept) == len(signal) else signal[kept], unique


def _check_amplitude(signal: NDArray[np.float32], names: list[str], findings: Findings) -> None:
    for row, name in zip(signal, names, strict=True):
        if np.isnan(row[0]) and np.isnan(row).all():
            findings.warn("lead_empty", f"lead {name!r} holds no recorded value")
    span = typical_span(signal)
    low, high = PLAUSIBLE_SPAN_MV
    if span > 0 and not low <= span <= high:
        findings.warn(
            "implausible_gain",
            f"a typical lead spans {span:.3g} mV, where ECGs span {low:g} to {high:g}; "
            "the file's gain or unit may be wrong",
        )
    if _is_normalised(signal):
        findings.warn(
            "normalised",
            "every lead has a standard deviation of 1, or spans 0 to 1: voltages were taken out, "
            "and no finding that rests on them can be told",
        )


def _is_normalised(signal: NDArray[np.float32]) -> bool:
    """Return True for leads (L, T) brought to one standard deviation or one range."""
    sample = signal[:, :: max(1, signal.shape[1] // _MEASURED)]
    finite = np.isfinite(sample)
    sample = sample if finite.all() else sample[:, finite.all(axis=0)]
    if sample.shape[1] > 1:
        is_near = (np.abs(sample.std(axis=1) - 1) < 0.3).any()
        if not is_near and (sample.min() < 0 or sample.max() > 1):
            return False
    known = signal[:, np.isfinite(signal).all(axis=0)]
    moving = known[np.ptp(known, axis=1) > 0] if known.shape[1] > 1 else known[:0]
    if len(moving) < 2:
        return False
    low, high = moving.min(axis=1), moving.max(axis=1)
    is_ranged = bool((np.abs(low) < 1e-6).all() and (np.abs(high - 1) < 1e-6).all())
    is_together = abs(float(low.min())) < 1e-9 and abs(float(high.max()) - 1) < 1e-9
    deviations = moving.std(axis=1, dtype=np.float64)
    return is_ranged or is_together or bool((np.abs(deviations - 1) < 2e-3).all())


def _inner_range(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the range of each row (L, T) without half a per cent at either end."""
    last = values.shape[1] - 1
    cut = values.shape[1] // 200
    parted = np.partition(values, (cut, last - cut), axis=1)
    return np.asarray(parted[:, last - cut] - parted[:, cut], dtype=np.float64)


def typical_span(signal: NDArray[Any]) -> float:
    """Return the median over leads of the range that holds 99 % of a lead's values.

    Leads that are constant or empty do not count; 0 if all are. Measured on about 2,000 values of
    each lead.
    """
    sample = signal[:, :: max(1, signal.shape[1] // _MEASURED)]
    if np.isfinite(sample).all():
        spans = _inner_range(sample).tolist()
    else:
        rows = (row[np.isfinite(row)] for row in sample)
        spans = [float(_inner_range(row[None])[0]) for row in rows if row.size]
    positive = [span for span in spans if span > 0]
    return float(np.median(positive)) if positive else 0.0
