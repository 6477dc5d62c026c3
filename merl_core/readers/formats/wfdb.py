"""WFDB: a text header (`.hea`) and signal files, as PhysioNet and the CinC challenges use.

Source: WFDB Applications Guide, header(5) and signal(5).
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import (
    Findings,
    assemble,
    check_count,
    clean_statements,
    millivolts_per,
)
from merl_core.readers.formats import matlab
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import STANDARD_LEADS, DeviceReport, Record, canonical_lead

_RECORD_LINE = re.compile(
    r"(?P<name>[-\w]+)(?:/(?P<n_segments>\d+))?[ \t]+(?P<n_signals>\d+)"
    r"(?:[ \t]+(?P<fs>[\d.eE+]+)(?:/\S+)?"
    r"(?:[ \t]+(?P<sig_len>\d+)(?P<time>(?:[ \t]+\S+){0,2}))?)?[ \t]*"
)
_SIGNAL_LINE = re.compile(
    r"(?P<file>\S+)[ \t]+(?P<fmt>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?"
    r"(?:\+(?P<offset>\d+))?(?:[ \t]+(?P<gain>\S+))?(?:[ \t].*)?"
)
_BARE_NAME = re.compile(r"[A-Za-z0-9_~][\w.~-]*")
_BYTES_PER_SAMPLE = {
    8: 1.0, 16: 2.0, 24: 3.0, 32: 4.0, 61: 2.0, 80: 1.0, 160: 2.0, 212: 1.5, 310: 4 / 3, 311: 4 / 3,
}  # fmt: skip
_FLAC_FORMATS = (508, 516, 524)
_SNIFFED_BYTES = 65_536
_SNIFFED_LINES = 3
"""Two, and one more that tells that the second is whole."""
_BOM = b"\xef\xbb\xbf"
_MICRO = re.compile(rb"\xc2\xb5|\xce\xbc|\xb5")
"""The micro sign in UTF-8, the Greek letter, and Latin-1: wfdb drops it and reads volts."""
_LAYOUT = "merl-layout"
_MIN_SHARE = 0.5
"""Of the declared samples; a file with fewer is refused as truncated."""
_STATEMENT_KEYS = re.compile(
    r"(dx|diagnos\w*|reason for admission|acute infarction.*|former infarction.*|"
    r"additional diagnos\w*|rhythm\w*|report|interpretation|conclusion|statement\w*)",
    re.IGNORECASE,
)
_NOTHING_SAID = {"", "n/a", "no", "none", "unknown", "nan", "?"}


@dataclass(frozen=True, slots=True)
class _SignalFile:
    fmt: int
    offset: int
    samples_per_frame: int


def _lines(content: bytes) -> Iterator[str]:
    for line in content[:2_000_000].removeprefix(_BOM).decode("latin-1").splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _record_line(content: bytes) -> re.Match[str] | None:
    first = next(_lines(content[:_SNIFFED_BYTES]), "")
    return _RECORD_LINE.fullmatch(first) if len(first) < 500 else None


def _recognises(part: Part) -> bool:
    if b"\x00" in part.head:
        return False
    lines = list(_lines(part.head))
    if len(lines) < _SNIFFED_LINES:
        lines = list(_lines(part.content[:_SNIFFED_BYTES]))
    line, second, *_ = [*lines, "", ""]
    first = _RECORD_LINE.fullmatch(line[:500])
    if first is None:
        return False
    if first["n_segments"]:
        looks_right = bool(re.fullmatch(r"\S+[ \t]+\d+", second))
    else:
        looks_right = bool(_SIGNAL_LINE.fullmatch(second)) and not _is_numeric(second.split()[0])
    return looks_right and not _is_segment(part)


def _is_numeric(word: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[.,]?\d[\d.,]*(e[-+]?\d+)?", word, re.IGNORECASE))


def _is_segment(part: Part) -> bool:
    """Return True if a multi-segment header beside this one names it."""
    stem = Path(part.name).stem
    for name, content in part.siblings.items():
        if name.endswith(".hea") and name != Path(part.name).name:
            first = _record_line(content)
            if (
                first
                and first["n_segments"]
                and stem in {Path(segment).name for segment in _segment_names(content)}
            ):
                return True
    return False


def _segment_names(content: bytes) -> list[str]:
    return [line.split()[0] for line in list(_lines(content))[1:]]


def _segments(header: bytes, n_segments: int) -> list[tuple[str, int]]:
    """Return the names and lengths that a header of segments gives."""
    lines = [line.split() for line in list(_lines(header))[1 : n_segments + 1]]
    return [(words[0], int(words[1])) for words in lines]


def _read(part: Part) -> Record:
    findings = Findings()
    stem = Path(part.name).stem if part.name.endswith(".hea") else "recording"
    if not _BARE_NAME.fullmatch(stem):
        stem = "recording"
    files = {f"{stem}.hea": part.content.removeprefix(_BOM)}
    available = _collect(part.content, part.siblings, files, findings, top=True)
    files |= _joinable(stem, files)
    with tempfile.TemporaryDirectory(prefix="merl-") as folder:
        for name, content in files.items():
            plain = _MICRO.sub(b"u", content) if name.endswith(".hea") else content
            (Path(folder) / name).write_bytes(plain)
        with findings.library_warnings():
            read = wfdb.rdrecord(
                str(Path(folder) / stem), sampto=available, smooth_frames=False, physical=True
            )
    return _to_record(read, part.content, findings)


def _collect(
    header: bytes,
    siblings: Mapping[str, bytes],
    files: dict[str, bytes],
    findings: Findings,
    *,
    top: bool,
) -> int | None:
    """Add what the header names to `files`; return how many samples to read, None for all.

    Raises:
        InvalidRecordError: A name points outside of the upload, a file is missing, or the
            header declares more than the files hold.
    """
    line = _record_line(header)
    if line is None:
        msg = "the first line of a WFDB header names the record, its signals, rate and length"
        raise InvalidRecordError(msg)
    n_signals, sig_len = int(line["n_signals"]), int(line["sig_len"] or 0)
    if not line["n_segments"]:
        available = _collect_signals(header, n_signals, sig_len, siblings, files, findings)
        check_count(n_signals * sig_len)
        return available
    segments = _segments(header, int(line["n_segments"]))
    check_count(n_signals * max(sig_len, sum(length for _, length in segments)))
    if not top:
        msg = f"segment {line['name']!r} has segments itself, which WFDB does not allow"
        raise InvalidRecordError(msg)
    if len(segments) < int(line["n_segments"]):
        msg = f"the WFDB header declares {line['n_segments']} segments but names {len(segments)}"
        raise InvalidRecordError(msg)
    for name, _ in segments:
        if name != "~":
            content = _sibling(f"{name}.hea", siblings)
            files[f"{name}.hea"] = content
            if _collect(content, siblings, files, findings, top=False) is not None:
                msg = f"segment {name!r} is truncated"
                raise InvalidRecordError(msg, code="truncated_file")
    return None


def _joinable(stem: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return headers with which wfdb can join segments; none if it can as they are.

    The standard allows a header without a length, and gaps (`~`) between segments of one layout:
    they need a layout segment of their own.

    Raises:
        InvalidRecordError: There is nothing but gaps.
    """
    header = files[f"{stem}.hea"]
    first = _record_line(header)
    if first is None or not first["n_segments"]:
        return {}
    segments = _segments(header, int(first["n_segments"]))
    has_gaps = any(name == "~" for name, _ in segments)
    if first["sig_len"] and not (has_gaps and segments[0][1]):
        return {}
    added: dict[str, bytes] = {}
    fs = first["fs"] or "250"
    if has_gaps and segments[0][1]:
        model = next((name for name, _ in segments if name != "~"), None)
        if model is None:
            msg = "the WFDB header names gaps between segments, but no segment"
            raise InvalidRecordError(msg, code="no_signal")
        signals = [re.sub(r"^\S+[ \t]+\S+", "~ 0", line) for line in _lines(files[f"{model}.hea"])]
        layout = [f"{_LAYOUT} {len(signals) - 1} {fs} 0", *signals[1:], ""]
        added[f"{_LAYOUT}.hea"] = "\n".join(layout).encode("latin-1")
        segments.insert(0, (_LAYOUT, 0))
    sig_len = first["sig_len"] or sum(length for _, length in segments)
    record = f"{stem}/{len(segments)} {first['n_signals']} {fs} {sig_len}{first['time'] or ''}"
    lines = [record, *(f"{name} {length}" for name, length in segments), ""]
    added[f"{stem}.hea"] = "\n".join(lines).encode("latin-1")
    return added


