"""DICOM waveforms (PS3.3 C.10.9): 12-lead, General, Ambulatory ECG, or under any other class."""

import contextlib
import io
import re
import struct
import zlib
from datetime import datetime
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    age_at,
    assemble,
    averages_only,
    check_count,
    clean_statements,
    millivolts_per,
)
from merl_core.readers.lead_codes import known_lead, lead_of_code
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import DeviceReport, Record

_DTYPES = {("SB", 8): "i1", ("UB", 8): "u1", ("SS", 16): "i2", ("US", 16): "u2"}
_DTYPES |= {("SL", 32): "i4", ("UL", 32): "u4"}
_MEASUREMENTS = {
    "pr interval": "pr_ms", "qrs duration": "qrs_ms", "qt interval": "qt_ms",
    "qtc interval": "qtc_ms", "rr interval": "rr_ms", "p axis": "p_axis_deg",
    "qrs axis": "qrs_axis_deg", "t axis": "t_axis_deg", "ventricular heart rate": "heart_rate_bpm",
    "heart rate": "heart_rate_bpm", "atrial heart rate": "atrial_rate_bpm",
}  # fmt: skip
_AVERAGE = re.compile(r"median|averag|template|representative", re.IGNORECASE)
_MIN_PADDED_S = 0.1
_DEFLATED = b"1.2.840.10008.1.2.1.99"
"""Transfer syntax whose unpacked size nobody declares."""
_PREAMBLE = 132
_MAX_INFLATED_BYTES = 128 * 2**20


def _recognises(part: Part) -> bool:
    head = part.head
    if head[128:132] == b"DICM":
        return True
    return head[:4] in (b"\x08\x00\x05\x00", b"\x08\x00\x16\x00", b"\x02\x00\x00\x00")


def _read(part: Part) -> Record:
    content = _inflated(part.content)
    try:
        return _read_object(content)
    except (OSError, EOFError, struct.error) as error:
        where = _last_tag(content)
        msg = f"the DICOM object of {len(content):,} bytes ends too early{where}: was it cut off?"
        raise InvalidRecordError(msg, code="truncated_file") from error
    except AttributeError as error:
        tag = tag_for_keyword(error.name or "")
        if tag is None:
            raise
        msg = f"the DICOM object has no {error.name} {Tag(tag)}, which its waveform needs"
        raise InvalidRecordError(msg) from error


