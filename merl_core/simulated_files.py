"""Simulated ECGs as WFDB files, with a manifest of what they show."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from merl_core.records import STANDARD_LEADS
from merl_core.simulate import FINDINGS, simulate
from merl_core.targets import load_vocabulary

MANIFEST: Final = "manifest.csv"
_UNITS_PER_MV: Final = 1000


def describe_findings() -> list[tuple[str, str]]:
    """Return every finding that can be asked for, with its name in words."""
    vocabulary = load_vocabulary()
    names = {id_: vocabulary.concepts[i].canonical_name for id_, i in vocabulary.index.items()}
    return [(id_, names.get(id_, id_.replace("-", " "))) for id_ in sorted(FINDINGS)]


def write_simulated(
    folder: Path,
    findings: Sequence[Sequence[str]] | None,
    *,
    n_records: int,
    fs: int,
    duration_s: float,
    seed: int,
    noise_level: float = 1.0,
    report_style: str | None = None,
) -> Path:
    """Write simulated recordings and return the manifest: paths, reports, one column a finding.

    Columns are headed by the findings' names, so that the manifest can be evaluated as it is.

    Args:
        folder: Made if absent.
        findings: Local concept ids of each recording; None draws them.
        n_records: Number of recordings.
        fs: Samples per second.
        duration_s: Length in seconds.
        seed: Same seed, same files.
        noise_level: 0 for none, 1 for what a clinic records.
        report_style: `plain`, `cart`, `clinician` or `german`; None for a mixture.

    Raises:
        MerlError: A finding is unknown, or two of a recording exclude each other.
    """
    batch = simulate(
        findings,
        n_records=n_records,
        fs=fs,
        duration_s=duration_s,
        seed=seed,
        noise_level=noise_level,
        report_style=report_style,
    )
    vocabulary = load_vocabulary()
    shown = [
        vocabulary.with_ancestors(f for f in one if f in vocabulary.index) for one in batch.findings
    ]
    stated = sorted({f for one in batch.findings for f in one if f in vocabulary.index})
    heads = [vocabulary.concepts[vocabulary.index[f]].canonical_name for f in stated]
    folder.mkdir(parents=True, exist_ok=True)
    width = len(str(n_records - 1))
    path = folder / MANIFEST
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "age", "sex", "report", *heads])
        for i, signal in enumerate(batch.signals):
            name = f"sim{i:0{width}d}"
            _write_wfdb(folder / name, signal, fs, float(batch.ages[i]), batch.sexes[i])
            row = [f"{name}.hea", round(float(batch.ages[i])), batch.sexes[i], batch.reports[i]]
            writer.writerow([*row, *(int(f in shown[i]) for f in stated)])
    return path


def _write_wfdb(stem: Path, signal: NDArray[np.float32], fs: int, age: float, sex: str) -> None:
    """Write a header and a signal file in WFDB format 16, 1000 units a millivolt."""
    units = (signal * _UNITS_PER_MV).round().clip(-32767, 32767).astype("<i2")  # (12, T)
    units.T.tofile(stem.with_suffix(".dat"))
    lines = [f"{stem.name} {len(units)} {fs} {units.shape[1]}"]
    for lead, row in zip(STANDARD_LEADS, units, strict=True):
        checksum = int(row.astype(np.int64).sum()) & 0xFFFF
        checksum -= 0x10000 if checksum >= 0x8000 else 0
        lines.append(f"{stem.name}.dat 16 {_UNITS_PER_MV}/mV 16 0 {row[0]} {checksum} 0 {lead}")
    lines += [f"# Age: {age:.0f}", f"# Sex: {sex}", "# Simulated, not of a patient"]
    stem.with_suffix(".hea").write_text("\n".join(lines) + "\n", encoding="utf-8")