def _collect_signals(
    header: bytes,
    n_signals: int,
    sig_len: int,
    siblings: Mapping[str, bytes],
    files: dict[str, bytes],
    findings: Findings,
) -> int | None:
    lines = list(_lines(header))[1:]
    parsed = [_SIGNAL_LINE.fullmatch(line) for line in lines[:n_signals]]
    if len(parsed) < n_signals or any(match is None for match in parsed):
        msg = f"the WFDB header declares {n_signals} signals but describes {len(lines)}"
        raise InvalidRecordError(msg)
    by_file: dict[str, list[_SignalFile]] = {}
    for match in parsed:
        assert match is not None
        if not match["gain"] or re.match(r"0+(\.0*)?(\(|/|$)", match["gain"]):
            findings.warn("uncalibrated", "the header gives no gain; 200 units per mV assumed")
        if int(match["skew"] or 0) > max(sig_len, 1):
            msg = f"a signal of the WFDB header lags {match['skew']} samples; it has {sig_len}"
            raise InvalidRecordError(msg)
        entry = _SignalFile(
            int(match["fmt"]), int(match["offset"] or 0), int(match["per_frame"] or 1)
        )
        by_file.setdefault(match["file"], []).append(entry)
    shares = [1.0]
    for name, entries in by_file.items():
        if name != "~":
            files[name] = _as_signal_file(_sibling(name, siblings), entries, findings)
            shares.append(_available_share(name, len(files[name]), entries, sig_len))
    if min(shares) >= 1:
        return None
    available = int(min(shares) * sig_len)
    if min(shares) < _MIN_SHARE or available < 1:
        msg = f"the WFDB header declares {sig_len} samples but the files hold {available}"
        raise InvalidRecordError(msg, code="truncated_file")
    findings.warn("truncated", f"the files hold {available} of {sig_len} declared samples")
    return available