def _last_tag(content: bytes) -> str:
    """Return the last data element that begins in a broken object, in words; "" for none."""
    seen: list[BaseTag] = []

    def note(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        seen.append(tag)
        return False

    with contextlib.suppress(OSError, EOFError, struct.error):
        read_partial(io.BytesIO(content), note, force=True)
    return f", in or behind {keyword_for_tag(seen[-1])} {seen[-1]}" if seen else ""


def _read_object(content: bytes) -> Record:
    findings = Findings()
    with findings.library_warnings():
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        groups = _original_groups(dataset, findings)
        fs = float(groups[0].SamplingFrequency)
        order = "<" if dataset.original_encoding[1] is not False else ">"
        rows, leads = _merge(groups, fs, order, findings)
        start = _moment(dataset, findings)
        return assemble(
            rows,
            leads,
            fs,
            "dicom",
            findings,
            start=start,
            age_years=_age(dataset, start),
            sex=dataset.get("PatientSex"),
            device=_device(dataset),
        )


def _inflated(content: bytes) -> bytes:
    """Return a deflated object as a plain data set, any other as it is.

    Raises:
        InvalidRecordError: `too_large`, or the compressed part is broken.
    """
    if content[128:132] != b"DICM" or _DEFLATED not in content[:1024]:
        return content
    begin = _PREAMBLE + 12 + struct.unpack_from("<I", content, _PREAMBLE + 8)[0]
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = unpacker.decompress(content[begin:], _MAX_INFLATED_BYTES)
    if len(inflated) == _MAX_INFLATED_BYTES:
        msg = f"the deflated DICOM object unpacks to more than {_MAX_INFLATED_BYTES} bytes"
        raise InvalidRecordError(msg, code="too_large")
    return inflated


def _original_groups(dataset: Any, findings: Findings) -> list[Any]:
    groups = list(dataset.get("WaveformSequence") or [])
    if not groups:
        kind = getattr(dataset.get("SOPClassUID"), "name", "unknown class")
        msg = f"the DICOM object ({kind}) holds no waveform"
        raise InvalidRecordError(msg, code="no_signal")
    original = [g for g in groups if not _is_derived(g)]
    if not original:
        raise averages_only("DICOM object")
    kinds = [(float(g.SamplingFrequency), int(g.NumberOfWaveformSamples)) for g in original]
    if len(set(kinds)) == 1:
        return original
    weights = {
        kind: (sum(_n_standard(g) for g, k in zip(original, kinds, strict=True) if k == kind),
               kind[1] / max(kind[0], 1e-9))
        for kind in kinds
    }  # fmt: skip
    common = max(weights, key=lambda kind: weights[kind])
    findings.warn("signals_left_out", "waveform groups of another rate or length are left out")
    return [g for g, kind in zip(original, kinds, strict=True) if kind == common]


def _is_derived(group: Any) -> bool:
    """Return True for averages: by the attribute, or by the label that some carts give instead."""
    label = str(group.get("MultiplexGroupLabel") or "")
    return group.get("WaveformOriginality", "ORIGINAL") == "DERIVED" or bool(_AVERAGE.search(label))


def _n_standard(group: Any) -> int:
    return sum(_lead_name(channel) != "" for channel in group.ChannelDefinitionSequence)


def _merge(
    groups: list[Any], fs: float, order: str, findings: Findings
) -> tuple[NDArray[np.float32], list[str]]:
    """Return all groups' channels; groups that begin later are shifted by their time offset.

    A lead that goes on in a later group is joined.
    """
    offsets = [float(g.get("MultiplexGroupTimeOffset") or 0.0) / 1000 for g in groups]
    shifts = [round((offset - min(offsets)) * fs) for offset in offsets]
    decoded = [_channels(group, fs, order, findings) for group in groups]
    sig_len = int(groups[0].NumberOfWaveformSamples) + max(shifts)
    check_count(sig_len * sum(map(len, decoded)))
    rows: list[NDArray[np.float32]] = []
    leads: list[str] = []
    for channels, shift in zip(decoded, shifts, strict=True):
        for name, values in channels:
            part = slice(shift, shift + len(values))
            earlier = rows[leads.index(name)] if name in leads else None
            if earlier is not None and np.isnan(earlier[part]).all():
                earlier[part] = values
                continue
            row = np.full(sig_len, np.nan, np.float32)
            row[part] = values
            rows.append(row)
            leads.append(name or f"channel {len(leads) + 1}")
    if not rows:
        msg = "no channel of the DICOM object is in a unit of voltage"
        raise InvalidRecordError(msg, code="unknown_unit")
    return np.stack(rows), leads


def _channels(
    group: Any, fs: float, order: str, findings: Findings
) -> list[tuple[str, NDArray[np.float64]]]:
    dtype = _dtype(group, order)
    counts = _counts(group, dtype)
    channels = []
    recorded = _recorded(group, counts, dtype, fs, findings)
    for row, present, channel in zip(
        counts, recorded, group.ChannelDefinitionSequence, strict=True
    ):
        name = _lead_name(channel) or str(channel.get("ChannelLabel") or "").strip()
        scale = _scale(channel, name, findings)
        if scale is None:
            continue
        values = (row * scale[0] + scale[1]) * scale[2]
        channels.append((name, np.where(present, values, np.nan)))
    return channels


def _dtype(group: Any, order: str) -> np.dtype[Any]:
    """Return the type of the group's samples, `order` being `<` or `>`."""
    kind = (str(group.WaveformSampleInterpretation), int(group.WaveformBitsAllocated))
    if kind not in _DTYPES:
        msg = f"waveform samples of kind {kind} are not read"
        raise InvalidRecordError(msg)
    return np.dtype(order + _DTYPES[kind])


def _counts(group: Any, dtype: np.dtype[Any]) -> NDArray[np.float64]:
    n_channels = int(group.NumberOfWaveformChannels)
    n_samples = int(group.NumberOfWaveformSamples)
    needed = n_channels * n_samples * dtype.itemsize
    data = group.WaveformData
    if n_channels != len(group.ChannelDefinitionSequence) or not 0 < needed <= len(data):
        msg = (
            f"waveform of {n_channels} channels and {n_samples} samples needs {needed} bytes "
            f"but has {len(data)}"
        )
        raise InvalidRecordError(msg, code="truncated_file")
    flat = np.frombuffer(data, dtype, n_channels * n_samples)
    return flat.reshape(n_samples, n_channels).T.astype(np.float64)


def _recorded(
    group: Any, counts: NDArray[np.float64], dtype: np.dtype[Any], fs: float, findings: Findings
) -> NDArray[np.bool_]:
    """Return where a value is a recorded one.

    A padding value that is also a voltage (ECG Toolkit writes 0) means padding only where every
    channel holds it for a while.
    """
    raw = group.get("WaveformPaddingValue")
    present = np.ones(counts.shape, bool)
    if raw is None or raw == b"":
        return present
    itemsize = dtype.itemsize
    padding = (
        float(np.frombuffer(raw, dtype, 1)[0])
        if isinstance(raw, bytes) and len(raw) >= itemsize
        else float(raw)
        if not isinstance(raw, bytes)
        else float(raw[0])
    )
    padded = counts == padding
    info = np.iinfo(dtype)
    if padding not in (info.min, info.max, info.min + 1):
        everywhere = _long_runs(padded.all(axis=0), max(2, round(_MIN_PADDED_S * fs)))
        if padded.any():
            findings.warn(
                "padding_value",
                f"padding value {padding:g} is also a voltage; read as not recorded only where "
                "all channels hold it",
            )
        padded = np.broadcast_to(everywhere, counts.shape)
    elif padded.any():
        findings.warn("padding_value", f"{int(padded.sum())} padded values read as not recorded")
    recorded: NDArray[np.bool_] = ~padded
    return recorded


def _long_runs(mask: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    kept = np.zeros(mask.shape, bool)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept[begin:end] = end - begin >= shortest
    return kept


def _scale(channel: Any, name: str, findings: Findings) -> tuple[float, float, float] | None:
    """Return factor and offset in the channel's unit, and mV per unit; None if not a voltage."""
    units = channel.get("ChannelSensitivityUnitsSequence") or []
    words = [str(units[0].get(key, "")) for key in ("CodeValue", "CodeMeaning")] if units else []
    to_mv = next((mv for word in words if (mv := millivolts_per(word)) is not None), None)
    if channel.get("ChannelSensitivity") is None or to_mv is None:
        findings.warn("signals_left_out", f"channel {name!r} has no sensitivity in volts: left out")
        return None
    correction = channel.get("ChannelSensitivityCorrectionFactor")
    factor = float(channel.ChannelSensitivity) * (1.0 if correction is None else float(correction))
    return factor, float(channel.get("ChannelBaseline") or 0.0), to_mv


def _lead_name(channel: Any) -> str:
    """Return a lead's name from the channel's code, meaning or label, else an empty string."""
    for source in channel.get("ChannelSourceSequence") or []:
        lead = lead_of_code(str(source.get("CodeValue", "")))
        lead = lead or known_lead(str(source.get("CodeMeaning", "")))
        if lead:
            return lead
    return known_lead(str(channel.get("ChannelLabel") or ""))


def _moment(dataset: Any, findings: Findings) -> datetime | None:
    digits = str(dataset.get("AcquisitionDateTime") or "")[:14]
    if not digits:
        day = str(dataset.get("AcquisitionDate") or dataset.get("ContentDate") or "")
        clock = str(dataset.get("AcquisitionTime") or dataset.get("ContentTime") or "")[:6]
        digits = day + clock if day else ""
    for pattern in ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d"):
        try:
            return datetime.strptime(digits, pattern)
        except ValueError:
            continue
    if digits:
        findings.warn("start_unknown", "the time of the recording cannot be read")
    return None


def _age(dataset: Any, start: datetime | None) -> float | None:
    age = re.fullmatch(r"(\d{1,3})([DWMY])", str(dataset.get("PatientAge") or "").strip())
    if age:
        years = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[age[2]]
        return float(age[1]) * years
    try:
        birth = datetime.strptime(str(dataset.get("PatientBirthDate") or ""), "%Y%m%d")
    except ValueError:
        return None
    return age_at(birth, start)


def _device(dataset: Any) -> DeviceReport:
    measured: dict[str, float] = {}
    statements: list[str] = []
    for note in dataset.get("WaveformAnnotationSequence") or []:
        if note.get("UnformattedTextValue"):
            statements.append(str(note.UnformattedTextValue))
        names = note.get("ConceptNameCodeSequence") or []
        value = note.get("NumericValue")
        key = _MEASUREMENTS.get(str(names[0].get("CodeMeaning", "")).lower()) if names else None
        if key and value is not None and key not in measured:
            measured[key] = float(value if not hasattr(value, "__len__") else value[0])
    identities = [str(dataset.get(tag) or "") for tag in (
        "PatientName", "PatientID", "ReferringPhysicianName", "OperatorsName",
        "PerformingPhysicianName", "NameOfPhysiciansReadingStudy",
    )]  # fmt: skip
    return DeviceReport(measured, clean_statements(statements, identities))


FORMATS = (Format("dicom", "DICOM", _recognises, _read, order=10),)
