"""What is wrong with a copy of a data set: files, patients, rates, leads, units, signals."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from merl_core.datasets.checksums import SUMS, compare, read_checksums
from merl_core.datasets.headers import Header, read_headers
from merl_core.datasets.manifest import Manifest
from merl_core.errors import InvalidRecordError, MerlError
from merl_core.preprocess import prepare
from merl_core.readers import read_record
from merl_core.records import STANDARD_LEADS

_SHOWN: Final = 20
_N_THREADS: Final = 4
_UNITS: Final = frozenset({"mv", "uv", "µv", "v", "nv"})
Progress = Callable[[int, int], None]


def check_records(
    manifest: Manifest, root: Path, *, sample: int | None = 200, on_progress: Progress | None = None
) -> dict[str, Any]:
    """Return what a data set holds and what is wrong with it.

    Every recording's files and header are looked at; signals are read for a sample, spread
    evenly, or for all.

    Args:
        manifest: The recordings.
        root: Folder that their paths start from.
        sample: How many signals are read; None for all.
        on_progress: Called with signals done and signals to do.

    Returns:
        Counts by kind, up to 20 names of what is wrong in each way, and `problems`: one line
        each, empty for a sound copy.
    """
    absent = [path for path in manifest.paths if not (root / path).is_file()]
    there = [i for i, path in enumerate(manifest.paths) if (root / path).is_file()]
    report: dict[str, Any] = {
        "n_recordings": len(manifest),
        "n_patients": len(set(manifest.patients)),
        "splits": dict(Counter(manifest.splits)),
        "patients_in_several_splits": patient_overlap(manifest),
        "repeated_recordings": repeated(manifest.record_ids or manifest.paths),
        "absent_files": absent,
        "notices": list(manifest.notices),
    }
    report |= _describe_headers([root / manifest.paths[i] for i in there], root)
    rows = there if sample is None else _spread(there, sample)
    report["signals"] = _check_signals([manifest.paths[i] for i in rows], root, on_progress)
    report["problems"] = _problems(report)
    return {name: _first(value) for name, value in report.items()}


def _first(value: Any) -> Any:
    """Return a list of names cut to what is shown, and anything else as it is."""
    if isinstance(value, dict):
        return {name: _first(one) for name, one in value.items()}
    return value[:_SHOWN] if isinstance(value, list) else value


def patient_overlap(manifest: Manifest) -> list[str]:
    """Return patients whose recordings lie in more than one split."""
    home: dict[str, str] = {}
    shared = set()
    for patient, split in zip(manifest.patients, manifest.splits, strict=False):
        if home.setdefault(patient, split) != split:
            shared.add(patient)
    return sorted(shared)


def repeated(names: Sequence[str]) -> list[str]:
    """Return names that occur more than once."""
    return sorted(name for name, n in Counter(names).items() if n > 1)


def _describe_headers(paths: list[Path], root: Path) -> dict[str, Any]:
    headers: list[Header] = []
    broken: list[str] = []
    lacking: list[str] = []
    missing_signals: list[str] = []
    odd_units: list[str] = []
    paths = [path for path in paths if path.suffix == ".hea"]
    for path, header in zip(paths, read_headers(paths), strict=True):
        name = path.relative_to(root).as_posix()
        if header is None:
            broken.append(name)
            continue
        headers.append(header)
        if not set(STANDARD_LEADS) <= set(header.leads):
            lacking.append(name)
        if not all((path.parent / file).is_file() for file in header.files):
            missing_signals.append(name)
        if not {unit.lower() for unit in header.units} <= _UNITS:
            odd_units.append(name)
    return {
        "fs": _counts(f"{header.fs:g}" for header in headers),
        "duration_s": _counts(f"{header.sig_len / header.fs:g}" for header in headers),
        "lead_orders": _counts(" ".join(header.leads) for header in headers),
        "units": _counts(" ".join(sorted(set(header.units))) for header in headers),
        "broken_headers": broken,
        "without_twelve_leads": lacking,
        "without_signal_file": missing_signals,
        "without_known_unit": odd_units,
    }


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common(_SHOWN))


def _spread(rows: list[int], n: int) -> list[int]:
    if len(rows) <= n:
        return rows
    return [rows[int(i)] for i in np.linspace(0, len(rows) - 1, n).round()]


def _check_signals(paths: list[str], root: Path, on_progress: Progress | None) -> dict[str, Any]:
    unusable = []
    warnings: Counter[str] = Counter()
    by_signal: dict[str, list[str]] = {}
    for done, path in enumerate(paths, start=1):
        try:
            record = read_record(root / path)
            _, found = prepare(record, STANDARD_LEADS, record.fs, 10.0, low=None, high=None)
            warnings.update({warning.code for warning in (*record.warnings, *found)})
            digest = hashlib.sha256(record.signal.tobytes()).hexdigest()
            by_signal.setdefault(digest, []).append(path)
        except InvalidRecordError as error:
            unusable.append({"path": path, "code": error.code, "reason": str(error)})
        if on_progress is not None:
            on_progress(done, len(paths))
    return {
        "n_read": len(paths),
        "n_unusable": len(unusable),
        "unusable": unusable,
        "warnings": dict(warnings),
        "identical": [same for same in by_signal.values() if len(same) > 1],
    }


def _problems(report: dict[str, Any]) -> list[str]:
    signals = report["signals"]
    named = (
        ("absent_files", "files are absent, the first"),
        ("patients_in_several_splits", "patients are in several splits, the first"),
        ("repeated_recordings", "recordings are named twice, the first"),
        ("broken_headers", "headers are broken, the first"),
        ("without_twelve_leads", "recordings lack a standard lead, the first"),
        ("without_signal_file", "headers name a signal file that is absent, the first"),
        ("without_known_unit", "recordings have a unit that is no voltage, the first"),
    )
    found = [f"{len(report[key])} {text}: {report[key][0]}" for key, text in named if report[key]]
    if signals["unusable"]:
        first = signals["unusable"][0]
        n_read, n = signals["n_read"], signals["n_unusable"]
        reason = f"{first['path']}: {first['reason']}"
        found.append(f"{n} of {n_read} signals cannot be used, the first: {reason}")
    if signals["identical"]:
        same = signals["identical"][0]
        found.append(f"{len(signals['identical'])} signals occur twice, the first: {same}")
    return found


def check_checksums(
    folder: Path, problems: list[str], on_progress: Progress | None = None
) -> dict[str, Any]:
    """Compare a copy with its `SHA256SUMS.txt`; add what differs to `problems`.

    Raises:
        MerlError: The copy has no such file.
    """
    expected = read_checksums(folder)
    if expected is None:
        msg = f"{folder}: no {SUMS} to compare with"
        raise MerlError(msg)
    found = compare(folder, expected, expected, _N_THREADS, on_progress)
    for kind, names in found.items():
        if names:
            problems.append(f"{len(names)} files of {SUMS} are {kind}, the first: {names[0]}")
    counts = {"n_files": len(expected)} | {f"n_{kind}": len(n) for kind, n in found.items()}
    return {"checksums": counts, "problems": problems}