def _as_signal_file(content: bytes, entries: list[_SignalFile], findings: Findings) -> bytes:
    """Return a MATLAB 5 file as the raw samples that its header describes.

    The challenges' `.mat` are of version 4 and raw behind 24 bytes; saved again by other programs
    they are of version 5, and often compressed.

    Raises:
        InvalidRecordError: It holds no `val` of whole numbers, one row a signal.
    """
    if not content.startswith(b"MATLAB 5.0"):
        return content
    value = matlab.variables(content, findings).get("val")
    if value is None or value.ndim != 2 or len(value) != len(entries) or entries[0].fmt != 16:
        msg = "the MATLAB file beside the WFDB header holds no `val` with a row for each signal"
        raise InvalidRecordError(msg)
    counts: NDArray[np.int16] = np.rint(value).astype("<i2")
    if not np.array_equal(counts, value):
        msg = "`val` of the MATLAB file beside the WFDB header is not of 16-bit whole numbers"
        raise InvalidRecordError(msg)
    return bytes(entries[0].offset) + counts.T.tobytes()


def _sibling(name: str, siblings: Mapping[str, bytes]) -> bytes:
    if not _BARE_NAME.fullmatch(name):
        msg = f"the WFDB header names {name!r}; only files of the upload are read"
        raise InvalidRecordError(msg, code="unsafe_file")
    if name not in siblings:
        name = next((other for other in siblings if other.lower() == name.lower()), name)
    if name not in siblings:
        msg = f"the WFDB header names {name!r}, which was not sent with it"
        raise InvalidRecordError(msg, code="missing_part")
    return siblings[name]


def _available_share(name: str, size: int, entries: list[_SignalFile], sig_len: int) -> float:
    """Return which share of the declared samples the file can hold, 1 where that is unknown."""
    fmt = entries[0].fmt
    per_frame = sum(entry.samples_per_frame for entry in entries)
    if not per_frame:
        msg = f"signal file {name!r} has no samples in a frame"
        raise InvalidRecordError(msg)
    if fmt in _FLAC_FORMATS and not sig_len:
        msg = f"signal file {name!r} is FLAC: the WFDB header must give the number of samples"
        raise InvalidRecordError(msg)
    if fmt in _FLAC_FORMATS:
        check_count(per_frame * sig_len, size)
        return 1.0
    if fmt not in _BYTES_PER_SAMPLE:
        msg = f"signal file {name!r} is of the unknown WFDB format {fmt}"
        raise InvalidRecordError(msg)
    payload = size - max(entry.offset for entry in entries)
    needed = _BYTES_PER_SAMPLE[fmt] * per_frame * sig_len
    return min(1.0, (payload + 1) / needed) if needed else 1.0


def _to_record(read: Any, header: bytes, findings: Findings) -> Record:
    rows, names, kinds = _voltage_rows(read, findings)
    standard = [kind for kind, name in zip(kinds, names, strict=True) if _is_lead(name)] or kinds
    common = max(set(standard), key=standard.count)
    kept = [i for i, kind in enumerate(kinds) if kind == common]
    if len(kept) < len(rows):
        findings.warn("signals_left_out", "signals of another sampling rate are left out")
    if len(kept) == len(STANDARD_LEADS) and not any(read.sig_name):
        findings.warn(
            "leads_assumed", f"no lead names; read in the order {', '.join(STANDARD_LEADS)}"
        )
        names = list(STANDARD_LEADS)
    age, sex, statements = _comments(header)
    return assemble(
        np.stack([rows[i] for i in kept]),
        [names[i] for i in kept],
        float(read.fs) * common[1],
        "wfdb",
        findings,
        start=_start(read),
        age_years=age,
        sex=sex,
        device=DeviceReport({}, clean_statements(statements)),
    )


def _voltage_rows(
    read: Any, findings: Findings
) -> tuple[list[NDArray[np.float64]], list[str], list[tuple[int, int]]]:
    rows, names, kinds = [], [], []
    per_frame = read.samps_per_frame or [1] * read.n_sig
    for i in range(read.n_sig):
        name = str(read.sig_name[i] or f"signal {i + 1}")
        scale = millivolts_per(str(read.units[i] or "mV"))
        if scale is None:
            findings.warn("signals_left_out", f"{name!r} is in {read.units[i]!r}: left out")
            continue
        values = np.asarray(read.e_p_signal[i], np.float64) * scale
        rows.append(values)
        names.append(name)
        kinds.append((len(values), int(per_frame[i])))
    if not rows:
        msg = "no signal of the WFDB record is in a unit of voltage"
        raise InvalidRecordError(msg, code="unknown_unit")
    return rows, names, kinds


def _is_lead(name: str) -> bool:
    return bool(re.fullmatch(r"(I{1,3}|aV[RLF]|V[1-6]|ML\w+)", canonical_lead(name)))


def _start(read: Any) -> datetime | None:
    if read.base_date is None or read.base_time is None:
        return None
    return datetime.combine(read.base_date, read.base_time)


def _comments(header: bytes) -> tuple[float | None, str | None, list[str]]:
    """Return age, sex and the diagnosis-like comments; all else may name a person."""
    age, sex, statements = None, None, []
    for line in header[:2_000_000].decode("latin-1").splitlines():
        if not line.lstrip().startswith("#"):
            continue
        text = line.lstrip(" \t#")
        for key, value in re.findall(r"<?(age|sex|gender)>?\s*[:=]\s*(\S+)", text, re.IGNORECASE):
            if key.lower() == "age":
                number = re.match(r"\d+(\.\d+)?", value)
                age = float(number[0]) if number else age
            else:
                sex = value
        key, colon, value = text.partition(":")
        said = value.strip()
        if colon and _STATEMENT_KEYS.fullmatch(key.strip()) and said.lower() not in _NOTHING_SAID:
            statements.append(f"{key.strip()}: {said}")
    return age, sex, statements


FORMATS = (Format("wfdb", "WFDB", _recognises, _read, order=15),)
